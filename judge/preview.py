"""Record × Settings -> Preview: all that a judge would be sent for a record, and how its verdicts would be scored."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from judge.arithmetic import work_axis, work_trace
from judge.asking import first_asks
from judge.content import has_content
from judge.estimate import ASSUMED_TOKENS_PER_UNIT
from judge.price import find_facts
from judge.probe import AskedUnit
from judge.probing import Probed
from judge.prompt import Request
from judge.record import Record
from judge.score import TraceScore, score_trace
from judge.settings import Settings
from judge.verdict import Verdict, about_unit

__all__ = ["Example", "Preview", "PreviewedCall", "preview"]

_WRITTEN: dict[str, dict[str, Any]] = {
    "right": {"presence": 2, "correctness": 1},
    "wrong": {"presence": 2, "correctness": -1},
    "silent": {"presence": 0},
}
_PROBED: dict[str, dict[str, Any]] = {
    "right": {"presence": 2, "correctness": 1, "p_present": 0.95, "p_correct": 0.9},
    "wrong": {"presence": 2, "correctness": -1, "p_present": 0.95, "p_correct": 0.1},
    "silent": {"presence": 0, "p_present": 0.1},
}
"""As a judge that is rather sure would answer: probabilities are seldom 0 or 1."""


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewedCall:
    """One call that a judge would get.

    Attributes:
        request: All that is sent.
        if_raised: It is sent only where the unit was said to be raised.
        prompt_tokens: By length, images included.
        completion_tokens: Assumed, not measured.
    """

    request: Request
    if_raised: bool
    prompt_tokens: int
    completion_tokens: int


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
        examples: Every unit right, one wrong, one not raised.
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
    asked = [unit for request in asks for unit in request.probes.asked]
    return Preview(
        record=record,
        calls=calls,
        examples=tuple(_examples(asked, _PROBED if settings.probe else _WRITTEN)),
        cost_usd=_cost_usd(calls, settings),
    )


def _calls(asks: Sequence[Request], settings: Settings) -> Iterator[PreviewedCall]:
    way = settings.way
    for request in asks:
        yield _call(request)
        if isinstance(way, Probed):
            yield from (_call(later, if_raised=True) for later in way.next_asks(request))


def _call(request: Request, *, if_raised: bool = False) -> PreviewedCall:
    written = 1 if request.labels else ASSUMED_TOKENS_PER_UNIT * len(request.probes.asked)
    prompt_tokens = round(request.guessed_tokens)
    return PreviewedCall(request=request, if_raised=if_raised, prompt_tokens=prompt_tokens, completion_tokens=written)


def _cost_usd(calls: Sequence[PreviewedCall], settings: Settings) -> float | None:
    price = settings.token_price
    if price is None:
        return None
    costs = [price.cost_usd(call.prompt_tokens, call.completion_tokens) for call in calls]
    return sum(cost for cost in costs if cost is not None)


def _examples(asked: Sequence[AskedUnit], words: dict[str, dict[str, Any]]) -> Iterator[Example]:
    """Of the first unit that weighs anything: any other would move no score."""
    place = next((place for place, unit in enumerate(asked) if unit.weight), 0)
    right = [words["right"]] * len(asked)
    yield _example(f"Every unit is raised and right ({_told(words['right'])}).", asked, right, axis=None)
    one = f"{asked[place].unit.unit_id} of {asked[place].axis}"
    others = "; all others are raised and right" if len(asked) > 1 else ""
    for name, said in (("wrong", "is raised and wrong"), ("silent", "is not raised")):
        given = [*right[:place], words[name], *right[place + 1 :]]
        yield _example(f"{one} {said} ({_told(words[name])}){others}.", asked, given, axis=asked[place].axis)


def _example(said: str, asked: Sequence[AskedUnit], given: Sequence[dict[str, Any]], *, axis: str | None) -> Example:
    verdicts = [Verdict(**about_unit(unit, 0), **words) for unit, words in zip(asked, given, strict=True)]
    scores = score_trace(verdicts)
    lines = [
        line
        for name, score in scores.axes.items()
        if axis in (None, name)
        for line in work_axis(name, [verdict for verdict in verdicts if verdict.axis == name], score)
    ]
    return Example(said=said, verdicts=tuple(verdicts), scores=scores, lines=(*lines, work_trace(scores)))


def _told(words: dict[str, Any]) -> str:
    return ", ".join(f"{name} {value}" for name, value in words.items())
