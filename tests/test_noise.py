"""`judge noise`: what is asked, how often, and how much of the scores is said to be noise."""

from __future__ import annotations

import json
import os
import re
import signal
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from noise_kit import flip, noise_of, noise_record, run_noise, split, sway, write_traces
from run_kit import NAME, asked_after_commit, finish, score, start_judge, to_lines

from judge.cli import cli
from judge.cli.means import with_interval
from judge.testing import Noisy, Server
from judge.testing.scripts import obedient


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    return write_traces(tmp_path / "traces.jsonl", 12)


def verdict(*, raised: bool, quote: str = "") -> dict[str, object]:
    marks = {"presence": 2, "correctness": 1} if raised else {"presence": 0, "correctness": None}
    return {"evidence": quote if raised else None, "reason": f"Raised: {raised}.", **marks}


def first_raised(ask: Any) -> Mapping[str, object]:
    """The unit that is asked about first is raised, the others never."""
    quote = ask.trace.split(".")[0]
    return {unit.name: verdict(raised=place == 0, quote=quote) for place, unit in enumerate(ask.units)}


def by_wording(ask: Any) -> Mapping[str, object]:
    """Everything is raised, but not for a conscientious judge, which the third wording asks it to be."""
    quote, system = ask.trace.split(".")[0], ask.body["messages"][0]["content"]
    return {unit.name: verdict(raised="conscientious" not in system, quote=quote) for unit in ask.units}


def test_an_honest_judge_has_no_noise(traces: Path, tmp_path: Path) -> None:
    with Server() as server:
        told = noise_of(traces, tmp_path / "d", server, "--repeats", 2, "--orders", 2, "--templates", 1)
        assert server.ledger.requests == 12 * (1 + 2 + 2 + 1) and server.ledger.repaid == 0
    assert [ask["name"] for ask in told["asks"]] == [
        *("plain", "repeats-1", "repeats-2", "orders-1", "orders-2", "templates-1")
    ]
    assert len({ask["judge"] for ask in told["asks"]}) == 6  # each has an identity of its own
    assert len({ask["trace_score"] for ask in told["asks"]}) == 1
    for arm, asks in (("repeats", 3), ("orders", 3), ("templates", 2)):
        found = flip(told, arm)
        # Of four units a record, each two of the asks.
        assert (found["rate"], found["n"], found["units"]) == (0.0, 12, 48)
        assert found["pairs"] == 48 * asks * (asks - 1) // 2 and found["differ"] == 0
        variance = split(told, arm)
        assert (variance["noise"], variance["share"], variance["standard_error"]) == (0.0, 0.0, 0.0)
        assert (variance["records"], variance["asks"], variance["enough"]) == (12, 12 * asks, 1)
    assert told["flipped"] == [] and not any(one["sways"] for one in told["sways"])


def test_the_flip_rate_is_that_of_the_judge(tmp_path: Path) -> None:
    """A verdict is turned with p = 0.2, so two asks differ with 2 · 0.2 · 0.8 = 0.32.

    Of presence too, as a turned verdict is raised where the honest one is not. In the interval of each arm, and a
    second judge with p = 0.05, 2 · 0.05 · 0.95 = 0.095, is told from it.
    """
    traces = write_traces(tmp_path / "traces.jsonl", 50)
    with Server(script=Noisy(share=0.2)) as server:
        told = noise_of(traces, tmp_path / "d", server, "--repeats", 5, "--orders", 3, "--templates", 3)
    for arm in ("repeats", "orders", "templates"):
        for told_of in ("any", "presence"):
            found = flip(told, arm, told_of)
            assert found["low"] < 0.32 < found["high"] and found["high"] - found["low"] < 0.12
            assert found["n"] == 50 and found["interval"] == "bootstrap"
    assert not any(one["sways"] for one in told["sways"])
    with Server(script=Noisy(share=0.05)) as server:
        calmer = flip(noise_of(traces, tmp_path / "calm", server, "--orders", 0, "--templates", 0), "repeats")
    assert calmer["rate"] == pytest.approx(0.095, abs=0.04) and calmer["high"] < 0.2


