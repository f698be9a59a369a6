"""A run file (`--config judge.yaml`) -> the defaults of a command, checked as the command line is.

    traces: traces.jsonl
    judge: hosted_vllm/Qwen3-32B
    api-base: http://127.0.0.1:8000/v1
    param: {temperature: 0.7}
    header: {X-Team: env:TEAM_TOKEN}
    out: runs/first

The keys are the long names of the commands' own options, so nothing is listed here. One file is for all commands that
take one: what only another command has is checked and left out. Paths are relative to the file. It holds no key, as
such files are copied, committed and shared; where a header's value comes from is no key.

Of several judges, each may have options of its own:

    judge:
      - lexical
      - {judge: hosted_vllm/Qwen3-32B, api-base: "http://127.0.0.1:8000/v1", param: {temperature: 0.7}}
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from difflib import get_close_matches
from pathlib import Path
from typing import Any, NoReturn, TypeAlias

import click

from judge.backends.litellm_errors import clean
from judge.cli.option_types import Header, OfOneJudge
from judge.strict_yaml import Document, StrictYamlError, parse_yaml

__all__ = ["read_run_file"]


def _is_rubric_file(given: str) -> bool:
    return "/" in given or given.endswith((".yaml", ".yml"))


PATHS: dict[str, Callable[[str], bool]] = {
    **dict.fromkeys(("rubric", "old", "new"), _is_rubric_file),
    "cache": lambda given: given != "none",
}
"""Options that hold a path at times, and when; those of the type `click.Path` always do."""
COMMAND_LINE_ONLY = {
    "config": "one file is all",
    "dry-run": "it asks nobody; give it on the command line",
    "overwrite": "at every start it would throw away the run before; give it on the command line",
}
"""Options that a run file cannot hold, by long name, and why."""

_Field: TypeAlias = tuple[int | str, ...]
_Options: TypeAlias = dict[str, click.Parameter]
_SECRET_NAME = re.compile(r"(^|[-_ ])(api)?(key|token|secret|password|authorization)$", re.IGNORECASE)
_KEY_FILE = "key-file"


def read_run_file(path: Path, ctx: click.Context) -> dict[str, Any]:
    """Read a run file for the command of this context.

    Args:
        path: The file.
        ctx: Of the command whose options it may hold.

    Returns:
        Values by the names of click's parameters, fit to be its `default_map`.

    Raises:
        click.UsageError: The file is wrong; says where, with line and column.
    """
    return _RunFile(path, ctx).read()


class _RunFile:
    def __init__(self, path: Path, ctx: click.Context) -> None:
        self._path = path
        self._ctx = ctx
        self._options = _options(ctx.command)
        self._known = _neighbours(ctx) | self._options
        self._document = self._parse()

    def read(self) -> dict[str, Any]:
        given = self._document.value
        if not isinstance(given, dict):
            self._refuse((), "a run file is a mapping of options, such as `judge: lexical`")
        for field, text in _texts(given, ()):
            self._refuse_secret(field, text)
        values = {}
        for name, value in given.items():
            option = self._find(name)
            words = self._checked(option, (name,), value)
            if name in self._options:
                values[str(option.name)] = words
        return values

    def _parse(self) -> Document:
        try:
            return parse_yaml(self._path.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError) as exc:
            raise click.UsageError(f"{self._path}: cannot be read: {exc}.", self._ctx) from exc
        except StrictYamlError as exc:
            raise click.UsageError(f"{self._path}:{exc.place}: {exc.problem}.", self._ctx) from exc

    def _refuse(self, field: _Field, problem: str, *, at: _Field | None = None, place: str = "") -> NoReturn:
        where = place or self._document.place(field if at is None else at)
        name, end = (f"{field[0]}: " if field else ""), "" if problem.endswith((".", "?")) else "."
        raise click.UsageError(f"{self._path}:{where}: {name}{problem}{end}", self._ctx)

    def _refuse_secret(self, field: _Field, text: str) -> None:
        key, option, own = str(field[-1]), self._known.get(str(field[0])), field
        if option is not None and isinstance(option.type, OfOneJudge) and len(own := _of_one_judge(field)) < len(field):
            option = self._known.get(str(own[0]))
        source = _source(option, own, text)
        named = source is None and _SECRET_NAME.search(key) is not None
        if not (named or _looks_secret(option, text, source)):
            return
        places = "the environment (OPENAI_API_KEY, HOSTED_VLLM_API_KEY, or the provider's own variable)"
        if _KEY_FILE in self._options:
            places += f", or into a file that `{_KEY_FILE}` names"
        if option is not None and isinstance(option.type, Header):
            places = "the environment or a file, and say here where: env:VARIABLE or file:PATH"
        wrong = f"{key!r} names a key" if named else "the value looks like a key"
        # Only the place is told, and no value.
        self._refuse((), f"{wrong}, and a run file holds none: it is shared. Put it into {places}", at=field)

    def _find(self, name: str) -> click.Parameter:
        if name not in self._known:
            self._refuse((), self._unknown(name), place=self._document.place_of_key(name))
        return self._known[name]

    def _unknown(self, name: str) -> str:
        if name in COMMAND_LINE_ONLY:
            return f"a run file cannot hold {name!r}: {COMMAND_LINE_ONLY[name]}"
        close = get_close_matches(name.lower().replace("_", "-"), self._known, n=1)
        meant = f"did you mean {close[0]!r}?" if close else f"there are: {', '.join(self._options)}"
        return f"{name!r} is no option of `{self._ctx.command_path}`; {meant}"

    def _checked(self, option: click.Parameter, field: _Field, value: object) -> Any:
        """The words of a value as the command line would have them, after its own check of them."""
        if option.multiple:
            words: Any = [self._one(option, where, each) for where, each in self._several(option, field, value)]
        else:
            words = self._words(option, field, value)
        self._cast(option, field, words)
        return words

    def _cast(self, option: click.Parameter, field: _Field, words: Any) -> Any:
        try:
            return option.type_cast_value(self._ctx, words)
        except click.BadParameter as exc:
            self._refuse(field, exc.message)

    def _one(self, option: click.Parameter, field: _Field, value: object) -> Any:
        if isinstance(value, dict) and isinstance(option.type, OfOneJudge):
            return self._judge(field, value)
        return self._words(option, field, value)

    def _judge(self, field: _Field, given: dict[str, object]) -> dict[str, Any]:
        """What is given for one judge of a panel alone, by the names of click's parameters."""
        if "judge" not in given:
            self._refuse(field, "names no judge; begin with `judge: NAME`")
        return dict(self._of_judge((*field, name), name, value) for name, value in given.items())

    def _of_judge(self, field: _Field, name: str, value: object) -> tuple[str, Any]:
        if name not in OfOneJudge.options:
            allowed = ", ".join(OfOneJudge.options)
            self._refuse(field, f"{name!r} cannot be given for one judge alone; there are: {allowed}")
        option = self._known[name]
        if name in ("judge", "api-base"):  # which several may be given of, but not here
            return name.replace("-", "_"), self._words(option, field, value)
        return str(option.name), self._cast(option, field, self._checked(option, field, value))

    def _several(self, option: click.Parameter, field: _Field, value: object) -> Iterator[tuple[_Field, object]]:
        """Values of an option that may be repeated: one, a list, or `key: value` for those of the form k=v."""
        if isinstance(value, dict) and not isinstance(option.type, OfOneJudge):
            pair = getattr(option.type, "pair", None)
            for key, inner in value.items():
                where = (*field, key)
                yield where, pair(key, inner) if pair else f"{key}={self._words(option, where, inner)}"
        elif isinstance(value, list):
            yield from (((*field, at), each) for at, each in enumerate(value))
        else:
            yield field, value

    def _words(self, option: click.Parameter, field: _Field, value: object) -> str | bool:
        is_flag = isinstance(option, click.Option) and option.is_flag
        if isinstance(value, bool) and is_flag:
            return value
        if value is None:
            self._refuse(field, "has no value; give one, or leave the line out")
        if is_flag:
            self._refuse(field, f"is {value!r}; it must be true or false")
        written = self._document.words(field)
        if isinstance(value, bool):
            self._refuse(field, f'is read as {value}; if it is text, write it in quotes: "{written}"')
        if isinstance(value, dict | list):
            self._refuse(field, "takes one value here, and not a list or a mapping")
        # A number as it is written: 0.10 stays what the user sees.
        return self._located(option, field, value) if isinstance(value, str) else written

    def _located(self, option: click.Parameter, field: _Field, text: str) -> str:
        """Text with the path in it, if it holds one, from where the file is."""
        if source := _source(option, field, text):
            kind, _, place = source.partition(":")
            return f"{text.removesuffix(place)}{self._beside(field, place)}" if kind == "file" and place else text
        return self._beside(field, text) if text != "-" and _is_path(option, text) else text

    def _beside(self, field: _Field, path: str) -> str:
        try:
            return str(self._path.parent / (Path(path).expanduser() if path.startswith("~") else path))
        except RuntimeError as exc:  # such as ~nobody
            self._refuse(field, f"{path!r} is below no home folder: {exc}")


