"""What pydantic refuses in a rubric -> what to do about it.

axes.seen.weigth: Extra inputs are not permitted.   ->   Did you mean `weight`?
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from difflib import get_close_matches
from typing import Any, Final

__all__ = ["MisfitError", "remedy"]

_REMEDIES: Final[Mapping[str, str]] = {
    "missing": "Add it.",
    "union_tag_not_found": "Add it: it says how the axis is scored.",
    "union_tag_invalid": "Write one of them.",
    "string_type": 'Write a text, in quotes: "…".',
    "string_too_short": "Write at least one character.",
    "string_pattern_mismatch": "Write letters, digits, dots, dashes and underscores; the first is a letter or a digit.",
    "float_type": "Write a plain number, such as 2 or 0.5.",
    "finite_number": "Write a plain number, such as 2 or 0.5.",
    "int_type": "Write a whole number, such as 2.",
    "bool_type": "Write true or false.",
    "dict_type": "Write its fields below it, a line each: `key: value`.",
    "model_type": "Write its fields below it, a line each: `key: value`.",
    "model_attributes_type": "Write its fields below it, a line each: `key: value`.",
    "tuple_type": "Write a list: a line each that begins with a dash.",
    "literal_error": "Write one of them, as it stands here.",
    "greater_than_equal": "Write a larger number.",
    "less_than_equal": "Write a smaller number.",
    "too_short": "Add what is missing.",
}
"""By pydantic's name of the fault."""


class MisfitError(ValueError):
    """Something that a rubric cannot say.

    Args:
        problem: What is wrong, without a full stop.
        to_do: What to do about it, as a sentence.
    """

    def __init__(self, problem: str, to_do: str) -> None:
        super().__init__(problem)
        self.to_do = to_do


def remedy(error: Mapping[str, Any], allowed: Iterable[str]) -> str:
    """What to do about a fault that pydantic found.

    Args:
        error: One of `ValidationError.errors()`.
        allowed: The fields of what the fault is in, for a field that it does not have.
    """
    if error["type"] == "extra_forbidden":
        fields, given = list(allowed), str(error["loc"][-1])
        near = get_close_matches(given, fields, n=1)
        return f"Did you mean `{near[0]}`?" if near else f"Leave it away; there are: {', '.join(fields)}."
    reason = error.get("ctx", {}).get("error")
    return reason.to_do if isinstance(reason, MisfitError) else _REMEDIES.get(error["type"], "")
