"""A real vLLM behind the command and the library: what a user sees when it goes wrong, and when it is stopped."""

import json
import multiprocessing
import os
import signal
import sqlite3
import subprocess
import time

import pytest
from run_kit import finish, make_record, make_records, make_request, run_judge, start_judge
from vllm_kit import SMALL, engine_here

from judge import Judge
from judge.errors import ConfigError, FatalError

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]

LOOPING = {**SMALL, "structured_outputs_config": {"backend": "xgrammar", "disable_any_whitespace": False}}


def flags(engine_args):
    return [word for name, value in engine_args.items() for word in ("--engine-arg", f"{name}={json.dumps(value)}")]


def command(tmp_path, judged_by, *more, records=6, **engine_args):
    traces = tmp_path / "traces.jsonl"
    traces.write_text("".join(json.dumps(make_record(number)) + "\n" for number in range(1, records + 1)))
    where = ["score", traces, "--out", tmp_path / "run", "--judge", f"vllm/{judged_by}", "--cache", "none"]
    return [*where, "--evidence", "none", *flags({**SMALL, **engine_args}), *more]


def engines_of(pid):
    """Processes below this one, of which none may be left."""
    listed = subprocess.run(["ps", "-eo", "pid,ppid,stat"], capture_output=True, text=True, check=True).stdout
    rows = [line.split()[:3] for line in listed.splitlines()[1:]]
    return [child for child, parent, state in rows if int(parent) == pid and not state.startswith("Z")]


def committed(run):
    path = run / "journal.sqlite"
    if not path.exists():
        return 0
    try:
        with sqlite3.connect(f"file:{path}?mode=ro", uri=True) as journal:
            return journal.execute("select count(*) from replies").fetchone()[0]
    except sqlite3.Error:
        return 0


@pytest.mark.parametrize(
    ("engine_args", "more", "said"),
    [
        ({"max_modellen": 3}, [], "'max_modellen' is no argument of vLLM's engine. Did you mean max_model_len?"),
        ({"model": "x"}, [], "--engine-arg cannot set 'model'"),
        ({}, ["--param", "temprature=1"], "Did you mean temperature?"),
        ({}, ["--param", 'guided_choice=["0"]'], "the parameter 'guided_choice' is set by judge"),
        ({"max_model_len": 10**6}, [], "is greater than the derived max_model_len"),
        ({"kv_cache_memory_bytes": 1 << 20, "max_model_len": 8192}, [], "max_model_len=N"),
        ({}, ["--workers", "2"], "--workers 2 would start 2 engines of vLLM"),
        ({}, ["--api-base", "http://127.0.0.1:9/v1"], "--api-base is for a server"),
    ],
    ids=["name", "model", "parameter", "guided", "context", "memory", "workers", "address"],
)
def test_what_cannot_work_is_said_before_anything_is_asked(text_model, tmp_path, engine_args, more, said):
    code, printed = run_judge(*command(tmp_path, text_model, *more, **engine_args), timeout_s=300)
    assert code == 2, printed
    assert said in printed
    assert said in printed.strip().splitlines()[-1]  # an engine that gives up may have said more before


def test_a_model_that_is_not_there(tmp_path):
    code, printed = run_judge(*command(tmp_path, tmp_path / "nothing"), timeout_s=120)
    assert code == 2 and "nothing' is no folder" in printed
    code, printed = run_judge(*command(tmp_path, "nobody/nothing"), timeout_s=120)
    assert code == 2 and "vLLM cannot run 'nobody/nothing'" in printed and "Is the name right" in printed


def test_an_architecture_that_vllm_does_not_know(text_model, tmp_path):
    odd = tmp_path / "odd"
    odd.mkdir()
    for file in text_model.iterdir():
        (odd / file.name).write_bytes(file.read_bytes())
    config = (odd / "config.json").read_text()
    (odd / "config.json").write_text(config.replace("Qwen2ForCausalLM", "OddForCausalLM").replace('"qwen2"', '"odd"'))
    code, printed = run_judge(*command(tmp_path, odd), timeout_s=120)
    assert code == 2 and "Does this version of vLLM run this model?" in printed


def test_a_base_model_without_a_chat_template(text_model, tmp_path):
    base = tmp_path / "base"
    base.mkdir()
    for file in text_model.iterdir():
        if file.name != "chat_template.jinja":
            (base / file.name).write_bytes(file.read_bytes())
    code, printed = run_judge(*command(tmp_path, base), timeout_s=300)
    assert code == 2 and "--engine-arg chat_template=FILE" in printed
    code, printed = run_judge(
        *command(tmp_path, base, chat_template=str(text_model / "chat_template.jinja"), records=1), timeout_s=300
    )
    assert code in (0, 3) and "chat_template" not in printed


def test_ctrl_c_keeps_what_is_done_and_leaves_no_engine(text_model, tmp_path):
    arguments = command(tmp_path, text_model, "--param", "max_tokens=200", "--concurrency", "2", records=60)
    process = start_judge(*arguments, start_new_session=True)
    until = time.monotonic() + 240
    while committed(tmp_path / "run") < 2:
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.2)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to every process of the command
    code, printed = finish(process, timeout_s=120)
    assert code == 75, printed
    assert "To resume: judge score" in printed and "Traceback" not in printed
    assert "died" not in printed  # what was under way was finished by the engine
    assert engines_of(process.pid) == []


def test_ctrl_c_while_it_starts(text_model, tmp_path):
    process = start_judge(*command(tmp_path, text_model), start_new_session=True)
    until = time.monotonic() + 120
    while not engines_of(process.pid):
        assert time.monotonic() < until and process.poll() is None
        time.sleep(0.1)
    children = engines_of(process.pid)
    os.killpg(process.pid, signal.SIGINT)
    code, printed = finish(process, timeout_s=60)
    assert code == 75, printed
    assert "Traceback" not in printed
    left = subprocess.run(["ps", "-o", "stat=", "-p", ",".join(children)], capture_output=True, text=True, check=False)
    assert [state for state in left.stdout.split() if not state.startswith("Z")] == []


def test_endless_white_space_is_caught(text_model, tmp_path):
    """Without our flag a schema allows white space for ever; the run says what happened and what to do."""
    judge = Judge(f"vllm/{text_model}", engine_args=LOOPING, params={"max_tokens": 150}, evidence="none")
    with judge:
        run = judge.score(make_records(2))
    assert len(run.scores) == 2
    truncated = run.failures.filter(run.failures["error"] == "truncated")
    assert len(truncated) > 0
    assert all("% of it is white space" in message for message in truncated["message"])


def test_an_engine_that_dies_ends_the_run(text_model):
    with engine_here(text_model) as (loop, engine):
        loop.run(engine.complete(make_request(params={"max_tokens": 5})))
        (child,) = multiprocessing.active_children()
        child.kill()
        time.sleep(5)  # until somebody has noticed
        with pytest.raises(FatalError) as caught:
            loop.run(engine.complete(make_request(params={"max_tokens": 5})))
        assert caught.value.code == "engine_died"


def test_the_doctor_knows_this_judge(text_model):
    code, printed = run_judge("doctor", "--judge", f"vllm/{text_model}", timeout_s=120)
    assert code == 0, printed
    assert "runs in this process" in printed and "reads texts only: its configuration says so" in printed


def test_an_engine_argument_is_no_argument_of_a_server():
    with pytest.raises(ConfigError, match="engine arguments are for vllm/MODEL"):
        Judge("hosted_vllm/x", api_base="http://127.0.0.1:9/v1", engine_args={"max_model_len": 5})