def _options(command: click.Command) -> _Options:
    """What a run file may hold for a command, by long name."""
    return {name: param for param in command.params if (name := _name(param)) not in COMMAND_LINE_ONLY}


def _neighbours(ctx: click.Context) -> _Options:
    """What the other commands that take a run file have."""
    root = ctx.find_root()
    found: _Options = {}
    for command in _commands(root.command, root):
        if "config" in map(_name, command.params):
            found |= _options(command)
    return found


def _commands(command: click.Command | None, ctx: click.Context) -> Iterator[click.Command]:
    """A command, or all below a group."""
    if isinstance(command, click.Group):
        for name in command.list_commands(ctx):
            yield from _commands(command.get_command(ctx, name), ctx)
    elif command is not None:
        yield command


def _name(option: click.Parameter) -> str:
    """The long name, without dashes; an argument has only one name."""
    long = [name for name in option.opts if name.startswith("--")]
    return long[0].removeprefix("--") if long else str(option.name)


def _of_one_judge(field: _Field) -> _Field:
    """The place of a value below what is given for one judge alone: `judge[0].header.X` is `header.X`."""
    below = field[2:] if len(field) > 1 and isinstance(field[1], int) else field[1:]
    return below or field


def _texts(value: object, field: _Field) -> Iterator[tuple[_Field, str]]:
    """Every scalar below a value as text, with its place."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield from _texts(inner, (*field, key))
    elif isinstance(value, list):
        for at, inner in enumerate(value):
            yield from _texts(inner, (*field, at))
    elif field:
        yield field, str(value)


def _is_path(option: click.Parameter, text: str) -> bool:
    at_times = PATHS.get(str(option.name))
    return at_times(text) if at_times else isinstance(option.type, click.Path)


def _source(option: click.Parameter | None, field: _Field, text: str) -> str | None:
    """Where a header's value comes from, written `NAME: env:VARIABLE` or `NAME=env:VARIABLE`; None for other text."""
    if option is None or not isinstance(option.type, Header):
        return None
    in_mapping = len(field) > 1 and isinstance(field[-1], str)
    source = text if in_mapping else text.partition("=")[2]
    return source if source.startswith(Header.sources) else None


def _looks_secret(option: click.Parameter | None, text: str, source: str | None) -> bool:
    if source is None:
        is_path = option is not None and _is_path(option, text)
    else:
        is_path, text = source.startswith("file:"), source.partition(":")[2]
    # A folder may have a name like a key's beginning; a key in place of a path is a word alone.
    return not (is_path and "/" in text) and clean(text) != text
