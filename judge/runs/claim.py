"""A run directory × Settings -> whether a run with this judge and rubric may go on there."""

from __future__ import annotations

from pathlib import Path

from judge.errors import ConfigError
from judge.runs.directory import list_parts, read_run
from judge.settings import Settings

__all__ = ["refuse_other_judge"]


def refuse_other_judge(out: Path, settings: Settings, *, paid: bool) -> None:
    """Refuse a directory in which something came of a run with another identity; nothing is changed.

    Args:
        out: The run directory, which need not be there.
        settings: Judge and rubric.
        paid: Whether its journal holds replies.

    Raises:
        ConfigError: Names what was and what is.
    """
    then, now = read_run(out).get("identity"), settings.identity
    if not isinstance(then, dict) or then == now:
        return
    if not list_parts(out) and not paid:
        return  # nothing came of it, as with a mistyped address: there is nothing to mix with
    changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    differences = "; ".join(f"{key} was {then.get(key)!r} and is {now.get(key)!r}" for key in changed)
    raise ConfigError(
        f"{out} holds a run of another judge or rubric: {differences}.",
        hint="Use another --out, or --overwrite to start afresh.",
    )
