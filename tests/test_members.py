"""Which judge an address, a key or a parameter is for."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from panel_kit import record, saying, served, table, write

from judge.cli import cli


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    write(Path("t.jsonl"), [record(1, "fog")])


def judge(*given: object, env: dict[str, str] | None = None) -> Result:
    words = ["score", "t.jsonl", "--out", "out", "--cache", "none", *map(str, given)]
    return CliRunner().invoke(cli, words, catch_exceptions=False, env=env)


def identities() -> dict[str, dict[str, Any]]:
    runs = [json.loads(path.read_bytes()) for path in Path("out/judges").glob("*/run.json")]
    return {run["identity"]["judge"]: {**run["identity"], **run["settings"]} for run in runs}


A, B = ("--judge", "hosted_vllm/a"), ("--judge", "hosted_vllm/b")


def test_one_address_serves_all_that_take_one() -> None:
    with served(saying(fog=(2, 1))) as (server,):
        assert judge(*A, "--judge", "lexical", *B, "--api-base", server.api_base).exit_code == 0
        assert server.ledger.requests == 2
    found = identities()
    assert {found[f"hosted_vllm/{name}"]["api_base"] for name in "ab"} == {server.api_base}
    assert found["lexical"]["api_base"] is None


def test_several_are_taken_in_order_by_those_that_take_one() -> None:
    with served(saying(), saying()) as (one, other):
        bases = ("--api-base", one.api_base, "--api-base", other.api_base)
        assert judge(*A, "--judge", "lexical", *B, *bases).exit_code in (0, 3)
    found = identities()
    assert [found[f"hosted_vllm/{name}"]["api_base"] for name in "ab"] == [one.api_base, other.api_base]


@pytest.mark.parametrize(
    ("given", "named"),
    [
        (("--api-base", "http://127.0.0.1:9/v1"), "--api-base"),
        (("--key-file", "key.txt"), "--key-file"),
        (("--header", "X-Team=env:TEAM"), "--header"),
    ],
)
def test_what_goes_to_a_server_is_not_given_to_those_of_two_providers(given: tuple[str, ...], named: str) -> None:
    done = judge(*A, "--judge", "openai/m", *given)
    assert done.exit_code == 2 and not Path("out").exists()
    assert f"{named} is given once, for judges of several providers: hosted_vllm, openai." in done.stderr
    assert "--config" in done.stderr


def test_what_no_judge_has_a_use_for_is_refused() -> None:
    done = judge(*A, *B, "--api-base", "http://127.0.0.1:9/v1", "--engine-arg", "max_model_len=1")
    assert done.exit_code == 2 and "engine arguments are for vllm/MODEL" in done.stderr


def test_a_run_file_gives_each_judge_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "t")
    with served(saying(fog=(2, 1)), saying(fog=(2, 1))) as (one, other):
        Path("judge.yaml").write_text(
            f"""
judge:
  - lexical
  - judge: hosted_vllm/a
    api-base: {one.api_base}
    param: {{temperature: 0.5}}
    header: {{X-Team: env:TEAM}}
    max-retries: 1
  - {{judge: hosted_vllm/a, api-base: "{other.api_base}", param: [temperature=0.5, top_p=0.9]}}
param: {{seed: 3}}
reducer: mean
min-judges: 2
max-retries: 2
"""
        )
        done = judge("--config", "judge.yaml")
        assert done.exit_code == 0, done.output
        assert one.ledger.requests == other.ledger.requests == 1
    runs = [json.loads(path.read_bytes()) for path in Path("out/judges").glob("*/run.json")]
    by_base = {run["identity"]["api_base"]: run for run in runs}
    first, second = by_base[one.api_base], by_base[other.api_base]
    assert first["identity"]["params"]["temperature"] == 0.5 and "top_p" not in first["identity"]["params"]
    assert "seed" not in first["identity"]["params"], "what a judge has for itself stands in place of what is for all"
    assert second["identity"]["params"]["top_p"] == 0.9
    assert first["settings"]["headers"] == {"X-Team": "env:TEAM"} and second["settings"]["headers"] == {}
    assert (first["settings"]["max_retries"], second["settings"]["max_retries"]) == (1, 2)
    assert table(Path("out"), "scores")["judge"].str.starts_with("panel:mean#").sum() == 1


def test_the_environment_may_name_several() -> None:
    with served(saying(fog=(2, 1)), saying(fog=(2, 1))) as (one, other):
        env = {"JUDGE_JUDGE": "hosted_vllm/a hosted_vllm/b", "JUDGE_API_BASE": f"{one.api_base} {other.api_base}"}
        assert judge(env=env).exit_code == 0
    assert {*identities()} == {"hosted_vllm/a", "hosted_vllm/b"}


def test_one_judge_has_one_address() -> None:
    done = judge(*A, "--api-base", "http://127.0.0.1:9/v1", "--api-base", "http://127.0.0.1:8/v1")
    assert done.exit_code == 2 and "--api-base is given 2 times, and there is one judge" in done.stderr


@pytest.mark.parametrize("more", [("--reducer", "mean"), ("--min-judges", 1)])
def test_one_judge_has_nothing_to_reduce(more: tuple[object, ...]) -> None:
    done = judge(*more)
    assert done.exit_code == 2 and f"{more[0]} is about a panel, and there is one judge." in done.stderr
    variable = f"JUDGE_{str(more[0])[2:].replace('-', '_').upper()}"
    assert judge(env={variable: str(more[1])}).exit_code == 0  # there it may be meant for panels


def test_a_command_that_takes_one_judge_refuses_several() -> None:
    Path("judge.yaml").write_text("judge: [lexical, hosted_vllm/a]\n")
    words = ["rubric", "diff", "pkr", "pkr-strict", "t.jsonl", "--out", "d", "--config", "judge.yaml"]
    done = CliRunner().invoke(cli, words, catch_exceptions=False)
    assert done.exit_code == 2 and "judge: takes one value here, and not a list" in done.stderr
