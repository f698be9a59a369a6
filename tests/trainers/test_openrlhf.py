"""OpenRLHF's own executor asks for our rewards, and its own code makes experience and advantages of them."""

import asyncio
import logging
import re
import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest
from shared_kit import DOWN, PROMPT, RIGHT, UNITS, asked_of, named, noting

from judge.testing import Server
from judge.testing.scripts import obedient

openrlhf = pytest.importorskip("openrlhf", reason="OpenRLHF is not installed: tests/trainers/requirements-others.txt")
pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("ignore")]

EXAMPLES = Path(__file__).parents[2] / "examples" / "training"
LABEL = {"units": UNITS}
SAID = [RIGHT, "Nothing to be seen.", "Another film."]


class Engine:
    """In the place of a vLLM engine: it has generated one text already."""

    def __init__(self, tokenizer, text):
        self._ids = tokenizer(text + "<|im_end|>", add_special_tokens=False)["input_ids"]

    async def generate(self, prompt_token_ids, params, multi_modal_data=None):
        output = SimpleNamespace(token_ids=self._ids, finish_reason="stop", logprobs=None)
        return SimpleNamespace(outputs=[output])


def executed(said, label=LABEL, *, url=EXAMPLES / "openrlhf_reward.py"):
    """What `SingleTurnAgentExecutor` makes of completions, all at once."""
    from openrlhf.utils.agent import SingleTurnAgentExecutor
    from tokens_kit import make_tokenizer

    tokenizer = make_tokenizer(PROMPT, *SAID, *said)
    executor = SingleTurnAgentExecutor([str(url)])
    params = SimpleNamespace(max_tokens=64, logprobs=None)

    async def run():
        engines = [Engine(tokenizer, text) for text in said]
        return await asyncio.gather(
            *(executor.execute(PROMPT, label, params, 512, tokenizer, engine) for engine in engines)
        )

    return asyncio.run(run())


def experiences(responses, monkeypatch):
    """OpenRLHF's `Experience` of each response. Only vLLM is missing, whose names its module asks for."""
    vllm = ModuleType("vllm")
    vllm.SamplingParams = object
    engine = ModuleType("openrlhf.trainer.ray.vllm_engine")
    engine.batch_vllm_engine_call = None
    monkeypatch.setitem(sys.modules, "vllm", vllm)
    monkeypatch.setitem(sys.modules, engine.__name__, engine)
    from openrlhf.trainer.ppo_utils.samples_generator import SamplesGenerator

    make = SamplesGenerator._process_response_into_experience
    return [make(None, response, max_len=512) for response in responses]


def test_a_completion_is_rewarded(monkeypatch, tmp_path):
    named(monkeypatch, tmp_path)
    good, bad = executed(SAID[:2])
    assert good["reward"] == good["scores"] == [1.0] and bad["reward"] == [0.0]
    assert good["extra_logs"]["part/perception"] == [1.0]


def test_the_file_of_the_package_serves_as_well(monkeypatch, tmp_path):
    import judge.rewards.openrlhf

    named(monkeypatch, tmp_path)
    [found] = executed([RIGHT], url=Path(judge.rewards.openrlhf.__file__))
    assert found["reward"] == [1.0]


def test_the_judge_sees_the_completion_alone(monkeypatch, tmp_path):
    asks = []
    with Server(script=noting(asks)) as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        executed([RIGHT])
    assert [ask.trace for ask in asks] == [RIGHT]


def test_a_failure_is_a_number_and_the_experience_can_be_learnt_from(monkeypatch, tmp_path):
    """OpenRLHF would end a run for one reward that is null."""
    from openrlhf.trainer.ppo_utils.experience import make_experience_batch, split_experience_batch

    def script(ask):
        return "no JSON" if "Another" in ask.trace else obedient(ask)

    with Server(script=script) as server:
        named(monkeypatch, tmp_path, **asked_of(server, **DOWN), constant=0.25)
        responses = executed(SAID)
    assert [response["reward"] for response in responses] == [[1.0], [0.0], [0.25]]
    made = experiences(responses, monkeypatch)
    assert [one.info["failed"].item() for one in made] == [0.0, 0.0, 1.0]
    items = [item for one in made for item in split_experience_batch(one)]
    batch = make_experience_batch(items)
    assert batch.rewards.flatten().tolist() == [1.0, 0.0, 0.25]
    assert [float(value) for value in batch.info["part/settled"]] == [0.0, 0.0, 0.25]


def test_all_failing_ends_with_our_words_in_the_log(monkeypatch, tmp_path, caplog):
    """OpenRLHF takes the exception for no reward; ours is an error in the log."""
    with Server(always=500) as server:
        named(monkeypatch, tmp_path, **asked_of(server, **DOWN))
        with caplog.at_level(logging.ERROR, logger="judge.rewards"):
            responses = executed([f"Film {at}." for at in range(20)])
    assert sum(response["reward"] is None for response in responses) == 1
    assert [response["reward"] for response in responses].count([0.5]) == 19
    assert "no reward: 20 of the last 20 judgements failed" in caplog.text


def test_the_options_of_the_example_are_openrlhfs():
    """Its parser is made in its `__main__`, so the names are looked for in the text."""
    known = (Path(openrlhf.__file__).parent / "cli" / "train_ppo_ray.py").read_text(encoding="utf-8")
    command = (EXAMPLES / "openrlhf.sh").read_text(encoding="utf-8").split("python -m", 1)[1]
    given = re.findall(r"--[a-z_.]+", command)
    assert len(given) > 10
    assert [name for name in given if f'"{name}"' not in known] == []
