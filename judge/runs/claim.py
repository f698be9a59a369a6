"""A run directory × Settings -> whether a run with this judge and rubric may go on there."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from judge.errors import ConfigError
from judge.runs.directory import list_parts, read_run
from judge.settings import Settings

__all__ = ["ASKS", "JUDGES", "SOURCE", "refuse_no_asks", "refuse_other_judge", "refuse_other_panel"]

JUDGES = "judges"
"""The key of a panel's identity that a single judge's does not have."""
ASKS = "asks"
"""The key of the identity of a folder in which one judge is asked in several ways, a run each."""
SOURCE = "from"
"""The key of the identity of preferences that nobody was asked about."""

_RECORDED = "replay"


def refuse_other_judge(out: Path, settings: Settings, *, paid: bool) -> None:
    """Refuse a directory in which something came of a run with another identity; nothing is changed.

    Args:
        out: The run directory, which need not be there.
        settings: Judge and rubric.
        paid: Whether its journal holds replies.

    Raises:
        ConfigError: Names what was and what is.
    """
    held, now = read_run(out), settings.identity
    if held.get("backend") == _RECORDED:
        message = f"{out} holds recorded outputs of other judges, which `judge replay` has read."
        raise ConfigError(message, hint="Use another --out, or --overwrite to start afresh.")
    then = held.get("identity", {})
    if not held or then == now:
        return
    if not isinstance(then, dict) or not then:
        message = f"{out} holds a run of another kind, and asked is {settings.labels.judge}."
        raise ConfigError(message, hint="Use another --out, or --overwrite to start afresh.")
    if (kind := _other_kind(then)) is not None:
        message = f"{out} holds {kind}, and asked is {settings.labels.judge}."
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
    message = f"{out} holds {_kind(then)}, and asked are {_named(sorted(judges))}."
    raise ConfigError(message, hint="Use another --out, or --overwrite to start afresh.")


def refuse_no_asks(out: Path) -> None:
    """Refuse a directory that holds something else than the runs of `judge noise`, whose `run.json` would replace its.

    Args:
        out: The folder of the runs, which need not be there.

    Raises:
        ConfigError: Names what it holds.
    """
    held = read_run(out)
    then = held.get("identity")
    if held and not (isinstance(then, dict) and ASKS in then):
        what = _kind(then) if isinstance(then, dict) else "another run"
        raise ConfigError(f"{out} holds {what}, and not the runs of `judge noise`.", hint="Use another --out.")


def _kind(then: Mapping[str, object]) -> str:
    """What a run of this identity is, in words."""
    return _other_kind(then) or f"a run of {then.get('judge')}"


def _other_kind(then: Mapping[str, object]) -> str | None:
    """The same; None of a run of a single judge."""
    if SOURCE in then:
        return "a comparison of runs"
    if ASKS in then:
        return "the runs of `judge noise`"
    return f"a run of a panel, of {_named(then[JUDGES])}" if JUDGES in then else None


def _named(judges: object) -> str:
    return ", ".join(map(str, judges)) if isinstance(judges, list) else repr(judges)