def test_a_judge_that_goes_by_place_is_found_by_the_orders_alone(traces: Path, tmp_path: Path) -> None:
    """One of four units is raised. Each other order that begins with another unit moves two verdicts of four."""
    with Server(script=first_raised) as server:
        told = noise_of(traces, tmp_path / "d", server, "--repeats", 2, "--orders", 3, "--templates", 2)
        asked = [row.key for row in server.ledger.rows()]
    assert flip(told, "repeats")["rate"] == flip(told, "templates")["rate"] == 0.0
    assert flip(told, "orders")["rate"] > 0.2
    assert sway(told, "orders")["sways"] and not sway(told, "templates")["sways"]
    # Verdicts stand in the order of the record again, whatever was asked first.
    table = pl.read_parquet(tmp_path / "d" / "orders-1" / "verdicts.parquet").filter(line=1)
    assert table["unit_id"].to_list() == ["U0", "U1", "U2", "U3"] and table["presence"].sum() == 2
    assert table["presence"].to_list() != [2, 0, 0, 0]
    worst = told["flipped"][0]
    assert worst["arm"] == "orders" and {worst["one"], worst["other"]} == {"presence 0", "presence 2, correctness 1"}
    assert {worst["one_reason"], worst["other_reason"]} == {"Raised: True.", "Raised: False."}
    assert len(asked) == 12 * 8


def test_a_judge_that_hangs_on_words_is_found_by_the_templates_alone(traces: Path, tmp_path: Path) -> None:
    """Of four wordings one says otherwise: of six pairs of asks three differ."""
    with Server(script=by_wording) as server:
        told = noise_of(traces, tmp_path / "d", server, "--repeats", 1, "--orders", 1)
    assert flip(told, "repeats")["rate"] == flip(told, "orders")["rate"] == 0.0
    assert flip(told, "templates")["rate"] == 0.5 and sway(told, "templates")["sways"]
    means = {ask["name"]: ask["trace_score"] for ask in told["asks"]}
    assert means == {name: 0.0 if name == "templates-3" else 1.0 for name in means}
    # All records are alike, so all variance is noise, no number of asks is enough, and the estimate is cut at 0.
    variance = split(told, "templates")
    assert variance["share"] == 1.0 and variance["enough"] is None and variance["clipped"] and variance["between"] == 0


def test_the_same_request_is_no_other_ask(tmp_path: Path) -> None:
    """Two units have one other order, and one unit has none: order 2 of two units is the order of the record again."""
    path = tmp_path / "traces.jsonl"
    path.write_bytes(to_lines([noise_record(1, units=2), noise_record(2, units=1)]))
    with Server(script=Noisy(share=0.5)) as server:
        told = noise_of(path, tmp_path / "d", server, "--repeats", 0, "--templates", 0)
        assert server.ledger.requests == 3  # two of the first record, one of the second
    found = flip(told, "orders")
    assert (found["n"], found["units"], found["pairs"]) == (1, 2, 2)
    assert split(told, "orders")["asks"] == 2 and split(told, "orders")["share"] is None
    assert told["sways"] == []


def test_it_goes_on_where_it_stopped_and_pays_for_nothing_twice(traces: Path, tmp_path: Path) -> None:
    out, counts = tmp_path / "d", ("--repeats", 1, "--orders", 1, "--templates", 1)
    with Server(script=Noisy()) as server:
        server.always, server.only = 503, "Case 7."
        told = noise_of(traces, out, server, *counts, "--max-retries", 0, code=3)
        assert [ask["failed"] for ask in told["asks"]] == [1, 1, 1, 1]
        story = json.loads((out / "run.json").read_bytes())
        assert story["counts"] == {"read": 48, "scored": 44, "failed": 4} and story["spent"]["replies"] == 44
        server.always = None
        told = noise_of(traces, out, server, *counts)
        assert asked_after_commit(server) == 0
        paid = sum(row.paid for row in server.ledger.rows())
        assert paid == 48
        again = noise_of(traces, out, server, *counts)
        assert sum(row.paid for row in server.ledger.rows()) == paid
    assert again == told
    story = json.loads((out / "run.json").read_bytes())
    assert story["status"] == "finished" and story["spent"]["replies"] == 48


