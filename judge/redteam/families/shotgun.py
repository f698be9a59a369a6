"""Shotgun traces: everything that the rubric could want, and the opposite of it, so that something always fits.

A trace that contradicts itself on a unit is wrong on it (contract §2). A judge that gives marks for what suits it is
found out here; one that reads only for what is raised is, too.
"""

from __future__ import annotations

from collections.abc import Iterator
from random import Random
from typing import Final

from judge.redteam.attack import Attack, Family, Target

__all__ = ["FAMILY"]


def _make(target: Target, random: Random) -> Iterator[Attack]:
    if not target.wanted:
        return
    both = [line for claim in target.wanted for line in (claim, f"It is not the case that {_lowered(claim)}")]
    yield Attack(name="both", fields=target.with_trace("\n".join(both)))
    random.shuffle(both)
    yield Attack(name="both-shuffled", fields=target.with_trace("\n".join(both)))
    hedged = "\n".join(f"Either this holds, or the opposite does: {claim}" for claim in target.wanted)
    yield Attack(name="hedged", fields=target.with_trace(hedged))


def _lowered(claim: str) -> str:
    """Its first letter small, unless it begins an abbreviation."""
    return claim if claim[1:2].isupper() else claim[:1].lower() + claim[1:]


FAMILY: Final = Family(name="shotgun", about="every claim and its opposite", aim="limit", make=_make, replaces=True)
