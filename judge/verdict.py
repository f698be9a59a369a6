"""Reply -> Verdicts: parse, match to what was asked, verify the evidence.

    {"u1": {"evidence": "The left base is opaque", "reason": "Says it outright.", "presence": 2, "correctness": 1}}

Whatever is not exactly this is an error and never a number: no coercion, no repair, no default.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import astuple
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from judge.backend import Reply
from judge.errors import LostInSpaceError, MalformedReplyError, OffMenuError, ReplyError, TruncatedReplyError
from judge.evidence import Found, TraceText
from judge.probe import MAX_UNITS_PER_CALL, AskedUnit
from judge.prompt import unit_name
from judge.strict_json import StrictJsonError, parse_json

__all__ = [
    "EvidenceRule",
    "UnitReply",
    "Verdict",
    "about_unit",
    "contentless_verdict",
    "failed_verdict",
    "lack_of_evidence",
    "off_menu",
    "parse_object",
    "parse_reply",
    "refuse_refusal",
    "verify",
    "verify_quote",
]

EvidenceRule = Literal["required", "flag", "none"]

_FENCE = re.compile(r"\A(```|~~~)[A-Za-z]*[ \t]*\r?\n(?P<body>.*?)\r?\n?\1\Z", re.DOTALL)
_ANSWER_OPENINGS = ("{", "```", "~~~")
_LOST_AFTER = 64
"""White space at the end that no layout of JSON has."""
_REFUSALS = ("content_filter", "refusal")
_MENU = {
    "evidence": "must be a quote from the trace, or null",
    "reason": "must be text",
    "presence": "must be 0, 1 or 2",
    "correctness": "must be -1, 0 or 1, or null where presence is 0",
}


_Presence: TypeAlias = Literal[0, 1, 2]
_Correctness: TypeAlias = Literal[-1, 0, 1] | None


class UnitReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The judge's words on one unit, in the declared form."""

    evidence: str | None
    reason: str
    presence: _Presence
    correctness: _Correctness


class PlainUnitReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same where no evidence was asked for."""

    reason: str
    presence: _Presence
    correctness: _Correctness


Words: TypeAlias = UnitReply | PlainUnitReply


class _Form(BaseModel):
    """A unit reply once more: msgspec names the first fault only, and a judge is told of all."""

    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    evidence: str | None
    reason: str
    presence: int = Field(ge=0, le=2)
    correctness: int | None = Field(ge=-1, le=1)


class _PlainForm(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    reason: str
    presence: int = Field(ge=0, le=2)
    correctness: int | None = Field(ge=-1, le=1)


class Verdict(Struct, frozen=True, kw_only=True, gc=False):
    """A checked answer for one unit and one sample, or the reason why there is none.

    Attributes:
        weight: The unit's weight, at least 0.
        presence: 0 not raised, 1 partly or implied, 2 clearly raised; None when there is no verdict.
        correctness: -1 wrong, 0 unclear, 1 right; None where presence is 0 or None.
        p_present: Of a probe: the expectation of presence / 2, in [0, 1]. Known of some units that failed later.
        p_correct: Of a probe of a raised unit: the probability that it is right, in [0, 1].
        evidence: The passage of the trace; the judge's own words where they were not found.
        evidence_start, evidence_end: Half-open offsets in code points of the trace.
        evidence_found: How it was found, or `no`; None where there is nothing to find.
        failure: Why there is no verdict, as a short word.
        call_id: The call that gave it; None where nothing was asked.
    """

    axis: str
    unit_id: str
    claim: str
    importance: str | None
    weight: float
    sample: int = 0
    presence: int | None = None
    correctness: int | None = None
    p_present: float | None = None
    p_correct: float | None = None
    evidence: str | None = None
    evidence_start: int | None = None
    evidence_end: int | None = None
    evidence_found: Found | Literal["no"] | None = None
    reason: str | None = None
    failure: str | None = None
    call_id: str | None = None

    @property
    def judged(self) -> bool:
        """Presence is known, and correctness too where the unit was raised."""
        return self.failure is None and self.presence is not None


def parse_reply(reply: Reply, units: int, *, evidence: bool) -> list[Words]:
    """Read a reply to `units` units.

    Returns:
        The judge's words for u1, u2, …, in asking order.

    Raises:
        MalformedReplyError, TruncatedReplyError: Not one whole JSON object; the same question may be asked again.
        OffMenuError: Wrong units, keys or values; `faults` says which, in words that can be shown to the judge.
        ReplyError: The judge refused.
    """
    text = _unwrapped(reply)
    return _decoded(text, units, evidence=evidence) or _checked(text, units, evidence=evidence)


def _decoded(text: str, units: int, *, evidence: bool) -> list[Words] | None:
    """The words of a reply that is plainly in the declared form, in a fifth of the time; None for any other."""
    decoder, keys = _reader(units, evidence=evidence)
    # A key that comes twice would be read once. Only an escape could hide one from this count.
    if "\\u" in text or any(text.count(key) != times for key, times in keys):
        return None
    try:
        replies: list[Words] = list(astuple(decoder.decode(text)))
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return None if any(words.presence and words.correctness is None for words in replies) else replies


@lru_cache(maxsize=2 * MAX_UNITS_PER_CALL)
def _reader(units: int, *, evidence: bool) -> tuple[msgspec.json.Decoder[Struct], list[tuple[str, int]]]:
    """What decodes a reply to so many units, and how often each key stands in it."""
    form, names = UnitReply if evidence else PlainUnitReply, [unit_name(index) for index in range(units)]
    whole = msgspec.defstruct("Replied", [(name, form) for name in names], frozen=True, forbid_unknown_fields=True)
    keys = [(f'"{name}"', 1) for name in names] + [(f'"{field}"', units) for field in form.__struct_fields__]
    return msgspec.json.Decoder(whole), keys


def _checked(text: str, units: int, *, evidence: bool) -> list[Words]:
    value, names = _json_object(text), [unit_name(index) for index in range(units)]
    faults = _name_faults(value, names)
    if faults:
        raise off_menu(faults)
    replies: list[Words] = []
    for name in names:
        try:
            replies.append(_words(value[name], evidence=evidence))
        except ValidationError as exc:
            faults += _value_faults(name, exc)
            continue
        if replies[-1].presence and replies[-1].correctness is None:
            faults.append(f"{name}.correctness is null although {name}.presence is not 0")
    if faults:
        raise off_menu(faults)
    return replies


def _words(value: object, *, evidence: bool) -> Words:
    if evidence:
        return UnitReply(**dict(_Form.model_validate(value)))
    return PlainUnitReply(**dict(_PlainForm.model_validate(value)))


def parse_object(reply: Reply) -> dict[str, Any]:
    """The one JSON object that a reply is.

    Raises:
        MalformedReplyError, TruncatedReplyError, ReplyError: As `parse_reply`.
    """
    return _json_object(_unwrapped(reply))


def off_menu(faults: Sequence[str]) -> OffMenuError:
    """An error that lists what was wrong, in our own words only."""
    return OffMenuError(f"{'; '.join(faults)}.", faults=tuple(faults))


def verify(
    replied: Words,
    asked: AskedUnit,
    trace: TraceText,
    rule: EvidenceRule,
    *,
    sample: int = 0,
    call_id: str | None = None,
) -> Verdict:
    """Check one unit's words against the trace.

    Args:
        replied: In the declared form.
        asked: The unit.
        trace: The candidate's text.
        rule: `required` makes a presence without found evidence a failure, `flag` only marks it, `none` looks at none.
        sample: Index of the repeat.
        call_id: The call that gave the words.

    Returns:
        A verdict; `failure` is set to `evidence_missing` or `evidence_not_found` where the rule is broken.
    """
    about = about_unit(asked, sample, call_id)
    if replied.presence == 0:  # whatever else was said of a unit that was not raised says nothing
        return Verdict(**about, presence=0, reason=replied.reason)
    quote = getattr(replied, "evidence", None) if rule != "none" else None
    found = {"evidence": None, "evidence_found": None} if rule == "none" else verify_quote(quote, trace)
    if rule == "required" and found["evidence_found"] == "no":
        return Verdict(**about, **found, reason=replied.reason, failure=lack_of_evidence(quote))
    return Verdict(**about, **found, presence=replied.presence, correctness=replied.correctness, reason=replied.reason)


def verify_quote(quote: str | None, trace: TraceText) -> dict[str, Any]:
    """The evidence fields of a verdict for what the judge quotes: the passage of the trace, else its own words."""
    span = trace.find(quote) if quote else None
    if span is None:
        return {"evidence": quote, "evidence_found": "no"}
    text = trace.text[span.start : span.end]
    return {"evidence": text, "evidence_start": span.start, "evidence_end": span.end, "evidence_found": span.found}


def failed_verdict(asked: AskedUnit, *, sample: int, failure: str, call_id: str | None) -> Verdict:
    """A unit without a verdict, and why."""
    return Verdict(**about_unit(asked, sample, call_id), failure=failure)


def contentless_verdict(asked: AskedUnit, *, sample: int, p_present: float | None = None) -> Verdict:
    """Presence 0 without a call: the trace says nothing at all. `p_present` is 0 where units are probed, else None."""
    return Verdict(**about_unit(asked, sample), presence=0, p_present=p_present, reason="no_content")


def about_unit(asked: AskedUnit, sample: int, call_id: str | None = None) -> dict[str, Any]:
    """The fields of a verdict that are known before anything is asked."""
    unit = asked.unit
    return {
        "axis": asked.axis,
        "unit_id": unit.unit_id,
        "claim": unit.claim,
        "importance": unit.importance,
        "weight": asked.weight,
        "sample": sample,
        "call_id": call_id,
    }


def lack_of_evidence(quote: str | None) -> str:
    """Why a quote that was not found is a failure, as a short word."""
    return "evidence_not_found" if quote else "evidence_missing"


def refuse_refusal(reply: Reply) -> None:
    """Raise where the judge refused to answer: asked again, it would refuse again.

    Raises:
        ReplyError: It did.
    """
    if reply.finish_reason in _REFUSALS:
        raise ReplyError("the judge refused to answer.", code="refusal")


def _unwrapped(reply: Reply) -> str:
    """The text without one leading think block and one outer code fence; nothing cleverer."""
    refuse_refusal(reply)
    if reply.finish_reason == "length":
        raise (LostInSpaceError if _is_lost(reply.text) else TruncatedReplyError)(_truncation(reply))
    text = _after_thinking(reply.text.strip())
    if not text:
        raise MalformedReplyError("the reply is empty.", code="empty")
    fenced = _FENCE.match(text)
    return fenced["body"].strip() if fenced else text


def _after_thinking(text: str) -> str:
    """Without a leading think block. Some chat templates write its opening tag, so that only the closing one comes."""
    if text.startswith(_ANSWER_OPENINGS):  # an answer may quote the tags of the trace
        return text
    thought, closed, answer = text.partition("</think>")
    if not closed and thought.startswith("<think>"):
        raise TruncatedReplyError("the reply ends inside its <think> block.", hint="Raise --param max_tokens.")
    leading = "<think>" not in thought.removeprefix("<think>")
    return answer.strip() if closed and leading else text


def _is_lost(text: str) -> bool:
    return len(text) - len(text.rstrip()) >= _LOST_AFTER


def _truncation(reply: Reply) -> str:
    spaces = sum(map(str.isspace, reply.text))
    share = f"; {100 * spaces // len(reply.text)} % of it is white space" if reply.text else ""
    return f"the reply was cut at the token limit after {len(reply.text)} characters{share}. Raise --param max_tokens."


def _json_object(text: str) -> dict[str, Any]:
    try:
        value = parse_json(text)
    except StrictJsonError as exc:
        code = exc.code if exc.code == "duplicate_key" else None
        raise MalformedReplyError(f"the reply {exc}.", code=code) from exc
    if not isinstance(value, dict):
        raise MalformedReplyError(f"the reply is a JSON {type(value).__name__}, not an object.")
    return value


def _name_faults(value: dict[str, Any], names: list[str]) -> list[str]:
    faults = [f"{name} is missing" for name in names if name not in value]
    extra = len(value.keys() - set(names))
    return faults + ([f"{extra} keys are not among {names[0]} … {names[-1]}"] if extra else [])


def _value_faults(name: str, exc: ValidationError) -> list[str]:
    fields = dict.fromkeys(str(error["loc"][0]) if error["loc"] else "" for error in exc.errors(include_url=False))
    return [f"{name}.{field} {_MENU[field]}" if field in _MENU else f"{name} has wrong keys" for field in fields]
