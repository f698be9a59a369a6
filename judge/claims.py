"""A Reply that takes a trace apart -> Claims, each with the passage of the trace that makes it.

    {"claims": [{"quote": "The left base is opaque", "claim": "The left lung base is opaque.", "axis": "faithfulness"}]}

Nothing is repaired. Claims of the same words count once: to say a thing that is right ten times makes no trace better.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from msgspec import Struct
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from judge.backend import Reply
from judge.errors import OffMenuError
from judge.evidence import TraceText
from judge.fold import Folded
from judge.probe import AskedUnit
from judge.record import Unit
from judge.unwrapping import off_menu, parse_object
from judge.verdict import verify_quote

__all__ = ["Claim", "as_asked", "distinct", "guess_claims", "read_claims"]

_SENTENCE = re.compile(r"[^.!?\n]+[.!?]*")


class Claim(Struct, frozen=True, kw_only=True):
    """Something that the trace says to be so.

    Attributes:
        axis: The axis that asks about it.
        text: In one sentence that can be understood alone.
        quote: The passage of the trace; the judge's own words where they are not in it.
        evidence: The fields of a verdict for the quote.
    """

    axis: str
    text: str
    quote: str
    evidence: dict[str, Any]

    @property
    def found(self) -> bool:
        """Whether the trace has the passage."""
        return bool(self.evidence["evidence_found"] != "no")


class _Form(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid", str_strip_whitespace=True)

    quote: str = Field(min_length=1)
    claim: str = Field(min_length=1)
    axis: str


def read_claims(reply: Reply, axes: Sequence[str], trace: TraceText) -> tuple[list[Claim], OffMenuError | None]:
    """Read a reply and look for every quote in the trace.

    Args:
        reply: To `ClaimPrompt.ask_claims`.
        axes: That a claim may belong to.
        trace: The candidate's text.

    Returns:
        The claims in the reply's order, those without a passage too, and what to complain about.

    Raises:
        ReplyError: It has another form, and nothing in it can be used.
    """
    claims = [
        Claim(
            axis=form.axis,
            text=" ".join(form.claim.split()),
            quote=form.quote,
            evidence=verify_quote(form.quote, trace),
        )
        for form in _forms(parse_object(reply), axes)
    ]
    faults = [
        f"claims[{index}].quote is not a passage of the trace" for index, claim in enumerate(claims) if not claim.found
    ]
    return claims, off_menu(faults) if faults else None


def distinct(claims: Iterable[Claim]) -> list[Claim]:
    """The first of the claims that say the same on an axis; case, spaces and the last point aside."""
    alike: dict[tuple[str, str], Claim] = {}
    for claim in claims:
        alike.setdefault((claim.axis, Folded(claim.text).text.strip(" .")), claim)
    return [*alike.values()]


def as_asked(claims: Sequence[Claim], axes: Iterable[AskedUnit]) -> list[AskedUnit]:
    """The claims as what is asked about: `c1`, `c2`, … over all axes."""
    of_axis = {asked.axis: asked for asked in axes}
    return [
        AskedUnit(
            axis=claim.axis,
            unit=Unit(unit_id=f"c{number}", claim=claim.text),
            weight=1.0,
            kind="faithfulness",
            view=of_axis[claim.axis].view,
        )
        for number, claim in enumerate(claims, start=1)
    ]


def guess_claims(text: str, axes: Sequence[str]) -> list[Claim]:
    """What a text may claim, before anybody was asked: each sentence once, the axes in turn."""
    trace = TraceText(text)
    return [
        Claim(axis=axes[index % len(axes)], text=sentence, quote=sentence, evidence=verify_quote(sentence, trace))
        for index, sentence in enumerate(dict.fromkeys(_sentences(text)))
    ]


def _sentences(text: str) -> Iterator[str]:
    spoken = (" ".join(found.split()) for found in _SENTENCE.findall(re.sub(r"</?\w+>", "\n", text)))
    return (sentence for sentence in spoken if any(map(str.isalnum, sentence)))


def _forms(value: dict[str, Any], axes: Sequence[str]) -> list[_Form]:
    given = value.get("claims")
    if value.keys() != {"claims"} or not isinstance(given, list):
        raise off_menu(["the reply must have the one key claims, with a list"])
    forms: list[_Form] = []
    faults: list[str] = []
    for index, each in enumerate(given):
        try:
            forms.append(_Form.model_validate(each))
        except ValidationError:
            faults.append(f"claims[{index}] must have the keys quote, claim and axis, each with text")
            continue
        if forms[-1].axis not in axes:
            faults.append(f"claims[{index}].axis must be one of {', '.join(axes)}")
    if faults:
        raise off_menu(faults)
    return forms
