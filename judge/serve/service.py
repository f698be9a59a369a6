"""What all routes share: the offer, the queue, the door, and who takes notice of what comes of records."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

from judge.outcome import Call
from judge.serve.door import Door
from judge.serve.metrics import Kind, Metrics
from judge.serve.offer import Offer, Served
from judge.serve.readiness import Readiness
from judge.serve.room import Room

__all__ = ["Service"]


@dataclass(frozen=True, kw_only=True)
class Service:
    """One service at work.

    Attributes:
        readiness: Of each judge, however many rubrics it is asked with.
    """

    offer: Offer
    room: Room
    door: Door
    metrics: Metrics
    readiness: dict[str, Readiness]

    @classmethod
    def of(cls, served: Sequence[Served], *, queue: int) -> Service:
        """A service that offers these.

        Args:
            served: At least one.
            queue: Records that may wait or be judged at a time, at least 1.
        """
        room, door = Room(queue), Door()
        metrics = Metrics(room, door)
        readiness = {one.name[0]: Readiness(one.judge) for one in reversed(served)}
        for one in served:
            one.judge.watch = partial(_note, one.name[1], metrics, readiness[one.name[0]])
        return cls(offer=Offer(served), room=room, door=door, metrics=metrics, readiness=readiness)


def _note(
    rubric: str, metrics: Metrics, readiness: Readiness, kind: Kind, results: Sequence[tuple[str, Sequence[Call]]]
) -> None:
    metrics.judged(rubric, kind, results)
    readiness.heard(call for _, calls in results for call in calls)
