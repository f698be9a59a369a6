"""A reply on two traces -> what it says of each axis: in terms of whose traces they are, its evidence verified."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal, TypeAlias

from judge.backend import Reply
from judge.errors import ReplyError
from judge.evidence import Found, TraceText
from judge.preference import Preferred
from judge.prompt import Request, unit_name
from judge.unwrapping import off_menu
from judge.verdict import EvidenceRule, lack_of_evidence, verify_quote
from judge.words import PairWords, parse_preferences

__all__ = ["SHOWN", "Order", "Said", "read_reply"]

Order: TypeAlias = Literal["ab", "ba"]
"""Which trace is shown first: that of `model_a`, or the other."""
SHOWN: Final[Mapping[Order, Mapping[Preferred, Preferred]]] = {
    "ab": {"A": "A", "B": "B", "tie": "tie"},
    "ba": {"A": "B", "B": "A", "tie": "tie"},
}
"""By order: a name in the prompt -> whose trace that is."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """What was said of one axis in one order.

    Attributes:
        preferred: Whose trace is better; None where there is a failure.
        evidence: The passage of that trace, or the judge's own words where they are not in it; None of a tie.
        found: How it was found, or `no`; None where there is nothing to find.
        failure: Why nothing holds, as a short word.
        call_id: The call that said it.
    """

    preferred: Preferred | None = None
    reason: str | None = None
    evidence: str | None = None
    found: Found | Literal["no"] | None = None
    failure: str | None = None
    call_id: str | None = None


def read_reply(
    request: Request, reply: Reply, order: Order, traces: Mapping[Preferred, TraceText], rule: EvidenceRule
) -> tuple[list[Said] | None, ReplyError | None]:
    """Read a reply, as `Conversation.hold` wants it: what can be used, and why not all of it can.

    Args:
        request: What was asked.
        reply: What came back.
        order: Which trace was shown first.
        traces: By whose they are: `A` of `model_a`, `B` of `model_b`.
        rule: `required` makes a preference without evidence from the better trace a failure, `flag` only marks it,
            `none` looks at no evidence. A tie has none, whatever was quoted.
    """
    try:
        words = parse_preferences(reply, len(request.probes.asked), evidence=rule != "none")
    except ReplyError as exc:
        return None, exc
    said = [_verify(one, SHOWN[order][one.preferred], traces, rule, request.call_id) for one in words]
    faults = _faults(said)
    return said, off_menu(faults) if faults else None


def _verify(
    words: PairWords, preferred: Preferred, traces: Mapping[Preferred, TraceText], rule: EvidenceRule, call_id: str
) -> Said:
    if rule == "none" or preferred == "tie":
        return Said(preferred=preferred, reason=words.reason, call_id=call_id)
    quote = getattr(words, "evidence", None)
    seen = verify_quote(quote, traces[preferred])
    failed = rule == "required" and seen["evidence_found"] == "no"
    return Said(
        preferred=None if failed else preferred,
        reason=words.reason,
        evidence=seen["evidence"],
        found=seen["evidence_found"],
        failure=lack_of_evidence(quote) if failed else None,
        call_id=call_id,
    )


def _faults(said: Sequence[Said]) -> list[str]:
    return [
        f"{unit_name(place)}.evidence is not a passage of the trace that is called better"
        for place, one in enumerate(said)
        if one.failure
    ]
