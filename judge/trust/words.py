"""An agreement -> what it means, in plain sentences; and labels that count nowhere, in words."""

from __future__ import annotations

from collections.abc import Iterator

from judge.statistics.estimate import Estimate
from judge.trust.agreement import MEAN, Agreement
from judge.trust.compared import Compared
from judge.trust.matching import WHY_WORDS, Unmatched
from judge.trust.people import Ceiling
from judge.trust.sheet import MAJORITY

__all__ = ["many", "sentences", "unmatched_words"]


def sentences(agreement: Agreement, compared: Compared, ceiling: Ceiling | None) -> Iterator[str]:
    """Say what was found of one judge on one axis.

    Args:
        agreement: Of the axis.
        compared: The judge against the majority, the mean, or a person.
        ceiling: Of the judge, where there is one.
    """
    if not compared.n:
        yield f"No unit has both a usable answer and a label of the {compared.against}: nothing is known."
        return
    yield from _by_classes(compared) if compared.classes else _by_numbers(compared)
    if ceiling is not None and compared.against == MAJORITY:
        yield from _beside_a_person(ceiling)
    if compared.unparsed:
        yield _unparsed(compared)
    if agreement.splits and compared.against == MAJORITY:
        yield f"{agreement.splits:,} of {agreement.units:,} units have no majority, and count in no number against it."


def _by_classes(compared: Compared) -> Iterator[str]:
    agreement, kappa = compared.numbers["agreement"], compared.numbers["kappa"]
    constant = f"always saying {compared.commonest!r} would agree on {_percent(compared.baseline)}"
    of = f"{many(compared.n, 'unit')} of {many(compared.records, 'record')}"
    yield f"It agrees on {_percent(agreement)} of {of}; {constant}."
    if kappa.value is None:
        yield f"Kappa is null: {kappa.reason}."
    elif _given(compared) == 1:
        # Whatever the judge says, kappa is 0 then: that is nothing about the judge.
        yield f"No class but {compared.commonest!r} was given to these units, so kappa tells nothing."
    elif kappa.low is None or kappa.high is None:
        yield f"Kappa {kappa.value:.2f} has no interval ({kappa.reason}): too little is known."
    else:
        told = _beside_chance(kappa.low, kappa.high)
        yield f"That {told}: kappa {_interval(kappa)}, where 0 is chance and 1 is full agreement."


def _given(compared: Compared) -> int:
    """Classes that the other one gave."""
    return sum(any(column) for column in zip(*compared.table, strict=True))


def _beside_chance(low: float, high: float) -> str:
    if low > 0:
        return "is better than chance"
    return "is worse than chance" if high < 0 else "cannot be told from chance"


def _by_numbers(compared: Compared) -> Iterator[str]:
    spearman = compared.numbers["spearman"]
    whom = "the raters' mean" if compared.against == MEAN else compared.against
    if spearman.value is None:
        yield f"How it ranks {compared.n:,} answers beside {whom} is null: {spearman.reason}."
    else:
        yield f"It ranks {compared.n:,} answers as {whom} does with Spearman's correlation {_interval(spearman)}."


def _beside_a_person(ceiling: Ceiling) -> Iterator[str]:
    person, reached, apart = ceiling.person, ceiling.reached, ceiling.difference
    if person.value is None or reached.value is None or apart.value is None:
        return
    one = f"One rater against the majority of the others reaches kappa {_interval(person)}"
    yield f"{one}; the judge, on the same units, {_interval(reached)}: {_beside(apart)}."


def _beside(apart: Estimate) -> str:
    difference = f"a difference of {_interval(apart)}"
    if apart.low is None or apart.high is None:
        return f"{difference}, which too little is known of"
    if apart.high < 0:
        return f"{difference}, so it is no stand-in for a rater"
    return f"{difference}, so it is above a rater" if apart.low > 0 else f"{difference}: they cannot be told apart"


def _unparsed(compared: Compared) -> str:
    asked, with_them = compared.n + compared.unparsed, compared.numbers.get("kappa_with_unparsed")
    beside = f"; as an answer of their own, kappa is {_interval(with_them)}" if with_them is not None else ""
    return f"{compared.unparsed:,} of {asked:,} answers could not be used and are left out above{beside}."


def _percent(estimate: Estimate | None) -> str:
    return "an unknown share" if estimate is None or estimate.value is None else f"{estimate.value:.0%}"


def _interval(estimate: Estimate) -> str:
    if estimate.value is None:
        return "null"
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:.2f}"
    return f"{estimate.value:.2f} ({estimate.low:.2f} to {estimate.high:.2f})"


def unmatched_words(one: Unmatched) -> str:
    """How many labels count nowhere for one reason, and which are the first."""
    first = ", ".join(f"{example} (line {line})" for example, line in zip(one.examples[:3], one.lines[:3], strict=True))
    return f"Not counted: {one.count:,} {WHY_WORDS[one.why]}: {first}{', …' if one.count > 3 else ''}"


def many(count: int, thing: str) -> str:
    """So many of a thing, in words: `1 record`, `1,200 records`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
