"""A format's name or file -> RecordedFormat."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

from pydantic import BaseModel, ValidationError

from judge.errors import ConfigError
from judge.misfit import remedy
from judge.recordings.form import Form, Numbers
from judge.recordings.recording import Each, Human, Join, RecordedFormat, Split
from judge.strict_yaml import Document, StrictYamlError, parse_yaml

__all__ = ["format_names", "load_format"]

_HOME: Final = Path(__file__).parent
_PARTS: Final[Mapping[str, type[BaseModel]]] = {
    "forms": Form,
    "join": Join,
    "split": Split,
    "people": Human,
    "numbers": Numbers,
    "each": Each,
}


def format_names() -> list[str]:
    """Names of the built-in formats, in the order of the alphabet."""
    return sorted(file.stem for file in _HOME.glob("*.yaml"))


def load_format(name_or_path: str) -> RecordedFormat:
    """Read the declaration of a format.

    Args:
        name_or_path: Name of a built-in format, or path of a YAML file (it has a `/` or ends in `.yaml` or `.yml`).

    Raises:
        ConfigError: No such format, or the file is wrong; says where, with line and column.
    """
    path = _locate(name_or_path)
    try:
        text = path.read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read: {exc}.") from exc
    try:
        document = parse_yaml(text)
    except StrictYamlError as exc:
        raise ConfigError(f"{path}:{exc.place}: {exc.problem}.", hint=exc.hint) from exc
    try:
        return RecordedFormat.model_validate(document.value)
    except ValidationError as exc:
        raise _first_error(exc, document, path) from exc


def _locate(name_or_path: str) -> Path:
    if "/" in name_or_path or name_or_path.endswith((".yaml", ".yml")):
        return Path(name_or_path)
    if name_or_path not in format_names():
        known = ", ".join(format_names())
        message = f"--format {name_or_path!r} is no built-in format; there are: {known}."
        raise ConfigError(message, hint="Or give the path of a declaration, a .yaml file: docs/replay.md says how.")
    return _HOME / f"{name_or_path}.yaml"


def _first_error(exc: ValidationError, document: Document, path: Path) -> ConfigError:
    error = exc.errors(include_url=False)[0]
    field = ".".join(str(part) for part in error["loc"]) or "the file"
    said = "Field required" if error["type"] == "missing" else error["msg"].removeprefix("Value error, ")
    hint = remedy(error, _fields(error["loc"]) if error["type"] == "extra_forbidden" else ())
    return ConfigError(f"{path}:{document.place(error['loc'])}: {field}: {said}.", hint=hint)


def _fields(where: tuple[Any, ...]) -> Iterable[str]:
    """The fields of what a field is in."""
    return (RecordedFormat if len(where) == 1 else _PARTS[where[0]]).model_fields
