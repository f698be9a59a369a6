"""TRL's reward functions, called as trainers call them; the trainers themselves are in tests/trainers."""

from __future__ import annotations

import asyncio
import inspect
import multiprocessing
import pickle
import threading

import pytest
from PIL import Image
from reward_kit import RIGHT, UNITS, WRONG

from judge import Judge
from judge.errors import ConfigError, RewardError
from judge.rewards import trl
from judge.rewards.options import FILE_VARIABLE
from judge.rewards.trl import make_reward, make_sync_reward
from judge.testing import Server

ASKED = [{"role": "user", "content": "What does the film show?"}]
TEXTS = [RIGHT.format(1), WRONG.format(2)]


def messages(text):
    return [{"role": "assistant", "content": text}]


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture
def from_file(tmp_path, monkeypatch):
    path = tmp_path / "reward.yaml"
    path.write_text("judge: lexical\n")
    monkeypatch.setenv(FILE_VARIABLE, str(path))


def as_trl(function, *, prompts=None, completions=TEXTS, **columns):
    """The call of GRPO and RLOO: all by keyword, with what the trainer adds."""
    given = {"prompts": prompts or ["What does the film show?"] * len(completions), "units": [UNITS] * len(completions)}
    added = {"completion_ids": [[1, 2]] * len(completions), "trainer_state": object()}
    return function(completions=completions, **{**given, **added, **columns})


@pytest.mark.parametrize("function", [make_reward("lexical"), trl.reward], ids=["made", "of a file"])
def test_a_coroutine_function_for_every_version(function, from_file):
    """TRL up to 1.10, verl and ms-swift go by `inspect` alone."""
    assert inspect.iscoroutinefunction(function)
    assert asyncio.run(as_trl(function)) == [1.0, 0.0]
    assert len(inspect.signature(function).parameters) >= 2  # axolotl counts them


@pytest.mark.parametrize("function", [make_sync_reward("lexical"), trl.reward_sync], ids=["made", "of a file"])
def test_a_plain_function_for_trainers_that_await_nothing(function, from_file):
    assert not inspect.iscoroutinefunction(function)
    assert as_trl(function) == [1.0, 0.0]


def test_the_plain_function_inside_a_running_loop():
    async def step():
        return as_trl(make_sync_reward("lexical"))

    assert asyncio.run(step()) == [1.0, 0.0]


def test_it_has_a_name_that_survives_a_journey():
    for function in (make_reward("lexical"), pickle.loads(pickle.dumps(make_reward("lexical")))):
        assert function.__name__ == "judge_reward"
    assert make_sync_reward("lexical").__name__ == "judge_reward_sync"


def test_conversations():
    completions = [messages(text) for text in TEXTS]
    completions.append([*messages("I look."), {"role": "tool", "content": "A film."}, *messages(RIGHT.format(3))])
    assert asyncio.run(as_trl(make_reward("lexical"), prompts=[ASKED] * 3, completions=completions)) == [1.0, 0.0, 1.0]


def test_a_thought_counts_as_said():
    thought = [{"role": "assistant", "content": "So it is.", "reasoning_content": RIGHT.format(1)}]
    assert asyncio.run(as_trl(make_reward("lexical"), prompts=[ASKED], completions=[thought])) == [1.0]


def test_the_judge_sees_the_images_and_the_question():
    seen = []

    def script(ask):
        seen.append((ask.images, str(ask.body)))
        return {
            unit.name: {"evidence": "a fracture", "reason": "", "presence": 2, "correctness": 1} for unit in ask.units
        }

    picture = Image.new("RGB", (8, 8), "red")
    asked = [
        {"role": "user", "content": [{"type": "image", "image": picture}, {"type": "text", "text": "Which bone?"}]}
    ]
    with Server(script=script) as server:
        reward = make_reward("hosted_vllm/m", api_base=server.api_base)
        given = {"prompts": [asked], "completions": [messages(RIGHT.format(1))], "images": [[picture]]}
        assert asyncio.run(as_trl(reward, **given)) == [1.0]
    ((images, body),) = seen
    assert len(images) == 1
    assert "Which bone?" in body


# What TRL logs


def logged(function, **given):
    metrics, extra = {}, {}
    values = asyncio.run(as_trl(function, log_metric=metrics.__setitem__, log_extra=extra.__setitem__, **given))
    return values, metrics, extra


def test_metrics_and_columns():
    values, metrics, extra = logged(make_reward("lexical"))
    assert metrics["judge/reward"] == metrics["judge/perception"] == 0.5
    assert extra == {
        "judge/perception": values,
        "judge/knowledge": [None, None],
        "judge/rationale": [None, None],
        "judge/why": ["ok", "ok"],
    }


