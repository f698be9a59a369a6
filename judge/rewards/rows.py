"""Prompts, completions and the columns of a data set -> rows in the shape of an input line, one a completion.

{"prompts": ["Which lobe?"], "completions": ["The right lower."], "units": [{"perception": [{"unit_id": …}]}]}
-> {"question": "Which lobe?", "trace": "The right lower.", "units": {"perception": [{"unit_id": …}]}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from judge.rewards.text import as_image, question_of, without_special_tokens

__all__ = ["rows_of"]

_NO_COLUMNS: Final = {"completion_ids", "prompt_ids", "trainer_state", "log_extra", "log_metric", "environments"}
_IMAGES: Final = ("image", "images")


def rows_of(
    prompts: Sequence[object], completions: Sequence[object], columns: Mapping[str, object]
) -> list[dict[str, Any]]:
    """Rows of one batch, in its order.

    Args:
        prompts: Text or messages; the question of a row that has no column `question`. None where a trainer has none.
        completions: Text or messages.
        columns: Name -> a value a completion; what is no such list, or cannot be written as JSON, is passed over.
    """
    known = {
        name: values
        for name, values in columns.items()
        if name not in _NO_COLUMNS and isinstance(values, list | tuple) and len(values) == len(completions)
    }
    return [
        _row(prompt, completion, {name: values[place] for name, values in known.items()})
        for place, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
    ]


def _row(prompt: object, completion: object, fields: dict[str, Any]) -> dict[str, Any]:
    images = next((given for name in _IMAGES if (given := fields.pop(name, None)) is not None), None)
    row = {name: value for name, value in fields.items() if value is not None and _is_plain(value)}
    if "question" not in row and (question := question_of(prompt)) is not None:
        row["question"] = question
    if isinstance(prompt, list) and _is_plain(prompt):
        row.setdefault("prompt", prompt)  # a conversation is what HealthBench's rows are known by
    if images is not None:
        row["image"] = as_image(images)
    return {**row, "trace": without_special_tokens(completion) if isinstance(completion, str) else completion}


def _is_plain(value: object) -> bool:
    """Sounds, pictures and environments are columns too, and no concern of a judge."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(one) for name, one in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)