def test_a_budget_is_for_all_ways_together(traces: Path, tmp_path: Path) -> None:
    out, price = tmp_path / "d", ("--price", "100,100", "--param", "max_tokens=300")
    with Server() as server:
        whole = noise_of(traces, tmp_path / "whole", server, *price, "--repeats", 3, "--orders", 0, "--templates", 0)
        cost = sum(ask["spent"]["cost_usd"] for ask in whole["asks"])
        # Room for the plain ask and about one more.
        given = (*price, "--repeats", 3, "--orders", 0, "--templates", 0, "--concurrency", 1)
        done = run_noise(traces, out, server, *given, "--budget", cost / 2)
    assert done.exit_code == 75 and "To resume" in done.stderr
    story = json.loads((out / "run.json").read_bytes())
    assert story["status"] == "stopped" and 0 < story["spent"]["cost_usd"] <= cost / 2
    assert not (out / "noise.json").exists()


def test_an_interrupt_stops_in_order_and_the_same_command_goes_on(traces: Path, tmp_path: Path) -> None:
    out = tmp_path / "d"
    with Server(latency_ms=100) as server:
        given = ["noise", traces, "--out", out, "--judge", NAME, "--api-base", server.api_base, "--cache", "none"]
        process = start_judge(*given, "--concurrency", 1)
        while not (out / "repeats-1" / "journal.sqlite").exists():
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        code, said = finish(process)
        assert code == 75 and "To resume: judge noise" in said
        story = json.loads((out / "run.json").read_bytes())
        assert story["status"] == "stopped" and 12 <= story["spent"]["replies"] < 12 * 12
        server.latency_ms = 0
        code, said = finish(start_judge(*given, "--json", "--quiet"))
        assert code == 0 and asked_after_commit(server) == 0
        assert sum(row.paid for row in server.ledger.rows()) == 12 * 12
    assert json.loads((out / "run.json").read_bytes())["status"] == "finished"


def test_what_score_paid_for_is_found_in_the_shared_store(traces: Path, tmp_path: Path) -> None:
    store = tmp_path / "store"
    with Server() as server:
        records = [json.loads(line) for line in traces.read_bytes().splitlines()]
        score(records, tmp_path / "run", server, cache=store, samples=2, params={"temperature": 0.7})
        before = server.ledger.requests
        given = ("--repeats", 1, "--orders", 0, "--templates", 0, "--param", "temperature=0.7")
        done = run_noise(traces, tmp_path / "d", server, *given, cache=str(store))
        assert done.exit_code == 0 and server.ledger.requests == before
    assert "24 calls, 24 of them paid for already" in done.stderr and "At temperature 0" not in done.stderr


def test_another_judge_is_refused_and_nothing_is_changed(traces: Path, tmp_path: Path) -> None:
    with Server() as server:
        given = (traces, tmp_path / "d", server, "--repeats", 1, "--orders", 0, "--templates", 0)
        assert run_noise(*given).exit_code == 0
        before = (tmp_path / "d" / "run.json").read_bytes()
        for words in ((), ("--quiet",)):
            done = run_noise(*given, "--param", "temperature=0.5", *words)
            assert done.exit_code == 2 and "plain" in done.stderr
            assert (tmp_path / "d" / "run.json").read_bytes() == before
        assert run_noise(*given, "--param", "temperature=0.5", "--overwrite").exit_code == 0


@pytest.mark.parametrize("command", ["score", "compare"])
def test_the_run_of_another_command_is_not_written_over(traces: Path, tmp_path: Path, command: str) -> None:
    few = ("--repeats", 1, "--orders", 0, "--templates", 0)
    with Server() as server:
        asked = ["--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--quiet"]
        rows = [json.loads(line) for line in traces.read_bytes().splitlines()]
        both = tmp_path / "both.jsonl"
        both.write_bytes(to_lines({**row, "model": model} for row in rows for model in ("m", "n")))
        made = CliRunner().invoke(cli, [command, str(both), "--out", str(tmp_path / "run"), *asked])
        assert made.exit_code == 0, made.output
        before, requests = (tmp_path / "run" / "run.json").read_bytes(), server.ledger.requests
        for words in ((), ("--overwrite",), ("--dry-run",)):
            done = run_noise(traces, tmp_path / "run", server, *few, *words)
            assert done.exit_code == 2 and "and not the runs of `judge noise`. Use another --out." in done.stderr
        assert (tmp_path / "run" / "run.json").read_bytes() == before and server.ledger.requests == requests
        # And the other way round.
        assert run_noise(traces, tmp_path / "noise", server, *few).exit_code == 0
        refused = CliRunner().invoke(cli, [command, str(both), "--out", str(tmp_path / "noise"), *asked])
        assert refused.exit_code == 2 and "noise holds the runs of `judge noise`, and asked is" in refused.stderr
        assert run_noise(traces, tmp_path / "noise", server, *few).exit_code == 0


