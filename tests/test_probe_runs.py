"""Whole runs by probes, through the real command and a server that gives logprobs, or does not."""

from __future__ import annotations

import asyncio
import json
import os
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from run_kit import (
    NAME,
    arguments_for,
    asked_after_commit,
    assert_same_tables,
    make_records,
    read_failures,
    run_judge,
    score,
    settings_for,
    start_judge,
    to_lines,
    traces_of,
)

from judge import Judge
from judge.calls.budgeted import most_written
from judge.calls.tokens import Tokens
from judge.cli import cli
from judge.errors import FatalError
from judge.estimate import ASSUMED_RAISED, ASSUMED_TOKENS_PER_UNIT, Estimate, estimate
from judge.price import Price
from judge.testing import Ask, Server

RECORDS = make_records(12, units=(1, 2, 3))  # 24 units
KEYS = ("units_asked", "trace_score", "trace_grounding", "trace_correctness")


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    path = tmp_path / "traces.jsonl"
    path.write_bytes(to_lines(RECORDS))
    return path


def certain(ask: Ask) -> Mapping[str, object]:
    """What the obedient judge says of a probe, without a doubt."""
    from judge.testing import obedient

    told = obedient(ask)
    if not ask.probed:
        return told
    likeliest = max(told, key=lambda label: float(str(told[label])))
    return {label: float(label == likeliest) for label in told}


def shown(*words: object) -> Any:
    return CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)


def ask(*words: object) -> tuple[int, str]:
    """Exit code, and all that was printed, of the command in this process."""
    found = shown(*words)
    return found.exit_code, found.stdout + found.stderr


def verdicts(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "verdicts.parquet")


# Numbers

TOLD = {
    ("presence", "a"): {"0": 0.05, "1": 0.15, "2": 0.80},
    ("correctness", "a"): {"0": 0.1, "1": 0.2, "2": 0.7},
    ("presence", "b"): {"0": 0.1, "1": 0.6, "2": 0.3},
    ("correctness", "b"): {"0": 0.5, "1": 0.3, "2": 0.2},
    ("presence", "c"): {"0": 0.7, "1": 0.2, "2": 0.1},
}


def test_numbers_by_hand_from_the_wire_to_the_tables(out: Path, tmp_path: Path) -> None:
    units = [{"unit_id": claim, "claim": claim} for claim in "abc"]
    traces = tmp_path / "t.jsonl"
    traces.write_bytes(to_lines([{"id": "r", "trace": "It is so.", "units": {"knowledge": units}}]))
    with Server(script=lambda ask: TOLD[ask.question, ask.units[0].claim]) as server:
        code, said = run_judge(*arguments_for(traces, out, server, "--probe"))
        assert code == 0, said
        assert server.ledger.requests == 5
    found = verdicts(out)
    assert found["presence"].to_list() == [2, 1, 0]
    assert found["correctness"].to_list() == [1, -1, None]
    # 0.15/2 + 0.8, 0.6/2 + 0.3, 0.2/2 + 0.1.
    assert found["p_present"].to_list() == pytest.approx([0.875, 0.6, 0.2])
    assert found["p_correct"].to_list()[:2] == pytest.approx([0.7, 0.2])
    assert found["p_correct"][2] is None
    for column in ("evidence", "evidence_start", "evidence_end", "evidence_found", "reason"):
        assert found[column].null_count() == 3
    (row,) = pl.read_parquet(out / "scores.parquet").to_dicts()
    assert row["knowledge_grounding"] == pytest.approx(1.675 / 3)
    assert row["knowledge_correctness"] == pytest.approx(0.45)
    assert row["trace_score"] == pytest.approx(1.675 / 3 * 0.45)
    calls = pl.read_parquet(out / "calls.parquet")
    assert calls.height == 5
    assert calls["completion_tokens"].to_list() == [1] * 5
    assert set(found["call_id"]) < set(calls["call_id"])


def test_a_judge_without_doubt_gives_the_scores_of_verdicts_in_writing(out: Path) -> None:
    with Server(script=certain) as server:
        score(RECORDS, out, server, probe=True)
        score(RECORDS, out.with_name("written"), server)
    soft, hard = (pl.read_parquet(path / "scores.parquet") for path in (out, out.with_name("written")))
    assert soft.select(KEYS).equals(hard.select(KEYS), null_equal=True)
    assert verdicts(out)["presence"].to_list() == verdicts(out.with_name("written"))["presence"].to_list()


