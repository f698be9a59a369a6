"""The example of training: three seeds, and each learns what the rubric asks for, far beyond chance."""

from __future__ import annotations

import importlib.util
import math
import subprocess
import sys
from pathlib import Path
from statistics import fmean, stdev, variance

import pytest

pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("ignore")]
EXAMPLE = Path(__file__).parents[2] / "examples" / "training" / "grpo_trl.py"
STEPS = 80
COMPARED = 10
"""Steps at either end."""


@pytest.fixture(scope="module")
def runs():
    spec = importlib.util.spec_from_file_location("grpo_trl", EXAMPLE)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return [module.train(seed, STEPS) for seed in range(3)]


def ends(run, name="judge/reward"):
    values = [step[name] for step in run]
    assert len(values) == STEPS
    return values[:COMPARED], values[-COMPARED:]


def test_every_seed_gains_more_than_three_standard_errors(runs):
    for run in runs:
        first, last = ends(run)
        error = math.sqrt(variance(first) / COMPARED + variance(last) / COMPARED)
        assert fmean(last) - fmean(first) > 3 * error


def test_all_seeds_together_gain_more_than_three_standard_errors(runs):
    gains = [fmean(last) - fmean(first) for first, last in map(ends, runs)]
    assert fmean(gains) > 3 * stdev(gains) / math.sqrt(len(gains))
    assert min(gains) > 0.3


def test_every_axis_of_the_rubric_is_learnt(runs):
    for axis in ("judge/perception", "judge/knowledge"):
        first, last = (fmean(map(fmean, side)) for side in zip(*(ends(run, axis) for run in runs), strict=True))
        assert last > first + 0.2


def test_nothing_failed_on_the_way(runs):
    assert all(step["judge/failed"] == 0 for run in runs for step in run)


def test_it_is_run_from_the_command_line():
    done = subprocess.run([sys.executable, EXAMPLE, "--steps", "12"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr[-3000:]
    head, *rows = done.stdout.splitlines()
    assert head.split() == ["steps", "reward", "perception", "knowledge", "failed"]
    assert [row.split()[0] for row in rows] == ["1-10", "11-12"]
