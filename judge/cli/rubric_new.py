"""`judge rubric new`: a rubric to fill in, from the template of its kind."""

from __future__ import annotations

from pathlib import Path

import click

from judge.resource import resource_path, rubric_names

__all__ = ["new"]

_TEMPLATES = resource_path("rubrics", "new")
_KINDS = sorted(path.stem for path in _TEMPLATES.glob("*.yaml"))
_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]*"
EXIT_USAGE = 2


@click.command()
@click.argument("name")
@click.option("--kind", type=click.Choice(_KINDS), default="checklist", show_default=True, help="How its axes score.")
@click.option(
    "--out",
    type=click.Path(file_okay=False, path_type=Path),
    default=Path(),
    show_default="this folder",
    help="Folder to write into; it is made where it is not there.",
)
def new(name: str, kind: str, out: Path) -> None:
    """Write NAME.yaml, a rubric that can be used as it is, with comments on how to make it your own.

    \b
    Example:
      judge rubric new triage
      judge rubric new triage --out rubrics
      judge rubric new paper --kind tree

    \b
    Exit codes:
      0   written
      2   wrong usage, or the file is there already: it is never overwritten
    """
    _refuse_name(name)
    path = out / f"{name}.yaml"
    try:
        out.mkdir(parents=True, exist_ok=True)
        _write(path, kind, name)
    except FileExistsError as exc:
        raise click.UsageError(
            f"{exc.filename} is there already, and is not overwritten. Choose another NAME."
        ) from exc
    except OSError as exc:
        raise click.UsageError(f"{path} cannot be written: {exc.strerror}.") from exc
    click.echo(f"Written to {path}. It can be used as it is; its comments say what to change. To look at it:")
    click.echo(f"  judge rubric show {path}")


def _refuse_name(name: str) -> None:
    import re

    if not re.fullmatch(_NAME, name):
        allowed = "it must be letters, digits, dots, dashes and underscores, and begin with a letter or a digit"
        raise click.UsageError(f"the name is {name!r}; {allowed}.")
    if name in rubric_names():
        raise click.UsageError(
            f"a built-in rubric is called {name!r}, and --rubric {name} means that one. Choose another NAME."
        )


def _write(path: Path, kind: str, name: str) -> None:
    from string import Template

    text = Template((_TEMPLATES / f"{kind}.yaml").read_text(encoding="utf-8")).substitute(name=name)
    with path.open("x", encoding="utf-8") as file:
        file.write(text)