def test_no_number_is_cut_to_fit_a_line(tmp_path: Path) -> None:
    rows = [noise_record(number) for number in range(1, 4)]
    for row in rows:
        row["units"] = {
            axis: [{**unit, "unit_id": f"{axis}-{unit['unit_id']}"} for unit in row["units"]["perception"]]
            for axis in ("perception", "knowledge", "rationale")
        }
    path = tmp_path / "three.jsonl"
    path.write_bytes(to_lines(rows))
    with Server(script=Noisy(share=0.5)) as server:
        asked = ["--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--quiet", "--json"]
        words = ["noise", str(path), "--out", str(tmp_path / "d"), *asked]
        assert CliRunner().invoke(cli, words).exit_code == 0
        shown = CliRunner().invoke(cli, words[:-2], env={"COLUMNS": "80"})
    said = shown.stdout.splitlines()
    rows = [line for line in said if line.startswith(("repeats ", "orders ", "templates "))]
    assert len(rows) == 2 * 3 * 4 and all(len(line) <= 80 and line[11:].split()[0] for line in rows)


def test_criteria_and_scales_are_asked_otherwise_too(tmp_path: Path) -> None:
    levels = [{"level": 1, "anchor": "Muddled."}, {"level": 5, "anchor": "Clear."}]
    axes = {
        "safety": {
            "kind": "criteria",
            "description": "What is said.",
            "criteria": [{"id": f"c{n}", "text": f"Names {organ}.", "points": 1} for n, organ in enumerate("ab")],
        },
        "clarity": {"kind": "scale", "description": "How clear.", "levels": levels},
    }
    rubric, path = tmp_path / "own.yaml", tmp_path / "traces.jsonl"
    rubric.write_text(json.dumps({"name": "own", "version": "1", "description": "d", "axes": axes}))
    path.write_bytes(to_lines([{"id": f"r{n}", "trace": f"Take dose {n}."} for n in range(4)]))

    def swayed(ask: Any) -> Mapping[str, object]:
        """By the wording, of which one asks for a conscientious judge."""
        other = "conscientious" in ask.body["messages"][0]["content"]
        marks = {"scale": {"value": 1 if other else 5}, "criteria": {"verdict": "UNMET" if other else "MET"}}
        return {unit.name: {"evidence": None, "reason": "So.", **marks[unit.kind]} for unit in ask.units}

    with Server(script=swayed) as server:
        told = noise_of(path, tmp_path / "d", server, "--rubric", rubric, "--repeats", 1, "--orders", 1)
    assert flip(told, "templates", "verdict", "safety")["rate"] == 0.5
    assert flip(told, "templates", "value", "clarity")["rate"] == 0.5
    assert flip(told, "repeats", "value", "clarity")["rate"] == 0.0
    # A scale is alone in its call, and has no other order.
    assert not [one for one in told["flips"] if one["arm"] == "orders" and one["axis"] == "clarity"]
    assert {one["one"] for one in told["flipped"]} == {"MET", "value 5"}


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--repeats", 0, "--orders", 0, "--templates", 0), "nothing is asked a second time"),
        (("--templates", 4), "4 is not in the range 0<=x<=3"),
        (("--rubric", "faithfulness"), "asks about claims that the judge finds itself"),
    ],
)
def test_what_cannot_be_is_refused_before_anything_is_asked(
    words: tuple[object, ...], said: str, traces: Path, tmp_path: Path
) -> None:
    with Server() as server:
        done = run_noise(traces, tmp_path / "d", server, *words)
        assert done.exit_code == 2 and said in done.stderr and server.ledger.requests == 0
    assert not (tmp_path / "d").exists()


