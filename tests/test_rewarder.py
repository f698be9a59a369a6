"""Rows become rewards: in order, each once, none past its gate, whatever the judge does, wherever it is called."""

from __future__ import annotations

import asyncio
import multiprocessing
import pickle
import random
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from image_kit import encode
from PIL import Image
from reward_kit import RIGHT, WRONG, row

from judge import Judge
from judge.errors import ConfigError, RewardError
from judge.reward import RewardShape
from judge.rewards.failing import FailureRule
from judge.rewards.rewarder import Rewarder
from judge.testing import Server

ROOT = Path(__file__).parents[1]
ANSWER = {"reference": {"answer": "C"}, "options": {"A": "Left", "C": "Right"}}


@pytest.fixture
def server():
    with Server() as running:
        yield running


def asked(server, **more):
    return Judge("hosted_vllm/m", api_base=server.api_base, **more)


def odd():
    """A server whose judge says nothing about a trace with the word Odd."""
    return Server(always="empty", only="Odd")


def test_rewards_are_in_order():
    batch = Rewarder(Judge("lexical")).rewards([row(RIGHT.format(1)), row(WRONG.format(2)), row(RIGHT.format(3))])
    assert batch.values == [1.0, 0.0, 1.0]
    assert [reward.scores["perception"] for reward in batch.rewards] == batch.values
    assert batch.metrics == {
        "judge/reward": pytest.approx(2 / 3),
        "judge/failed": 0.0,
        "judge/gated": 0.0,
        "judge/trace_chars": pytest.approx((2 * len(RIGHT.format(1)) + len(WRONG.format(1))) / 3),
        "judge/perception": pytest.approx(2 / 3),
        "judge/knowledge": 0.0,
        "judge/rationale": 0.0,
        "judge/zero_variance": 0.0,
        "judge/contentless": 0.0,
        "judge/identical": 0.0,
        "judge/jump": 0.0,
    }


def test_shuffled_batches_never_mix_up_their_places():
    """Words count: completion n says n of the ten words of its claim, so that each place has a reward of its own."""
    words = ["axis", "bone", "cyst", "disc", "edge", "film", "graft", "hilum", "iris", "joint"]
    units = {"perception": [{"unit_id": f"P{n}", "claim": f"{word} {word}x"} for n, word in enumerate(words)]}
    texts = [". ".join(f"{word} {word}x" for word in words[:count]) or "Nothing." for count in range(11)]
    rewarder = Rewarder(Judge("lexical"))
    expected = dict(zip(texts, rewarder.rewards([row(text, units=units) for text in texts]).values, strict=True))
    assert len(set(expected.values())) == 11
    dice = random.Random(0)
    for number in range(300):
        batch = [*texts, *dice.choices(texts, k=5)]
        dice.shuffle(batch)
        rows = [row(text, units=units, number=f"{number}.{place}") for place, text in enumerate(batch)]
        assert rewarder.rewards(rows).values == [expected[text] for text in batch]


def test_equal_completions_are_asked_once(server):
    """Their other columns and ids may differ: a trainer numbers its samples."""
    rows = [row(RIGHT.format(1), id=f"r{n}", request_id=f"q{n}", meta={"step": n}, model=f"m{n}") for n in range(64)]
    judge = asked(server, concurrency=1)  # none waits for another's answer: each that is asked is a request
    assert Rewarder(judge).rewards(rows).values == [1.0] * 64
    assert server.ledger.requests == 1


@pytest.mark.parametrize(
    "other",
    [
        {"trace": RIGHT.format(2)},
        {"question": "What is broken?"},
        {"units": {"perception": [{"unit_id": "P1", "claim": "The wrist is fine."}]}},
        {"reference": {"answer": "B"}},
        {"options": {"A": "Left"}},
        {"context": "A fall."},
    ],
    ids=lambda other: next(iter(other)),
)
def test_what_differs_for_the_judge_is_asked_by_itself(server, other):
    Rewarder(asked(server)).rewards([row(RIGHT.format(1)), {**row(RIGHT.format(1)), **other}])
    assert server.ledger.requests == 2


def test_images_differ_by_their_pixels(server):
    pictures = [encode(Image.new("RGB", (8, 8), colour)) for colour in ("red", "blue", "red")]
    rows = [row(RIGHT.format(1), image={"bytes": picture, "path": None}) for picture in pictures]
    Rewarder(asked(server)).rewards(rows)
    assert server.ledger.requests == 2


# Gates


@pytest.mark.parametrize("gate", ["answer", "format"])
def test_nobody_is_asked_about_what_a_gate_stops(server, gate):
    traces = ["<think>It is.</think><answer>C</answer>", "<answer>A</answer>", "So it is A."]
    shape = RewardShape(gates=[gate], gated=-0.25, weights={"perception": 1, "answer": 1})
    batch = Rewarder(asked(server), shape).rewards([row(trace, **ANSWER) for trace in traces])
    assert server.ledger.requests == 1
    assert batch.values[1:] == [-0.25, -0.25]
    assert [reward.status for reward in batch.rewards] == ["ok", "gated", "gated"]
    assert [reward.why for reward in batch.rewards] == [None, gate, gate]
    assert batch.metrics["judge/gated"] == pytest.approx(2 / 3)


