"""The work behind `judge rubric show`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal

import orjson
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from judge.axis import Axis, Criteria, Preference
from judge.cli.terminal import Screen, clean, clean_lines, complain
from judge.criterion import Criterion, polarity_of
from judge.errors import JudgeError
from judge.resource import rubric_names
from judge.rubric import Rubric, load_rubric, locate_rubric

__all__ = ["LIST_SCHEMA", "SCHEMA", "list_rubrics", "show_rubric"]

SCHEMA: Literal["judge.rubric.show/1"] = "judge.rubric.show/1"
LIST_SCHEMA: Literal["judge.rubric.list/1"] = "judge.rubric.list/1"
EXIT_OK = 0
EXIT_USAGE = 2
_IN_THE_TABLE = {"kind", "description", "importance", "criteria"}


def list_rubrics(*, as_json: bool) -> int:
    """Print the built-in rubrics, a line each: the exit code."""
    rubrics = [load_rubric(name) for name in rubric_names()]
    screen = _screen()
    if as_json:
        screen.out(orjson.dumps({"schema": LIST_SCHEMA, "rubrics": [_about(rubric) for rubric in rubrics]}).decode())
        return EXIT_OK
    width = max(len(_called(rubric)) for rubric in rubrics)
    for rubric in rubrics:
        screen.print(f"{_called(rubric):<{width}}  {rubric.description}", soft_wrap=True)
    return EXIT_OK


def show_rubric(name: str, *, as_json: bool) -> int:
    """Print one rubric.

    Args:
        name: Of a built-in one, or the path of a file.
        as_json: Answer with one JSON object.

    Returns:
        The exit code.
    """
    try:
        rubric, path = load_rubric(name), locate_rubric(name)
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    screen = _screen()
    if as_json:
        axes = {axis: body.model_dump() for axis, body in rubric.axes.items()}
        told = {"schema": SCHEMA, **_about(rubric), "file": str(path), "guidelines": rubric.guidelines, "axes": axes}
        screen.out(orjson.dumps(told).decode())
    else:
        _print(screen, rubric)
    return EXIT_OK


def _screen() -> Screen:
    return Screen(soft_wrap=False)


def _called(rubric: Rubric) -> str:
    return f"{rubric.name} {rubric.version}"


def _about(rubric: Rubric) -> dict[str, Any]:
    return {
        "name": rubric.name,
        "version": rubric.version,
        "fingerprint": rubric.fingerprint,
        "description": rubric.description,
        "axes": list(rubric.axes),
    }


def _print(screen: Screen, rubric: Rubric) -> None:
    screen.print(clean(_called(rubric)), style="bold", end="")
    screen.print(f"  fingerprint {rubric.fingerprint}")
    screen.print(clean_lines(rubric.description.strip()))
    screen.print()
    table = _table("axis", "kind", "what it is about", "weights")
    for name, axis in rubric.axes.items():
        table.add_row(*map(Text, (name, axis.kind, clean(axis.description), _weights(axis))))
    screen.print(table)
    for name, axis in rubric.axes.items():
        for line in axis_details(name, axis):
            screen.print(clean(line))
        if isinstance(axis, Criteria) and axis.criteria:
            screen.print(_criteria_table(name, axis))
    if guidelines := rubric.guidelines.strip():
        screen.print("\nguidelines", style="bold")
        screen.print(Padding(Text(clean_lines(guidelines)), (0, 0, 0, 2)))


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _criteria_table(name: str, axis: Criteria) -> Table:
    table = _table(f"{name}.criteria", "points", "statement")
    for row in _criteria_rows(axis, axis.criteria):
        table.add_row(*map(Text, row))
    return table


def _criteria_rows(axis: Criteria, criteria: Sequence[Criterion], indent: str = "") -> Iterator[tuple[str, str, str]]:
    """Children stand under their parent, a step to the right; points of a tree are weights, and have no sign."""
    for one in criteria:
        points = f"{axis.worth(one):g}" if axis.scoring == "tree" else f"{axis.worth(one):+g}"
        marks = [mark for mark, holds in (("gate", one.gate), ("bad", polarity_of(one) == "negative")) if holds]
        said = f"{clean(one.text)} ({', '.join(marks)})" if marks else clean(one.text)
        yield f"{indent}{clean(one.id)}", points, said
        yield from _criteria_rows(axis, one.children, f"{indent}  ")


def _weights(axis: Axis) -> str:
    if isinstance(axis, Preference):
        return ""
    return ", ".join(f"{clean(name)} {weight:g}" for name, weight in axis.weights.items()) or "1 each"


def axis_details(name: str, axis: Axis) -> Iterator[str]:
    """What an axis says besides what stands in the table, a line a value; nothing for a plain checklist."""
    for field, value in axis.model_dump(exclude_none=True).items():
        if field == "levels":
            yield from (f"{name}.level {one['level']}: {one['anchor']}" for one in value)
        elif field not in _IN_THE_TABLE:
            yield from _written(f"{name}.{field}", ", ".join(value) if field == "view" else value)


def _written(path: str, value: object) -> Iterator[str]:
    if isinstance(value, Mapping):
        for key, inner in value.items():
            yield from _written(f"{path}.{key}", inner)
    elif isinstance(value, list | tuple):
        for place, inner in enumerate(value):
            yield from _written(f"{path}[{place}]", inner)
    else:
        yield f"{path}: {value}"
