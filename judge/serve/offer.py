"""Names -> a judge with its rubric, of those that the service was started with; clients can name nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, Literal, TypeAlias

from judge.client import Judge
from judge.outcome import Call, Outcome
from judge.pairs.asking import PairOutcome
from judge.pairs.grouping import PairFailure
from judge.record import Record
from judge.reward import RewardShape
from judge.rewards.failing import FailureRule, OnFailure
from judge.rewards.rewarder import Rewarder
from judge.serve.metrics import Kind
from judge.serve.refusal import Refusal

__all__ = ["Can", "Offer", "Served", "Watched"]


_Given: TypeAlias = Mapping[str, object] | Record
_Results: TypeAlias = Sequence[tuple[str, Sequence[Call]]]
Can: TypeAlias = Literal["scores", "compares"]
_NOT_AT_ALL: Final[Mapping[Can, tuple[str, str]]] = {
    "scores": (
        "This service scores no traces: all axes of its rubrics compare two.",
        "Ask POST /v1/compare, or start the service with another --rubric too, such as pkr.",
    ),
    "compares": (
        "This service compares no traces: it has no rubric with axes of `kind: preference` and a judge that reads.",
        "Start it with --rubric pkr-preference too, and a --judge such as hosted_vllm/MODEL.",
    ),
}


class Watched(Judge):
    """A judge that tells what came of records and of pairs, whoever asked.

    Attributes:
        watch: Told of the kind, and of each: `ok` or why it failed, and its calls.
    """

    watch: Callable[[Kind, _Results], None] | None = None

    async def aoutcomes(
        self, records: Iterable[Mapping[str, object] | Record], *, deadline_s: float | None = None
    ) -> list[Outcome]:
        outcomes = await super().aoutcomes(records, deadline_s=deadline_s)
        if self.watch is not None:
            self.watch("records", [(one.failure or "ok", one.calls) for one in outcomes])
        return outcomes

    async def apairs(
        self, pairs: Iterable[tuple[_Given, _Given]], *, deadline_s: float | None = None
    ) -> list[PairOutcome | PairFailure]:
        outcomes = await super().apairs(pairs, deadline_s=deadline_s)
        if self.watch is not None:
            self.watch("pairs", [_result(one) for one in outcomes])
        return outcomes


def _result(outcome: PairOutcome | PairFailure) -> tuple[str, Sequence[Call]]:
    if isinstance(outcome, PairFailure):
        return outcome.failure.error, ()
    return outcome.failure or "ok", outcome.calls


@dataclass(frozen=True, kw_only=True)
class Served:
    """A judge with a rubric, and how its scores become rewards.

    Attributes:
        judge: Judges.
        shape: Turns a score into a reward.
        rule: What a failure becomes.
        deadline_s: Seconds that a batch may take.
    """

    judge: Watched
    deadline_s: float
    shape: RewardShape = field(default_factory=RewardShape)
    rule: FailureRule = field(default_factory=FailureRule)
    _rewarders: dict[tuple[OnFailure, ...], Rewarder] = field(default_factory=dict, repr=False)

    @property
    def name(self) -> tuple[str, str]:
        """The judge's name and the rubric's, as clients give them."""
        return self.judge.settings.judge, self.judge.rubric.name

    def can(self, what: Can) -> bool:
        """Whether it gives scores, or says which of two traces is better; a rubric may be for both."""
        settings = self.judge.settings
        if what == "scores":
            return bool(settings.rubric.scored)
        return bool(settings.rubric.preferences) and not settings.free and not settings.probe

    def rewarder(self, policies: Sequence[OnFailure] = ()) -> Rewarder:
        """The rewarder for a trainer; one for all who ask for the same.

        Args:
            policies: What the trainer can do with a failure, where it cannot do everything. Where the rule is none of
                them, the first is done.
        """
        kept_as = tuple(policies)
        if kept_as not in self._rewarders:
            self._rewarders[kept_as] = self._made(policies)
        return self._rewarders[kept_as]

    def _made(self, policies: Sequence[OnFailure]) -> Rewarder:
        fits = not policies or self.rule.on_failure in policies
        rule = self.rule if fits else replace(self.rule, on_failure=policies[0])
        return Rewarder(self.judge, self.shape, failures=rule, deadline_s=self.deadline_s)


class Offer:
    """All that is served.

    Args:
        served: At least one; no two of the same names.
    """

    def __init__(self, served: Sequence[Served]) -> None:
        self.served = tuple(served)

    def find(self, judge: str | None, rubric: str | None, what: Can = "scores") -> Served:
        """The first of those names that can do what is asked for.

        Raises:
            Refusal: There is none.
        """
        able = [one for one in self.served if one.can(what)]
        for one in able:
            if judge in (None, one.name[0]) and rubric in (None, one.name[1]):
                return one
        if not able:
            message, hint = _NOT_AT_ALL[what]
            raise Refusal(HTTPStatus.NOT_FOUND, "not_served", message, hint=hint)
        allowed = ", ".join(f"{rubric} by {judge}" for judge, rubric in (one.name for one in able))
        message = f"The service was not started with a rubric and judge of these names that {what} traces."
        raise Refusal(HTTPStatus.NOT_FOUND, "not_served", message, hint=f"There are: {allowed}.")
