"""The work behind `judge cache`: what is asked of the store, and how the answer is shown."""

from __future__ import annotations

import sys
import time
from collections import Counter
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, Literal

import click
import orjson
from rich.table import Table
from rich.text import Text

from judge.calls.retention import Amount, Entry, clear, entries, find_store, measure, prune
from judge.cli.options import cache_folder
from judge.cli.terminal import Screen, clean, complain
from judge.errors import ConfigError, JudgeError

__all__ = ["Upkeep"]

_UNITS = ("B", "kB", "MB", "GB", "TB")


class Upkeep:
    """One `judge cache …`.

    Args:
        folder: As the user gave it; None for the default.
        as_json: Answer with one JSON object.
    """

    def __init__(self, folder: str | None, *, as_json: bool) -> None:
        self._folder = folder
        self._as_json = as_json
        self._shown = Screen()

    def run(self, command: Literal["ls", "stats", "prune", "clear"], **given: Any) -> int:
        """Do it and show what came of it: the exit code."""
        try:
            folder = cache_folder(self._folder)
            if folder is None:
                raise ConfigError("--cache none is no store.", hint="Give --cache DIR.")
            getattr(self, f"_{command}")(find_store(folder), **given)
        except JudgeError as exc:
            complain(exc)
            return 2
        return 0

    def _ls(self, folder: Path, *, limit: int, record: str | None, older_than: float | None) -> None:
        found = list(islice(entries(folder, record_id=record, before_s=_before(older_than)), limit))
        if self._as_json:
            return self._print({"store": str(folder), "entries": [_row(entry) for entry in found]})
        table = Table(box=None, pad_edge=False, header_style="bold")
        for name in ("stored", "records", "answered by", "tokens", "size"):
            table.add_column(name, justify="right" if name in ("tokens", "size") else "left", overflow="fold")
        for entry in found:
            table.add_row(*map(Text, _cells(entry)))
        return self._shown.print(table)

    def _stats(self, folder: Path) -> None:
        told = _summary(folder)
        if self._as_json:
            return self._print(told)
        price = f"${told['cost_usd']:.4f} when they were paid"
        unknown = f", {told['unpriced']:,} of unknown price" if told["unpriced"] else ""
        lines = [
            f"{told['entries']:,} replies in {folder}, {_size(told['bytes_on_disk'])} on disk",
            f"stored from {told['oldest'] or '–'} to {told['newest'] or '–'}",
            f"{told['prompt_tokens']:,} + {told['completion_tokens']:,} tokens, {price}{unknown}",
            *(f"{count:>9,}  {clean(model)}" for model, count in told["models"].items()),
        ]
        if told["damaged"]:
            lines.append(f"{told['damaged']:,} are damaged: they are asked for anew, and then written over")
        return self._shown.print("\n".join(lines))

    def _prune(
        self, folder: Path, *, older_than: float | None, record: str | None, max_size: int | None, dry_run: bool
    ) -> None:
        if (older_than, record, max_size) == (None, None, None):
            raise ConfigError("nothing says what is to go.", hint="Give --older-than, --record or --max-size.")
        before = measure(folder)
        gone = prune(folder, record_id=record, before_s=_before(older_than), most_bytes=max_size, dry_run=dry_run)
        left = Amount(entries=before.entries - gone.entries, bytes=before.bytes - gone.bytes)
        if self._as_json:
            told = {"store": str(folder), "dry_run": dry_run, "removed": _amount(gone), "left": _amount(left)}
            return self._print(told)
        verb = "Would remove" if dry_run else "Removed"
        return self._shown.print(f"{verb} {_words(gone)} from {folder}; {_words(left)} left.")

    def _clear(self, folder: Path, *, yes: bool) -> None:
        if not yes and not (sys.stdin and sys.stdin.isatty()):
            raise ConfigError(f"this removes the store {folder}.", hint="Give --yes if that is meant.")
        if not yes:
            click.confirm(f"Remove the store {folder}?", abort=True, err=True)
        clear(folder)
        if self._as_json:
            return self._print({"store": str(folder), "removed": True})
        return self._shown.print(f"Removed the store {folder}.")

    def _print(self, told: dict[str, Any]) -> None:
        self._shown.out(orjson.dumps(told).decode())


def _before(older_than: float | None) -> float | None:
    return None if older_than is None else time.time() - older_than


def _row(entry: Entry) -> dict[str, Any]:
    reply = entry.reply
    names = ("model", "prompt_tokens", "completion_tokens", "cost_usd")
    return {
        "stored": _when(entry.stored_s),
        "record_ids": entry.record_ids,
        **{name: getattr(reply, name, None) for name in names},
        "bytes": entry.bytes,
        "damaged": reply is None,
    }


def _cells(entry: Entry) -> tuple[str, ...]:
    reply = entry.reply
    told = "damaged" if reply is None else clean(reply.model or "(not said)")
    tokens = None if reply is None else (reply.prompt_tokens, reply.completion_tokens)
    shown = " + ".join("?" if count is None else f"{count:,}" for count in tokens or ())
    return _when(entry.stored_s), clean(", ".join(entry.record_ids) or "–"), told, shown, _size(entry.bytes)


def _summary(folder: Path) -> dict[str, Any]:
    models, times, sums = Counter[str](), list[float](), Counter[str]()
    cost = 0.0
    for entry in entries(folder):
        times = [min([entry.stored_s, *times]), max([entry.stored_s, *times])]
        sums.update(entries=1, bytes=entry.bytes, damaged=entry.reply is None)
        if (reply := entry.reply) is not None:
            models[reply.model or "(not said)"] += 1
            sums.update(prompt_tokens=reply.prompt_tokens or 0, completion_tokens=reply.completion_tokens or 0)
            sums.update(unpriced=reply.cost_usd is None)
            cost += reply.cost_usd or 0.0
    counted = ("entries", "bytes", "prompt_tokens", "completion_tokens", "unpriced", "damaged")
    return {
        "store": str(folder),
        **{name: sums[name] for name in counted},
        "bytes_on_disk": sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()),
        "cost_usd": cost,
        "oldest": _when(times[0]) if times else None,
        "newest": _when(times[1]) if times else None,
        "models": dict(models.most_common()),
    }


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _amount(amount: Amount) -> dict[str, int]:
    return {"entries": amount.entries, "bytes": amount.bytes}


def _words(amount: Amount) -> str:
    return f"{amount.entries:,} {'reply' if amount.entries == 1 else 'replies'} ({_size(amount.bytes)})"


def _size(count: int) -> str:
    """Bytes in the largest unit that leaves at least 1 before the point, base 1000."""
    value, unit = float(count), 0
    while value >= 1000 and unit < len(_UNITS) - 1:
        value, unit = value / 1000, unit + 1
    return f"{value:.0f} {_UNITS[unit]}" if unit == 0 or value >= 100 else f"{value:.1f} {_UNITS[unit]}"
