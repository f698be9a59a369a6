"""HealthBench: a row of a conversation, and physicians' criteria of it.

{"prompt_id": "p1", "prompt": [{"role": "user", "content": "I cough."}], "example_tags": ["theme:context_seeking"],
"rubrics": [{"criterion": "Asks for how long.", "points": 5, "tags": ["axis:context_awareness"]}]}

Source: openai/simple-evals, healthbench_eval.py: `RubricItem`.
"""

from __future__ import annotations

from typing import Any

from judge.axis import Criteria
from judge.formats.flat import asked
from judge.formats.format import Format, Imported, are_objects, as_json_number, beside
from judge.formats.rows import read_row
from judge.rubric import Rubric, as_name
from judge.traces.shape import is_healthbench

__all__ = ["HEALTHBENCH"]


def _fits(value: object) -> bool:
    return isinstance(value, dict) and are_objects(value.get("rubrics"), "criterion") and is_healthbench(value)


def _read(row: dict[str, Any], name: str) -> Imported:
    own = as_name(str(row.get("prompt_id") or ""))
    return read_row(row, built_in="healthbench", name=own or name, criteria="rubrics", text="criterion")


def _write(rubric: Rubric, axis: Criteria) -> dict[str, Any]:
    criteria = [
        beside({"criterion": one.text, "points": as_json_number(points)}, {"tags": [], **one.meta})
        for one, points in asked(axis)
    ]
    return {"prompt_id": rubric.name, "prompt": [], "example_tags": [], **rubric.meta, "rubrics": criteria}


HEALTHBENCH = Format(
    name="healthbench",
    about="a row with a conversation in `prompt`, and `rubrics` of `criterion`, `points` and `tags`",
    fits=_fits,
    read=_read,
    write=_write,
    suffixes=(".jsonl",),
)
