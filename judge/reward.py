"""Outcome × RewardShape -> Reward: the one place where a score becomes the number that a trainer gets.

    reward = Σ w·part / Σ w  +  length term        over the parts that have a value: axes, answer, format

A part is a share of 1: an axis's score, whether the answer is right, whether the trace has the wanted form. The reward
is told in contributions, which add up to it.
"""

from __future__ import annotations

import math
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Final, Literal, TypeAlias

from msgspec import Struct
from msgspec.structs import replace

from judge.answer import answer_correct, extract_answer, reference_answer
from judge.axis import ScoredAxis
from judge.errors import ConfigError
from judge.outcome import Outcome
from judge.record import Record
from judge.score import TraceScore, score_trace
from judge.verdict import Verdict

__all__ = ["FORMAT", "Gate", "LengthTerm", "Reward", "RewardShape", "failed_reward", "gated_reward", "reward_of"]

Gate: TypeAlias = Literal["answer", "format"]
GATES: Final[tuple[Gate, ...]] = ("answer", "format")
FORMAT: Final = r"(?s)\s*+(?:<think>)?+\s*+(?:(?!</?think>).)++</think>\s*+(?:(?!</?think>).)++"
"""The usual form: thinking that ends once, and an answer after it. The opening tag may be a part of the prompt.

It never goes back: a candidate may write a hundred thousand characters that almost fit.
"""
_BESIDES: Final = ("length", "gate", "veto", "rounding")


@dataclass(frozen=True, slots=True, kw_only=True)
class LengthTerm:
    """What a long trace costs: nothing up to `free` characters, `cost` from `most` on, and in between a share of it.

    Source: soft overlong punishment, DAPO, arXiv 2503.14476.
    """

    free: int
    most: int
    cost: float

    def of(self, characters: int) -> float:
        """At most 0."""
        over = (characters - self.free) / (self.most - self.free)
        return -self.cost * min(1.0, max(0.0, over))


@dataclass(frozen=True, kw_only=True)
class RewardShape:
    """How the score of a trace becomes a reward.

    Attributes:
        weights: What each part weighs: axes of the rubric, `answer` (1 where it is right, else 0) and `format` (1 where
            the trace has it). None for the trace score, which is the mean of the axes.
        hard: Presence and correctness as likeliest, also where they are known as probabilities.
        gates: Parts that have to be 1. A trace that fails one gets `gated` and is not judged: there is no call.
        gated: The reward of a trace that a gate stops.
        format: Regular expression that a whole trace with the wanted form matches.
        veto: Axis -> the least score. Below it the whole reward is `vetoed`, whatever the other parts are.
        vetoed: That reward.
        length: What length costs; None for nothing. Most trainers have a term of their own.
        round_to: Rewards are multiples of it; 0 leaves them as they are. Where a group is nearly equal, a trainer that
            divides by its deviation makes much of little differences.
        dead_band: Rewards of one group that are no further apart than this are all set to their mean; 0 for none.

    Raises:
        ConfigError: A value is outside its range.
    """

    weights: Mapping[str, float] | None = None
    hard: bool = False
    gates: Sequence[Gate] = ()
    gated: float = 0.0
    format: str = FORMAT
    veto: Mapping[str, float] = field(default_factory=dict)
    vetoed: float = 0.0
    length: LengthTerm | None = None
    round_to: float = 0.0
    dead_band: float = 0.0

    def __post_init__(self) -> None:
        for name, value, holds, allowed in self._ranges():
            if not holds:
                raise ConfigError(f"{name} is {value!r}; it must be {allowed}.")
        try:
            re.compile(self.format)
        except re.error as exc:
            raise ConfigError(f"format is no regular expression: {exc}.") from exc

    def _ranges(self) -> tuple[tuple[str, object, bool, str], ...]:
        weights, length = self.weights, self.length
        return (
            ("weights", weights, weights is None or _can_weigh(weights), "finite, at least 0, and not all 0"),
            ("gates", self.gates, set(self.gates) <= set(GATES), f"of {', '.join(GATES)}"),
            ("gated", self.gated, math.isfinite(self.gated), "finite"),
            ("vetoed", self.vetoed, math.isfinite(self.vetoed), "finite"),
            ("round_to", self.round_to, 0 <= self.round_to < math.inf, "0 or more"),
            ("dead_band", self.dead_band, 0 <= self.dead_band < math.inf, "0 or more"),
            ("veto", self.veto, all(map(math.isfinite, self.veto.values())), "finite"),
            (
                "length",
                length,
                length is None or (0 <= length.free < length.most and 0 <= length.cost < math.inf),
                "free characters below most, and a cost of 0 or more",
            ),
        )

    def check_axes(self, axes: Sequence[str]) -> None:
        """Refuse parts that the rubric does not have.

        Raises:
            ConfigError: Says which there are.
        """
        for name, given in (("weights", [*(self.weights or {})]), ("veto", [*self.veto])):
            allowed = [*axes, *(GATES if name == "weights" else ())]
            for part in given:
                if part not in allowed:
                    raise ConfigError(f"{name} names {part!r}; there are: {', '.join(allowed)}.")

    @cached_property
    def _form(self) -> re.Pattern[str]:
        return re.compile(self.format)

    def stops(self, record: Record) -> Gate | None:
        """The first gate that a record fails before it is judged; None where it passes all.

        An answer of which nobody says whether it is right stops nothing.
        """
        return next((gate for gate in self.gates if self.part(gate, record) == 0), None)

    def part(self, name: Gate, record: Record) -> float | None:
        """`answer` or `format` of a record; None for an answer where nothing says which is right."""
        if name == "format":
            return float(self._form.fullmatch(record.trace) is not None)
        given = reference_answer(record.reference.answer, record.reference.reasoning, record.options)
        right = answer_correct(extract_answer(record.trace, record.options), given, record.options)
        return None if right is None else float(right)


