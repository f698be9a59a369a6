"""ms-swift's own code asks for the rewards of TRL's function: columns by name, and a new event loop each step."""

import pytest
from shared_kit import DOWN, QUESTION, RIGHT, UNITS, asked_of, named, noting

from judge.rewards.trl import reward
from judge.testing import Server
from judge.testing.scripts import obedient

pytest.importorskip("swift.rl_core.data", reason="ms-swift is not installed: tests/trainers/requirements-others.txt")
pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("ignore")]


def rewarded(*said):
    """As a step does it, by the name under which the guide's plugin registers the function."""
    import torch
    from swift.rewards import orms
    from swift.rl_core.data import GRPOSample
    from swift.rl_core.grpo_algorithm import compute_rewards_per_func

    orms["judge"] = lambda args=None, **_: reward
    asked = {"role": "user", "content": QUESTION}
    samples = [
        GRPOSample(
            messages=[asked, {"role": "assistant", "content": text}],
            prompt_id="p",
            request_id=f"q{at}",
            extra={"units": UNITS},
        )
        for at, text in enumerate(said)
    ]
    found = compute_rewards_per_func(samples, [orms["judge"](args=object())], [None], torch.device("cpu"))
    return found[:, 0].tolist()


def test_steps_one_after_the_other(monkeypatch, tmp_path):
    asks = []
    with Server(script=noting(asks)) as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        assert [rewarded(RIGHT, f"Nothing in step {step}.") for step in range(3)] == [[1.0, 0.0]] * 3
    assert asks[0].trace in (RIGHT, "Nothing in step 0.") and QUESTION in str(asks[0].body)


def test_a_failure_gets_the_mean_of_its_group(monkeypatch, tmp_path):
    """Null would be 0 to ms-swift."""

    def script(ask):
        return "no JSON" if "Another" in ask.trace else obedient(ask)

    with Server(script=script) as server:
        named(monkeypatch, tmp_path, **asked_of(server, **DOWN))
        assert rewarded(RIGHT, "Nothing.", "Another film.") == [1.0, 0.0, 0.5]
