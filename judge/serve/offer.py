"""Names -> a judge with its rubric, of those that the service was started with; clients can name nothing else."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from http import HTTPStatus

from judge.client import Judge
from judge.outcome import Outcome
from judge.record import Record
from judge.reward import RewardShape
from judge.rewards.failing import FailureRule, OnFailure
from judge.rewards.rewarder import Rewarder
from judge.serve.refusal import Refusal

__all__ = ["Offer", "Served", "Watched"]


class Watched(Judge):
    """A judge that tells what came of records, whoever asked.

    Attributes:
        watch: Told.
    """

    watch: Callable[[Sequence[Outcome]], None] | None = None

    async def aoutcomes(
        self, records: Iterable[Mapping[str, object] | Record], *, deadline_s: float | None = None
    ) -> list[Outcome]:
        outcomes = await super().aoutcomes(records, deadline_s=deadline_s)
        if self.watch is not None:
            self.watch(outcomes)
        return outcomes


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

    def find(self, judge: str | None, rubric: str | None) -> Served:
        """The first of those names.

        Raises:
            Refusal: There is none.
        """
        for one in self.served:
            if judge in (None, one.name[0]) and rubric in (None, one.name[1]):
                return one
        allowed = ", ".join(f"{rubric} by {judge}" for judge, rubric in (one.name for one in self.served))
        message = "The service was not started with this rubric and judge."
        raise Refusal(HTTPStatus.NOT_FOUND, "not_served", message, hint=f"There are: {allowed}.")
