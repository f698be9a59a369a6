"""What a judge has no use for: refused where it is meant for it, left aside where it is for others."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from plugin_kit import GOOD, install
from run_kit import make_records, to_lines

from judge import Judge
from judge.cli import cli
from judge.cli.given import read_traces
from judge.cli.options import ReadOptions
from judge.errors import ConfigError
from judge.image import ImageRules
from judge.rubric import load_rubric
from judge.settings import Settings
from judge.traces.mapping import parse_map

NEEDLESS = {
    "api-base": "http://127.0.0.1:9/v1",
    "budget": "5",
    "header": "X-Team=env:NOT_SET",
    "key-file": "no/such/file",
}
HINT = "Name another judge with --judge, or leave that out, in JUDGE_* and the run file too."


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    Path("t.jsonl").write_bytes(to_lines(make_records(3)))


def judge(*words: object, command: str = "score") -> Any:
    where = ("--out", "out") if command == "score" else ()
    return CliRunner().invoke(cli, [command, "t.jsonl", *where, *map(str, words)], catch_exceptions=False)


def run_file(**options: str) -> tuple[str, str]:
    lines = [f"{name.replace('_', '-')}: {json.dumps(value)}" for name, value in options.items()]
    Path("judge.yaml").write_text("\n".join(lines))
    return "--config", "judge.yaml"


def refused(shown: Any, judge: str, name: str) -> bool:
    assert not (shown.exit_code == 2 and Path("out").exists())
    return shown.exit_code == 2 and f"{judge} has no use for --{name}: it " in shown.stderr and HINT in shown.stderr


@pytest.mark.parametrize("name", NEEDLESS)
@pytest.mark.parametrize("words", [(), ("--dry-run",), ("--judge", "lexical")])
def test_on_the_command_line_it_is_refused(name: str, words: tuple[str, ...]) -> None:
    assert refused(judge(*words, f"--{name}", NEEDLESS[name]), "lexical", name)
    assert refused(judge(f"--{name}", NEEDLESS[name], command="estimate"), "lexical", name)


def test_all_of_it_is_named() -> None:
    shown = judge(*(word for name, value in NEEDLESS.items() for word in (f"--{name}", value)))
    assert "lexical has no use for --api-base, --budget, --header, --key-file: it computes here" in shown.stderr


@pytest.mark.parametrize("name", NEEDLESS)
def test_in_a_run_file_it_is_refused_unless_the_judge_is_named_elsewhere(name: str) -> None:
    words = {name.replace("-", "_"): NEEDLESS[name]}
    assert refused(judge(*run_file(**words)), "lexical", name)
    assert refused(judge(*run_file(judge="lexical", **words)), "lexical", name)
    shown = judge(*run_file(judge="hosted_vllm/m", **words), "--judge", "lexical")
    assert shown.exit_code == 0
    said = f"Not used, as lexical computes here, at no cost, and asks no server: --{name} of the environment or the run"
    assert said in shown.stderr
    told = json.loads(Path("out/run.json").read_bytes())["settings"]
    assert (told["budget_usd"], told["key_file"], told["headers"]) == (None, None, {})


@pytest.mark.parametrize("name", NEEDLESS)
def test_in_the_environment_it_is_refused_where_the_judge_is_named_there(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(f"JUDGE_{name.replace('-', '_').upper()}", NEEDLESS[name])
    for words in ((), ("--judge", "lexical"), run_file(judge="lexical")):
        shown = judge(*words, "--overwrite")
        assert (shown.exit_code, f"--{name} of the environment" in shown.stderr) == (0, True), shown.output
        shown = judge(*words, command="estimate")
        assert (shown.exit_code, f"--{name} of the environment" in shown.stderr) == (0, True), shown.output
    Path("out").rename("done")
    monkeypatch.setenv("JUDGE_JUDGE", "lexical")
    assert refused(judge(), "lexical", name)


def test_a_judge_of_another_package_has_an_address_and_a_budget(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.syspath_prepend(str(tmp_path / "site"))
    install(tmp_path / "site", GOOD, name="given", package="judge-given")
    words = ("--judge", "given/m", "--cache", "none")
    for name in ("header", "key-file"):
        shown = judge(*words, f"--{name}", NEEDLESS[name])
        assert refused(shown, "given/m", name)
        assert "it is of judge-given 1.2 (judge_given:open_backend), which is given a model and an" in shown.stderr
    shown = judge(*words, "--api-base", NEEDLESS["api-base"], "--budget", 5, "--price", "1,1", "--dry-run")
    assert shown.exit_code == 0, shown.output


def test_what_only_bounds_the_asking_is_taken() -> None:
    tuning = ("--rpm", 9, "--tpm", 999, "--timeout", 5, "--max-retries", 1, "--price", "1,2", "--concurrency", 2)
    assert judge(*tuning).exit_code == 0


def test_a_judge_with_a_server_uses_all_of_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is read, and so what is wrong with it is found."""
    words = ("--judge", "hosted_vllm/m", "--api-base", NEEDLESS["api-base"])
    assert "NOT_SET, which is not set" in judge(*words, "--header", NEEDLESS["header"]).stderr
    assert "no/such/file cannot be read" in judge(*words, "--key-file", NEEDLESS["key-file"]).stderr
    assert "a budget needs the price" in judge(*words, "--budget", 5).stderr


ARGUMENTS: dict[str, Any] = {
    "api_base": "http://127.0.0.1:9/v1",
    "budget": 5.0,
    "headers": {"X-Team": "env:NOT_SET"},
    "key_file": "no/such/file",
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_in_the_library_it_is_refused_too(name: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    given = {name: ARGUMENTS[name]}
    said = f"^lexical has no use for {name}: it computes here, at no cost, and asks no server. Leave that out"
    with pytest.raises(ConfigError, match=said):
        Judge("lexical", **given)
    install(tmp_path, name="spare", package="judge-spare")
    monkeypatch.syspath_prepend(str(tmp_path))
    if name in ("headers", "key_file"):
        with pytest.raises(ConfigError, match=f"^spare/m has no use for {name}: it is of judge-spare 1.2"):
            Judge("spare/m", **given)
    else:
        assert repr(Judge("spare/m", **given, price=(0, 0))) == "Judge('spare/m', rubric='pkr@1.0')"


def test_what_says_nothing_is_not_given() -> None:
    assert repr(Judge("lexical", **dict.fromkeys(ARGUMENTS))) == "Judge('lexical', rubric='pkr@1.0')"
    Judge("lexical", headers={})


@pytest.mark.parametrize(
    ("traces", "given", "root"),
    [
        ("-", None, Path()),
        ("in/t.jsonl", None, Path("in")),
        ("in/t.jsonl", Path("images"), Path("images")),
    ],
)
def test_images_are_below_the_folder_of_the_traces(traces: str, given: Path | None, root: Path) -> None:
    options = ReadOptions(
        traces=traces,
        limit=3,
        map=("trace=response",),
        references="r.jsonl",
        on="key",
        image_root=given,
        allow_image_urls=True,
        image_max_side=99,
    )
    read = read_traces(options)
    assert (read.path, read.limit, read.references, read.on) == (traces, 3, "r.jsonl", "key")
    assert read.mapped == parse_map(("trace=response",))
    assert read.images == ImageRules(root=root, allow_urls=True, max_side=99)
    assert read_traces(options, Settings(judge="lexical", rubric=load_rubric("pkr"))).images is None
    server = Settings(judge="hosted_vllm/m", rubric=load_rubric("pkr"), api_base="http://127.0.0.1:9/v1")
    assert read_traces(options, server).images == read.images
