"""Record × Settings -> Preview: all that a judge would be sent for a record, and how its verdicts would be scored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from judge.arithmetic import work_axis, work_trace
from judge.asking import first_asks
from judge.axis import Axis, Criteria
from judge.content import has_content
from judge.estimate import assumed_tokens
from judge.price import find_facts
from judge.probe import AskedUnit
from judge.probing import Probed
from judge.prompt import Request
from judge.record import Record
from judge.score import TraceScore, score_trace
from judge.settings import Settings
from judge.verdict import Verdict, about_unit
from judge.written import Written

__all__ = ["Example", "Preview", "PreviewedCall", "preview"]

_Words: TypeAlias = dict[str, Any]
"""What a judge says of a unit: some fields of a verdict."""
_ALL_LEVELS = "Every scale is at its highest level."
_ALL_CLAIMS = "Every sentence of the trace stands for a claim, and all are SUPPORTED."
_ALL_RATINGS = "All criteria together are rated 10."
_ALL_CRITERIA = "Every criterion turns out well: MET where that is good, UNMET where it is bad."
_WRITTEN: Mapping[str, _Words] = {
    "right": {"presence": 2, "correctness": 1},
    "wrong": {"presence": 2, "correctness": -1},
    "silent": {"presence": 0},
}
_PROBED: Mapping[str, _Words] = {
    "right": {"presence": 2, "correctness": 1, "p_present": 0.95, "p_correct": 0.9},
    "wrong": {"presence": 2, "correctness": -1, "p_present": 0.95, "p_correct": 0.1},
    "silent": {"presence": 0, "p_present": 0.1},
}
"""As a judge that is rather sure would answer: probabilities are seldom 0 or 1."""
_SURE = 0.9
_ALL_LEVELS_PROBED = f"Every scale is at its highest level with a probability of {_SURE}, else at the one below."


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedCall:
    """One call that a judge would get.

    Attributes:
        request: All that is sent.
        if_raised: It is sent only where the unit was said to be raised.
        guessed: It is about the claims of the trace, which nobody knows yet: every sentence stands for one.
        prompt_tokens: By length, images included.
        completion_tokens: Assumed, not measured.
    """

    request: Request
    prompt_tokens: int
    completion_tokens: int
    if_raised: bool = False
    guessed: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Example:
    """Verdicts that a judge might give, and the scores that they make.

    Attributes:
        said: The verdicts in words.
        verdicts: One a unit, in asking order.
        scores: Of `score_trace`.
        lines: The sums; after the first example only those of the axis that differs, and of the trace.
    """

    said: str
    verdicts: tuple[Verdict, ...]
    scores: TraceScore
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What a record would be asked about, and how it would be scored.

    Attributes:
        calls: In asking order; empty for a trace that says nothing, which is scored without a call.
        examples: All well; then one unit of each kind that is not.
        cost_usd: Of all calls; None where no price is known.
    """

    record: Record
    calls: tuple[PreviewedCall, ...]
    examples: tuple[Example, ...]
    cost_usd: float | None

    @property
    def prompt_tokens(self) -> int:
        return sum(call.prompt_tokens for call in self.calls)

    @property
    def completion_tokens(self) -> int:
        return sum(call.completion_tokens for call in self.calls)


def preview(record: Record, settings: Settings) -> Preview:
    """Say what judging a record would send. Asks nobody.

    Args:
        record: With its images.
        settings: Judge and rubric; one sample.

    Raises:
        InputError: The record cannot be asked about, or has an image that this judge is known not to see.
    """
    sighted = find_facts(settings.judge).supports_vision is not False
    asks = first_asks(record, settings.way, sees_images=sighted)
    calls = tuple(_calls(asks, settings)) if has_content(record.trace) else ()
    later = settings.way.next_asks(asks) if isinstance(settings.way, Written) else []
    # Who takes a trace apart gives no verdict.
    asked = [unit for ask in (*asks, *later) if not ask.probes.portion for unit in ask.probes.asked]
    return Preview(
        record=record,
        calls=calls,
        examples=tuple(_examples(asked, settings)),
        cost_usd=_cost_usd(calls, settings),
    )


def _calls(asks: Sequence[Request], settings: Settings) -> Iterator[PreviewedCall]:
    way = settings.way
    for request in asks:
        yield _call(request)
        if isinstance(way, Probed):
            yield from (_call(later, if_raised=True) for later in way.next_asks(request))
    if isinstance(way, Written):
        yield from (_call(later, guessed=True) for later in way.next_asks(asks))


def _call(request: Request, *, if_raised: bool = False, guessed: bool = False) -> PreviewedCall:
    return PreviewedCall(
        request=request,
        if_raised=if_raised,
        guessed=guessed,
        prompt_tokens=round(request.guessed_tokens),
        completion_tokens=assumed_tokens(request),
    )


