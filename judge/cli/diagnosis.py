"""What `judge doctor` found, as lines or as one JSON object."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

import orjson
from pydantic import JsonValue
from rich.text import Text

from judge.cli.terminal import Screen, clean
from judge.settings import package_version

__all__ = ["Check", "as_json", "exit_code", "show"]

_NAME_WIDTH = 19
_MARKS = {True: ("ok", "green"), False: ("no", "red"), None: ("--", "yellow")}
_STATUS = {True: "ok", False: "failed", None: "missing"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        name: Stable, for programs.
        fine: None for what is optional and not there.
        found: What is there, or what is wrong; never a key.
        fix: What to do, a command where there is one; empty where there is nothing to do.
        needed: Whether the exit code hangs on it.
    """

    name: str
    fine: bool | None
    found: str
    fix: str = ""
    needed: bool = True


def show(checks: Iterable[Check]) -> None:
    """Print lines, not a table: a command in them can be copied whole."""
    screen = Screen()
    for check in checks:
        joint = (" " if check.found.endswith(".") else "; ") if check.fix else ""
        said = f"{check.found}{joint}{check.fix}"
        screen.print(Text.assemble(_MARKS[check.fine], f"  {check.name:<{_NAME_WIDTH}}{clean(said)}"))


def as_json(checks: Sequence[Check], asked: Mapping[str, JsonValue] | None) -> str:
    """One object: `version`, `ok`, `checks` (`name`, `status`, `found`, `fix`), and `asked` (null without `--ask`)."""
    told = [
        {"name": check.name, "status": _STATUS[check.fine], "found": clean(check.found), "fix": clean(check.fix)}
        for check in checks
    ]
    body = {"version": package_version(), "ok": not exit_code(checks), "checks": told, "asked": asked}
    return orjson.dumps(body).decode()


def exit_code(checks: Iterable[Check]) -> int:
    """1 when something that was asked for does not work, else 0."""
    return int(any(check.fine is False and check.needed for check in checks))
