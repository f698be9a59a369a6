"""Keywords and files become a rewarder; what cannot be is refused before anything is asked."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from reward_kit import RIGHT, row

from judge import Judge
from judge.errors import ConfigError, JudgeError
from judge.reward import LengthTerm, RewardShape
from judge.rewards.failing import FailureRule
from judge.rewards.options import FILE_VARIABLE, build_rewarder, kept_rewarder, read_rewarder
from judge.rewards.trl import POLICIES

ROOT = Path(__file__).parents[1]
RUBRIC = ROOT / "rubrics" / "pkr.yaml"
FILE = """\
judge: hosted_vllm/m
api_base: http://127.0.0.1:9/v1
rubric: pkr-strict
weights: {perception: 2, rationale: 2, answer: 1}
gates: [answer]
length: {free: 100, most: 200, cost: 0.5}
veto: {perception: 0.2}
on_failure: none
max_failure_rate: 0.5
deadline_s: 120
"""


@pytest.fixture
def named(tmp_path, monkeypatch):
    """Writes the file that the variable names."""

    def write(text):
        path = tmp_path / "reward.yaml"
        path.write_text(text)
        monkeypatch.setenv(FILE_VARIABLE, str(path))
        return path

    return write


def test_keywords():
    made = build_rewarder("lexical", rubric=RUBRIC, gates=["format"], on_failure="constant", constant=0.3)
    assert made.judge.rubric.name == "pkr"
    assert (made.shape, made.deadline_s) == (RewardShape(gates=["format"]), 300.0)
    assert made.rule == FailureRule(on_failure="constant", constant=0.3)


def test_a_judge_that_is_there():
    judge = Judge("lexical")
    assert build_rewarder(judge, round_to=0.1).judge is judge


def test_the_judges_own_options_go_to_the_judge():
    made = build_rewarder("hosted_vllm/m", api_base="http://127.0.0.1:9/v1", params={"temperature": 0.5}, timeout_s=5)
    settings = made.judge._settings
    assert (settings.api_base, settings.timeout_s) == ("http://127.0.0.1:9/v1", 5)
    assert settings.params == {"temperature": 0.5}


def test_a_file(named):
    made = read_rewarder(named(FILE))
    assert made.judge.rubric.name == "pkr-strict"
    assert made.shape == RewardShape(
        weights={"perception": 2.0, "rationale": 2.0, "answer": 1.0},
        gates=["answer"],
        length=LengthTerm(free=100, most=200, cost=0.5),
        veto={"perception": 0.2},
    )
    assert (made.rule, made.deadline_s) == (FailureRule(on_failure="none", max_failure_rate=0.5), 120)


def test_the_file_that_the_environment_names_is_read_once(named):
    path = named("judge: lexical\n")
    made = kept_rewarder({}, policies=POLICIES)
    path.unlink()
    assert kept_rewarder({}, policies=POLICIES) is made
    assert made.rewards([row(RIGHT.format(1))]).values == [1.0]


def test_paths_are_relative_to_the_file(named, tmp_path, monkeypatch):
    (tmp_path / "mine.yaml").write_text(RUBRIC.read_text().replace("name: pkr", "name: mine"))
    path = named("judge: lexical\nrubric: mine.yaml\ncache: store\n")
    monkeypatch.chdir("/")
    made = read_rewarder(path)
    assert (made.judge.rubric.name, made.judge._settings.cache) == ("mine", tmp_path / "store")


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("judge: lexical\ngate: [answer]\n", "'gate' is no option of a reward. There are: .*gates"),
        ("judge: lexical\ngates: [answr]\n", "gates.0: Input should be 'answer' or 'format'. It is 'answr'"),
        ("judge: lexical\nweights: {wit: 1}\n", "weights names 'wit'; there are: perception"),
        ("judge: lexical\nweights: {perception: -1}\n", "weights is .* at least 0"),
        ("judge: lexical\nround_to: much\n", "round_to: .*valid number"),
        ("judge: lexical\nlength: {free: 10, most: 5, cost: 1}\n", "free characters below most"),
        ("judge: lexical\nlength: {fre: 10}\n", "length"),
        ("judge: lexical\non_failure: zero\n", "on_failure: Input should be 'none', 'raise'"),
        ("judge: lexical\nmax_failure_rate: 20\n", "max_failure_rate is 20.* between 0 and 1"),
        ("judge: lexical\ndeadline_s: soon\n", "deadline_s is 'soon'; it must be above 0"),
        ("judge: lexical\nconcurrency: many\n", "concurrency: .*valid integer"),
        ("judge: nope\n", "no judge is called 'nope'"),
        ("judge: lexical\nrubric: no-such\n", "no-such"),
        ("rubric: pkr\n", "must be a mapping that names a judge"),
        ("- judge\n", "must be a mapping that names a judge"),
        ("judge: lexical\njudge: lexical\n", r"reward\.yaml:2"),
        ("judge: [\n", r"reward\.yaml:"),
    ],
)
def test_a_file_that_cannot_be(named, text, said):
    with pytest.raises(JudgeError, match=f"(?s){said}") as raised:
        read_rewarder(named(text))
    assert "reward.yaml" in str(raised.value)


def test_a_judge_takes_no_options_of_a_judge():
    with pytest.raises(ConfigError, match="'rubric' is no option of a reward"):
        build_rewarder(Judge("lexical"), rubric="pkr")


def test_without_a_file(monkeypatch):
    monkeypatch.delenv(FILE_VARIABLE, raising=False)
    with pytest.raises(ConfigError, match=r"JUDGE_REWARD is not set\. Name a file .*docs/training\.md"):
        kept_rewarder({}, policies=POLICIES)


def test_a_file_that_is_not_there(tmp_path):
    with pytest.raises(ConfigError, match=r"none\.yaml: cannot be read"):
        read_rewarder(tmp_path / "none.yaml")


def test_functions_of_a_dotted_path_read_it_in_a_process_of_their_own(named):
    named("judge: lexical\n")
    code = (
        "import asyncio, sys; sys.path.insert(0, 'tests'); from reward_kit import RIGHT, UNITS\n"
        "from importlib import import_module\n"
        "found = getattr(import_module('judge.rewards.trl'), 'reward')\n"
        "print(asyncio.run(found(prompts=['q'], completions=[RIGHT.format(1)], units=[UNITS])))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, env=dict(os.environ), capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (0, "[1.0]\n"), done.stderr
