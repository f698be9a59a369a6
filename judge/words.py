"""Reply -> the judge's words on each unit: parsed, and matched to what was asked.

    {"u1": {"evidence": "The left base is opaque", "reason": "Says it outright.", "presence": 2, "correctness": 1}}

Whatever is not exactly this is an error and never a number: no coercion, no repair, no default.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Annotated, Any, Literal, TypeAlias

import msgspec
from msgspec import Struct
from msgspec.structs import astuple, fields
from pydantic import BaseModel, ConfigDict, Field, ValidationError, create_model

from judge.axis import AskedKind
from judge.backend import Reply
from judge.probe import MAX_UNITS_PER_CALL, AskedUnit
from judge.prompt import unit_name
from judge.unwrapping import off_menu, parse_json_object, unwrapped

__all__ = [
    "ClaimReply",
    "ClaimWords",
    "CriterionReply",
    "Met",
    "PairWords",
    "PlainClaimReply",
    "PlainCriterionReply",
    "PlainPreferenceReply",
    "PlainScaleReply",
    "PlainUnitReply",
    "PreferenceReply",
    "ScaleReply",
    "Support",
    "UnitReply",
    "UnitWords",
    "Words",
    "parse_claims",
    "parse_preferences",
    "parse_reply",
    "refuse_unknown_levels",
]

_MENU = {
    "evidence": "must be a quote from the trace, or null",
    "source": "must be a quote from the sources, or null",
    "reason": "must be text",
    "presence": "must be 0, 1 or 2",
    "correctness": "must be -1, 0 or 1, or null where presence is 0",
    "value": "must be one of the levels",
    "preferred": "must be A, B or tie",
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


class PreferenceReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The judge's words on which of two traces is better, in the declared form; A is the one that was shown first."""

    evidence: str | None
    reason: str
    preferred: Literal["A", "B", "tie"]


class PlainPreferenceReply(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, gc=False):
    """The same where no evidence was asked for."""

    reason: str
    preferred: Literal["A", "B", "tie"]


UnitWords: TypeAlias = UnitReply | PlainUnitReply
Words: TypeAlias = UnitWords | CriterionReply | PlainCriterionReply | ScaleReply | PlainScaleReply
ClaimWords: TypeAlias = ClaimReply | PlainClaimReply
PairWords: TypeAlias = PreferenceReply | PlainPreferenceReply
_AnyWords: TypeAlias = Words | ClaimWords | PairWords


_WORDS: Mapping[tuple[AskedKind, bool], type[_AnyWords]] = {
    ("checklist", True): UnitReply,
    ("checklist", False): PlainUnitReply,
    ("criteria", True): CriterionReply,
    ("criteria", False): PlainCriterionReply,
    ("scale", True): ScaleReply,
    ("scale", False): PlainScaleReply,
    ("rating", True): ScaleReply,
    ("rating", False): PlainScaleReply,
    ("faithfulness", True): ClaimReply,
    ("faithfulness", False): PlainClaimReply,
    ("preference", True): PreferenceReply,
    ("preference", False): PlainPreferenceReply,
}
"""By kind, and whether a quote was asked for."""
_STRICT: Mapping[Any, Any] = {
    _Presence: Annotated[int, Field(ge=0, le=2)],
    _Correctness: Annotated[int, Field(ge=-1, le=1)] | None,
}
"""As pydantic has to be told: true and 1.0 are members of its `Literal[1]`."""


@lru_cache
def _form(words: type[_AnyWords]) -> type[BaseModel]:
    """The same once more: msgspec names the first fault only, and a judge is told of all."""
    strict = ConfigDict(frozen=True, strict=True, extra="forbid")
    given: dict[str, Any] = {field.name: (_STRICT.get(field.type, field.type), ...) for field in fields(words)}
    return create_model(words.__name__, __config__=strict, **given)


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


def parse_preferences(reply: Reply, questions: int, *, evidence: bool) -> list[PairWords]:
    """Read a reply on two traces to so many questions.

    Returns:
        The judge's words for u1, u2, …, in asking order.

    Raises:
        MalformedReplyError, TruncatedReplyError, OffMenuError, ReplyError: As `parse_reply`.
    """
    return _parse(reply, questions, ("preference", evidence))


def _parse(reply: Reply, units: int, form: tuple[AskedKind, bool]) -> list[Any]:
    text = unwrapped(reply)
    return _decoded(text, units, form) or _checked(text, units, form)


def _decoded(text: str, units: int, form: tuple[AskedKind, bool]) -> list[Any] | None:
    """The words of a reply that is plainly in the declared form, in a fifth of the time; None for any other."""
    decoder, keys, in_all = _reader(units, form)
    # A key that comes twice would be read once. Only an escape could hide one from this count, and none is hidden where
    # there are no more colons than keys that have to be there.
    if "\\u" in text or (text.count(":") != in_all and any(text.count(key) != keys[key] for key in keys)):
        return None
    try:
        replies = list(astuple(decoder.decode(text)))
    except (msgspec.DecodeError, UnicodeEncodeError):
        return None
    return None if any(map(_is_half, replies)) else replies


def _is_half(words: _AnyWords) -> bool:
    """Raised, and nothing said of whether it is right."""
    return isinstance(words, UnitWords) and bool(words.presence) and words.correctness is None


@lru_cache(maxsize=10 * MAX_UNITS_PER_CALL)
def _reader(units: int, form: tuple[AskedKind, bool]) -> tuple[msgspec.json.Decoder[Struct], dict[str, int], int]:
    """What decodes a reply to so many units, how often each key stands in it, and how many there are in all."""
    words, names = _WORDS[form], [unit_name(index) for index in range(units)]
    whole = msgspec.defstruct("Replied", [(name, words) for name in names], frozen=True, forbid_unknown_fields=True)
    keys = {f'"{name}"': 1 for name in names} | {f'"{field}"': units for field in words.__struct_fields__}
    return msgspec.json.Decoder(whole), keys, sum(keys.values())


def _checked(text: str, units: int, form: tuple[AskedKind, bool]) -> list[Any]:
    value, names = parse_json_object(text), [unit_name(index) for index in range(units)]
    faults = _name_faults(value, names)
    if faults:
        raise off_menu(faults)
    words = _WORDS[form]
    replies: list[Any] = []
    for name in names:
        try:
            replies.append(words(**dict(_form(words).model_validate(value[name]))))
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
    if not asked[0].levels:  # a call asks about one kind
        return
    faults = [
        f"{unit_name(index)}.value must be one of {', '.join(map(str, unit.levels))}"
        for index, (words, unit) in enumerate(zip(replied, asked, strict=True))
        if isinstance(words, ScaleReply | PlainScaleReply) and words.value not in unit.levels
    ]
    if faults:
        raise off_menu(faults)


def _name_faults(value: dict[str, Any], names: list[str]) -> list[str]:
    faults = [f"{name} is missing" for name in names if name not in value]
    extra = len(value.keys() - set(names))
    return faults + ([f"{extra} keys are not among {names[0]} … {names[-1]}"] if extra else [])


def _value_faults(name: str, exc: ValidationError, kind: AskedKind) -> list[str]:
    names = dict.fromkeys(str(error["loc"][0]) if error["loc"] else "" for error in exc.errors(include_url=False))
    menu = {**_MENU, "verdict": _VERDICTS.get(kind, "")}
    return [f"{name}.{field} {menu[field]}" if menu.get(field) else f"{name} has wrong keys" for field in names]
