"""docs/outputs.md lists what a run leaves: every column, key and code that there is, and no other."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import get_args, get_type_hints

import polars as pl
import pytest
from click.testing import CliRunner
from run_kit import arguments_for, make_records, score, to_lines

from judge.axis import Kind
from judge.cautions.doubt import ORDER
from judge.cli import cli
from judge.cli.told import SCHEMA, Told, ToldCaution, ToldDifference, ToldMean
from judge.table import table_schemas
from judge.testing import Server

SCORED = [kind for kind in get_args(Kind) if kind != "preference"]
DOC = (Path(__file__).parent.parent / "docs" / "outputs.md").read_text(encoding="utf-8")


def section(title: str) -> str:
    found = re.search(rf"^## {re.escape(title)}$(.*?)(?=^## |\Z)", DOC, re.DOTALL | re.MULTILINE)
    assert found is not None
    return found[1]


def rows(title: str) -> list[list[str]]:
    lines = [line.strip("|").split(" | ") for line in section(title).splitlines() if line.startswith("| `")]
    return [[cell.strip(" |`") for cell in line] for line in lines]


@pytest.mark.parametrize("name", ["scores", "verdicts", "calls", "failures"])
def test_the_columns_that_are_listed_are_those_that_exist(name: str) -> None:
    title = f"{name}.jsonl" if name == "failures" else f"{name}.parquet"
    listed = {column: dtype for column, dtype, *_ in rows(title)}
    # One axis, so that its name can be put for the placeholder; all columns in their order.
    of_kinds = [pl.Schema(table_schemas({"a": kind})[name]) for kind in SCORED]
    known = {column: str(dtype) for schema in of_kinds for column, dtype in schema.items()}
    assert {column.replace("{axis}", "a"): dtype for column, dtype in listed.items()} == known
    for schema in of_kinds:
        assert [named for column in listed if (named := column.replace("{axis}", "a")) in schema] == schema.names()


@pytest.mark.parametrize("kind", SCORED)
def test_what_is_said_to_be_of_a_kind_is_of_that_kind(kind: Kind) -> None:
    columns = table_schemas({"a": kind})["scores"]
    for column, _, says in rows("scores.parquet"):
        of_kind = re.match(r"of (?:a )?(checklist|faithfulness):", says)
        assert (column.replace("{axis}", "a") in columns) == (of_kind is None or of_kind[1] == kind), column


def test_the_keys_of_run_json(tmp_path: Path) -> None:
    with Server() as server:
        score(make_records(3), tmp_path / "out", server)
    told = json.loads((tmp_path / "out" / "run.json").read_bytes())
    assert [key for key, *_ in rows("run.json")] == list(told)
    assert told["cautions"]
    assert all(list(caution) == list(get_type_hints(ToldCaution)) for caution in told["cautions"])


def test_the_keys_of_json() -> None:
    listed = dict(rows("--json"))
    assert list(listed) == list(get_type_hints(Told))
    assert SCHEMA in section("--json")
    for key, form in (("cautions", ToldCaution), ("differences", ToldDifference), ("summary", ToldMean)):
        assert re.findall(r"(\w+)`?(?:, `| each)", listed[key]) == list(get_type_hints(form))


def test_the_codes_of_cautions() -> None:
    assert [code for code, *_ in rows("Cautions")] == list(ORDER)


def test_json_says_what_it_costs_and_how_it_ends(tmp_path: Path) -> None:
    """Of two lines one cannot be read: exit code 3. A server of one's own tells no price: null, and not 0."""
    traces = tmp_path / "t.jsonl"
    traces.write_bytes(to_lines([*make_records(1), "{"]))
    with Server() as server:
        words = arguments_for(traces, tmp_path / "out", server, "--json", "--quiet")
        shown = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    told = json.loads(shown.stdout)
    assert shown.exit_code == told["exit_code"] == 3
    assert (told["cost_usd"], told["spent"]["cost_usd"]) == (None, None)
    assert told["cautions"][0]["code"] == "failures"
