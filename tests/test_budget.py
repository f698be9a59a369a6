"""Whole runs with a budget: the bill never passes it, and more money ends the run."""

from __future__ import annotations

import asyncio
import json
import signal
import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from run_kit import (
    arguments_for,
    assert_same_tables,
    completion,
    http,
    make_record,
    make_records,
    run_judge,
    score,
    scripted,
    settings_for,
    start_judge,
    to_lines,
)

from judge import Judge
from judge.errors import ConfigError, FatalError
from judge.journal.journal import Journal
from judge.price import Price
from judge.testing import QUICK, REPLY, Server
from judge.testing.usage import count_tokens, prompt_text
from judge.usable import refuse_unusable

# A token of the prompt costs 1, a written one 10 and a cached one half a millionth.
PRICE = Price(prompt=1e-6, completion=10e-6, cached=0.5e-6)
FLAGS = ("--price", "1,10,0.5")
PARAMS = {"max_tokens": 300}


class Metered(Server):
    """Adds up what every completion that was computed costs, as a provider's bill would: also where it was lost."""

    billed_usd = 0.0

    def start(self) -> Metered:
        compute = self._endpoint._compute

        def metered(*given: Any) -> Any:
            done = compute(*given)
            prompt, written = count_tokens(prompt_text(given[0].body)), count_tokens(done.text or "")
            self.billed_usd += PRICE.cost_usd(prompt, written, done.cached_tokens) or 0.0
            return done

        self._endpoint._compute = metered  # type: ignore[method-assign]
        super().start()
        return self


def ending(work: Callable[[], object]) -> str:
    try:
        work()
    except FatalError as exc:
        return exc.code
    return "finished"


@pytest.mark.parametrize("seed", range(6))
def test_no_bill_passes_the_budget_and_more_money_ends_the_run(seed: int, tmp_path: Path) -> None:
    """Budgets, latencies and faults of all kinds; the bill counts lost replies too."""
    records = make_records(30, units=(1, 2, 3), seed=seed)
    kinds = (*QUICK, *REPLY, "drip", "502", "504") if seed % 2 else ("black_hole", "reset_midbody", "429", "500")
    how: dict[str, Any] = {"script": "sloppy", "seed": seed, "faults": 0.3, "kinds": kinds, "retry_after_s": 0.01}
    asked: dict[str, Any] = {"price": PRICE, "params": PARAMS, "timeout_s": 0.25, "max_retries": 4, "concurrency": 12}
    out, reached, budget = tmp_path / "run", 0, 0.01 + 0.003 * seed
    with Metered(**how, latency_ms=3 * seed, latency_sigma=0.5) as server:
        while True:
            ended = ending(lambda: score(records, out, server, budget_usd=budget, **asked))  # noqa: B023 - called at once
            assert server.billed_usd <= budget + 1e-12
            if ended == "finished":
                break
            assert (ended, json.loads((out / "run.json").read_bytes())["status"]) == ("budget", "stopped")
            reached, budget = reached + 1, budget * 1.7
    assert reached >= 2
    with Server(**how, port=server.port) as server:
        score(records, tmp_path / "free", server, **asked)
    if seed % 2 == 0:  # where replies are spoilt, which of them is one of chance: the attempts of a key add up
        assert_same_tables(out, tmp_path / "free")


def test_the_command_line_stops_with_75_and_says_how_to_go_on(tmp_path: Path) -> None:
    traces, out = tmp_path / "traces.jsonl", tmp_path / "run"
    traces.write_bytes(to_lines(make_records(20)))
    with Metered() as server:
        words = arguments_for(traces, out, server, *FLAGS, "--param", "max_tokens=300", "--concurrency", "2")
        code, said = run_judge(*words, "--budget", "0.01")
        assert code == 75
        told = [line for line in said.splitlines() if "the budget of $0.01 is reached: $0.00" in line]
        assert len(told) == 1
        done = json.loads((out / "run.json").read_bytes())["session"]
        assert told[0].endswith(f" {20 - done['scored'] - done['failed']} records left. Raise --budget to go on.")
        assert 0 < done["scored"] < 20
        before = server.ledger.requests
        assert run_judge(*words, "--budget", "0.01")[0] == 75  # nothing more may be spent
        assert server.ledger.requests == before
        assert run_judge(*words, "--budget", "1")[0] == 0
        assert server.ledger.requests == 20
        run = json.loads((out / "run.json").read_bytes())
        assert run["spent"]["cost_usd"] == pytest.approx(server.billed_usd, abs=1e-12)
        assert run["settings"]["budget_usd"] == 1
        assert run["settings"]["usd_per_token"] == {"prompt": 1e-6, "completion": 1e-5, "cached": 5e-7, "above": []}
        free = arguments_for(traces, tmp_path / "free", server, "--param", "max_tokens=300")
        assert run_judge(*free)[0] == 0
    assert_same_tables(out, tmp_path / "free")


