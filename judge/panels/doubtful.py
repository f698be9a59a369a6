"""Verdicts of several judges, or of several samples -> the units that a person should look at, most doubtful first.

{"record_id": "r1", "model": "m", "axis": "perception", "unit_id": "P1", "claim": "…", "line": 1, "why": "split",
 "agreement": 0.5, "outcomes": {"right": 1, "absent": 1}, "votes": [{"judge": "…", "sample": 0, "presence": 2, …}]}

`judge label TRACES --only doubtful.jsonl` asks a person about these units and no others.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean
from tempfile import TemporaryFile
from typing import IO, Any, Literal, TypeAlias

import orjson
import polars as pl

from judge.panel import outcome_of
from judge.runs.directory import RunDirectory, list_parts, write_atomically
from judge.table import Tables
from judge.verdict import Verdict

__all__ = [
    "DOUBTFUL",
    "About",
    "Doubt",
    "DoubtFile",
    "Why",
    "find_doubts",
    "opened_doubts",
    "read_verdicts",
    "write_doubts",
]

DOUBTFUL = "doubtful.jsonl"
Why: TypeAlias = Literal["split", "judges_differ", "samples_differ", "unsure"]
"""As many judges say one thing as another; they differ; one judge's samples differ; a probe's probability is near ½."""
_ORDER: Sequence[Why] = ("split", "judges_differ", "samples_differ", "unsure")
_UNSURE = 0.4
_TOLD = ("presence", "correctness", "verdict", "value", "p_present", "p_correct", "evidence", "reason", "failure")
_FIELDS = Verdict.__struct_fields__


@dataclass(frozen=True, slots=True, kw_only=True)
class About:
    """Of which record."""

    line: int
    record_id: str
    model: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Doubt:
    """One unit that a person should look at.

    Attributes:
        why: See `Why`.
        agreement: Share of the votes of all judges and samples that say what most of them say, in (0, 1].
        certainty: Of probes: how far from ½ it is that the unit is right, in [0, 1]; 1 where nothing is known.
        row: As it is written.
    """

    why: Why
    agreement: float
    certainty: float
    row: dict[str, Any]

    @property
    def rank(self) -> tuple[bool, float, float]:
        """Smaller is more doubtful: even splits, then what the votes differ most on, then what is least certain."""
        return self.why != "split", self.agreement, self.certainty


def read_verdicts(verdicts: pl.DataFrame) -> dict[int, list[Verdict]]:
    """The rows of a table of verdicts as they were, by line."""
    found: dict[int, list[Verdict]] = {}
    for row in verdicts.select("line", *_FIELDS).iter_rows():
        found.setdefault(row[0], []).append(Verdict(**dict(zip(_FIELDS, row[1:], strict=True))))
    return found


def find_doubts(
    about: About, judges: Mapping[str, Sequence[Verdict]], *, split: Iterable[tuple[str, str]] = ()
) -> Iterator[Doubt]:
    """The doubtful units of one record. Claims of a trace are each judge's own, and no units.

    Args:
        about: The record.
        judges: Judge id -> all its verdicts on the record.
        split: Axis and id of the units on which the panel has no verdict because of a split.
    """
    units: dict[tuple[str, str], list[tuple[str, Verdict]]] = {}
    for judge, verdicts in judges.items():
        for one in verdicts:
            if one.kind != "faithfulness":
                units.setdefault((one.axis, one.unit_id), []).append((judge, one))
    even = {*split}
    for place, votes in units.items():
        if doubt := _doubt(about, votes, split=place in even):
            yield doubt


def _doubt(about: About, votes: Sequence[tuple[str, Verdict]], *, split: bool) -> Doubt | None:
    counts = Counter(outcome for _, one in votes if (outcome := outcome_of(one)) is not None)
    if not counts:
        return None
    agreement, certainty = max(counts.values()) / counts.total(), _certainty(one for _, one in votes)
    why = "split" if split else _why(votes, certainty)
    if why is None:
        return None
    return Doubt(why=why, agreement=agreement, certainty=certainty, row=_row(about, votes, why, agreement, counts))


def _why(votes: Sequence[tuple[str, Verdict]], certainty: float) -> Why | None:
    of_each: dict[str, set[str]] = {}
    for judge, one in votes:
        if (outcome := outcome_of(one)) is not None:
            of_each.setdefault(judge, set()).add(outcome)
    if any(said != other for said in of_each.values() for other in of_each.values()):
        return "judges_differ"
    if any(len(said) > 1 for said in of_each.values()):
        return "samples_differ"
    return "unsure" if certainty < _UNSURE else None


def _certainty(votes: Iterable[Verdict]) -> float:
    right = [one.p_correct for one in votes if one.p_correct is not None]
    return abs(2 * fmean(right) - 1) if right else 1.0


def _row(
    about: About, votes: Sequence[tuple[str, Verdict]], why: Why, agreement: float, counts: Counter[str]
) -> dict[str, Any]:
    first = votes[0][1]
    return {
        "record_id": about.record_id,
        "model": about.model,
        "axis": first.axis,
        "unit_id": first.unit_id,
        "claim": first.claim,
        "line": about.line,
        "why": why,
        "agreement": agreement,
        "outcomes": dict(sorted(counts.items(), key=lambda pair: (-pair[1], pair[0]))),
        "votes": [_vote(judge, one) for judge, one in votes],
    }


def _vote(judge: str, one: Verdict) -> dict[str, Any]:
    said = {name: value for name in _TOLD if (value := getattr(one, name)) is not None}
    return {"judge": judge, "sample": one.sample, **said}


class DoubtFile:
    """Doubtful units as they are found; on the disk meanwhile, with their ranks in memory."""

    def __init__(self, held: IO[bytes]) -> None:
        self._held = held
        self._places: list[tuple[tuple[bool, float, float], int, int]] = []
        self.counts: Counter[Why] = Counter()

    def add(self, doubt: Doubt) -> None:
        """Keep one; of equal rank, the first comes first."""
        line = orjson.dumps(doubt.row, option=orjson.OPT_APPEND_NEWLINE)
        self._places.append((doubt.rank, self._held.tell(), len(line)))
        self._held.write(line)
        self.counts[doubt.why] += 1

    def write(self, path: Path) -> None:
        """Replace the file `path`, the most doubtful unit first."""
        write_atomically(path, self._write)

    def _write(self, file: IO[bytes]) -> None:
        for _, start, length in sorted(self._places):
            self._held.seek(start)
            file.write(self._held.read(length))

    def told(self) -> dict[str, int]:
        """How many for which reason."""
        return {why: self.counts[why] for why in _ORDER if self.counts[why]}


@contextmanager
def opened_doubts() -> Iterator[DoubtFile]:
    """Room for doubtful units; gone when this ends, however it ends."""
    with TemporaryFile() as held:
        yield DoubtFile(held)


def write_doubts(directory: RunDirectory, judge: str) -> None:
    """Write the doubtful units of one judge beside its tables: those that its samples differ on.

    Args:
        directory: Its run, with its parts written.
        judge: Its id.
    """
    with opened_doubts() as doubts:
        for part in list_parts(directory.path):
            tables = directory.read_part(int(part.name))
            for doubt in _of_part(tables, judge) if tables else ():
                doubts.add(doubt)
        doubts.write(directory.path / DOUBTFUL)


def _of_part(tables: Tables, judge: str) -> Iterator[Doubt]:
    verdicts = read_verdicts(tables.verdicts)
    for line, record_id, model in tables.scores.select("line", "record_id", "model").iter_rows():
        about = About(line=line, record_id=record_id, model=model)
        yield from find_doubts(about, {judge: verdicts.get(line, [])})
