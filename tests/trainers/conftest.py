"""Tests that run trainers' own code: each file is passed over where its trainer is not installed."""

import sys
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1]), str(Path(__file__).parent)]  # trainer_kit, tokens_kit


def pytest_configure(config):
    config.addinivalue_line("markers", "trainers: runs a trainer's own code, in an environment of its own")