def test_the_door_of_the_library(out: Path) -> None:
    with Server() as server:
        run = Judge(NAME, api_base=server.api_base, probe=True).score(RECORDS)
        score(RECORDS, out, server, probe=True)
        quoting = Judge(NAME, api_base=server.api_base, probe_evidence=True).score(RECORDS[:3])
    assert run.scores["trace_score"].to_list() == pl.read_parquet(out / "scores.parquet")["trace_score"].to_list()
    raised = quoting.verdicts.filter(pl.col("presence") > 0)
    assert set(raised["evidence_found"]) == {"exact"}
    assert quoting.verdicts.filter(presence=0)["evidence_found"].null_count() == len(quoting.verdicts) - len(raised)


# Going on


def test_a_run_that_is_killed_replays_what_was_paid(traces: Path, out: Path) -> None:
    with Server(script="sloppy", latency_ms=20, constrains=False) as server:
        words = arguments_for(traces, out, server, "--probe-evidence", "--concurrency", 3)
        for stop in (5, 15, 30):
            process = start_judge(*words)
            while server.ledger.requests < stop and process.poll() is None:
                time.sleep(0.005)
            process.kill()
            process.communicate()
        code, said = run_judge(*words)
        assert code == 0, said
        # What was in flight at a kill may be asked again, and nothing else.
        assert asked_after_commit(server) <= 3 * 3
        requests = server.ledger.requests
        assert run_judge(*words)[0] == 0
        assert server.ledger.requests == requests
        server.latency_ms = 0
        score(RECORDS, out.with_name("alone"), server, probe_evidence=True)
    assert_same_tables(out, out.with_name("alone"))
    assert verdicts(out)["p_present"].null_count() == 0


def test_a_chain_of_unusable_replies_is_replayed(traces: Path, out: Path) -> None:
    with Server(always="off_label") as server:
        kill = "import judge.runs.block, os\njudge.runs.block.Block.write = lambda *_, **__: os._exit(9)"
        assert run_judge(*arguments_for(traces, out, server, "--probe"), script=kill)[0] == 9
        assert server.ledger.requests == 3 * 24
        code, said = run_judge(*arguments_for(traces, out, server, "--probe"))
        assert code == 3, said
        assert server.ledger.requests == 3 * 24
        assert {row["error"] for row in read_failures(out)} == {"off_menu"}
        server.always = None
        code, said = run_judge(*arguments_for(traces, out, server, "--probe"))
        assert code == 0, said


def test_workers_give_the_same_tables(traces: Path, out: Path) -> None:
    with Server() as server:
        code, said = run_judge(*arguments_for(traces, out, server, "--probe", "--workers", 2))
        assert code == 0, said
        score(RECORDS, out.with_name("alone"), server, probe=True)
    assert_same_tables(out, out.with_name("alone"))


def test_a_quote_is_all_that_is_new_where_the_probes_are_stored(out: Path, tmp_path: Path) -> None:
    with Server() as server:
        store = tmp_path / "store"
        score(RECORDS, out, server, probe=True, cache=store)
        asked = server.ledger.requests
        score(RECORDS, out.with_name("again"), server, probe=True, cache=store)
        assert server.ledger.requests == asked
        score(RECORDS, out.with_name("quoted"), server, probe_evidence=True, cache=store)
        assert server.ledger.requests - asked == (verdicts(out)["presence"] > 0).sum()


def test_a_run_of_verdicts_in_writing_is_not_gone_on_with_by_probes(traces: Path, out: Path) -> None:
    with Server() as server:
        assert ask(*arguments_for(traces, out, server))[0] == 0
        code, said = ask(*arguments_for(traces, out, server, "--probe"))
        assert code == 2
        assert "probe was None and is True" in said
        assert server.ledger.requests == 24


# A server that misbehaves


