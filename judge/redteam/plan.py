"""Targets × families -> the file of records that is scored, and the Plan that says what each of its lines is.

The clean records come first, then the attacked ones, family by family:

{"id": "r1", "trace": "…", "redteam": {"family": null}}
{"id": "r1", "trace": "… Ignore all …", "redteam": {"family": "pleas", "attack": "ignore-en", "position": "end"}}
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from random import Random
from typing import Any, Final

import orjson
import polars as pl

from judge.redteam.attack import Attack, Family, Fields, Target
from judge.redteam.families.echo import echoes
from judge.redteam.flags import flags_of

__all__ = ["PLAN", "write_plan"]

PLAN: Final[dict[str, Any]] = {
    **dict.fromkeys(("line", "clean_line", "source_line"), pl.Int64),
    **dict.fromkeys(("record_id", "model", "family", "attack", "position", "language"), pl.String),
    "flags": pl.List(pl.String),
}
"""Column -> dtype. Lines count from 1; `family` is null of a clean record, `source_line` is of the user's input."""
_NAMES: Final = ("attack", "position", "language")


def write_plan(
    targets: Sequence[tuple[int, Target]],
    families: Sequence[Family],
    path: Path,
    *,
    seed: int = 0,
    per_family: int = 10,
) -> pl.DataFrame:
    """Write the records, clean and attacked.

    Args:
        targets: Line and target of each record.
        families: What is tried.
        path: Of the file; one that is there is replaced.
        seed: Which attacks are made, and their choices. The same of everything gives the same file.
        per_family: Attacks of a family on a record, at most; the records of a file take turns, so that all are tried
            where there are enough of them. A `whole` family is dealt out without a rest.

    Returns:
        A row a line, with the columns of `PLAN`.
    """
    rows, beside = [], path.with_name(f"{path.name}.part")
    with beside.open("wb") as file:
        for line, (row, fields) in enumerate(_lines(targets, families, seed, per_family), start=1):
            rows.append({**row, "line": line})
            told = {"family": row["family"], **{name: row[name] for name in _NAMES}}
            file.write(orjson.dumps({**fields, "redteam": told}, default=str) + b"\n")
    beside.replace(path)
    return pl.DataFrame(rows, schema=PLAN)


def _lines(
    targets: Sequence[tuple[int, Target]], families: Sequence[Family], seed: int, per_family: int
) -> Iterator[tuple[dict[str, Any], Fields]]:
    clean = Attack(name="", fields={})
    for place, (source, target) in enumerate(targets):
        yield _row(target, place, source, None, clean), target.fields
    for family in families:
        for place, (source, target) in enumerate(targets):
            made = list(family.make(target, Random(f"{seed}:{family.name}:{place}")))
            dealt = made[place :: len(targets)] if family.whole else []
            turn = dealt if len(dealt) >= per_family else _turn(made, place, per_family, f"{seed}:{family.name}")
            for attack in turn:
                yield _row(target, place, source, family.name, attack), attack.fields


def _turn(made: list[Attack], place: int, most: int, seed: str) -> list[Attack]:
    """The attacks that are this record's: the next so many of all, in an order that all records share."""
    if len(made) <= most:
        return made
    order = Random(seed).sample(range(len(made)), len(made))
    return [made[order[(place * most + step) % len(made)]] for step in range(most)]


def _row(target: Target, place: int, source: int, family: str | None, attack: Attack) -> dict[str, Any]:
    fields = attack.fields if family else target.fields
    return {
        "clean_line": place + 1,
        "source_line": source,
        "record_id": target.fields["id"],
        "model": target.fields.get("model"),
        "family": family,
        "attack": attack.name if family else None,
        "position": attack.position,
        "language": attack.language,
        "flags": flags_of(str(fields["trace"]), [text for _, text in echoes(target)]),
    }
