"""A recorded text × a declared format -> what it says, or why it says nothing.

    "… Therefore, Output (b) is better."      -> second
    "ERROR: Client error '429 …' for url …"   -> error_text
    "I need to evaluate which response better" -> no_verdict

Nothing is guessed: what has not one of the declared forms is no verdict, and two that differ are none.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import Any, Final, Literal, TypeAlias

from judge.recordings.form import Form, Said, fits
from judge.recordings.recording import RecordedFormat
from judge.strict_json import StrictJsonError, parse_json

__all__ = ["Grammar", "Heard", "Unread", "Why"]

Why: TypeAlias = Literal[
    "error_text", "empty", "truncated", "no_verdict", "two_verdicts", "wrong_values", "too_long", "not_json"
]
Heard: TypeAlias = "Said | float | tuple[float, float]"

_LONGEST: Final = 1_000_000  # code points
_ERRORS: Final = (
    *("ERROR", "Error:", "Error code:", "$ERROR$", "HTTP/", "HTTPError", "HTTPStatusError"),
    *("Client error '", "Server error '", "Traceback (most recent call last)", "<html", "<!DOCTYPE"),
)
"""How the texts begin that clients write in place of an answer."""
_NO_FIELDS: Final[Mapping[str, Any]] = MappingProxyType({})
_SENTENCE_ENDS: Final = ".!?:\n"
_SLOT: Final = re.compile(r"\{(label|number|first|second|rest)\}")
# The last part keeps `10` from being read as `1`, and `8.5` as `8`.
_NUMBER: Final = r"-?\d{1,4}(?:\.\d{1,3})?(?!\d|\.\d)"


@dataclass(frozen=True, slots=True, kw_only=True)
class Unread:
    """Why a text has no verdict.

    Attributes:
        error: A short stable word.
        message: What was found.
    """

    error: Why
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class _Statement:
    """A verdict somewhere in a text, in a declared form."""

    form: Form
    heard: Heard | None  # None: a number that may not be one


class Grammar:
    """Reads the texts of one format."""

    def __init__(self, declared: RecordedFormat) -> None:
        self._declared = declared
        labels = "|".join(re.escape(one) for one in sorted(declared.labels, key=len, reverse=True))
        slots = {"label": f"(?P<label>{labels})", "rest": r"[^\n]{0,200}"}
        slots |= {name: f"(?P<{name}>{_NUMBER})" for name in ("number", "first", "second")}
        self._forms = [
            (form, [_compiled(text, slots) for text in form.text]) for form in declared.forms if form.at != "json"
        ]
        self._keys = [
            (form, text.partition(": ")[0]) for form in declared.forms if form.at == "json" for text in form.text
        ]
        self._errors = (*_ERRORS, *declared.errors)

    def read(self, text: str, *, cut: bool = False, fields: Mapping[str, Any] = _NO_FIELDS) -> Heard | Unread:
        """What a text says.

        Args:
            text: As it was recorded.
            cut: The server said that it ended it before the judge did.
            fields: Of its row, by which some forms are chosen.
        """
        stripped = text.strip()
        if unread := self._refused(stripped):
            return unread
        if self._keys:
            return self._read_json(stripped, cut=cut)
        statements = list(self._statements(stripped, fields))
        if cut:  # what it would have said after all is not known, unless the answer was to come first
            statements = [one for one in statements if one.form.decides and one.form.at == "start"]
        deciding = [one for one in statements if one.form.decides]
        found = _agreed(deciding or statements)
        if found is None:
            return Unread(error="truncated", message="was cut off before a verdict.") if cut else self._none(stripped)
        if not deciding and not isinstance(found, Unread) and (other := self._other(stripped, found)):
            return _two([found, other])
        return found

    def _refused(self, text: str) -> Unread | None:
        if not text:
            return Unread(error="empty", message="is empty.")
        if len(text) > _LONGEST:
            return Unread(error="too_long", message=f"has {len(text):,} characters; {_LONGEST:,} are read.")
        if text.startswith(self._errors):
            return Unread(error="error_text", message=f"is an error and no answer: {text[:80]!r}")
        return None

    def _none(self, text: str) -> Unread:
        return Unread(error="no_verdict", message=f"has no verdict of a declared form; it ends: {text[-80:]!r}")

    def _statements(self, text: str, fields: Mapping[str, Any]) -> Iterator[_Statement]:
        for form, patterns in self._forms:
            for pattern in patterns if fits(form.when, fields) else ():
                for found in _PLACES[form.at](pattern, text):
                    if _stands_free(form, text, found):
                        yield _Statement(form=form, heard=self._value(form, found.groupdict()))

    def _other(self, text: str, said: Heard) -> Heard | None:
        """Another verdict in the words of a form, in a sentence of whatever shape: enough to doubt, not to believe."""
        for form, patterns in self._forms:
            for pattern in patterns if form.at == "anywhere" else ():
                for found in pattern.finditer(text):
                    value = self._value(form, found.groupdict())
                    if value is not None and value != said:
                        return value
        return None

    def _value(self, form: Form, slots: Mapping[str, str]) -> Heard | None:
        if form.means is not None:
            return form.means
        if "label" in slots:
            return self._declared.labels[slots["label"]]
        if "number" in slots:
            return self._number(slots["number"])
        first, second = self._number(slots["first"]), self._number(slots["second"])
        return None if first is None or second is None else (first, second)

    def _number(self, written: str | float) -> float | None:
        number, allowed = float(written), self._declared.numbers
        return number if allowed is not None and allowed.allow(number) else None

    def _read_json(self, text: str, *, cut: bool) -> Heard | Unread:
        try:
            whole = parse_json(text)
        except StrictJsonError as exc:
            truncated = cut or exc.code == "json_truncated"
            return Unread(error="truncated" if truncated else "not_json", message=f"{exc}.")
        found = [value for _, key in self._keys if (value := _under(whole, key)) is not None]
        if not found:
            return Unread(error="no_verdict", message="has no key of a verdict.")
        heard = [self._of_json(value) for value in found]
        return _agreed([_Statement(form=self._keys[0][0], heard=one) for one in heard]) or self._none(text)

    def _of_json(self, value: object) -> Heard | None:
        if isinstance(value, int | float) and not isinstance(value, bool) and self._declared.numbers is not None:
            return self._number(value)
        written = str(value).lower() if isinstance(value, bool) else str(value)
        return self._declared.labels.get(written)


def _compiled(text: str, slots: Mapping[str, str]) -> re.Pattern[str]:
    parts = _SLOT.split(text)
    return re.compile("".join(slots[part] if index % 2 else re.escape(part) for index, part in enumerate(parts)))


def _whole(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    if found := pattern.fullmatch(text):
        yield found


def _start(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    if found := pattern.match(text):
        yield found


def _end(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    yield from (found for found in pattern.finditer(text) if found.end() == len(text))


def _line(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    """Whole lines. The last one may be cut, and nobody sees that where it ends in a number."""
    ends = ("\n",) if {"number", "second"} & pattern.groupindex.keys() else ("\n", "")
    for found in pattern.finditer(text):
        begins = found.start() == 0 or text[found.start() - 1] == "\n"
        if begins and text[found.end() : found.end() + 1] in ends:
            yield found


def _anywhere(pattern: re.Pattern[str], text: str) -> Iterator[re.Match[str]]:
    return pattern.finditer(text)


_PLACES: Final[Mapping[str, Any]] = {
    "whole": _whole,
    "start": _start,
    "end": _end,
    "line": _line,
    "anywhere": _anywhere,
    "inside": _anywhere,
}


def _stands_free(form: Form, text: str, found: re.Match[str]) -> bool:
    """Whether what is around a match leaves it a sentence of its own."""
    begin, end = found.span()
    if _within_a_word(text, begin) or _within_a_word(text, end):
        return False
    if form.at in ("end", "anywhere") and not _begins_sentence(text, begin, form.before):
        return False
    return not form.after or text.startswith(form.after, end)


def _within_a_word(text: str, place: int) -> bool:
    return 0 < place < len(text) and text[place - 1].isalnum() and text[place].isalnum()


def _begins_sentence(text: str, start: int, leads: tuple[str, ...]) -> bool:
    """By places and not by parts of the text: copies for each match would take a long text square."""
    place = start
    while place and text[place - 1] == " ":
        place -= 1
    return not place or text[place - 1] in _SENTENCE_ENDS or (bool(leads) and text.endswith(leads, 0, start))


def _agreed(statements: list[_Statement]) -> Heard | Unread | None:
    """What all of them say; None where there are none."""
    if any(one.heard is None for one in statements):
        return Unread(error="wrong_values", message="has a verdict in a declared form whose value is not allowed.")
    said = list(dict.fromkeys(one.heard for one in statements if one.heard is not None))
    return _two(said) if len(said) > 1 else next(iter(said), None)


def _two(said: list[Heard]) -> Unread:
    told = " and ".join(str(one) for one in said[:3])
    return Unread(error="two_verdicts", message=f"has verdicts that differ: {told}.")


def _under(value: object, path: str) -> object | None:
    for part in path.split("."):
        value = value.get(part) if isinstance(value, dict) else None
    return value