def test_a_budget_without_a_price_is_refused_before_anything_is_asked(tmp_path: Path) -> None:
    traces = tmp_path / "traces.jsonl"
    traces.write_bytes(to_lines(make_records(1)))
    with Server() as server:
        code, said = run_judge(*arguments_for(traces, tmp_path / "run", server, "--budget", "1"))
        assert server.ledger.requests == 0
    assert code == 2
    assert "a budget needs the price of 'hosted_vllm/any', which is not known." in said
    assert "--price IN,OUT" in said


def test_a_budget_without_a_limit_of_tokens_is_refused() -> None:
    with pytest.raises(ConfigError, match="a budget needs max_tokens"):
        refuse_unusable(settings_for("http://x/v1", price=PRICE, budget_usd=1.0, params={"max_tokens": None}))
    refuse_unusable(
        settings_for(
            "http://x/v1", price=PRICE, budget_usd=1.0, params={"max_tokens": None, "max_completion_tokens": 9}
        )
    )


@pytest.mark.parametrize("usd", [0, -1, float("nan"), float("inf")])
def test_a_budget_is_an_amount_of_money(usd: float) -> None:
    with pytest.raises(ConfigError, match=r"budget is .*; it must be a number of USD above 0"):
        settings_for("http://x/v1", price=PRICE, budget_usd=usd)


def test_money_makes_no_other_judge() -> None:
    plain = settings_for("http://x/v1")
    assert settings_for("http://x/v1", price=PRICE, budget_usd=1.0).identity == plain.identity


def test_a_judge_of_the_library_has_one_budget_for_all_its_scores() -> None:
    with Metered() as server:
        judge = Judge(
            "hosted_vllm/any", api_base=server.api_base, price=(1, 10, 0.5), budget=0.012, params=dict(PARAMS)
        )
        numbers = iter(range(1, 1000))
        while ending(lambda: judge.score([make_record(next(numbers))])) == "finished":
            pass
        spent = server.ledger.requests
        for _ in range(2):
            with pytest.raises(FatalError, match="the budget"):  # another connection is no other budget
                judge.score([make_record(next(numbers))])
            judge.close()
        assert server.ledger.requests == spent > 1
        assert server.billed_usd <= 0.012


def test_a_run_that_is_killed_counts_what_was_under_way(tmp_path: Path) -> None:
    traces, out = tmp_path / "traces.jsonl", tmp_path / "run"
    traces.write_bytes(to_lines(make_records(8)))
    with Metered(always="black_hole") as server:
        words = arguments_for(traces, out, server, *FLAGS, "--param", "max_tokens=300", "--budget", "1")
        process = start_judge(*words)
        while not server.ledger.requests:
            assert process.poll() is None
        process.kill()
        process.communicate()
    with closing(sqlite3.connect(out / "journal.sqlite")) as database:
        count, usd = database.execute("SELECT count(*), sum(usd) FROM pledges").fetchone()
    assert count == 1  # the first call goes alone
    assert 300 * 10e-6 < usd < 0.01


_DIE_BEFORE_COMMIT = """
import os, signal
from judge.journal.journal import Journal
Journal.commit_all = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_run_that_is_killed_before_its_reply_is_committed_counts_it(tmp_path: Path) -> None:
    """The reply came and is billed; the next session knows nothing of it but its pledge."""
    traces, out = tmp_path / "traces.jsonl", tmp_path / "run"
    traces.write_bytes(to_lines(make_records(8)))
    with Metered() as server:
        words = arguments_for(traces, out, server, *FLAGS, "--param", "max_tokens=300", "--budget", "1")
        code, said = run_judge(*words, "--concurrency", "1", script=_DIE_BEFORE_COMMIT)
        assert (code, server.ledger.paid) == (-signal.SIGKILL, 1), said
    journal = Journal(out / "journal.sqlite")
    assert (journal.spent()["replies"], journal.billed_usd(PRICE) >= server.billed_usd > 0) == (0, True)
    journal.close()


def test_the_price_of_a_reply_is_counted_in_the_tables(tmp_path: Path) -> None:
    usage = {"prompt_tokens": 100, "completion_tokens": 10, "prompt_tokens_details": {"cached_tokens": 40}}
    said = json.dumps({"u1": {"evidence": None, "reason": "no", "presence": 0, "correctness": None}})

    async def main() -> Any:
        async with scripted(lambda *_: http(200, completion(said, usage=usage))) as (base, _heard):
            judge = Judge("hosted_vllm/any", api_base=base, price=(1, 10, 0.5))
            return await judge.ascore([make_record(1)])

    run = asyncio.run(main())
    # 60 · 1 + 40 · 0.5 + 10 · 10 millionths
    assert run.calls["cost_usd"].to_list() == [pytest.approx(180e-6, abs=1e-15)]
