"""verifiers' own code asks for our rewards: tasks of 0.4 with a reward by configuration, and the rubrics of 0.3."""

import asyncio
import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from shared_kit import DOWN, QUESTION, RIGHT, UNITS, asked_of, named, noting

from judge.testing import Server

pytest.importorskip("verifiers", reason="verifiers is not installed: tests/trainers/requirements-others.txt")
pytestmark = [pytest.mark.trainers, pytest.mark.filterwarnings("ignore")]

BEFORE = Path(sys.prefix) / "verifiers-0.3"


def task_of(**more):
    from verifiers.v1.configs.task import TaskConfig
    from verifiers.v1.task import Task, TaskData

    class FilmData(TaskData):
        units: dict
        answer: str

    class Film(Task[FilmData]):
        pass

    data = FilmData(prompt=QUESTION, image="docker/image", **{"units": UNITS, "answer": "left", **more})
    reward = {"fn": "judge.rewards.verifiers:judge_reward", "weight": 2.0}
    return Film(data, TaskConfig(rewards={"judge": reward}))


def trace_of(task, *said):
    from verifiers.v1.configs.agent import AgentConfig
    from verifiers.v1.graph import MessageNode
    from verifiers.v1.trace import AgentInfo, Trace, TraceTask
    from verifiers.v1.types import AssistantMessage, UserMessage

    trace = Trace(task=TraceTask(type="Film", data=task.data), agent=AgentInfo(config=AgentConfig()))
    trace.nodes = [MessageNode(message=UserMessage(content=QUESTION))]
    for text, thought in said:
        message = AssistantMessage(content=text, reasoning_content=thought)
        trace.nodes.append(MessageNode(parent=len(trace.nodes) - 1, message=message, sampled=True))
    return trace


def test_a_task_scores_a_trace(monkeypatch, tmp_path):
    """The reward has its weight, and its parts are metrics of the trace."""
    asks = []
    with Server(script=noting(asks)) as server:
        named(monkeypatch, tmp_path, **asked_of(server))
        task = task_of()
        trace = trace_of(task, (None, "A step in the cortex."), (RIGHT, None))
        asyncio.run(task.score(trace))
    assert trace.rewards["judge"].score == 1.0 and trace.reward == 2.0
    assert trace.metrics["part/perception"] == 1.0 and trace.metrics["failed"] == 0.0
    assert [ask.trace for ask in asks] == [f"A step in the cortex.\n\n{RIGHT}"]
    assert QUESTION in json.dumps(asks[0].body)
    trace.model_dump_json()


@pytest.mark.parametrize("scoring", [None, 1.0])
def test_a_failure_is_an_error_of_the_task(monkeypatch, tmp_path, scoring):
    """verifiers records it, and its reward stays null: prime-rl leaves such a rollout out."""
    from verifiers.v1.errors import TaskError

    with Server(always=500 if scoring is None else "black_hole") as server:
        named(monkeypatch, tmp_path, **asked_of(server, **DOWN))
        task = task_of(timeout={"scoring": scoring})
        trace = trace_of(task, (RIGHT, None))
        with pytest.raises(TaskError, match="judgements failed" if scoring is None else "not judged within 90%"):
            asyncio.run(task.score(trace))
    assert trace.rewards == {"judge": None} and trace.metrics == {}


GROUP = """
import asyncio, json, sys
import verifiers as vf
from judge.rewards.verifiers import judge_rewards

rubric = vf.Rubric(funcs=[judge_rewards])
def state(text, info):
    said = [{"role": "assistant", "content": text}]
    asked = [{"role": "user", "content": "Where is the fracture?"}]
    return vf.State(prompt=asked, completion=said, answer="left", info=info, trajectory=[])
states = [state(text, info) for text, info in json.load(sys.stdin)]
asyncio.run(rubric.score_group(states))
told = [[each["reward"], each["advantage"]] for each in states]
print(json.dumps([vf.__version__, rubric.has_group_rewards, told]))
"""


@pytest.mark.skipif(not BEFORE.is_dir(), reason=f"there is no verifiers 0.3 in {BEFORE.name} of the environment")
def test_a_rubric_of_0_3_scores_a_group(monkeypatch, tmp_path):
    """1, 0, and a failure, which gets their mean and so no advantage; by itself verifiers gives it 0."""
    path = named(monkeypatch, tmp_path)
    given = [(RIGHT, {"units": UNITS}), ("Nothing.", {"units": UNITS}), ("Nothing.", {})]
    environment = {**os.environ, "PYTHONPATH": str(BEFORE), "JUDGE_REWARD": str(path)}
    done = subprocess.run(
        [sys.executable, "-c", GROUP],
        input=json.dumps(given),
        env=environment,
        capture_output=True,
        text=True,
        check=True,
    )
    version, is_group, told = json.loads(done.stdout.splitlines()[-1])
    assert version.startswith("0.3") and is_group
    assert told == [[1.0, 0.5], [0.0, -0.5], [0.5, 0.0]]
