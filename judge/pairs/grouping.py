"""Candidates -> Pairs: all that share a record id, two by two; and what has no partner."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import combinations

from judge.outcome import Failure
from judge.pairs.pair import Candidate, Pair

__all__ = ["Grouped", "PairFailure", "group"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PairFailure:
    """Something that was not compared, and why.

    Attributes:
        failure: Its line is that of the first of the two traces, or of the one that it is about.
        source: What that was read from.
        model_a, model_b: Whose traces; None where it is about one record.
        order: `ab` or `ba`, where one order only has failed.
        calls: Ids of the calls of its conversation: to be asked anew another time.
    """

    failure: Failure
    source: str
    model_a: str | None = None
    model_b: str | None = None
    order: str | None = None
    calls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Grouped:
    """What can be compared, and what cannot.

    Attributes:
        models: In the order in which they first appear.
        pairs: In the order of their records; within one, of their models.
        paired: Records that are in at least one of them.
        failures: One for each other record.
    """

    models: tuple[str, ...]
    pairs: tuple[Pair, ...]
    paired: int
    failures: tuple[PairFailure, ...]

    @property
    def compared(self) -> tuple[str, ...]:
        """Models that are in a pair, in the order in which they first are."""
        return tuple(dict.fromkeys(one.model for pair in self.pairs for one in (pair.a, pair.b)))


def group(candidates: Iterable[Candidate], *, limit: int | None = None) -> Grouped:
    """Pair what shares a record id.

    Args:
        candidates: In the order of their inputs.
        limit: Record ids to look at, at most, from the first; None for all.
    """
    by_id: dict[str, dict[str, list[Candidate]]] = {}
    models: dict[str, int] = {}
    for one in candidates:
        if one.record.id in by_id or limit is None or len(by_id) < limit:
            by_id.setdefault(one.record.id, {}).setdefault(one.model, []).append(one)
            models.setdefault(one.model, len(models))
    pairs: list[Pair] = []
    failures: list[PairFailure] = []
    paired = 0
    for of_id in by_id.values():
        single = [of_id[model][0] for model in sorted(of_id, key=models.__getitem__) if len(of_id[model]) == 1]
        failures += [failure for same in of_id.values() if len(same) > 1 for failure in _repeated(same)]
        failures += [_alone(one) for one in single] if len(single) == 1 else []
        paired += len(single) if len(single) > 1 else 0
        pairs += [Pair(a=one, b=other) for one, other in combinations(single, 2)]
    return Grouped(models=tuple(models), pairs=tuple(pairs), paired=paired, failures=tuple(failures))


def _repeated(same: Sequence[Candidate]) -> Iterator[PairFailure]:
    """None of them counts: to choose one would be to guess."""
    for one in same:
        other = next(other for other in same if other is not one)
        message = (
            f"{one.place}: the record {one.record.id!r} has {len(same)} traces of the model {one.model!r}, another at "
            f"{other.place}. Give each its own `model`, or none at all: a file's name stands for it then."
        )
        yield _failed(one, "repeated_trace", message)


def _alone(one: Candidate) -> PairFailure:
    message = (
        f"{one.place}: no other model has a trace of the record {one.record.id!r}, so there is nothing to compare."
    )
    return _failed(one, "one_trace", message)


def _failed(one: Candidate, error: str, message: str) -> PairFailure:
    failure = Failure(line=one.record.line, record_id=one.record.id, stage="pair", error=error, message=message)
    return PairFailure(failure=failure, source=one.source, model_a=one.model)
