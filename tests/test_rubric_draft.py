"""`judge rubric draft` as it is called: what it prints, how it ends, and that its file is read by `judge score`."""

from __future__ import annotations

import json
import re
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from draft_kit import AXES, DARK, PRESSURE, RECORD, RETURN, TRACHEA, UNITS, Writer, axis_of, make_unit, read_lines
from run_kit import NAME, finish, start_judge, to_lines

from judge.cli import cli
from judge.testing import Ask, Server
from judge.testing.scripts import obedient


def drafts_or_judges(ask: Ask) -> Any:
    return obedient(ask) if ask.units else Writer()(ask)


@pytest.fixture
def server() -> Iterator[Server]:
    with Server(script=drafts_or_judges) as server:
        yield server


@pytest.fixture
def records(tmp_path: Path) -> Path:
    path = tmp_path / "records.jsonl"
    path.write_bytes(to_lines([RECORD]))
    return path


def call(*words: object) -> tuple[int, str]:
    """Exit code, and all that was printed; in this process."""
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    return done.exit_code, done.output


def words(records: Path, out: Path, server: Server, *more: object) -> list[object]:
    who = ["--judge", NAME, "--api-base", server.api_base, "--cache", "none"]
    return ["rubric", "draft", records, "--out", out, *who, *more]


def test_what_is_printed(records: Path, tmp_path: Path, server: Server) -> None:
    out = tmp_path / "units.jsonl"
    code, said = call(*words(records, out, server))
    assert code == 0
    lines = said.splitlines()
    assert lines[0].startswith(f"pkr@1.0 drafted by {NAME}#")
    assert lines[1:5] == [
        "1 records read = 1 drafted + 0 failed",
        "4 units: 2 perception, 1 knowledge, 1 rationale",
        "0 more merged into these, 0 dropped (no such quote); warnings: 0",
        "Coverage: 4 of 4 sentences of the references are quoted, 98% of their letters",  # 99 of 101
    ]
    assert lines[5].startswith("3 calls paid for (")
    assert (
        lines[-1]
        == f"Written to {out}. Read and edit it, then: judge score TRACES --references {out} --on id --out DIR"
    )


def test_the_file_is_what_score_reads(records: Path, tmp_path: Path, server: Server) -> None:
    """The whole way: draft, edit, score. The trace raises P1 and K1 in the units' own words, and R1 not at all."""
    out, run, traces = tmp_path / "units.jsonl", tmp_path / "run", tmp_path / "traces.jsonl"
    assert call(*words(records, out, server))[0] == 0
    (row,) = read_lines(out)
    del row["units"]["perception"][1]  # a person throws a unit away
    out.write_bytes(to_lines([row]))
    traces.write_bytes(to_lines([{"id": "r1", "model": "m", "trace": f"{DARK}. {PRESSURE}. <answer>C</answer>"}]))
    who = ["--judge", NAME, "--api-base", server.api_base, "--cache", "none"]
    code, said = call("score", traces, "--references", out, "--on", "id", "--out", run, *who)
    assert code == 0, said
    verdicts = pl.read_parquet(run / "verdicts.parquet").select("axis", "unit_id", "claim", "presence")
    assert verdicts.rows() == [
        ("perception", "P1", f"{DARK}.", 2),
        ("knowledge", "K1", f"{PRESSURE}.", 2),
        ("rationale", "R1", f"{RETURN}.", 0),
    ]
    assert pl.read_parquet(run / "scores.parquet")["answer_correct"].to_list() == [True]  # by the joined reference


def test_what_to_look_at(records: Path, tmp_path: Path, server: Server) -> None:
    several = f"{DARK} and the heart is small."
    units = {
        "perception": [make_unit(DARK, several), make_unit("Nothing of it", "Made up.")],
        "knowledge": [make_unit(PRESSURE)],
        "rationale": [make_unit(PRESSURE)],
    }
    server.stop()
    with Server(script=Writer(units)) as other:
        code, said = call(*words(records, tmp_path / "units.jsonl", other, "-v"))
    assert code == 0
    # 23 + 24 of 101 letters.
    assert said.splitlines()[1:8] == [
        "r1: 2 of 4 sentences of the references are quoted, 47% of their letters",
        f"  not covered: {TRACHEA}.",
        f"  not covered: So {RETURN}.",
        f"  merged into K1: {PRESSURE}.",
        "  dropped, its source_quote is not in the reference: Made up.",
        "  P1: the claim seems to join two; a trace may get one of them right.",
        "1 records read = 1 drafted + 0 failed",
    ]
    assert "1 more merged into these, 1 dropped (no such quote); warnings: 1" in said