def test_what_a_gate_stops_is_no_failure(server):
    shape = RewardShape(gates=["answer"])
    rows = [row(f"{n} <answer>A</answer>", **ANSWER) for n in range(40)]
    assert Rewarder(asked(server), shape).rewards(rows).metrics["judge/failed"] == 0.0
    assert server.ledger.requests == 0


def test_what_says_nothing_is_not_asked_and_scores_nothing(server):
    assert Rewarder(asked(server)).rewards([row(":"), row("Solution"), row("")]).values == [0.0] * 3
    assert server.ledger.requests == 0


# Failures


def test_one_that_fails_gets_the_mean_of_its_group():
    rows = [row(RIGHT.format(1)), row(WRONG.format(2)), row("Odd: " + RIGHT.format(3))]
    other = [row(RIGHT.format(number), question="And now?") for number in (4, 5)]
    with odd() as server:
        batch = Rewarder(asked(server)).rewards([*rows, *other])
    assert batch.values == [1.0, 0.0, 0.5, 1.0, 1.0]
    assert (batch.rewards[2].status, batch.rewards[2].why) == ("failed", "empty")
    assert batch.metrics["judge/failed"] == pytest.approx(0.2)
    assert batch.metrics["judge/reward"] == 0.75  # of what is known


def test_groups_may_be_given():
    rows = [row("Odd: " + RIGHT.format(1)), row(RIGHT.format(2)), row(WRONG.format(3)), row(WRONG.format(4))]
    with odd() as server:
        assert Rewarder(asked(server)).rewards(rows, ["a", "b", "a", "b"]).values[0] == 0.0


@pytest.mark.parametrize(
    ("on_failure", "expected"),
    [("none", [1.0, None]), ("constant", [1.0, 0.5]), ("group_mean", [1.0, 1.0]), ("drop_group", [None, None])],
)
def test_the_rule_says_what_a_failure_becomes(on_failure, expected):
    with odd() as server:
        rewarder = Rewarder(asked(server), failures=FailureRule(on_failure=on_failure))
        assert rewarder.rewards([row(RIGHT.format(1)), row("Odd.")]).values == expected


def test_a_failure_may_end_the_step():
    with odd() as server, pytest.raises(RewardError, match="1 of 2 judgements failed: empty"):
        Rewarder(asked(server), failures=FailureRule(on_failure="raise")).rewards([row(RIGHT.format(1)), row("Odd.")])


def test_a_row_that_cannot_be_read_says_what_is_wrong():
    rows = [row(RIGHT.format(1), id="q1"), row(RIGHT.format(2), id="q1", units="none")]
    batch = Rewarder(Judge("lexical")).rewards(rows)
    assert batch.values == [1.0, 1.0]  # its id is known, and with it its group
    assert "units" in batch.rewards[1].message


def test_a_step_of_rows_that_cannot_be_read_ends_with_the_reason():
    rows = [{"trace": RIGHT.format(n)} for n in range(4)]
    with pytest.raises(RewardError, match=r"all 4 judgements of the first batch failed: .*units"):
        Rewarder(Judge("lexical")).rewards(rows)


def test_a_provider_that_refuses_fails_the_batch_and_not_the_process():
    with Server(always=401) as server:
        rewarder = Rewarder(asked(server), failures=FailureRule(on_failure="none", max_failure_rate=1))
        batch = rewarder.rewards([row(RIGHT.format(n)) for n in range(4)])
        assert batch.values == [None] * 4
        assert {reward.why for reward in batch.rewards} == {"auth"}
        server.always = None
        assert rewarder.rewards([row(RIGHT.format(9))]).values == [1.0]


def test_an_outage_stops_the_step():
    with Server(script="stubborn") as server:
        rewarder = Rewarder(asked(server), failures=FailureRule(on_failure="none"))
        with pytest.raises(RewardError, match=r"20 of the last 20 judgements failed, more than max"):
            rewarder.rewards([row(RIGHT.format(n)) for n in range(20)])


def test_one_hung_call_costs_one_sample():
    rows = [row(RIGHT.format(n)) for n in range(512)]
    rows[200] = row("It hangs. " + RIGHT.format(200))
    with Server(always="black_hole", only="It hangs.") as server:
        rewarder = Rewarder(asked(server), deadline_s=2.0)
        batch = rewarder.rewards(rows)
        assert batch.values == [1.0] * 512  # that of its group, for the one that failed
        failed = {place: reward for place, reward in enumerate(batch.rewards) if reward.status != "ok"}
        assert [*failed] == [200]
        assert (failed[200].value, failed[200].why) == (None, "timeout")
        assert failed[200].message.endswith("s that the batch had.")
        assert rewarder.rewards(rows[:200]).metrics["judge/failed"] == 0.0  # the next batch is not held up


