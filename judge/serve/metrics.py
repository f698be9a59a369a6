"""What happens -> what Prometheus reads at /metrics."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, TypeAlias

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest

from judge.outcome import Call
from judge.serve.door import Door
from judge.serve.room import Room

__all__ = ["CONTENT_TYPE", "Kind", "Metrics"]

CONTENT_TYPE = CONTENT_TYPE_LATEST
Kind: TypeAlias = Literal["records", "pairs"]
"""What is judged: scored one by one, or compared two by two."""
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120, 180, 300)


class Metrics:
    """The numbers of one service.

    Args:
        room: Its queue.
        door: Its requests under way.
    """

    def __init__(self, room: Room, door: Door) -> None:
        self.registry = registry = CollectorRegistry()
        self._requests = Counter(
            "judge_requests", "Answers, by route and status.", ["route", "status"], registry=registry
        )
        self._seconds = Histogram(
            "judge_request_seconds", "From head to answer.", ["route"], buckets=_SECONDS, registry=registry
        )
        self._judged: dict[Kind, Counter] = {
            "records": _by_result("judge_records", "Records, by what came of them.", registry),
            "pairs": _by_result("judge_pairs", "Pairs of records, by what came of them.", registry),
        }
        self._calls = Counter(
            "judge_calls", "Calls of the judge, by whether they were stored.", ["stored"], registry=registry
        )
        self._tokens = Counter("judge_tokens", "Tokens that were asked for now.", ["kind"], registry=registry)
        self._cost = Counter("judge_cost_usd", "What they cost, where that is known.", registry=registry)
        self._rewards = Gauge("judge_reward_batch", "Of the last batch of rewards.", ["metric"], registry=registry)
        waiting = Gauge("judge_queue_records", "Records that wait or are being judged.", registry=registry)
        waiting.set_function(lambda: room.held)
        most = Gauge("judge_queue_limit_records", "How many may.", registry=registry)
        most.set(room.most)
        inside = Gauge("judge_requests_under_way", "Requests that are not answered yet.", registry=registry)
        inside.set_function(lambda: door.inside)

    def answered(self, route: str, status: int, seconds: float) -> None:
        """Count an answer; status 0 is for a client that went away before."""
        self._requests.labels(route, str(status)).inc()
        self._seconds.labels(route).observe(seconds)

    def judged(self, rubric: str, kind: Kind, results: Iterable[tuple[str, Sequence[Call]]]) -> None:
        """Count what came of records or pairs: `ok` or why each failed, and its calls."""
        for result, calls in results:
            self._judged[kind].labels(rubric, result).inc()
            for call in calls:
                self._called(call)

    def _called(self, call: Call) -> None:
        self._calls.labels("yes" if call.reply is not None and call.reply.cached else "no").inc()
        if call.reply is not None and not call.reply.cached:
            self._tokens.labels("prompt").inc(call.reply.prompt_tokens or 0)
            self._tokens.labels("completion").inc(call.reply.completion_tokens or 0)
            self._cost.inc(call.reply.cost_usd or 0.0)

    def rewarded(self, metrics: Mapping[str, float]) -> None:
        """Show the metrics of a batch of rewards."""
        for name, value in metrics.items():
            self._rewards.labels(name.removeprefix("judge/")).set(value)

    def written(self) -> bytes:
        """All of them in Prometheus's own form."""
        return generate_latest(self.registry)


def _by_result(name: str, told: str, registry: CollectorRegistry) -> Counter:
    return Counter(name, told, ["rubric", "result"], registry=registry)
