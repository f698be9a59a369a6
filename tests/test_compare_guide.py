"""docs/compare.md: what it shows is printed, and the keys and columns that it lists are those that there are."""

from __future__ import annotations

import json
import re
from dataclasses import fields
from pathlib import Path
from typing import Any

from click.testing import CliRunner
from guide_kit import ROOT, blocks, check
from pair_kit import compare_words
from preference_kit import llmbar, pandalm

from judge.cli import cli
from judge.difference import Difference
from judge.preference import PREFERENCES
from judge.standing import Standing, find_standings
from judge.statistics.strengths import Strength, Strengths
from judge.testing import Server
from judge.win_rate import Order, WinRate, measure_win_rates, turn

GUIDE = (ROOT / "docs" / "compare.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", GUIDE, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def test_what_is_shown_is_what_is_printed(tmp_path: Path) -> None:
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    assert blocks(GUIDE)
    for block in blocks(GUIDE):
        check(block, tmp_path)


def bounds(low: float | None, high: float | None) -> str:
    return f"[{low:.3f}, {high:.3f}]".replace("0.", ".")


def test_the_recorded_judges_are_as_it_says() -> None:
    models = ["right", "wrong"]
    rows = []
    for rate in measure_win_rates(turn(llmbar("natural"), models), models):
        order = rate.order
        assert order is not None and rate.rate is not None
        won, same = (
            f"{rate.rate:.3f} {bounds(rate.low, rate.high)}",
            f"{order.consistency:.3f} {bounds(order.low, order.high)}",
        )
        cells = (rate.judge.replace("|", ", "), won, rate.judged, same, order.first, order.second)
        rows.append(f"| {' | '.join(map(str, cells))} |")
    assert sorted(rows) == sorted(re.findall(r"^\| .*, [CV].*\|$", section("Win rates"), re.MULTILINE))


def test_the_models_that_people_compared_are_as_it_says() -> None:
    rows: dict[str, list[str]] = {}
    for standing in find_standings(pandalm()):
        assert standing.strengths is not None
        for one in standing.strengths.ranked:
            shown = f"{one.strength:+.2f} [{one.low:+.2f}, {one.high:+.2f}]".replace("-", "\N{MINUS SIGN}")
            rows.setdefault(one.model, []).append(shown)
    told = re.findall(r"^\| (\S+) \| ([+−].*) \|$", section("Strengths"), re.MULTILINE)
    assert [(name, cells.split(" | ")) for name, cells in told] == list(rows.items())


def test_the_columns_are_those_that_exist() -> None:
    listed = [
        name
        for line in re.findall(r"^\| (`.*?`) \|", section("preferences.parquet"), re.MULTILINE)
        for name in re.findall(r"`(\w+)`", line)
    ]
    assert listed == list(PREFERENCES)


def test_the_keys_of_json_are_those_that_exist(tmp_path: Path) -> None:
    words = ["score", str(ROOT / "examples/traces.jsonl"), "--out", str(tmp_path / "run"), "--quiet"]
    assert CliRunner().invoke(cli, words, catch_exceptions=False).exit_code == 0
    done = CliRunner().invoke(cli, ["compare", str(tmp_path / "run"), "--json"], catch_exceptions=False)
    told: dict[str, Any] = json.loads(done.stdout)
    runs, _, listed = section("--json").partition("`judge.compare.runs/1`")[2].partition("`standings` has one")
    kinds = (Standing, WinRate, Order, Difference, Strengths, Strength)
    assert {*told, *told["counts"]} - {"schema"} - named_in(runs) == set()
    assert {field.name for kind in kinds for field in fields(kind)} - named_in(listed) == set()


def test_the_keys_of_json_where_a_judge_is_asked(tmp_path: Path) -> None:
    with Server() as server:
        words = compare_words([ROOT / "examples/traces.jsonl"], tmp_path / "run", server, "--json")
        done = CliRunner().invoke(cli, words, catch_exceptions=False)
    told: dict[str, Any] = json.loads(done.stdout)
    asked = section("--json").partition("`judge.compare.runs/1`")[0]
    assert {*told, *told["counts"], *told["records"]} - {"schema"} - named_in(asked) == set()


def named_in(text: str) -> set[str]:
    return set(re.findall(r"`(\w+)`", text))