@pytest.mark.parametrize(
    "how",
    [
        {"always": "no_logprobs"},
        {"always": "no_logprobs", "constrains": False},
        {"max_top_logprobs": 0},
    ],
)
def test_a_server_without_logprobs_is_found_out_by_one_record(how: dict[str, Any], traces: Path, out: Path) -> None:
    with Server(**how) as server:
        code, said = ask(*arguments_for(traces, out, server, "--probe"))
        assert code == 2
        told = [line for line in said.splitlines() if "no logprobs" in line]
        assert len(told) == 1
        assert f"{server.api_base} (any) gives no logprobs, which a probe needs" in told[0]
        assert "Leave --probe out" in told[0]
        assert server.ledger.requests <= 2  # one of them to ask for fewer


def test_a_server_that_gives_few_probabilities_is_asked_for_few(traces: Path, out: Path) -> None:
    with Server(max_top_logprobs=5) as server:
        code, said = ask(*arguments_for(traces, out, server, "--probe"))
        assert code == 0, said
        assert server.ledger.requests == pl.read_parquet(out / "calls.parquet").height + 1
        assert "gives the probabilities of 5 tokens at most" in said
        server.max_top_logprobs = 20
        score(RECORDS, out.with_name("alone"), server, probe=True)
    assert_same_tables(out, out.with_name("alone"))


@pytest.mark.parametrize("kind", ["off_label", "null_logprobs", "empty", "500"])
def test_what_is_said_badly_now_and_then_is_asked_again(kind: str, traces: Path, out: Path) -> None:
    with Server(faults=0.3, kinds=(kind,), constrains=False) as server:
        code, said = ask(*arguments_for(traces, out, server, "--probe"))
        assert code == 0, said
        assert server.ledger.requests == server.ledger.necessary()
        server.faults = 0.0
        score(RECORDS, out.with_name("alone"), server, probe=True)
        calls = pl.read_parquet(out / "calls.parquet")
    soft, alone = (verdicts(path).drop("call_id") for path in (out, out.with_name("alone")))
    assert soft.equals(alone, null_equal=True)
    assert (calls["failure"].null_count() < calls.height) == (kind != "500")


@pytest.mark.parametrize(
    ("kind", "failure", "asks"),
    [("off_label", "off_menu", 3), ("null_logprobs", "bad_logprobs", 3), ("elsewhere", "low_probability", 1)],
)
def test_what_is_always_said_badly_is_a_failure_and_no_number(
    kind: str, failure: str, asks: int, traces: Path, out: Path
) -> None:
    with Server(always=kind) as server:
        code, said = ask(*arguments_for(traces, out, server, "--probe"))
        assert code == 3, said
        assert server.ledger.requests == 24 * asks
    found = verdicts(out)
    assert set(found["failure"]) == {failure}
    for column in ("presence", "correctness", "p_present", "p_correct"):
        assert found[column].null_count() == 24
    assert pl.read_parquet(out / "scores.parquet")["trace_score"].null_count() == 12
    assert set(pl.read_parquet(out / "calls.parquet")["failure"]) == {failure}


def test_a_constraint_that_is_ignored_is_seen(traces: Path, out: Path) -> None:
    """Half the probability is on a word, and at the first ask it is said."""
    sure = {"Sure": 0.5, "0": 0.1, "1": 0.1, "2": 0.3}
    with Server(script=lambda ask: {"2": 0.9, "0": 0.1} if ask.complaint else sure) as server:
        words = arguments_for(traces, out, server, "--probe")
        assert ask(*words)[0] == 0
        assert server.ledger.requests == 48  # every unit is raised
        assert verdicts(out)["p_present"].to_list() == pytest.approx([(0.1 / 2 + 0.3) / 0.5] * 24)
        server.constrains = False
        assert ask(*words, "--overwrite")[0] == 0
        assert server.ledger.requests == 48 + 96
        assert verdicts(out)["p_present"].to_list() == pytest.approx([0.9] * 24)


# Money and counts


def test_a_budget_reckons_with_one_token(out: Path) -> None:
    """A reservation of 4,096 tokens at 1 USD each would stop the run before its first call."""
    with Server() as server:
        price = Price(prompt=0.0, completion=1.0)
        report = score(RECORDS, out, server, probe=True, price=price, budget_usd=100.0, concurrency=4)
        assert report.finished
        assert report.spent["cost_usd"] == pl.read_parquet(out / "calls.parquet").height
        with pytest.raises(FatalError, match="the budget of \\$9 is reached"):
            score(RECORDS, out.with_name("short"), server, probe=True, price=price, budget_usd=9.0)