class Reward(Struct, frozen=True, kw_only=True):
    """What a trainer gets for one trace.

    Attributes:
        value: None where judging failed; never a number then.
        contributions: Part -> what it adds; they add up to the value, and every reward of a shape has the same parts.
        scores: Axis -> its score; None for an axis without one.
        status: `ok`, `gated` where no judge was asked, or `failed`.
        why: The gate or the failure, as a short word; None where it is ok.
        message: The failure in full, where more is known of it.
    """

    value: float | None
    contributions: Mapping[str, float]
    scores: Mapping[str, float | None]
    status: Literal["ok", "gated", "failed"]
    why: str | None = None
    message: str = ""


def reward_of(outcome: Outcome, shape: RewardShape, axes: Mapping[str, ScoredAxis]) -> Reward:
    """The reward of a judged trace.

    Args:
        outcome: What came of it.
        shape: How it becomes a number.
        axes: Of the rubric that it was judged by.
    """
    scores = _scores(outcome, shape, axes)
    if outcome.record is None or scores is None or scores.score is None:
        told = outcome.failures[0].message if outcome.failures else ""
        return failed_reward(shape, axes, outcome.failure or "no_score", told)
    by_axis = {name: scores.axes[name].score if name in scores.axes else None for name in axes}
    parts: dict[str, float | None] = dict(by_axis)
    parts |= {gate: shape.part(gate, outcome.record) for gate in GATES if gate in (shape.weights or {})}
    contributions = _nothing(shape, axes) | _weighed(parts, shape.weights or dict.fromkeys(axes, 1.0))
    if not any(parts[name] is not None for name in shape.weights or axes):
        return failed_reward(shape, axes, "no_part")
    if shape.length is not None:
        contributions["length"] = shape.length.of(len(outcome.record.trace))
    value = math.fsum(contributions.values())
    if _is_vetoed(by_axis, shape):
        contributions["veto"], value = shape.vetoed - value, shape.vetoed
    elif shape.round_to:
        rounded = round(value / shape.round_to) * shape.round_to
        contributions["rounding"], value = rounded - value, rounded
    return Reward(value=value, contributions=contributions, scores=by_axis, status="ok")


def gated_reward(gate: Gate, shape: RewardShape, axes: Mapping[str, ScoredAxis]) -> Reward:
    """The reward of a trace that was not judged."""
    contributions = _nothing(shape, axes) | {"gate": shape.gated}
    return Reward(value=shape.gated, contributions=contributions, scores=dict.fromkeys(axes), status="gated", why=gate)


def failed_reward(shape: RewardShape, axes: Mapping[str, ScoredAxis], why: str, message: str = "") -> Reward:
    """The reward of a trace that could not be judged: none."""
    nothing, scores = _nothing(shape, axes), dict[str, float | None].fromkeys(axes)
    return Reward(value=None, contributions=nothing, scores=scores, status="failed", why=why, message=message)


def _scores(outcome: Outcome, shape: RewardShape, axes: Mapping[str, ScoredAxis]) -> TraceScore | None:
    """As judged, or once more from what was likeliest. A trace that is not scored stays so."""
    scores = outcome.scores
    if not shape.hard or scores is None or scores.score is None:
        return scores
    return score_trace([_hardened(verdict) for verdict in outcome.verdicts], min_coverage=0.0, axes=axes)


def _hardened(verdict: Verdict) -> Verdict:
    value = float(verdict.level) if verdict.level is not None else verdict.value
    return replace(verdict, p_present=None, p_correct=None, value=value)


def _weighed(parts: Mapping[str, float | None], weights: Mapping[str, float]) -> dict[str, float]:
    known = {name: value for name in weights if (value := parts[name]) is not None}
    whole = math.fsum(weights[name] for name in known)
    return {name: weights[name] * value / whole for name, value in known.items()} if whole else {}


def _is_vetoed(scores: Mapping[str, float | None], shape: RewardShape) -> bool:
    return any((score := scores[axis]) is not None and score < least for axis, least in shape.veto.items())


def _nothing(shape: RewardShape, axes: Mapping[str, ScoredAxis]) -> dict[str, float]:
    """Every part of a shape, at 0: trainers want the same keys of every sample."""
    return dict.fromkeys((*(shape.weights or axes), *_BESIDES), 0.0)


def _can_weigh(weights: Mapping[str, float]) -> bool:
    return all(0 <= weight < math.inf for weight in weights.values()) and any(weights.values())
