"""The work behind `judge rubric import`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import click

from judge.cli.terminal import Screen, clean
from judge.errors import ConfigError, InputError, JudgeError, RubricError
from judge.formats import FORMATS
from judge.formats.format import Format, Imported
from judge.formats.given import read_documents
from judge.formats.yaml_text import yaml_text
from judge.rubric import as_name, parse_rubric

__all__ = ["run_import", "write_new"]

EXIT_OK = 0
EXIT_UNUSABLE = 1
EXIT_USAGE = 2
_YAML = (".yaml", ".yml")


def run_import(file: Path, named: str | None, out: Path | None) -> int:
    """Import and print.

    Args:
        file: Of others.
        named: Its format, where that is not to be found out.
        out: File or folder; None for standard output.

    Returns:
        The exit code.
    """
    told = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False)
    try:
        found = _read(list(_documents(file, named)), as_name(file.name.split(".")[0]) or "imported")
        texts = dict(zip(_paths(found, file, out), (yaml_text(one.rubric) for one in found), strict=True))
        if out is None:
            click.echo("".join(texts.values()), nl=False)
        else:
            write_new(texts)
    except JudgeError as exc:
        told.print(clean(exc))
        return EXIT_USAGE
    lost = [f"{path}: lost: {line}" for path, one in zip(texts, found, strict=True) for line in one.lost]
    faults = [str(fault) for path, text in texts.items() if (fault := _fault(text, path))]
    for line in (*lost, *faults, *_conclusion(texts, out, len(faults))):
        told.print(clean(line))
    return EXIT_UNUSABLE if faults else EXIT_OK


def write_new(texts: dict[Path, str]) -> None:
    """Write files, and their folders where there are none; all of them, or none where one is there already.

    Raises:
        ConfigError: One is there already, or cannot be written.
    """
    if there := next((path for path in texts if path.exists()), None):
        raise ConfigError(f"{there} is there already, and is not written over.", hint="Choose another --out.")
    try:
        for path, text in texts.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text, encoding="utf-8")
    except OSError as exc:
        raise ConfigError(f"{exc.filename} cannot be written: {exc.strerror}.") from exc


def _read(documents: Sequence[tuple[Any, Format]], name: str) -> list[Imported]:
    """Those without a name of their own have that of the file, and their number where they are several."""
    names = [name] if len(documents) == 1 else [f"{name}-{number}" for number in range(1, len(documents) + 1)]
    return [known.read(value, called) for (value, known), called in zip(documents, names, strict=True)]


def _documents(file: Path, named: str | None) -> Iterator[tuple[Any, Format]]:
    """Each with its format; a list that is no document is a list of them."""
    nothing = True
    for place, value in read_documents(file):
        listed = _is_list_of_documents(value, named)
        for number, one in enumerate(value if listed else [value], start=1):
            known, nothing = _format(one, named), False
            if known is None:
                raise _unknown(f"{place}, item {number}" if listed else place, named)
            yield one, known
    if nothing:
        raise InputError(f"{file}: holds nothing.")


def _is_list_of_documents(value: Any, named: str | None) -> bool:
    return isinstance(value, list) and not _format(value, named) and any(_format(one, named) for one in value)


def _format(value: Any, named: str | None) -> Format | None:
    asked = FORMATS.values() if named is None else (FORMATS[named],)
    return next((one for one in asked if one.fits(value)), None)


def _unknown(place: str, named: str | None) -> InputError:
    if named is not None:
        return InputError(f"{place}: is not of the format {named}, which is {FORMATS[named].about}.")
    known = "; ".join(f"{one.name}: {one.about}" for one in FORMATS.values())
    return InputError(f"{place}: holds no rubric of a known format. Known are {known}.")


def _paths(found: Sequence[Imported], file: Path, out: Path | None) -> Iterator[Path]:
    """Where each is written, or would be."""
    if out is not None and out.suffix.lower() not in _YAML:
        yield from (out / name for name in _file_names(found))
    elif len(found) > 1:
        given = f"{out} is one file" if out else "standard output holds one"
        raise ConfigError(f"{file} holds {len(found):,} rubrics, and {given}.", hint="Give --out a folder.")
    else:
        yield from ([out] if out else map(Path, _file_names(found)))


def _file_names(found: Sequence[Imported]) -> Iterator[str]:
    """By their names; the second of a name is `name-2`."""
    taken: set[str] = set()
    for one in found:
        name, again = one.rubric["name"], 2
        while name in taken:
            name, again = f"{one.rubric['name']}-{again}", again + 1
        taken.add(name)
        yield f"{name}.yaml"


def _fault(text: str, path: Path) -> RubricError | None:
    try:
        parse_rubric(text, path)
    except RubricError as exc:
        return exc
    return None


def _conclusion(texts: dict[Path, str], out: Path | None, faults: int) -> Iterator[str]:
    if faults:
        yield f"{faults:,} of {len(texts):,} cannot be used as written; judge rubric lint says all that is wrong."
    if out is not None:
        many = len(texts) > 1
        yield f"Written to {out}{f': {len(texts):,} rubrics' if many else ''}. To look at {'them' if many else 'it'}:"
        yield f"  judge rubric lint {out / '*.yaml' if many else next(iter(texts))}"