def test_the_same_names_whatever_happens():
    """A rank with other names than the others would wait for them for ever."""
    options = {"on_failure": "none", "max_failure_rate": 1, "gates": ["format"]}
    with Server(always="empty", only="Odd") as server:
        reward = make_reward("hosted_vllm/m", api_base=server.api_base, **options)
        fine = [f"<think>Hm.</think>{text}" for text in TEXTS]
        batches = [fine, TEXTS, ["<think>Odd.</think>Odd."] * 2, ["", ":"]]
        steps = [logged(reward, completions=batch) for batch in batches]
    assert [step[0] for step in steps] == [[1.0, 0.0], [0.0, 0.0], [None, None], [0.0, 0.0]]
    assert steps[2][2]["judge/why"] == ["empty", "empty"]
    assert steps[1][2]["judge/why"] == ["format", "format"]
    assert len({tuple(metrics) for _, metrics, _ in steps}) == 1
    assert len({tuple(extra) for _, _, extra in steps}) == 1
    assert all(type(value) is float for _, metrics, _ in steps for value in metrics.values())


# Other trainers that call it


def test_ms_swift_gives_completions_alone_and_a_new_loop_each_step(server):
    """Strings only, by position; the prompts are in `messages`, which end with the completion."""
    reward = make_reward("hosted_vllm/m", api_base=server.api_base)
    for step in range(3):
        texts = [RIGHT.format(step), WRONG.format(step)]
        columns = {
            "messages": [[*ASKED, *messages(text)] for text in texts],
            "units": [UNITS] * 2,
            "request_id": ["a", "b"],
            "is_truncated": [False, False],
            "rollout_infos": [{}, {}],
            "trainer_state": object(),
        }
        assert asyncio.run(reward(texts, **columns)) == [1.0, 0.0]
    assert server.ledger.requests == 6


def test_ms_swift_without_messages():
    assert asyncio.run(make_reward("lexical")(TEXTS, units=[UNITS] * 2)) == [1.0, 0.0]


def test_unsloth_gives_plain_texts_with_images(server):
    """With images, both sides are what the chat template made of the messages."""
    template = (
        "<|im_start|>user\n<|vision_start|><|image_pad|><|vision_end|>Which bone?<|im_end|>\n<|im_start|>assistant\n"
    )
    picture = Image.new("RGB", (8, 8), "red")
    given = {"prompts": [template] * 2, "completions": [f"{text}<|im_end|>" for text in TEXTS]}
    reward = make_reward("hosted_vllm/m", api_base=server.api_base)
    assert asyncio.run(as_trl(reward, **given, image=[picture] * 2)) == [1.0, 0.0]


def test_async_grpo_gives_one_group_to_a_spawned_process(server):
    reward = make_reward("hosted_vllm/m", api_base=server.api_base)
    asyncio.run(as_trl(reward))  # what is open does not travel
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=score_group, args=(pickle.dumps(reward), results))
    child.start()
    assert results.get(timeout=60) == [[1.0, 0.0]] * 3
    child.join()
    assert child.exitcode == 0
    results.close()
    results.join_thread()


def score_group(pickled, results):
    """As its worker does: in a loop of its own, one group after the other, without hooks for logs."""

    async def groups():
        reward, given = (
            pickle.loads(pickled),
            {"prompts": [ASKED] * 2, "completions": [messages(text) for text in TEXTS]},
        )
        return [await reward(**given, completion_ids=[[1], [2]], units=[UNITS] * 2) for _ in range(3)]

    results.put(asyncio.run(groups()))


def test_trls_own_loop_is_another_thread(server):
    """All rewards of a trainer together in one loop that lives as long as it does."""
    loop, reward = asyncio.new_event_loop(), make_reward("hosted_vllm/m", api_base=server.api_base)
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()
    other = make_reward(Judge("lexical"))

    async def step():
        return await asyncio.gather(as_trl(reward), as_trl(other))

    for _ in range(3):
        assert asyncio.run_coroutine_threadsafe(step(), loop).result(60) == [[1.0, 0.0]] * 2
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()


# Failures


def test_a_failure_is_the_mean_of_its_group_where_nothing_else_is_said():
    with Server(always="empty", only="Odd") as server:
        reward = make_reward("hosted_vllm/m", api_base=server.api_base)
        completions = [RIGHT.format(1), WRONG.format(2), "Odd.", RIGHT.format(3)]
        prompts = ["One?"] * 3 + ["Two?"]
        assert asyncio.run(as_trl(reward, prompts=prompts, completions=completions)) == [1.0, 0.0, 0.5, 1.0]


def test_a_step_that_fails_as_a_whole_ends_with_the_reason():
    with Server(script="stubborn") as server, pytest.raises(RewardError, match="all 2 judgements of the first batch"):
        asyncio.run(as_trl(make_reward("hosted_vllm/m", api_base=server.api_base)))


def test_options_are_checked_when_it_is_made():
    with pytest.raises(ConfigError, match="'rubrik' is no option of a reward"):
        make_reward("lexical", rubrik="pkr")
