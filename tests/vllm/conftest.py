"""Models and servers of the tests against a real vLLM: one of each at a time, and ended by whoever started it."""

import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parents[1]))  # run_kit, image_kit

from vllm_kit import engine_here, make_model, serving, set_environment


@pytest.fixture(scope="session", autouse=True)
def environment():
    set_environment()


@pytest.fixture(scope="session")
def text_model(tmp_path_factory):
    return make_model("text", tmp_path_factory.mktemp("models") / "text")


@pytest.fixture(scope="session")
def vision_model(tmp_path_factory):
    return make_model("vision", tmp_path_factory.mktemp("models") / "vision")


@pytest.fixture(scope="module")
def text_server(text_model, tmp_path_factory):
    with serving(text_model, tmp_path_factory.mktemp("server") / "log") as api_base:
        yield api_base


@pytest.fixture(scope="module")
def vision_server(vision_model, tmp_path_factory):
    with serving(vision_model, tmp_path_factory.mktemp("server") / "log") as api_base:
        yield api_base


@pytest.fixture(scope="module")
def text_engine(text_model):
    with engine_here(text_model) as (loop, engine):
        yield loop, engine


@pytest.fixture(scope="module")
def vision_engine(vision_model):
    with engine_here(vision_model) as (loop, engine):
        yield loop, engine