def test_a_probe_writes_one_token_whatever_the_user_allows() -> None:
    presence, *_ = settings_for("http://127.0.0.1:9/v1", probe=True).way.first_asks(_record())
    assert presence.params["max_tokens"] == 4096
    assert most_written(presence) == 1
    assert Tokens().estimate(presence) == presence.guessed_tokens + 1


def _record() -> Any:
    from judge.record import build_record

    return build_record(RECORDS[0], number=1)


def test_the_prefix_cache_is_told_of(traces: Path, out: Path) -> None:
    with Server() as server:
        code, said = ask(*arguments_for(traces, out, server, "--probe"))
        assert code == 0, said
        calls = pl.read_parquet(out / "calls.parquet")
        cached, prompt = calls["cached_tokens"].sum(), calls["prompt_tokens"].sum()
        assert cached / prompt > 0.6
        assert f"prefix cache: {100 * cached / prompt:.0f} % of {prompt:,} prompt tokens" in said
        assert json.loads((out / "run.json").read_bytes())["spent"]["cached_tokens"] == cached
        told = json.loads(shown(*arguments_for(traces, out, server, "--probe", "--json", "--quiet")).stdout)
        assert told["spent"]["cached_tokens"] == cached
        assert "enable-prompt-tokens-details" not in said


@pytest.mark.parametrize("probing", [True, False])
def test_a_server_that_does_not_tell_of_its_prefix_cache(probing: bool, traces: Path, out: Path) -> None:
    with Server(tells_cached=False) as server:
        code, said = ask(*arguments_for(traces, out, server, *(["--probe"] * probing)))
        assert code == 0, said
    assert "prefix cache:" not in said
    assert ("--enable-prompt-tokens-details" in said) == probing
    story = json.loads((out / "run.json").read_bytes())
    assert story["spent"]["cached_tokens"] is None
    assert any("--enable-prompt-tokens-details" in note for note in story["notes"]) == probing


def test_the_first_probe_of_a_record_fills_the_cache_for_the_others(out: Path) -> None:
    """All but the first call of a record begin with its trace, which the server has read by then."""
    units = [{"unit_id": f"U{n}", "claim": f"Claim {n}."} for n in range(20)]
    traces = [f"Case {n}. " + "It is so. " * 200 for n in range(3)]
    records = [{"id": trace[:6], "trace": trace, "units": {"knowledge": units}} for trace in traces]
    with Server(latency_ms=50) as server:
        score(records, out, server, probe=True)
    calls = pl.read_parquet(out / "calls.parquet")
    for line in (1, 2, 3):
        cached = calls.filter(line=line)["cached_tokens"].to_list()
        assert cached[0] < 500 < min(cached[1:])


# Options


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--probe", "--evidence", "required"), "a probe gives none: its reply is one digit"),
        (("--probe", "--evidence", "flag"), "Add --probe-evidence"),
        (("--probe-evidence", "--evidence", "none"), "probe_evidence asks for quotes"),
        (("--probe", "--granularity", "axis"), "a probe asks about one unit"),
        (("--probe", "--param", "top_logprobs=3"), "the parameter 'top_logprobs' is set by judge"),
    ],
)
def test_what_does_not_go_together_is_refused(words: tuple[str, ...], said: str, traces: Path, out: Path) -> None:
    found = shown(*arguments_for(traces, out, "http://127.0.0.1:9/v1", *words))
    assert found.exit_code == 2
    assert said in found.stderr
    assert not out.exists()


def test_the_baseline_cannot_be_probed(traces: Path, out: Path) -> None:
    found = shown("score", traces, "--out", out, "--probe")
    assert found.exit_code == 2
    assert "lexical gives no probabilities, so it cannot be probed." in found.stderr


