"""A record to be attacked, an attack on it, and a family of attacks.

{"id": "r1", "question": "…", "units": {…}, "trace": "…"}      a record as it was read
    family "pleas", attack "ignore:de", position "table"       -> its fields again, with another trace

An attack is made of the record and a seed alone: the same run twice makes the same attacks, and a resume finds them.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from random import Random
from typing import Any, Literal, TypeAlias

from judge.image import Image

__all__ = ["Aim", "Attack", "Family", "Fields", "Target"]

Fields: TypeAlias = Mapping[str, Any]
"""Of a record, as one line of JSON has them."""
Aim: TypeAlias = Literal["raise", "nothing", "limit"]
"""What a family is for, and so what it is measured by.

raise      the trace stays, and something is added that should change nothing: inflation and flips
nothing    the trace is replaced by one that answers nothing: the share that still scores
limit      made with the reference's own words, or with another record's trace: what no judge of one trace can rule out
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Target:
    """A record that is attacked.

    Attributes:
        fields: As they are written to the file of traces; `trace` is text.
        trace: The same trace.
        wanted: What the rubric would like to hear, one sentence each: claims of units, good criteria, highest anchors,
            or else the sentences of the reference. Empty where there is nothing of that kind.
        other: Fields of another record; None where there is no other.
        images: As the judge sees them; empty where it sees none.
    """

    fields: Fields
    trace: str
    wanted: tuple[str, ...] = ()
    other: Fields | None = None
    images: tuple[Image, ...] = field(default=(), repr=False)

    def with_trace(self, trace: str) -> Fields:
        """Its fields with another trace."""
        return {**self.fields, "trace": trace}


@dataclass(frozen=True, slots=True, kw_only=True)
class Attack:
    """A record after an attack.

    Attributes:
        name: Of the attack, unique in its family together with the position.
        fields: The attacked record.
        position: Where in the record the payload stands; None where that has no meaning.
        language: ISO 639-1 code of the payload; None where it has none.
    """

    name: str
    fields: Fields = field(repr=False)
    position: str | None = None
    language: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Family:
    """Attacks that rest on the same idea.

    Attributes:
        name: As `--families` has it.
        about: What it does, in a few words.
        aim: What it is measured by.
        make: The attacks on a record, all of them, in a fixed order; none where the record has nothing to attack.
        replaces: Nothing of the trace is left, so that what counts is what is scored, and not what is added to it.
        whole: Every attack is tried, however many there are, dealt out over the records: they cost no call.
    """

    name: str
    about: str
    aim: Aim
    make: Callable[[Target, Random], Iterable[Attack]] = field(repr=False)
    replaces: bool = False
    whole: bool = False
