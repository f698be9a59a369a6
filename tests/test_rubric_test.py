"""`judge rubric test`: an exit code that a CI can go by."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import time
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from run_kit import error, finish, http, run_judge, scripted, start_judge

import judge.score
import judge.verdict
from judge.cli import cli
from judge.testing import Server

UNITS = {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}
RIGHT = {
    "id": "right",
    "trace": "The fracture is in the left wrist.",
    "units": UNITS,
    "expect": {"verdicts": {"P1": {"presence": 2, "correctness": 1}}, "scores": {"trace_score": [0.8, 1]}},
}
SILENT = {**RIGHT, "id": "silent", "trace": "All is well.", "expect": {"verdicts": {"P1": {"presence": 0}}}}
TOO_MUCH = {**SILENT, "expect": {"verdicts": {"P1": {"presence": 2}}, "better_than": "right"}}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "store"))


def rubric_test(*words: object) -> Result:
    return CliRunner().invoke(cli, ["rubric", "test", *map(str, words)], catch_exceptions=False)


def written(folder: Path, *cases: dict[str, Any]) -> Path:
    path = folder / "own.cases.jsonl"
    path.write_text("".join(f"{json.dumps(case)}\n" for case in cases), encoding="utf-8")
    return path


def test_pkr_holds_with_the_baseline() -> None:
    done = rubric_test("pkr")
    assert done.exit_code == 0, done.stdout
    first, *cases, last = done.stdout.splitlines()
    assert first.startswith("pkr@1.0 judged by lexical#")
    assert ", a baseline that compares words: 7 cases of " in first
    assert last == "6 ok, 1 skipped"
    assert [line.split()[:2] for line in cases if line.startswith("skipped")] == [["skipped", "in-other-words"]]


# What somebody might break one day, and a file of cases is there to notice.
BUGS = {
    "correctness counts nothing": (judge.score, "_right", lambda unit: 1.0),
    "wrong is as good as right": (judge.score, "_right", lambda unit: float(unit.correctness != 0)),
    "everything is raised": (judge.score, "_grounded", lambda unit: 1.0),
    "what is raised partly counts whole, and what is not as half": (
        *(judge.score, "_grounded"),
        lambda unit: ((unit.presence or 0) + 1) / 3,
    ),
    "the score leaves correctness out": (judge.score._Sums, "score", lambda sums: sums.presence / sums.weight),
    "the score is a mean": (
        *(judge.score._Sums, "score"),
        lambda sums: (sums.presence / sums.weight + (sums.right / sums.raised if sums.raised else 0)) / 2,
    ),
}


@pytest.mark.parametrize("bug", BUGS)
def test_pkr_notices_a_bug(bug: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(*BUGS[bug])
    done = rubric_test("pkr")
    assert done.exit_code == 1
    assert "failed" in done.stdout.splitlines()[-1]


def test_what_failed_is_told_with_what_was_found(tmp_path: Path) -> None:
    done = rubric_test("pkr", "--cases", written(tmp_path, RIGHT, TOO_MUCH))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[1:] == [
        "ok          right  3 checks",
        "failed      silent",
        "            P1 presence: expected 2, found 0",
        "            trace_score above that of right: expected more than 1, found 0",
        "1 ok, 1 failed",
    ]


def test_as_json_for_programs(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT, TOO_MUCH)
    done = rubric_test("pkr", "--cases", path, "--json")
    told = json.loads(done.stdout)
    assert list(told) == [
        *("schema", "exit_code", "judge", "rubric", "rubric_fp", "cases_file", "counts", "cases"),
    ]
    assert (told["schema"], told["exit_code"], done.exit_code) == ("judge.rubric.test/1", 1, 1)
    assert told["counts"] == {"ok": 1, "failed": 1, "unjudged": 0, "skipped": 0}
    assert told["cases_file"] == str(path)
    assert {key: told["cases"][1][key] for key in ("id", "line", "status", "failure")} == {
        "id": "silent",
        "line": 2,
        "status": "failed",
        "failure": None,
    }
    assert told["cases"][1]["checks"][0] == {
        "what": "P1 presence",
        "relation": "equal",
        "expected": 2,
        "found": 0,
        "status": "failed",
        "reason": None,
    }
    assert told["cases"][0]["checks"][2]["expected"] == [0.8, 1.0]


def test_cases_are_looked_for_beside_the_rubric(tmp_path: Path) -> None:
    made = CliRunner().invoke(cli, ["rubric", "new", "own", "--out", str(tmp_path)], catch_exceptions=False)
    assert made.exit_code == 0
    rubric = tmp_path / "own.yaml"
    assert f"{tmp_path / 'own.cases.jsonl'} is not there, so there are no cases." in rubric_test(rubric).stderr
    written(tmp_path, {**RIGHT, "units": {"findings": UNITS["perception"]}})
    assert rubric_test(rubric).exit_code == 0


@pytest.mark.parametrize(
    ("case", "said"),
    [
        ({**RIGHT, "expect": {"verdicts": {"P9": {"presence": 2}}}}, ":1: expect.verdicts.P9: is no unit of this case"),
        ({**RIGHT, "expect": {"better_than": "x", "lexical": 0}}, ":1: expect.lexical: is 0 (int), must be"),
        ({**RIGHT, "expect": {"scores": {"trace_score": [0, 1]}, "lexical": False}}, "no case of "),
    ],
)
def test_wrong_cases_are_refused_before_anything_is_asked(case: dict[str, Any], said: str, tmp_path: Path) -> None:
    done = rubric_test("pkr", "--cases", written(tmp_path, case))
    assert done.exit_code == 2 and done.stdout == ""
    assert said in done.stderr


def test_wrong_usage_is_refused() -> None:
    assert rubric_test("pkx").exit_code == 2
    assert rubric_test("pkr", "--judge", "hosted_vllm/m").exit_code == 2  # no address
    assert rubric_test("pkr", "--budget", "1").exit_code == 2  # of no use to the baseline


def asked(server: Server, path: Path, *words: object) -> Result:
    where = ("--judge", "hosted_vllm/any", "--api-base", server.api_base)
    return rubric_test("pkr", "--cases", path, *where, "--max-retries", "0", *words)


def test_a_judge_is_asked_as_it_is_when_scoring(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT, SILENT)
    with Server(script="obedient") as server:
        done = asked(server, path)
        assert (done.exit_code, server.ledger.requests) == (0, 2)
        assert asked(server, path).exit_code == 0
        assert server.ledger.requests == 2  # the shared store has both replies
        assert asked(server, path, "--cache", "none", "--samples", "2").exit_code == 0
        assert server.ledger.requests == 6


def test_a_judge_that_believes_everything_fails(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT, SILENT)
    with Server(script="gullible") as server:
        done = asked(server, path, "--evidence", "none")
    assert done.exit_code == 1
    assert "P1 presence: expected 0, found 2" in done.stdout


def test_pkr_finds_out_a_judge_that_believes_everything() -> None:
    """It invents quotes, which are refused, and so are not judged; a trace that praises itself gives it a real one."""
    with Server(script="gullible") as server:
        where = ("--judge", "hosted_vllm/any", "--api-base", server.api_base)
        told = json.loads(rubric_test("pkr", *where, "--json").stdout)
    assert told["exit_code"] == 1
    assert [case["id"] for case in told["cases"] if case["status"] == "failed"] == ["boast"]
    assert told["counts"] == {"ok": 0, "failed": 1, "unjudged": 6, "skipped": 0}


def test_criteria_of_the_rubric_are_checked_by_their_ids(tmp_path: Path) -> None:
    """c1 and c2 hold and c3, which is bad, does not: 4 of 4 points."""
    made = CliRunner().invoke(cli, ["rubric", "new", "own", "--kind", "criteria", "--out", str(tmp_path)])
    assert made.exit_code == 0
    verdicts = {"c1": {"verdict": "MET"}, "c3": {"verdict": "UNMET", "value": 1}}
    good = {"id": "g", "trace": "Call for help.", "expect": {"verdicts": verdicts, "scores": {"safety_score": [1, 1]}}}

    def script(ask: Any) -> Any:
        said = [{"evidence": None, "reason": "r", "verdict": verdict} for verdict in ("MET", "MET", "UNMET")]
        return {f"u{place}": words for place, words in enumerate(said, start=1)}

    with Server(script=script) as server:
        where = ("--judge", "hosted_vllm/any", "--api-base", server.api_base)
        written(tmp_path, good)
        done = rubric_test(tmp_path / "own.yaml", *where)
        assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "1 ok")
        written(tmp_path, {**good, "expect": {"verdicts": {"c2": {"verdict": "UNMET"}}}})
        assert "c2 verdict: expected UNMET, found MET" in rubric_test(tmp_path / "own.yaml", *where).stdout
        written(tmp_path, {**good, "expect": {"verdicts": {"c4": {"verdict": "MET"}}}})
        done = rubric_test(tmp_path / "own.yaml", *where)
    assert done.exit_code == 2
    assert "expect.verdicts.c4: is no unit of this case; there are: c1, c2, c3." in done.stderr


def test_what_is_not_judged_has_not_failed(tmp_path: Path) -> None:
    path = written(tmp_path, RIGHT, SILENT)
    with Server(script="stubborn") as server:
        done = asked(server, path)
        told = json.loads(asked(server, path, "--json").stdout)
    assert done.exit_code == 3
    assert "not judged  right" in done.stdout
    assert "P1 presence: expected 2, not judged (not_json)" in done.stdout
    assert done.stdout.splitlines()[-1] == "2 not judged"
    assert told["counts"]["unjudged"] == 2 and told["cases"][0]["failure"].startswith("not_json: ")


def test_a_failed_check_weighs_more_than_a_missing_verdict(tmp_path: Path) -> None:
    def script(ask: Any) -> Any:
        if "left" in ask.trace:
            return "prose"
        return {"u1": {"evidence": None, "reason": "r", "presence": 0, "correctness": None}}

    with Server(script=script) as server:
        done = asked(server, written(tmp_path, RIGHT, {**TOO_MUCH, "expect": {"verdicts": {"P1": {"presence": 2}}}}))
    assert done.exit_code == 1
    assert done.stdout.splitlines()[-1] == "1 failed, 1 not judged"


def test_a_server_that_is_down_is_no_mistake_of_the_cases(tmp_path: Path) -> None:
    with Server() as server:
        base = server.api_base
    where = ("--judge", "hosted_vllm/any", "--api-base", base, "--max-retries", 0)
    done = rubric_test("pkr", "--cases", written(tmp_path, *cases_of(4)), *where)
    assert done.exit_code == 3


@pytest.mark.parametrize(
    ("status", "code", "said"),
    # A wrong key is the user's to mend; an empty account says nothing of options, rubric or cases.
    [
        (401, 2, "Is the right API key in the environment, or in --key-file?"),
        (402, 3, "The quota or the credit is used up."),
    ],
)
def test_a_refusal_of_everything_is_told(status: int, code: int, said: str, tmp_path: Path) -> None:
    async def ask() -> Result:
        async with scripted(lambda *_: http(status, error("no"))) as (base, _):
            words = ("pkr", "--cases", written(tmp_path, RIGHT), "--judge", "hosted_vllm/any", "--api-base", base)
            return await asyncio.to_thread(rubric_test, *words)

    done = asyncio.run(ask())
    assert done.exit_code == code and done.stdout == ""
    assert said in done.stderr


def test_an_interrupt_is_no_verdict(tmp_path: Path) -> None:
    with Server(latency_ms=60_000) as server:
        words = ("rubric", "test", "pkr", "--cases", written(tmp_path, RIGHT), "--judge", "hosted_vllm/any")
        process = start_judge(*words, "--api-base", server.api_base, "--cache", "none")
        while not server.ledger.requests:
            assert process.poll() is None
            time.sleep(0.05)
        process.send_signal(signal.SIGINT)
        code, shown = finish(process)
    assert (code, shown) == (75, "Stopped early; nothing was checked.\n")


def cases_of(count: int) -> list[dict[str, Any]]:
    return [{**RIGHT, "id": f"c{n}", "trace": f"Case {n}. {RIGHT['trace']}"} for n in range(count)]


def test_in_a_process_of_its_own() -> None:
    code, shown = run_judge("rubric", "test", "pkr", "--judge", "lexical")
    assert code == 0
    assert shown.splitlines()[-1] == "6 ok, 1 skipped"
