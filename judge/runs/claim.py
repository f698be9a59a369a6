"""A run directory × Settings -> whether a run with this judge and rubric may go on there."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from judge.errors import ConfigError
from judge.runs.directory import list_parts, read_run
from judge.settings import Settings

__all__ = ["JUDGES", "refuse_other_judge", "refuse_other_panel"]

JUDGES = "judges"
"""The key of a panel's identity that a single judge's does not have."""


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
    if JUDGES in then:
        message = f"{out} holds a run of a panel, of {_named(then[JUDGES])}, and asked is {settings.labels.judge}."
        raise ConfigError(message, hint="Use another --out, or --overwrite to start afresh.")
    if not list_parts(out) and not paid:
        return  # nothing came of it, as with a mistyped address: there is nothing to mix with
    changed = [key for key in {**then, **now} if then.get(key) != now.get(key)]
    differences = "; ".join(f"{key} was {then.get(key)!r} and is {now.get(key)!r}" for key in changed)
    raise ConfigError(
        f"{out} holds a run of another judge or rubric: {differences}.",
        hint="Use another --out, or --overwrite to start afresh.",
    )


def refuse_other_panel(out: Path, judges: Sequence[str]) -> None:
    """Refuse a directory that is of other judges; another reducer is no other panel, as nothing is asked anew for it.

    Args:
        out: The run directory, which need not be there.
        judges: The judge ids of the panel, in any order.

    Raises:
        ConfigError: Names those that were and those that are.
    """
    then = read_run(out).get("identity")
    if not isinstance(then, dict) or then.get(JUDGES) == sorted(judges):
        return
    was = f"a run of a panel, of {_named(then[JUDGES])}" if JUDGES in then else f"a run of {then.get('judge')}"
    message = f"{out} holds {was}, and asked are {_named(sorted(judges))}."
    raise ConfigError(message, hint="Use another --out, or --overwrite to start afresh.")


def _named(judges: object) -> str:
    return ", ".join(map(str, judges)) if isinstance(judges, list) else repr(judges)
