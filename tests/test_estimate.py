"""What a run would take: equal to what it then takes, as far as that can be known."""

from __future__ import annotations

import asyncio
import json
import shutil
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from image_kit import corners, encode
from run_kit import NAME, RUBRIC, make_records, run_judge, score, settings_for, to_lines, traces_of

from judge.errors import InputError
from judge.estimate import ASSUMED_TOKENS_PER_UNIT, Estimate, estimate
from judge.price import build_price
from judge.settings import Settings
from judge.testing import Server

RECORDS = make_records(30, units=(1, 2, 3))  # 2, 3, 1, 2, 3, 1 … units: 60 calls of one unit each
OPENAI = {"judge": "openai/gpt-4o-mini", "api_base": None}
PRICE = build_price([1.0, 2.0])


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


def estimated(records: list[Any], beside: Path, settings: Settings, **how: Any) -> Estimate:
    return asyncio.run(estimate(traces_of(to_lines(records), beside), settings, **how))


def test_nothing_is_asked_and_nothing_is_written(out: Path, tmp_path: Path) -> None:
    with Server() as server:
        settings = settings_for(server, cache=tmp_path / "store")
        found = estimated(RECORDS, out, settings, out=out)
        assert server.ledger.requests == 0
    assert not out.exists() and not (tmp_path / "store").exists()
    assert (found.records, found.failed, found.contentless) == (30, 0, 0)
    assert (found.calls, found.units, found.stored) == (60, 60, 0)
    assert found.completion_tokens == 60 * ASSUMED_TOKENS_PER_UNIT
    assert (found.cost_usd, found.seconds, found.measured) == (None, None, None)


def test_the_calls_and_tokens_are_those_of_the_run(out: Path) -> None:
    """The scripted server counts 4 characters a token over messages and roles, we over texts and schema."""
    with Server() as server:
        found = estimated(RECORDS, out, settings_for(server))
        score(RECORDS, out, server)
        calls = pl.read_parquet(out / "calls.parquet")
    assert found.calls == len(calls)
    assert found.prompt_tokens == pytest.approx(calls["prompt_tokens"].sum(), rel=0.2)


def test_a_probe_measures_and_is_not_paid_twice(out: Path, tmp_path: Path) -> None:
    with Server(latency_ms=100) as server:
        settings = settings_for(server, cache=tmp_path / "store", price=PRICE, concurrency=10)
        found = estimated(RECORDS, out, settings, measure=6)
        probed = server.ledger.requests
        assert probed == 12  # two records each of one, two and three units
        score(RECORDS, out, server, cache=tmp_path / "store", price=PRICE)
        assert server.ledger.requests == 60
        calls = pl.read_parquet(out / "calls.parquet").filter(~pl.col("cached"))
        again = estimated(RECORDS, out, settings)
    assert found.measured is not None and found.measured.calls == 12
    assert (found.calls, found.stored) == (60, 0)
    # 60 calls of about 0.1 s in 10 places.
    assert found.seconds is not None and 0.6 <= found.seconds < 1.5
    mean = calls.select(pl.col("prompt_tokens", "completion_tokens").mean()).row(0)
    assert found.prompt_tokens == pytest.approx(60 * mean[0], rel=0.02)
    assert found.completion_tokens == pytest.approx(60 * mean[1], rel=0.1)
    # USD 1 and 2 a million tokens.
    assert found.cost_usd == pytest.approx((found.prompt_tokens + 2 * found.completion_tokens) / 1e6, rel=0.01)
    assert (again.stored, again.prompt_tokens, again.completion_tokens, again.cost_usd) == (60, 0, 0, 0.0)


@pytest.mark.parametrize("stored", [True, False])
def test_that_a_probe_without_a_store_is_paid_for_again_is_said(stored: bool, out: Path, tmp_path: Path) -> None:
    traces = tmp_path / "t.jsonl"
    traces.write_bytes(to_lines(RECORDS))
    cache = tmp_path / "store" if stored else "none"
    with Server() as server:
        words = (traces, "--judge", NAME, "--api-base", server.api_base, "--cache", cache)
        code, said = run_judge("estimate", *words, "--measure", 2)
        assert code == 0, said
        probed = server.ledger.requests
        assert run_judge("score", *words, "--out", out)[0] == 0
        assert server.ledger.requests == 60 + (0 if stored else probed)
    warning = "With --cache none the replies of --measure are not kept: a run pays for the same records again."
    assert (warning in said) is not stored
    assert (f"{probed} calls, which are not kept and will be paid for again" in said) is not stored
    assert f"from        2 records that were asked for, {probed} calls" in said


