"""What the tests with real trainers share: a tiny model, and judges that fail on request."""

import logging

import pytest
from trainers_kit import offline

from judge.testing import Server

offline()
# The folder above is not on the path: TRL would take its folder `vllm` for the package.


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture(autouse=True)
def quiet():
    """A random model says the same thing often, and the tripwires say so."""
    logging.getLogger("judge.rewards").setLevel(logging.ERROR)