class SlowReader(Judge):
    """Takes its time to read, as with the images of a large batch."""

    async def arecords(self, rows):
        await asyncio.sleep(0.3)
        return await super().arecords(rows)


def test_the_deadline_is_of_reading_and_judging_together():
    rewarder = Rewarder(SlowReader("lexical"), failures=FailureRule(on_failure="none"), deadline_s=0.2)
    assert [reward.why for reward in rewarder.rewards([row(RIGHT.format(1))]).rewards] == ["timeout"]


# Shapes over groups


def test_a_dead_band_makes_nearly_equal_groups_equal():
    shape = RewardShape(dead_band=0.5, weights={"perception": 1, "format": 9})
    rows = [row(RIGHT.format(1)), row(WRONG.format(2)), row(f"<think>Hm.</think> {RIGHT.format(3)}", question="And?")]
    rows.append(row(WRONG.format(4), question="And?"))
    assert Rewarder(Judge("lexical"), shape).rewards(rows).values == [0.05, 0.05, 1.0, 0.0]


def test_the_names_of_the_parts_are_known_before():
    rewarder = Rewarder(Judge("lexical"), RewardShape(weights={"perception": 1, "answer": 1}))
    assert rewarder.keys == ("perception", "answer", "length", "gate", "veto", "rounding")


def test_parts_that_the_rubric_does_not_have_are_refused_at_once():
    with pytest.raises(ConfigError, match="weights names 'wit'"):
        Rewarder(Judge("lexical"), RewardShape(weights={"wit": 1}))


@pytest.mark.parametrize("deadline_s", [0, -1, float("inf"), float("nan"), "60"])
def test_a_deadline_that_cannot_be(deadline_s):
    with pytest.raises(ConfigError, match=r"deadline_s is .*; it must be above 0, or None"):
        Rewarder(Judge("lexical"), deadline_s=deadline_s)


def test_no_rows():
    batch = Rewarder(Judge("lexical")).rewards([])
    assert (batch.values, batch.rewards) == ([], [])


# Anywhere


def test_in_a_new_loop_each_step(server):
    rewarder = Rewarder(asked(server))
    for step in range(40):
        rows = [row(RIGHT.format(f"{step}.{n}")) for n in range(4)]
        assert asyncio.run(rewarder.arewards(rows)).values == [1.0] * 4
    assert server.ledger.requests == 160


def test_in_one_loop_all_at_once(server):
    rewarder = Rewarder(asked(server))

    async def steps():
        batches = ([row(RIGHT.format(f"{step}.{n}")) for n in range(4)] for step in range(8))
        return await asyncio.gather(*(rewarder.arewards(rows) for rows in batches))

    assert [batch.values for batch in asyncio.run(steps())] == [[1.0] * 4] * 8


def test_in_threads(server):
    rewarder = Rewarder(asked(server))

    def step(number):
        traces = [(RIGHT if (number + n) % 3 else WRONG).format(f"{number}.{n}") for n in range(6)]
        return rewarder.rewards([row(trace) for trace in traces]).values

    with ThreadPoolExecutor(8) as threads:
        found = list(threads.map(step, range(24)))
    assert found == [[float((number + n) % 3 != 0) for n in range(6)] for number in range(24)]


FORK = """
import os, sys
sys.path.insert(0, "tests")
from reward_kit import RIGHT, row
from judge import Judge
from judge.rewards.rewarder import Rewarder
rewarder = Rewarder(Judge("hosted_vllm/m", api_base=sys.argv[1]))
assert rewarder.rewards([row(RIGHT.format(1))]).values == [1.0]
child = os.fork()
if not child:
    assert rewarder.rewards([row(RIGHT.format(n)) for n in (2, 3)]).values == [1.0] * 2
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert rewarder.rewards([row(RIGHT.format(4))]).values == [1.0]
"""


def test_after_a_fork(server):
    command = [sys.executable, "-c", FORK, server.api_base]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    assert server.ledger.requests == 4


def reward_in_child(rewarder, results):
    results.put(rewarder.rewards([row(RIGHT.format(2)), row(WRONG.format(3))]).values)


def test_pickled_into_a_spawned_process(server):
    rewarder = Rewarder(asked(server))
    rewarder.rewards([row(RIGHT.format(1))])  # what is open does not travel
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=reward_in_child, args=(rewarder, results))
    child.start()
    assert results.get(timeout=60) == [1.0, 0.0]
    child.join()
    assert child.exitcode == 0
    results.close()
    results.join_thread()


def test_a_copy_has_the_same_options_and_its_own_memory():
    rewarder = Rewarder(
        Judge("lexical"), RewardShape(round_to=0.5), failures=FailureRule(on_failure="none"), deadline_s=7.0
    )
    rewarder.rewards([row(RIGHT.format(1))])
    copied = pickle.loads(pickle.dumps(rewarder))
    assert (copied.shape, copied.rule, copied.deadline_s) == (rewarder.shape, rewarder.rule, 7.0)
    assert copied._failures.usual is None
