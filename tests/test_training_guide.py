"""What docs/training.md says of options, metrics and files is so."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from statistics import fmean, stdev

import pytest
from reward_kit import RIGHT, rewards, row

from judge import Judge
from judge.rewards.failing import FailureRule, settle
from judge.rewards.options import build_rewarder, read_rewarder
from judge.rewards.rewarder import Rewarder

GUIDE = (Path(__file__).parents[1] / "docs" / "training.md").read_text(encoding="utf-8")


def blocks(language):
    return re.findall(rf"```{language}\n(.*?)```", GUIDE, re.DOTALL)


def test_the_first_example():
    (code,) = blocks("python")
    names = {"GRPOTrainer": lambda *_, reward_funcs: reward_funcs}
    exec(code, names)
    assert inspect.iscoroutinefunction(names["trainer"])


def test_the_file(tmp_path):
    (text,) = blocks("yaml")
    (tmp_path / "reward.yaml").write_text(text)
    made = read_rewarder(tmp_path / "reward.yaml")
    assert (made.deadline_s, made.rule.on_failure, made.shape.gates) == (120, "group_mean", ["format"])


def test_every_option_of_the_shape_is_there():
    shape = Rewarder(Judge("lexical")).shape
    assert [name for name in vars(shape) if not name.startswith("_") and f"`{name}`" not in GUIDE] == []


def test_every_metric_is_told():
    batch = Rewarder(Judge("lexical")).rewards([row(RIGHT.format(1))])
    axes = {f"judge/{axis}" for axis in batch.rewards[0].scores}
    assert [name for name in batch.metrics if name not in axes and f"`{name}`" not in GUIDE] == []
    assert "`judge/AXIS`" in GUIDE


@pytest.mark.parametrize(
    ("rule", "advantages"),
    [("group_mean", (1.22, 0, -1.22, 0)), ("constant", (1.32, 0.15, -1.02, -0.44))],
)
def test_the_advantages_of_a_failure(rule, advantages):
    values = settle(rewards(0.8, 0.6, 0.4, None), "aaaa", FailureRule(on_failure=rule))
    told = [(value - fmean(values)) / stdev(values) for value in values]
    assert told == pytest.approx(advantages, abs=0.006)


def test_the_usual_values_are_those_of_the_guide():
    made = build_rewarder("lexical")
    assert "`deadline_s` (300)" in GUIDE and made.deadline_s == 300
    assert "`max_failure_rate` (0.2)" in GUIDE and made.rule.max_failure_rate == 0.2
    assert "`constant` (0.5)" in GUIDE and made.rule.constant == 0.5
    assert "`group_mean` (usual)" in GUIDE and made.rule.on_failure == "group_mean"
