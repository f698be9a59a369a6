"""The work behind `judge rubric export`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click

from judge.axis import Criteria
from judge.cli.importing import write_new
from judge.cli.terminal import Screen, clean
from judge.errors import ConfigError, JudgeError
from judge.formats import FORMATS
from judge.formats.format import Format
from judge.formats.loss import find_losses
from judge.formats.yaml_text import yaml_text
from judge.rubric import Rubric, as_name, load_rubric, parse_rubric

__all__ = ["run_export"]

EXIT_OK = 0
EXIT_LOST = 1
EXIT_USAGE = 2
_NO_FILE = "rubric"


def run_export(name_or_path: str, named: str, axis: str | None, out: Path | None, *, strict: bool) -> int:
    """Export and print.

    Args:
        name_or_path: As of `load_rubric`.
        named: Format to write.
        axis: The one to write; None where only one has criteria.
        out: None for standard output.
        strict: Write nothing where anything is lost.

    Returns:
        The exit code.
    """
    told = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        form, rubric = FORMATS[named], load_rubric(name_or_path)
        _refuse_suffix(form, out)
        chosen, criteria = _axis(rubric, axis)
        assert form.write is not None  # --to has only those that are
        value = form.write(rubric, criteria)
        lost = find_losses(rubric, chosen, _read_again(form, value, out))
        if not (strict and lost):
            _write(_text(form, value, out), out)
    except JudgeError as exc:
        told.print(clean(exc))
        return EXIT_USAGE
    for line in lost:
        told.print(clean(f"lost: {line}"))
    if strict and lost:
        told.print("Nothing is written, as --strict has it.")
        return EXIT_LOST
    return EXIT_OK


def _axis(rubric: Rubric, asked: str | None) -> tuple[str, Criteria]:
    """The axis to write, with its name."""
    found = {name: axis for name, axis in rubric.axes.items() if isinstance(axis, Criteria) and axis.criteria}
    named = ", ".join(found)
    if not found:
        hint = "Only criteria that stand in a rubric are exported; units and criteria of records are not."
        raise ConfigError(f"{rubric.name}: no axis has criteria.", hint=hint)
    if asked is None and len(found) > 1:
        raise ConfigError(
            f"{rubric.name}: the axes {named} have criteria, and one is written.", hint="Give --axis NAME."
        )
    chosen = next(iter(found)) if asked is None else asked
    if chosen not in found:
        raise ConfigError(f"--axis {chosen!r} is no axis with criteria; there is: {named}.")
    return chosen, found[chosen]


def _refuse_suffix(form: Format, out: Path | None) -> None:
    if out is not None and out.suffix not in form.suffixes:
        raise ConfigError(f"--out {out}: {form.name} is written to a file that ends in {' or '.join(form.suffixes)}.")


def _read_again(form: Format, value: Any, out: Path | None) -> Rubric:
    """A name that the format has no place for is that of the file."""
    name = as_name(out.name.split(".")[0]) if out else ""
    return parse_rubric(yaml_text(form.read(value, name or _NO_FILE).rubric), Path(form.name))


def _text(form: Format, value: Any, out: Path | None) -> str:
    if out is not None and out.suffix in (".yaml", ".yml"):
        return yaml_text(value)
    if form.suffixes == (".jsonl",):
        return f"{json.dumps(value, ensure_ascii=False)}\n"
    return f"{json.dumps(value, ensure_ascii=False, indent=2)}\n"


def _write(text: str, out: Path | None) -> None:
    if out is None:
        click.echo(text, nl=False)
    else:
        write_new({out: text})
