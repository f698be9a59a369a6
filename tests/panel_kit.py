"""What the tests of panels share: judges of one opinion, a panel on loopback, and its tables."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from judge.testing import Ask, Server

PANEL = pl.col("judge").str.starts_with("panel:")
Said = tuple[int, int | None]


def opinion(presence: int, correctness: int | None = None) -> dict[str, object]:
    """Of a trace that begins with "Seen"."""
    quote = "Seen" if presence else None
    return {"evidence": quote, "reason": "r", "presence": presence, "correctness": correctness}


def saying(**said: Said) -> Callable[[Ask], Mapping[str, object]]:
    """A judge that says this of units by the last word of their claim; `else_` of all others."""

    def script(ask: Ask) -> Mapping[str, object]:
        of_each = {unit.name: said.get(unit.claim.split()[-1], said.get("else_", (0, None))) for unit in ask.units}
        return {name: opinion(*one) for name, one in of_each.items()}

    return script


def record(number: int, *claims: str, **changes: Any) -> dict[str, Any]:
    units = [{"unit_id": f"U{place}", "claim": f"There is {word}"} for place, word in enumerate(claims, start=1)]
    body = {"id": f"r{number}", "model": "m", "question": "What is there?", "trace": f"Seen {number}."}
    return {**body, "units": {"perception": units}, **changes}


def write(path: Path, rows: Sequence[dict[str, Any] | str]) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


@contextmanager
def served(*scripts: Any) -> Iterator[list[Server]]:
    with ExitStack() as stack:
        yield [stack.enter_context(Server(script=script)) for script in scripts]


def words(servers: Sequence[Server], traces: Path, out: Path, *more: object) -> list[object]:
    """`judge score` by hosted_vllm/j1, j2, … on these servers."""
    named = [word for place in range(1, len(servers) + 1) for word in ("--judge", f"hosted_vllm/j{place}")]
    bases = [word for server in servers for word in ("--api-base", server.api_base)]
    return ["score", traces, "--out", out, *named, *bases, "--cache", "none", *more]


def table(out: Path, name: str) -> pl.DataFrame:
    return pl.read_parquet(out / f"{name}.parquet")


def rows_of(out: Path, name: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / name).read_bytes().splitlines()]


def check_panel(out: Path, members: int) -> dict[str, Any]:
    """read = scored + failed by the panel's own rows; a row for every readable record and judge that reached it."""
    told: dict[str, Any] = json.loads((out / "run.json").read_bytes())
    scores = table(out, "scores")
    own = scores.filter(PANEL)
    unread = {row["line"] for row in rows_of(out, "failures.jsonl") if row["stage"] == "read"}
    counts, scored = told["counts"], own["failure"].null_count()
    assert counts == {"read": len(own) + len(unread), "scored": scored, "failed": len(own) - scored + len(unread)}
    assert own["line"].is_unique().all() and own["line"].is_sorted()
    assert scores["judge"].n_unique() <= members + 1
    failed = own.filter(pl.col("failure").is_not_null())["line"]
    listed = {row["line"] for row in rows_of(out, "failures.jsonl") if row["judge"].startswith("panel:")}
    assert {*failed} | unread <= listed
    return told