@pytest.mark.parametrize("words", [("--evidence", "none"), ("--granularity", "unit"), ("--probe-evidence",)])
def test_what_goes_together(words: tuple[str, ...], traces: Path, out: Path) -> None:
    with Server() as server:
        assert ask(*arguments_for(traces, out, server, "--probe", *words))[0] == 0
    assert verdicts(out)["p_present"].null_count() == 0


def test_flag_is_for_quotes_of_probes_too(traces: Path, out: Path) -> None:
    invented = {"evidence": "No trace says this."}
    with Server(script=lambda ask: {"2": 1.0} if ask.probed else invented) as server:
        assert ask(*arguments_for(traces, out, server, "--probe-evidence", "--evidence", "flag"))[0] == 0
        assert set(verdicts(out)["evidence_found"]) == {"no"}
        assert server.ledger.requests == 24 * 3


def test_a_run_file_and_the_environment_may_ask_for_probes(traces: Path, tmp_path: Path) -> None:
    with Server() as server:
        config = tmp_path / "judge.yaml"
        config.write_text(f"judge: {NAME}\napi-base: {server.api_base}\ncache: none\nprobe: true\n", encoding="utf-8")
        assert shown("score", traces, "--out", tmp_path / "one", "--config", config).exit_code == 0
        words = [str(word) for word in arguments_for(traces, tmp_path / "other", server)]
        assert CliRunner().invoke(cli, words, env={**os.environ, "JUDGE_PROBE": "1"}).exit_code == 0
    for out in ("one", "other"):
        assert verdicts(tmp_path / out)["p_present"].null_count() == 0


def test_samples_of_probes_are_said_to_be_the_same(traces: Path, out: Path) -> None:
    with Server() as server:
        code, said = ask(*arguments_for(traces, out, server, "--probe", "--samples", 2))
    assert code == 0
    assert "--samples repeats the same probabilities" in said
    assert "temperature=0.7" not in said


def test_the_help_teaches_it() -> None:
    said = " ".join(shown("score", "--help").stdout.split())
    assert "One token for each unit's presence, and one for its correctness" in said
    assert "[default: required; none with --probe]" in said


# What it would take


def estimated(beside: Path, server: Server, **changes: Any) -> Estimate:
    how = {name: changes.pop(name) for name in ("out", "past", "measure") if name in changes}
    return asyncio.run(estimate(traces_of(to_lines(RECORDS), beside), settings_for(server, **changes), **how))


def test_an_estimate_assumes_how_many_units_are_raised(out: Path, tmp_path: Path) -> None:
    with Server() as server:
        found = estimated(out, server, probe=True)
        assert (found.units, found.calls, found.raised) == (24, round(24 + 24 * ASSUMED_RAISED), ASSUMED_RAISED)
        assert found.completion_tokens == found.calls
        quoted = estimated(out, server, probe_evidence=True)
        assert quoted.calls == round(24 + 48 * ASSUMED_RAISED)
        assert quoted.completion_tokens == round(24 + 24 * ASSUMED_RAISED * (1 + ASSUMED_TOKENS_PER_UNIT))
        assert server.ledger.requests == 0
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--probe")
        said = shown("estimate", out.with_name("out.jsonl"), *words).stdout
    assert "calls       41 for 24 units" in said
    assert "a token a probe out, 70% of the units raised: assumed" in said


def test_an_estimate_of_what_is_done_is_exact_and_of_more_rests_on_it(out: Path, tmp_path: Path) -> None:
    with Server() as server:
        score(RECORDS[:8], out, server, probe=True)
        done = pl.read_parquet(out / "calls.parquet").height
        found = estimated(out, server, probe=True, out=out)
        share = (verdicts(out)["presence"] > 0).mean()
        # What is left takes as much as what is done did.
        left = 24 - verdicts(out).height
        assert (found.stored, found.raised) == (done, pytest.approx(share))
        assert found.calls == round(done + left + left * share)
        score(RECORDS, out, server, probe=True)
        whole = estimated(out, server, probe=True, out=out)
        assert whole.calls == whole.stored == pl.read_parquet(out / "calls.parquet").height
        assert whole.raised is None
        measured = estimated(tmp_path / "fresh", server, probe=True, cache=tmp_path / "store", measure=3)
        assert measured.measured is not None
        assert measured.measured.completion_tokens == 1.0
