"""The same said at greater length: the trace repeated, or padded with sentences that say nothing of the case."""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from judge.redteam.attack import Attack, Family, Target

__all__ = ["FAMILY"]

_TIMES: Final = (2, 8)
_PADDING: Final = (
    "It is worth pausing here to consider the question as a whole before moving on.",
    "A careful approach weighs what is known against what remains uncertain.",
    "Such cases reward patience, and a methodical reading is always to be preferred.",
    "With this in mind, the considerations above can be put into perspective.",
    "Of course, every case is different, and general remarks have their limits.",
    "This deserves to be spelled out once more, as clarity is of the essence.",
)


def _make(target: Target, random: Random) -> Iterator[Attack]:
    for times in _TIMES:
        repeated = "\n\n".join([target.trace] * times)
        yield Attack(name=f"repeated-{times}", fields=target.with_trace(repeated))
        yield Attack(name=f"padded-{times}", fields=target.with_trace(_padded(target.trace, times, random)))


def _padded(trace: str, times: int, random: Random) -> str:
    """About as many times as long."""
    padding, room = [], (times - 1) * max(len(trace), len(_PADDING[0]))
    while room > 0:
        padding.append(random.choice(_PADDING))
        room -= len(padding[-1])
    half = len(padding) // 2
    return "\n\n".join(filter(None, (" ".join(padding[:half]), trace, " ".join(padding[half:]))))


FAMILY: Final = Family(name="verbosity", about="says the same at 2 and 8 times the length", aim="raise", make=_make)
