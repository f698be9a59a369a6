"""`judge cache`: what the shared store of replies holds, and how it goes away."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, TypeVar

import click

if TYPE_CHECKING:
    from judge.cli.upkeep import Upkeep

__all__ = ["cache"]

_Command = TypeVar("_Command", bound=Callable[..., object])
_SECONDS = {"d": 86_400.0, "h": 3_600.0, "m": 60.0, "s": 1.0}
_BYTES = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


class _Age(click.ParamType[float]):
    """`30d`, `12h`, `90m` -> seconds."""

    name = "30d"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> float:
        if found := re.fullmatch(r"(\d{1,9}(?:\.\d+)?)([dhms])", str(value)):
            return float(found[1]) * _SECONDS[found[2]]
        return self.fail(f"{value!r} is no age such as 30d, 12h, 90m or 45s", param, ctx)


class _Size(click.ParamType[int]):
    """`2GB`, `500MB` -> bytes."""

    name = "2GB"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        if found := re.fullmatch(r"(\d{1,9}(?:\.\d+)?) ?([KMGT]?)B?", str(value).upper()):
            return round(float(found[1]) * _BYTES[found[2]])
        return self.fail(f"{value!r} is no size such as 2GB, 500MB or 1000000", param, ctx)


def _shared(command: _Command) -> _Command:
    folder = click.option(
        "--cache", "folder", envvar="JUDGE_CACHE", metavar="DIR", help="The store, as of judge score."
    )
    return folder(click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")(command))


_record = click.option("--record", metavar="ID", help="What was used for this record.")
_older = click.option("--older-than", type=_Age(), help="What was stored longer ago, such as 30d, 12h or 90m.")


@click.group()
def cache() -> None:
    """Look through the shared store of paid replies, and remove what it must not keep.

    \b
    Example:
      judge cache stats
      judge cache ls --record r17
      judge cache prune --older-than 30d --max-size 2GB
      judge cache prune --record r17 --dry-run
    """


@cache.command()
@click.option("--limit", type=click.IntRange(min=1), default=20, show_default=True, help="Show N at most.")
@_record
@_older
@_shared
def ls(*, folder: str | None, as_json: bool, **given: Any) -> None:
    """List stored replies, the newest first.

    \b
    Example:
      judge cache ls --limit 5
      judge cache ls --record r17 --json
    """
    raise SystemExit(_upkeep(folder, as_json=as_json).run("ls", **given))


@cache.command()
@_shared
def stats(*, folder: str | None, as_json: bool) -> None:
    """Say how much is stored, by which models, and what it cost when it was paid.

    \b
    Example:
      judge cache stats
    """
    raise SystemExit(_upkeep(folder, as_json=as_json).run("stats"))


@cache.command()
@_older
@_record
@click.option("--max-size", type=_Size(), help="The oldest, until the replies left are no larger.")
@click.option("--dry-run", is_flag=True, help="Only say what would go.")
@_shared
def prune(*, folder: str | None, as_json: bool, **given: Any) -> None:
    """Remove replies that any of the conditions holds for, and every trace of them in the store's files.

    A reply that several records with the same texts share goes for all of them.

    Run directories are not touched: tables, parts and journal.sqlite of a run hold quotes and reasons too. To remove
    the texts of a record there, delete the run directory.

    \b
    Example:
      judge cache prune --older-than 30d
      judge cache prune --record r17
      judge cache prune --max-size 2GB --dry-run
    """
    raise SystemExit(_upkeep(folder, as_json=as_json).run("prune", **given))


@cache.command()
@click.option("--yes", is_flag=True, help="Do not ask; needed where nobody can answer.")
@_shared
def clear(*, folder: str | None, as_json: bool, **given: Any) -> None:
    """Remove the store: all of its files, and nothing else in that folder.

    \b
    Example:
      judge cache clear
      judge cache clear --cache old-store --yes
    """
    raise SystemExit(_upkeep(folder, as_json=as_json).run("clear", **given))


def _upkeep(folder: str | None, *, as_json: bool) -> Upkeep:
    from judge.cli.upkeep import Upkeep

    return Upkeep(folder, as_json=as_json)