def test_the_baseline_has_no_noise(traces: Path, tmp_path: Path) -> None:
    done = run_noise(traces, tmp_path / "d", None)
    assert (
        done.exit_code == 2 and "says the same every time" in done.stderr and "Name a judge that reads" in done.stderr
    )


def test_a_dry_run_counts_and_asks_nobody(traces: Path, tmp_path: Path) -> None:
    with Server() as server:
        done = run_noise(traces, tmp_path / "d", server, "--dry-run", "--limit", 5, "--price", "1,2")
        told = run_noise(traces, tmp_path / "d", server, "--dry-run", "--limit", 5, "--json")
        assert server.ledger.requests == 0
    assert done.exit_code == told.exit_code == 0
    assert "5 records asked about in 12 ways: at most 60 calls, 0 of them paid for already, about $0." in done.stdout
    assert sum(one["calls"] for one in json.loads(told.stdout)["asks"].values()) == 60
    assert not (tmp_path / "d").exists()


def test_what_is_printed_and_written(traces: Path, tmp_path: Path) -> None:
    out = tmp_path / "d"
    with Server(script=Noisy(share=0.5)) as server:
        done = run_noise(traces, out, server, "--repeats", 1, "--orders", 1, "--templates", 1)
    assert done.exit_code == 0
    said = re.sub(r" +", " ", done.stdout)
    told = json.loads((out / "noise.json").read_bytes())
    found = flip(told, "repeats")
    rate = with_interval(found["rate"], found["low"], found["high"])
    assert f"repeats all {rate} {rate} " in said
    worst = told["flipped"][0]
    assert f"{worst['record_id']} (line {worst['line']}), perception.{worst['unit_id']}: 1 of 1 pairs of " in said
    assert f" {worst['other_ask']}: {worst['other']} – {worst['other_reason']}" in said
    assert re.search(r"repeats perception .* 12 48 *$", said, re.MULTILINE)
    assert "48 records read in all ways = 48 scored + 0 failed; 48 calls paid for" in said
    assert "no sign that the order of the units moves verdicts" in said and "On second thoughts." in said
    table = pl.read_parquet(out / "noise.parquet")
    assert table.columns[:7] == ["line", "record_id", "record_key", "model", "axis", "unit_id", "claim"]
    assert len(table) == 12 * 4 * 4 and table["arm"].unique().sort().to_list() == [
        *("orders", "plain", "repeats", "templates")
    ]
    # The rate again, from the table alone: of each unit the plain verdict and the repeat.
    pairs = table.filter(pl.col("arm").is_in(["plain", "repeats"])).pivot(
        "arm", index=["line", "unit_id"], values="said"
    )
    assert (pairs["plain"] != pairs["repeats"]).mean() == pytest.approx(found["rate"])


def test_failed_verdicts_are_in_no_pair(traces: Path, tmp_path: Path) -> None:
    def failing(ask: Any) -> Mapping[str, object] | str:
        repeat = ask.body.get("seed")
        return "I would rather not." if repeat and "Case 3." in ask.trace else dict(obedient(ask))

    with Server(script=failing) as server:
        told = noise_of(traces, tmp_path / "d", server, "--repeats", 1, "--orders", 0, "--templates", 0, code=3)
    assert (flip(told, "repeats")["n"], flip(told, "repeats")["pairs"], split(told, "repeats")["records"]) == (
        11,
        44,
        11,
    )
    assert [(ask["scored"], ask["failed"]) for ask in told["asks"]] == [(12, 0), (11, 1)]
    # Means are over the records that every way has scored, so the honest judge's are equal.
    assert told["asks"][0]["trace_score"] == told["asks"][1]["trace_score"]
    everything = pl.read_parquet(tmp_path / "d" / "plain" / "scores.parquet")["trace_score"].mean()
    assert told["asks"][0]["trace_score"] != pytest.approx(everything)
    assert NAME in told["asks"][0]["judge"]