def test_what_the_run_has_paid_is_not_counted(out: Path) -> None:
    with Server() as server:
        score(RECORDS, out, server, limit=10)
        before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
        found = estimated(RECORDS, out, settings_for(server), out=out)
        assert {path: path.read_bytes() for path in out.rglob("*") if path.is_file() and path in before} == before
    assert (found.calls, found.stored) == (60, 20)  # 2 + 3 + 1 three times, and 2
    assert found.measured is not None and found.measured.source == f"20 calls of {out}"


def test_an_earlier_run_by_another_judge_teaches_nothing(out: Path) -> None:
    with Server() as server:
        score(RECORDS, out, server)
        mine = estimated(RECORDS, out, settings_for(server), past=out)
        other = estimated(RECORDS, out, settings_for(server, params={"temperature": 1}), past=out)
    assert mine.measured is not None and mine.measured.calls == 60
    assert other.measured is None
    with pytest.raises(InputError, match=r"is no run: it has no calls\.parquet"):
        estimated(RECORDS, out, settings_for("http://127.0.0.1:9/v1"), past=out.parent)


@pytest.mark.parametrize(("quota", "seconds"), [({"rpm": 30}, 120.0), ({"tpm": 1_000}, None)])
def test_quotas_by_the_minute_take_their_time(quota: dict[str, int], seconds: float | None, out: Path) -> None:
    with Server() as server:
        score(RECORDS, out, server)
        found = estimated(RECORDS, out, settings_for(server, **quota), past=out)
    # 60 calls at 30 a minute are 2 minutes.
    wanted = seconds or (found.prompt_tokens + found.completion_tokens) / 1_000 * 60
    assert found.seconds == pytest.approx(wanted)


