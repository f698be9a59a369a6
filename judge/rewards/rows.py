"""Prompts, completions and the columns of a data set -> rows in the shape of an input line, one a completion.

{"prompts": ["Which lobe?"], "completions": ["The right lower."], "units": [{"perception": [{"unit_id": …}]}]}
-> {"question": "Which lobe?", "trace": "The right lower.", "units": {"perception": [{"unit_id": …}]}}
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from judge.rewards.text import as_image, question_of, without_special_tokens
from judge.strict_json import StrictJsonError, parse_json

__all__ = ["fields_of", "plain", "row_of", "rows_of"]

_NO_COLUMNS: Final = {"completion_ids", "prompt_ids", "trainer_state", "log_extra", "log_metric", "environments"}
_IMAGES: Final = ("image", "images")
_WITH_ANSWER: Final = ("reference_answer", "perception", "knowledge", "rationale")
"""Columns of data sets that say themselves what is right; `traces/shape.py` reads them."""


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
        row_of(prompt, completion, {name: values[place] for name, values in known.items()})
        for place, (prompt, completion) in enumerate(zip(prompts, completions, strict=True))
    ]


def row_of(prompt: object, completion: object, given: Mapping[str, Any]) -> dict[str, Any]:
    """A row.

    Args:
        prompt: Text or messages; the question where no field has that name.
        completion: Text or messages.
        given: The other fields, by their names in an input line.
    """
    fields = dict(given)
    images = next((given for name in _IMAGES if (given := fields.pop(name, None)) is not None), None)
    row = {name: value for name, value in fields.items() if value is not None and _is_plain(value)}
    if "question" not in row and (question := question_of(prompt)) is not None:
        row["question"] = question
    if isinstance(prompt, list) and _is_plain(prompt):
        row.setdefault("prompt", prompt)  # a conversation is what HealthBench's rows are known by
    if images is not None:
        row["image"] = as_image(images)
    return {**row, "trace": without_special_tokens(completion) if isinstance(completion, str) else completion}


def fields_of(label: object, known: Mapping[str, Any] | None = None) -> dict[str, Any]:
    """Fields of a row, of what a trainer keeps beside a prompt.

    Args:
        label: A mapping of fields, also as JSON text; anything else is the right answer, nothing where it is empty.
        known: Further fields, which go before those of the label.
    """
    label = _parsed(plain(label))
    known = {name: value for name, value in plain(known or {}).items() if value is not None}
    if isinstance(label, dict):
        return {**label, **known}
    reference = known.get("reference", {})
    if label in (None, "") or not isinstance(reference, dict) or any(known.get(name) for name in _WITH_ANSWER):
        return known
    if reference.get("answer") is None:
        reference = {**reference, "answer": label if isinstance(label, str) else str(label)}
    return {**known, "reference": reference}


def plain(value: Any) -> Any:
    """Dicts and lists all through, of the mappings of a configuration, the arrays of a table, and pydantic's models."""
    if isinstance(value, str | bytes):
        return value
    if isinstance(value, Mapping):
        return {name: plain(child) for name, child in value.items()}
    if hasattr(value, "model_dump"):
        return plain(value.model_dump())
    if hasattr(value, "tolist"):
        return plain(value.tolist())
    return [plain(child) for child in value] if isinstance(value, Sequence) else value


def _parsed(label: object) -> object:
    if not isinstance(label, str) or not label.lstrip().startswith("{"):
        return label
    try:
        return parse_json(label)
    except StrictJsonError:  # a set in an answer: {1, 2}
        return label


def _is_plain(value: object) -> bool:
    """Sounds, pictures and environments are columns too, and no concern of a judge."""
    if isinstance(value, dict):
        return all(isinstance(name, str) and _is_plain(one) for name, one in value.items())
    if isinstance(value, list | tuple):
        return all(map(_is_plain, value))
    return value is None or isinstance(value, str | int | float)
