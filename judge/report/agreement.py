"""Labels held against the judges -> the numbers of `judge agree`, as a table, sentences and heat maps."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Final

from judge.report.figure import Figure
from judge.report.people import People
from judge.report.plots import draw_matrix
from judge.report.section import Cell, Interval, Section, Table
from judge.statistics.estimate import Estimate
from judge.trust.agreement import Agreement
from judge.trust.agreement import Cell as Pair
from judge.trust.lines import Line, find_lines
from judge.trust.words import sentences, unmatched_words

__all__ = ["describe_agreement", "draw_agreement"]

_NAMES_DRAWN: Final = 10
"""Of judges and people together: those with the most in common."""
_HEAD: Final = (
    *("asked", "judge", "n", "agreement", "constant", "kappa", "raters", "one rater", "the judge there"),
    *("difference", "unused", "Spearman"),
)
_LEGEND: Final = (
    "constant: agreement of one who always gives the commonest answer; raters: mean kappa of two raters; one rater: "
    "kappa of one against the majority of the others, beside the judge on the same units; unused: answers that could "
    "not be used, which are left out."
)


def describe_agreement(people: People) -> Section:
    """A line a judge, probe and axis, and in sentences what they mean."""
    ratings, lines = people.ratings, list(find_lines(people.agreements))
    raters = f"{len(ratings.raters)} rater{'s' if len(ratings.raters) != 1 else ''}"
    counted = [f"{ratings.labels:,} labels of {raters}: {', '.join(ratings.raters)}."]
    ranked = any(line.number("spearman") is not None for line in lines)
    told = [line for line in lines if line.agreement in _told(people.agreements)]
    return Section(
        name="agreement",
        title="Agreement with people",
        short="People",
        about=[*counted, *(f"{unmatched_words(one)}." for one in ratings.unmatched)],
        tables=[
            Table(
                caption="Judges against the majority of the raters, with 95 % intervals",
                head=_HEAD if ranked else _HEAD[:-1],
                rows=[(*_row(line, people), *_rank(line, ranked=ranked)) for line in lines],
            )
        ],
        found=[_LEGEND, *(_said(line, people) for line in told)],
    )


def _told(agreements: Sequence[Agreement]) -> list[Agreement]:
    """Of several axes those of all together, where there are such."""
    whole = {one.probe for one in agreements if one.axis is None}
    return [one for one in agreements if one.axis is None or one.probe not in whole]


def _row(line: Line, people: People) -> Sequence[Cell]:
    shown, among, ceiling = line.shown, line.agreement.people, line.ceiling
    against = (ceiling.person, ceiling.reached, ceiling.difference) if ceiling else (None,) * 3
    return (
        line.what,
        people.names.get(line.judge, line.judge),
        shown.n,
        _interval(line.number("agreement")),
        None if shown.baseline is None else shown.baseline.value,
        _interval(line.number("kappa")),
        _interval(None if among is None else among.numbers.get("kappa")),
        *map(_interval, against),
        shown.unparsed_share,
    )


def _rank(line: Line, *, ranked: bool) -> Sequence[Cell]:
    """A column of its own where answers have an order."""
    return (_interval(line.number("spearman")),) if ranked else ()


def _interval(found: Estimate | None) -> Cell:
    return None if found is None else Interval(value=found.value, low=found.low, high=found.high)


def _said(line: Line, people: People) -> str:
    what = " ".join(sentences(line.agreement, line.shown, line.ceiling))
    return f"{line.what}, {people.names.get(line.judge, line.judge)}: {what}"


def draw_agreement(people: People) -> Iterator[Figure]:
    """Kappa between every two raters, judges among them; a heat map for each probe, of all axes together."""
    for number, one in enumerate(_told(people.agreements)):
        if one.cells:
            yield _heat_map(number, one, people)


def _heat_map(number: int, agreement: Agreement, people: People) -> Figure:
    cells = {pair: cell for cell in agreement.cells for pair in ((cell.rater, cell.other), (cell.other, cell.rater))}
    raters = _drawn((*agreement.judges, *agreement.raters), agreement.cells)
    values = [[_kappa(cells.get((one, other))) for other in raters] for one in raters]
    n = [[cells[one, other].n if (one, other) in cells else 0 for other in raters] for one in raters]
    names = {rater: people.names.get(rater, rater) for rater in (*agreement.judges, *agreement.raters)}
    of = f"{agreement.axis or 'all axes'} ({agreement.probe})"
    title = f"Kappa of every two raters on {of}: 1 is full agreement, 0 is chance"
    rows = [
        (names[cell.rater], names[cell.other], cell.kappa.value, cell.agreement.value, cell.n)
        for cell in agreement.cells
    ]
    return Figure(
        title=title,
        svg=draw_matrix(f"agreement{number}", title, [names[rater] for rater in raters], values, n),
        head=("one", "other", "kappa", "agreement", "n"),
        rows=rows,
    )


def _kappa(cell: Pair | None) -> float | None:
    return None if cell is None else cell.kappa.value


def _drawn(raters: Sequence[str], cells: Sequence[Pair]) -> list[str]:
    shared: Counter[str] = Counter()
    for cell in cells:
        shared += Counter({cell.rater: cell.n, cell.other: cell.n})
    most = {rater for rater, _ in shared.most_common(_NAMES_DRAWN)}
    return [rater for rater in raters if rater in most]