def test_json(records: Path, tmp_path: Path, server: Server) -> None:
    out = tmp_path / "units.jsonl"
    code, said = call(*words(records, out, server, "--json", "--quiet"))
    told = json.loads(said)
    assert code == 0
    assert told["schema"] == "judge.draft/1"
    assert (told["finished"], told["exit_code"], told["rubric"], told["out"]) == (True, 0, "pkr@1.0", str(out))
    assert told["counts"] == {"read": 1, "drafted": 1, "kept": 0, "repeated": 0, "failed": 0}
    assert told["units"] == {"perception": 2, "knowledge": 1, "rationale": 1}
    assert told["coverage"] == {"sentences": 4, "covered": 4, "characters": 101, "quoted": 99}
    assert (told["merged"], told["dropped"], told["warnings"]) == (0, 0, 0)
    assert told["spent"]["replies"] == 3


def test_failed_records_are_told_of(records: Path, tmp_path: Path, server: Server) -> None:
    records.write_bytes(to_lines([RECORD, {"id": "r2", "question": "And this?"}]))
    out = tmp_path / "units.jsonl"
    code, said = call(*words(records, out, server))
    assert code == 3
    assert "2 records read = 1 drafted + 1 failed" in said
    assert f"1 failed; {out}.draft/failures.jsonl says why. The first: line 2, reference.reasoning: is missing." in said


@pytest.mark.parametrize(
    ("more", "said"),
    [
        (["--judge", "lexical"], "a draft needs a model"),
        (["--samples", "2"], "No such option"),
        (["--rubric", "nope"], "no built-in rubric is called 'nope'"),
    ],
)
def test_wrong_usage(more: list[str], said: str, records: Path, tmp_path: Path) -> None:
    code, told = call("rubric", "draft", records, "--out", tmp_path / "units.jsonl", *more)
    assert code == 2
    assert said in told
    assert list(tmp_path.iterdir()) == [records]


def test_a_run_file_is_read_and_what_other_commands_have_is_left_out(
    records: Path, tmp_path: Path, server: Server
) -> None:
    config = tmp_path / "judge.yaml"
    config.write_text(f"judge: {NAME}\napi-base: {server.api_base}\nsamples: 3\ncache: none\n")
    code, said = call("rubric", "draft", records, "--out", tmp_path / "units.jsonl", "--config", config)
    assert code == 0, said
    config.write_text("sampels: 3\n")
    code, said = call("rubric", "draft", records, "--out", tmp_path / "units.jsonl", "--config", config)
    assert code == 2
    assert "rubric draft`; did you mean 'samples'?" in said


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGKILL])
def test_a_draft_that_was_killed_pays_for_nothing_twice(number: int, tmp_path: Path) -> None:
    records, out = tmp_path / "records.jsonl", tmp_path / "units.jsonl"
    asked = [{**RECORD, "id": f"r{n}", "question": f"Question {n}?"} for n in range(12)]
    records.write_bytes(to_lines(asked))
    with Server(script=Writer(), latency_ms=40) as server:
        given = words(records, out, server, "--concurrency", 3)
        process = start_judge(*given)
        while server.ledger.delivered < 9:
            time.sleep(0.01)
        process.send_signal(number)
        code, said = finish(process)
        if number == signal.SIGINT:
            assert code == 75
            assert "Stopped early; what is done is kept. To resume: judge rubric draft" in said
        lost = server.ledger.paid - server.ledger.delivered
        assert call(*given)[0] == 0
        # What was in flight when the process died, or had not been committed yet, is paid for again: 3 calls at most.
        assert server.ledger.repaid <= (0 if number == signal.SIGINT else 3) + lost
        assert len(server.ledger.rows()) < 2 * len(AXES) * len(asked)
    assert [row["id"] for row in read_lines(out)] == [row["id"] for row in asked]


def test_the_guide_shows_what_is_printed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """docs/rubrics.md was made with the obedient judge; the hash of the judge id hangs on the address."""
    root = Path(__file__).parents[1]
    guide = (root / "docs" / "rubrics.md").read_text(encoding="utf-8")
    shown = re.search(r"^judge rubric draft examples.*?^```\n.*?^```\n(.*?)^```", guide, re.DOTALL | re.MULTILINE)
    assert shown is not None
    monkeypatch.chdir(tmp_path)
    (tmp_path / "examples").symlink_to(root / "examples")
    with Server() as server:
        code, said = call(*words(Path("examples/traces.jsonl"), Path("units.jsonl"), server, "-v"))
    assert code == 0
    assert re.sub(r"#\w{8}", "#", said) == re.sub(r"#\w{8}", "#", shown[1])


def test_the_writer_of_the_tests_is_asked_for_every_axis(records: Path, tmp_path: Path) -> None:
    writer = Writer()
    with Server(script=writer) as server:
        assert call(*words(records, tmp_path / "units.jsonl", server))[0] == 0
    assert sorted(map(axis_of, writer.heard)) == sorted(UNITS)