def test_a_known_price_needs_no_key(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    found = estimated(RECORDS, out, Settings(rubric=RUBRIC, **OPENAI))
    # USD 0.15 and 0.60 a million tokens, as litellm's map has it.
    assert found.cost_usd == pytest.approx((0.15 * found.prompt_tokens + 0.6 * found.completion_tokens) / 1e6, rel=0.01)


def test_images_are_tokens_too(out: Path) -> None:
    picture = encode(corners().resize((750, 100)))  # 750 × 100 / 750 = 100 tokens
    out.parent.mkdir(exist_ok=True)
    (out.parent / "a.png").write_bytes(picture)
    settings = Settings(rubric=RUBRIC, **OPENAI)
    images = settings.image_rules(root=out.parent, allow_urls=False)
    found = []
    for image in (None, "a.png"):
        traces = traces_of(to_lines([{**RECORDS[1], "image": image}]), out)
        found.append(asyncio.run(estimate(type(traces)(path=traces.path, images=images), settings)))
    assert [one.images for one in found] == [0, 3]  # one in each of three calls
    sentence = len("# Image\n\nThe image above belongs to the question.\n\n") / 4
    assert found[1].prompt_tokens - found[0].prompt_tokens == pytest.approx(3 * (100 + sentence), abs=2)


def test_what_would_fail_or_needs_no_call_is_told_apart(out: Path) -> None:
    records = [RECORDS[0], "{broken", {**RECORDS[1], "trace": "…"}, {**RECORDS[2], "units": {}}]
    found = estimated(records, out, Settings(rubric=RUBRIC, **OPENAI))
    assert (found.records, found.failed, found.contentless, found.calls) == (4, 2, 1, 2)
    with pytest.raises(InputError, match="holds no records"):
        estimated([], out, Settings(rubric=RUBRIC, **OPENAI))


def test_the_commands(out: Path, tmp_path: Path) -> None:
    traces = tmp_path / "t.jsonl"
    traces.write_bytes(to_lines(RECORDS))
    with Server() as server:
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--price", "1,2")
        code, said = run_judge("estimate", traces, *words)
        assert code == 0, said
        dry_code, dry = run_judge("score", traces, "--out", out, *words, "--dry-run")
        assert (dry_code, dry) == (0, said)
        assert server.ledger.requests == 0
        assert not out.exists()
        code, told = run_judge("estimate", traces, *words, "--json")
    assert "calls       60 for 60 units, 0 of them paid for already" in said
    assert "time        not known; judge estimate measures it with --measure 5" in said
    parsed = json.loads(told)
    assert (parsed["schema"], parsed["calls"], parsed["measured"]) == ("judge.estimate/1", 60, None)
    code, said = run_judge("estimate", traces)
    assert "price       computed here at no cost" in said
    code, said = run_judge("estimate", tmp_path / "t.jsonl", "--map", "nonsense=x")
    assert code == 2 and "a record has no field 'nonsense'" in said


def test_what_would_be_overwritten_is_not_paid_any_more(out: Path) -> None:
    with Server() as server:
        score(RECORDS, out, server)
        words = ("--judge", NAME, "--api-base", server.api_base, "--cache", "none", "--out", out, "--dry-run")
        traces = out.with_name("out.jsonl")
        assert "60 of them paid for already" in run_judge("score", traces, *words)[1]
        assert "0 of them paid for already" in run_judge("score", traces, *words, "--overwrite")[1]


@pytest.mark.parametrize("parts", [True, False])
def test_the_run_of_another_judge_is_refused_as_the_run_itself_refuses_it(
    parts: bool, out: Path, tmp_path: Path
) -> None:
    with Server() as server:
        score(RECORDS, out, server)
        if not parts:  # stopped before a block was done: what was paid for is in the journal
            shutil.rmtree(out / "parts")
            (out / "parts").mkdir()
        traces = out.with_name("out.jsonl")
        words = (traces, "--api-base", server.api_base, "--cache", "none", "--out", out)
        named = ("--judge", NAME)
        for other in (
            (*named, "--param", "temperature=1"),
            (*named, "--granularity", "unit"),
            ("--judge", "hosted_vllm/o"),
        ):
            code, said = run_judge("score", *words, *other)
            assert code == 2 and "holds a run of another judge or rubric: " in said
            before = {path: path.read_bytes() for path in out.rglob("*") if path.is_file()}
            assert run_judge("score", *words, *other, "--dry-run") == (code, said)
            assert run_judge("estimate", *words, *other) == (code, said)
            assert run_judge("score", *words, *other, "--dry-run", "--overwrite")[0] == 0
            assert {path: path.read_bytes() for path in out.rglob("*") if path in before} == before
        assert server.ledger.requests == 60


def test_a_directory_in_which_nothing_was_done_may_be_taken_by_another_judge(out: Path) -> None:
    traces = traces_of(to_lines(RECORDS), out).path
    with Server(model="served") as server:
        words = ("--api-base", server.api_base, "--cache", "none", "--out", out)
        assert run_judge("score", traces, *words, "--judge", "hosted_vllm/mistyped")[0] == 2
        assert (out / "run.json").exists()
        code, said = run_judge("score", traces, *words, "--judge", "hosted_vllm/served", "--dry-run")
    assert code == 0, said


@pytest.mark.parametrize(("content", "code"), [(b"", 0), (b"garbage" * 99, 2)])
def test_a_journal_that_cannot_be_read(content: bytes, code: int, out: Path, tmp_path: Path) -> None:
    out.mkdir()
    (out / "journal.sqlite").write_bytes(content)
    (tmp_path / "t.jsonl").write_bytes(to_lines(RECORDS))
    words = ("--judge", NAME, "--api-base", "http://127.0.0.1:9/v1", "--cache", "none", "--out", out)
    found, said = run_judge("estimate", tmp_path / "t.jsonl", *words)
    assert (found, "Traceback" in said) == (code, False), said


def test_a_provider_that_nobody_knows(out: Path, tmp_path: Path) -> None:
    (tmp_path / "t.jsonl").write_bytes(to_lines(RECORDS))
    code, said = run_judge("estimate", tmp_path / "t.jsonl", "--judge", "nope/x", "--cache", "none")
    assert (code, "litellm knows no provider for 'nope/x'" in said) == (2, True), said
