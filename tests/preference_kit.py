"""Preferences for tests: rows by hand, and those of recorded judges and of people in ../shared/data."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from functools import cache
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from judge.preference import Preference, build_preferences, settle

DATA = Path(__file__).parents[2] / "shared" / "data"
LETTERS: dict[Any, Any] = {"1": "A", "2": "B", None: None}


def said(
    record_id: str, answers: str, *, a: str = "m", b: str = "n", axis: str = "overall", judge: str = "j", **more: Any
):
    """A preference of two answers such as `AB`: with A first, and with B first; `-` is none, `t` a tie."""
    ab, ba = ({"t": "tie", "-": None}.get(letter, letter) for letter in answers)
    outcome = settle(ab, ba)  # type: ignore[arg-type]
    failure = None if outcome else "truncated"
    row = {"record_id": record_id, "model_a": a, "model_b": b, "axis": axis, "judge": judge}
    return Preference(**{**row, "order_ab": ab, "order_ba": ba, "outcome": outcome, "failure": failure, **more})


def table(*rows: Preference) -> pl.DataFrame:
    return build_preferences(rows)


def read(name: str) -> Iterator[dict[str, Any]]:
    """The rows of a file of the shared data."""
    path = DATA / name
    if not path.exists():
        pytest.skip(f"{path} is not there: this test reads recorded data that is kept beside the project")
    with path.open(encoding="utf-8") as file:
        yield from map(json.loads, file)


@cache
def llmbar(subset: str) -> pl.DataFrame:
    """LLMBar's recordings: the output that people call better is `right`, the other `wrong`."""
    answers: dict[tuple[str, str, Any], dict[bool, str | None]] = {}
    for row in read(f"llmbar/replay/{subset}.jsonl"):
        if row["kind"] == "pairwise":
            key = (f"{row['judge']}|{row['strategy']}", row["item"], row["label"])
            answers.setdefault(key, {})[row["swapped"]] = row["winner"]
    return table(*_llmbar_rows(answers))


def _llmbar_rows(answers: dict[tuple[str, str, Any], dict[bool, str | None]]) -> Iterable[Preference]:
    for (judge, item, label), winners in answers.items():
        names = ("right", "wrong") if label == 1 else ("wrong", "right")
        letters = "".join(LETTERS[winners[swapped]] or "-" for swapped in (False, True))
        yield said(str(item), letters, a=names[0], b=names[1], judge=judge)


@cache
def pandalm() -> pl.DataFrame:
    """PandaLM's test set: each annotator is a judge of pairs of five models; nobody was shown two orders."""
    rows = []
    for row in read("pandalm/testset.jsonl"):
        first, second = row["cmp_key"].split("_")
        for judge in ("annotator1", "annotator2", "annotator3"):
            outcome = {0: "tie", 1: "A", 2: "B"}[row[judge]]
            key = {"record_id": str(row["idx"]), "model_a": first, "model_b": second, "axis": "overall", "judge": judge}
            rows.append(Preference(**key, outcome=outcome))  # type: ignore[arg-type]
    return table(*rows)
