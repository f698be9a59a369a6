"""verifiers: a list of named criteria in TOML or JSON, for its rubric judge. It is read, not written.

[[criteria]]
name = "fever"
text = "The response names the fever."
weight = 3.0

Source: PrimeIntellect-ai/verifiers, v1/judges/rubric.py: `load_criteria`. A weight is 1 where none is given; `choices`
stand from the worst to the best, an even step each, and are no and yes where none are given. Its score
is Σ w·step / Σ w.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from judge.formats.flat import Dialect, Said, is_flat, read_flat
from judge.formats.format import Format, Imported

__all__ = ["VERIFIERS"]

_YES_OR_NO: Final = ["no", "yes"]


def _fits(value: object) -> bool:
    return is_flat(value, "name", "text")


def _read(value: Any, name: str) -> Imported:
    dialect = Dialect(text="text", named="name", anchors=_anchors, answers=("choices",))
    return read_flat(Said(value), name, dialect)


def _anchors(one: Mapping[str, Any]) -> Sequence[str] | None:
    choices = one.get("choices", _YES_OR_NO)
    return None if not isinstance(choices, list) or choices == _YES_OR_NO else choices


VERIFIERS = Format(
    name="verifiers",
    about="TOML or JSON whose `criteria` have `name` and `text`, some with `weight` and `choices`",
    fits=_fits,
    read=_read,
)
