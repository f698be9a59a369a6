"""Rows -> a Batch of rewards: what stops at a gate is not judged, what is equal is judged once, and order is kept."""

from __future__ import annotations

import math
import time
from collections.abc import Hashable, Mapping, Sequence
from statistics import fmean
from typing import Any

from msgspec import Struct

from judge import loop
from judge.client import Judge
from judge.digest import digest
from judge.errors import BackendError, ConfigError, JudgeError, RecordError
from judge.outcome import Outcome
from judge.record import Record
from judge.reward import Reward, RewardShape, failed_reward, gated_reward, reward_of
from judge.rewards.failing import FailureRule, Failures, by_group, settle
from judge.rewards.tripwires import Tripwires

__all__ = ["Batch", "Rewarder"]


class Batch(Struct, frozen=True, kw_only=True):
    """The rewards of some completions, in their order.

    Attributes:
        values: What the trainer gets, failures settled; None where it is to leave a completion out.
        rewards: What each is made of.
        metrics: Name -> number, the same names for every batch of a rewarder.
    """

    values: list[float | None]
    rewards: list[Reward]
    metrics: dict[str, float]


class Rewarder:
    """A judge as the reward of a trainer. Works in any event loop, in threads, after a fork; pickles.

    Args:
        judge: Judges the traces.
        shape: How a score becomes a reward.
        failures: What a failure becomes.
        deadline_s: Seconds that a batch may take; what is not done then has failed, with `timeout`. Below the
            trainer's own.

    Raises:
        ConfigError: The shape names parts that the rubric does not have, or the deadline cannot be.
    """

    def __init__(
        self,
        judge: Judge,
        shape: RewardShape | None = None,
        *,
        failures: FailureRule | None = None,
        deadline_s: float | None = 300.0,
    ) -> None:
        judge.settings.refuse_unscored()
        self.judge = judge
        self.shape = shape or RewardShape()
        self.rule = failures or FailureRule()
        self.deadline_s = deadline_s
        if deadline_s is not None and not (isinstance(deadline_s, int | float) and 0 < deadline_s < math.inf):
            raise ConfigError(f"deadline_s is {deadline_s!r}; it must be above 0, or None for no deadline.")
        self.shape.check_axes([*judge.rubric.scored])
        self._begin()

    def _begin(self) -> None:
        self._failures = Failures(self.rule)
        self._tripwires = Tripwires()

    def __getstate__(self) -> tuple[Judge, RewardShape, FailureRule, float | None]:
        return self.judge, self.shape, self.rule, self.deadline_s

    def __setstate__(self, state: tuple[Judge, RewardShape, FailureRule, float | None]) -> None:
        self.judge, self.shape, self.rule, self.deadline_s = state
        self._begin()

    @property
    def keys(self) -> tuple[str, ...]:
        """Names of the contributions of every reward."""
        return tuple(failed_reward(self.shape, self.judge.rubric.scored, "").contributions)

    def rewards(self, rows: Sequence[Mapping[str, Any]], groups: Sequence[Hashable] | None = None) -> Batch:
        """Reward rows and wait; see `arewards`."""
        return loop.run(self._rewards(rows, groups))

    async def arewards(self, rows: Sequence[Mapping[str, Any]], groups: Sequence[Hashable] | None = None) -> Batch:
        """Reward rows.

        Args:
            rows: In the shape of an input line.
            groups: The group of each: completions of one prompt. By the record's id where none are given, which is that
                of the question.

        Raises:
            RewardError: Too much failed, or the rule says that a failure ends the step.
        """
        return await loop.complete(self._rewards(rows, groups))

    async def _rewards(self, rows: Sequence[Mapping[str, Any]], groups: Sequence[Hashable] | None) -> Batch:
        """In the process's loop, whoever asks: what is remembered of earlier batches has one thread."""
        begun = time.monotonic()
        records = await self.judge.arecords(rows)
        rewards = await self._judged(records, begun)
        groups = [_group(record) for record in records] if groups is None else groups
        traces = ["" if isinstance(record, RecordError) else record.trace for record in records]
        metrics = self._metrics(rewards, traces) | self._tripwires.look(rewards, traces, groups)
        usual = self._failures.usual
        self._failures.watch(rewards)
        values = _levelled(settle(rewards, groups, self.rule, usual=usual), groups, self.shape.dead_band)
        return Batch(values=values, rewards=rewards, metrics={f"judge/{name}": metrics[name] for name in metrics})

    async def _judged(self, records: Sequence[Record | RecordError], begun: float) -> list[Reward]:
        """Equal records are judged once: their rewards are the same, whatever the judge's noise."""
        keys = [_what_is_judged(record) if isinstance(record, Record) else "" for record in records]
        readable = {key: record for key, record in zip(keys, records, strict=True) if isinstance(record, Record)}
        stopped = {key: gate for key, record in readable.items() if (gate := self.shape.stops(record)) is not None}
        asked = {key: record for key, record in readable.items() if key not in stopped}
        found = dict(zip(asked, await self._outcomes([*asked.values()], begun), strict=True))
        axes = self.judge.rubric.scored
        known = {key: gated_reward(gate, self.shape, axes) for key, gate in stopped.items()}
        known |= {
            key: reward_of(what, self.shape, axes) if isinstance(what, Outcome) else self._failed(what)
            for key, what in found.items()
        }
        return [
            self._failed(record) if isinstance(record, RecordError) else known[key]
            for key, record in zip(keys, records, strict=True)
        ]

    def _failed(self, exc: JudgeError) -> Reward:
        return failed_reward(self.shape, self.judge.rubric.scored, exc.code, str(exc))

    async def _outcomes(self, records: Sequence[Record], begun: float) -> Sequence[Outcome | BackendError]:
        """What came of each, or why nothing did: a provider that is down fails a batch, and the rule says what then."""
        try:
            # To read the images of a batch may take long, too.
            left = None if self.deadline_s is None else max(0.0, self.deadline_s - (time.monotonic() - begun))
            return await self.judge.aoutcomes(records, deadline_s=left) if records else []
        except BackendError as exc:
            return [exc] * len(records)

    def _metrics(self, rewards: Sequence[Reward], traces: Sequence[str]) -> dict[str, float]:
        values = [reward.value for reward in rewards if reward.value is not None]
        metrics = {
            "reward": fmean(values) if values else 0.0,
            "failed": sum(reward.status == "failed" for reward in rewards) / max(1, len(rewards)),
            "gated": sum(reward.status == "gated" for reward in rewards) / max(1, len(rewards)),
            "trace_chars": fmean(map(len, traces)) if traces else 0.0,
        }
        for axis in self.judge.rubric.scored:
            known = [score for reward in rewards if (score := reward.scores[axis]) is not None]
            metrics[axis] = fmean(known) if known else 0.0
        return metrics


def _group(record: Record | RecordError) -> Hashable:
    """What cannot be read is as a rule the question, in all of its group."""
    return record.record_id if isinstance(record, RecordError) else record.id


def _what_is_judged(record: Record) -> str:
    """A record without its other columns and its name: a trainer may number its samples."""
    seen = {name: value for name, value in record.given.items() if name not in ("id", "model", "meta", "image")}
    return digest({**seen, "images": [image.digest for image in record.images]})


def _levelled(values: list[float | None], groups: Sequence[Hashable], band: float) -> list[float | None]:
    """Groups that are nearly equal are made equal."""
    if not band:
        return values
    known = by_group(values, groups)
    means = {group: fmean(its) for group, its in known.items() if max(its) - min(its) <= band}
    return [value if value is None else means.get(group, value) for value, group in zip(values, groups, strict=True)]
