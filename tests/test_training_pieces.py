"""What the guide and the examples say of trainers that cannot be installed here is held to what there is."""

import doctest
import re
from pathlib import Path

import pytest

from judge.rewards import openrlhf, verl
from judge.rewards.options import kept_rewarder, read_rewarder
from judge.rewards.rows import plain
from judge.strict_yaml import parse_yaml

ROOT = Path(__file__).parents[1]
EXAMPLES = ROOT / "examples" / "training"
GUIDE = (ROOT / "docs" / "training.md").read_text()
SECTIONS = {text.partition("\n")[0]: text for text in GUIDE.split("\n## ")[1:] if ">>> " in text}


@pytest.mark.parametrize("section", SECTIONS)
def test_the_examples_of_the_guide_run(section):
    fenced = "\n".join(re.findall(r"```python\n(>>> .*?)```", SECTIONS[section], re.DOTALL))
    example = doctest.DocTestParser().get_doctest(fenced, {}, section, "docs/training.md", 0)
    runner = doctest.DocTestRunner()
    runner.run(example)
    assert runner.summarize(verbose=False).failed == 0 and runner.tries > 2


def test_there_are_examples_to_run():
    assert len(SECTIONS) >= 2


def test_the_file_of_the_examples(monkeypatch):
    monkeypatch.setenv("JUDGE_REWARD", str(EXAMPLES / "reward.yaml"))
    rewarder = kept_rewarder({}, policies=openrlhf.POLICIES)
    assert rewarder.shape.weights == {"perception": 1, "knowledge": 1, "rationale": 2, "answer": 1}
    assert rewarder.rule.on_failure == "constant" and rewarder.deadline_s == 120
    assert read_rewarder(EXAMPLES / "reward.yaml").keys == rewarder.keys


def test_the_options_that_the_command_of_verl_gives():
    text = (EXAMPLES / "verl.sh").read_text()
    given = dict(re.findall(r'reward_kwargs\.(\w+)="?([^"\n]+?)"? \\\n', text))
    options = {
        name: parse_yaml(value).value if name not in ("judge", "api_base") else "x/y" for name, value in given.items()
    }
    rewarder = kept_rewarder({**options, "judge": "lexical", "api_base": None}, policies=verl.POLICIES)
    assert {*given} >= {"judge", "api_base", "weights", "gates", "on_failure", "constant", "deadline_s"}
    assert plain(rewarder.shape.weights)["rationale"] == 2 and rewarder.rule.constant == 0.5


def test_the_file_of_openrlhf_has_the_function():
    names = {}
    exec((EXAMPLES / "openrlhf_reward.py").read_text(), names)
    assert names["reward_func"] is openrlhf.reward_func
