"""Reply -> the judge's words on each unit: parsed, and matched to what was asked.

    {"u1": {"evidence": "The left base is opaque", "reason": "Says it outright.", "presence": 2, "correctness": 1}}

Whatever is not exactly this is an error and never a number: no coercion, no repair, no default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import astuple
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from judge.axis import AskedKind
from judge.backend import Reply
from judge.errors import LostInSpaceError, MalformedReplyError, OffMenuError, ReplyError, TruncatedReplyError
from judge.probe import MAX_UNITS_PER_CALL, AskedUnit
from judge.prompt import unit_name
from judge.strict_json import StrictJsonError, parse_json

__all__ = [
    "ClaimReply",
    "ClaimWords",
    "CriterionReply",
    "Met",
    "PlainClaimReply",
    "PlainCriterionReply",
    "PlainScaleReply",
    "PlainUnitReply",
    "ScaleReply",
    "Support",
    "UnitReply",
    "Words",
    "off_menu",
    "parse_claims",
    "parse_object",
    "parse_reply",
    "refuse_refusal",
    "refuse_unknown_levels",
]

_FENCE = re.compile(r"\A(```|~~~)[A-Za-z]*[ \t]*\r?\n(?P<body>.*?)\r?\n?\1\Z", re.DOTALL)
_ANSWER_OPENINGS = ("{", "```", "~~~")
_LOST_AFTER = 64
"""White space at the end that no layout of JSON has."""
_REFUSALS = ("content_filter", "refusal")
_MENU = {
    "evidence": "must be a quote from the trace, or null",
    "source": "must be a quote from the sources, or null",
    "reason": "must be text",
    "presence": "must be 0, 1 or 2",
    "correctness": "must be -1, 0 or 1, or null where presence is 0",
    "value": "must be one of the levels",
}
_VERDICTS: Mapping[AskedKind, str] = {
    "criteria": "must be MET, UNMET or CANNOT_ASSESS",
    "faithfulness": "must be SUPPORTED, CONTRADICTED or NOT_FOUND",
}


_Presence: TypeAlias = Literal[0, 1, 2]
_Correctness: TypeAlias = Literal[-1, 0, 1] | None
Met: TypeAlias = Literal["MET", "UNMET", "CANNOT_ASSESS"]
Support: TypeAlias = Literal["SUPPORTED", "CONTRADICTED", "NOT_FOUND"]


class UnitReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The judge's words on one unit of a checklist, in the declared form."""

    evidence: str | None
    reason: str
    presence: _Presence
    correctness: _Correctness


class PlainUnitReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same where no evidence was asked for."""

    reason: str
    presence: _Presence
    correctness: _Correctness


class CriterionReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The judge's words on one criterion, in the declared form."""

    evidence: str | None
    reason: str
    verdict: Met


class PlainCriterionReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same where no evidence was asked for."""

    reason: str
    verdict: Met


class ScaleReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The judge's words on one scale or rating, in the declared form."""

    evidence: str | None
    reason: str
    value: int


class PlainScaleReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same where no evidence was asked for."""

    reason: str
    value: int


class ClaimReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The judge's words on one claim of the trace, in the declared form."""

    source: str | None
    reason: str
    verdict: Support


class PlainClaimReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same where no passage of the sources was asked for."""

    reason: str
    verdict: Support


Words: TypeAlias = UnitReply | PlainUnitReply | CriterionReply | PlainCriterionReply | ScaleReply | PlainScaleReply
ClaimWords: TypeAlias = ClaimReply | PlainClaimReply


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


class _CriterionForm(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    evidence: str | None
    reason: str
    verdict: Met


class _PlainCriterionForm(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    reason: str
    verdict: Met


class _ScaleForm(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    evidence: str | None
    reason: str
    value: int


class _PlainScaleForm(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    reason: str
    value: int


class _ClaimForm(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    source: str | None
    reason: str
    verdict: Support


class _PlainClaimForm(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="forbid")

    reason: str
    verdict: Support


_FORMS: Mapping[tuple[AskedKind, bool], tuple[type[Words | ClaimWords], type[BaseModel]]] = {
    ("checklist", True): (UnitReply, _Form),
    ("checklist", False): (PlainUnitReply, _PlainForm),
    ("criteria", True): (CriterionReply, _CriterionForm),
    ("criteria", False): (PlainCriterionReply, _PlainCriterionForm),
    ("scale", True): (ScaleReply, _ScaleForm),
    ("scale", False): (PlainScaleReply, _PlainScaleForm),
    ("faithfulness", True): (ClaimReply, _ClaimForm),
    ("faithfulness", False): (PlainClaimReply, _PlainClaimForm),
    ("rating", True): (ScaleReply, _ScaleForm),
    ("rating", False): (PlainScaleReply, _PlainScaleForm),
}
"""By kind, and whether evidence was asked for: as it is decoded, and as its faults are named."""


def parse_reply(reply: Reply, units: int, *, evidence: bool, kind: AskedKind = "checklist") -> list[Words]:
    """Read a reply to `units` units of one kind.

    Returns:
        The judge's words for u1, u2, …, in asking order.

    Raises:
        MalformedReplyError, TruncatedReplyError: Not one whole JSON object; the same question may be asked again.
        OffMenuError: Wrong units, keys or values; `faults` says which, in words that can be shown to the judge.
        ReplyError: The judge refused.
    """
    return _parse(reply, units, (kind, evidence))


def parse_claims(reply: Reply, claims: int, *, evidence: bool) -> list[ClaimWords]:
    """Read a reply to `claims` claims of a trace.

    Returns:
        The judge's words for u1, u2, …, in asking order.

    Raises:
        MalformedReplyError, TruncatedReplyError, OffMenuError, ReplyError: As `parse_reply`.
    """
    return _parse(reply, claims, ("faithfulness", evidence))


def _parse(reply: Reply, units: int, form: tuple[AskedKind, bool]) -> list[Any]:
    text = _unwrapped(reply)
    return _decoded(text, units, form) or _checked(text, units, form)


def _decoded(text: str, units: int, form: tuple[AskedKind, bool]) -> list[Any] | None:
    """The words of a reply that is plainly in the declared form, in a fifth of the time; None for any other."""
    decoder, keys = _reader(units, form)
    # A key that comes twice would be read once. Only an escape could hide one from this count.
    if "\\u" in text or any(text.count(key) != times for key, times in keys):
        return None
    try:
        replies = list(astuple(decoder.decode(text)))
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return None if any(map(_is_half, replies)) else replies


def _is_half(words: Words | ClaimWords) -> bool:
    """Raised, and nothing said of whether it is right."""
    return isinstance(words, UnitReply | PlainUnitReply) and bool(words.presence) and words.correctness is None


@lru_cache(maxsize=10 * MAX_UNITS_PER_CALL)
def _reader(units: int, form: tuple[AskedKind, bool]) -> tuple[msgspec.json.Decoder[Struct], list[tuple[str, int]]]:
    """What decodes a reply to so many units, and how often each key stands in it."""
    words, names = _FORMS[form][0], [unit_name(index) for index in range(units)]
    whole = msgspec.defstruct("Replied", [(name, words) for name in names], frozen=True, forbid_unknown_fields=True)
    keys = [(f'"{name}"', 1) for name in names] + [(f'"{field}"', units) for field in words.__struct_fields__]
    return msgspec.json.Decoder(whole), keys


def _checked(text: str, units: int, form: tuple[AskedKind, bool]) -> list[Any]:
    value, names = _json_object(text), [unit_name(index) for index in range(units)]
    faults = _name_faults(value, names)
    if faults:
        raise off_menu(faults)
    words, strict = _FORMS[form]
    replies: list[Any] = []
    for name in names:
        try:
            replies.append(words(**dict(strict.model_validate(value[name]))))
        except ValidationError as exc:
            faults += _value_faults(name, exc, form[0])
            continue
        if _is_half(replies[-1]):
            faults.append(f"{name}.correctness is null although {name}.presence is not 0")
    if faults:
        raise off_menu(faults)
    return replies


def refuse_unknown_levels(replied: Sequence[Words], asked: Sequence[AskedUnit]) -> None:
    """Raise where a scale has no such level, or a rating is none.

    Raises:
        OffMenuError: Says which, and what there is.
    """
    faults = [
        f"{unit_name(index)}.value must be one of {', '.join(map(str, unit.levels))}"
        for index, (words, unit) in enumerate(zip(replied, asked, strict=True))
        if isinstance(words, ScaleReply | PlainScaleReply) and words.value not in unit.levels
    ]
    if faults:
        raise off_menu(faults)


def parse_object(reply: Reply) -> dict[str, Any]:
    """The one JSON object that a reply is.

    Raises:
        MalformedReplyError, TruncatedReplyError, ReplyError: As `parse_reply`.
    """
    return _json_object(_unwrapped(reply))


def off_menu(faults: Sequence[str]) -> OffMenuError:
    """An error that lists what was wrong, in our own words only."""
    return OffMenuError(f"{'; '.join(faults)}.", faults=tuple(faults))


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


def _value_faults(name: str, exc: ValidationError, kind: AskedKind) -> list[str]:
    fields = dict.fromkeys(str(error["loc"][0]) if error["loc"] else "" for error in exc.errors(include_url=False))
    menu = {**_MENU, "verdict": _VERDICTS.get(kind, "")}
    return [f"{name}.{field} {menu[field]}" if menu.get(field) else f"{name} has wrong keys" for field in fields]