def _cost_usd(calls: Sequence[PreviewedCall], settings: Settings) -> float | None:
    price = settings.token_price
    if price is None:
        return None
    costs = [price.cost_usd(call.prompt_tokens, call.completion_tokens) for call in calls]
    return sum(cost for cost in costs if cost is not None)


def _examples(asked: Sequence[AskedUnit], settings: Settings) -> Iterator[Example]:
    """All is well; then the first unit of each kind, scoring and polarity is not, of those that weigh anything."""
    words = _PROBED if settings.probe else _WRITTEN
    good = [_good(unit, words, probed=settings.probe) for unit in asked]
    said = {"checklist": f"Every unit is raised and right ({_told(words['right'])}).", "criteria": _ALL_CRITERIA}
    said |= {"rating": _ALL_RATINGS, "faithfulness": _ALL_CLAIMS}
    said["scale"] = _ALL_LEVELS_PROBED if settings.probe else _ALL_LEVELS
    yield _example(" ".join(said[kind] for kind in dict.fromkeys(unit.kind for unit in asked)), asked, good, settings)
    sorts = [_sort(unit, settings.rubric.axes[unit.axis]) for unit in asked]
    for alike in dict.fromkeys(sorts):
        places = [place for place, sort in enumerate(sorts) if sort == alike]
        place = next((place for place in places if asked[place].weight), places[0])
        one = f"{asked[place].unit.unit_id} of {asked[place].axis}"
        others = "; all others are as above" if len(asked) > 1 else ""
        for turned, verdict in _turns(asked[place], words, probed=settings.probe):
            given, axis = [*good[:place], verdict, *good[place + 1 :]], asked[place].axis
            told = f" ({words_told})" if (words_told := _told(verdict)) else ""
            yield _example(f"{one} {turned}{told}{others}.", asked, given, settings, axis=axis)


def _sort(unit: AskedUnit, axis: Axis) -> tuple[str | None, ...]:
    """Units of one sort count in one way."""
    return (unit.kind, axis.scoring if isinstance(axis, Criteria) else None, unit.polarity)


def _good(unit: AskedUnit, words: Mapping[str, _Words], *, probed: bool) -> _Words:
    if unit.levels:
        return _at_level(max(unit.levels), unit, probed=probed)[1]
    if unit.kind == "faithfulness":
        return {"verdict": "SUPPORTED", "value": 1.0}
    return words["right"] if unit.kind == "checklist" else _criterion(unit, good=True)


def _turns(unit: AskedUnit, words: Mapping[str, _Words], *, probed: bool) -> list[tuple[str, _Words]]:
    """How a unit may turn out worse, in words and as a verdict."""
    if unit.kind == "checklist":
        return [("is raised and wrong", words["wrong"]), ("is not raised", words["silent"])]
    if unit.levels:
        return [_at_level(sorted(unit.levels)[-2], unit, probed=probed)]
    if unit.kind == "faithfulness":
        return [("does not hold", {"verdict": "CONTRADICTED", "value": 0.0})]
    said = "does not hold" if unit.polarity == "positive" else "holds, which is bad"
    return [(said, _criterion(unit, good=False))]


def _at_level(level: int, unit: AskedUnit, *, probed: bool) -> tuple[str, _Words]:
    """In words and as a verdict; of a probe, what is expected where a neighbour has the rest of the probability."""
    if not probed:
        return f"is at level {level}", {"value": float(level), "level": level}
    lower = [other for other in unit.levels if other < level]
    neighbour = max(lower) if lower else min(other for other in unit.levels if other > level)
    said = f"is at level {level} with a probability of {_SURE}, else at level {neighbour}"
    return said, {"value": round(_SURE * level + (1 - _SURE) * neighbour, 4), "level": level}


def _criterion(unit: AskedUnit, *, good: bool) -> _Words:
    return {"verdict": "MET" if good == (unit.polarity == "positive") else "UNMET", "value": float(good)}


def _example(
    said: str, asked: Sequence[AskedUnit], given: Sequence[_Words], settings: Settings, *, axis: str | None = None
) -> Example:
    verdicts = [
        Verdict(**about_unit(unit, 0, probed=settings.probe), **words) for unit, words in zip(asked, given, strict=True)
    ]
    axes = settings.rubric.axes
    scores = score_trace(verdicts, axes=axes)
    lines = [
        line
        for name, score in scores.axes.items()
        if axis in (None, name)
        for line in work_axis(name, [one for one in verdicts if one.axis == name], score, axes[name])
    ]
    return Example(said=said, verdicts=tuple(verdicts), scores=scores, lines=(*lines, work_trace(scores)))


def _told(words: _Words) -> str:
    return ", ".join(f"{name} {value}" for name, value in words.items() if name not in ("value", "level"))
