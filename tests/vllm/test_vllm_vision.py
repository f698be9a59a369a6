"""A real vLLM with a model that sees: images through the server and the engine, and a connection that is lost."""

import asyncio
import json

import polars as pl
import pytest
from image_kit import BLUE, RED, build, corners, encode
from msgspec.structs import replace
from PIL import Image as PilImage
from run_kit import make_record, run_judge, settings_for
from vllm_kit import NAME, PARAMS, SMALL, ask_server, check_form, probe, short_request

from judge import Judge
from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import find_server
from judge.backends.session import open_session
from judge.backends.vllm_setup import reads_images
from judge.calls.retrying import Retrying
from judge.errors import ConfigError, RejectedError
from judge.image import ImageRules
from judge.run import score_file
from judge.traces.reading import Traces

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]

RED_IMAGE, CORNERS = build(encode(PilImage.new("RGB", (56, 56), RED))), build(encode(corners()))
IMAGE_TOKENS = 16


def request(*images, number=1):
    return replace(short_request(number), images=images)


def with_image(folder, number=1):
    PilImage.new("RGB", (56, 56), BLUE).save(folder / "blue.png")
    return {**make_record(number), "image": "blue.png"}


def test_an_image_reaches_the_server(vision_server):
    blind, sighted = request(), request(RED_IMAGE)
    without, seen = asyncio.run(ask_server(vision_server, blind, sighted))
    check_form(seen.text, sighted)
    assert seen.prompt_tokens >= without.prompt_tokens + IMAGE_TOKENS


def test_an_image_reaches_the_engine_and_changes_what_it_thinks(vision_engine):
    loop, engine = vision_engine
    red, again, other = [
        loop.run(engine.complete(probe(request(image)))).probabilities for image in (RED_IMAGE, RED_IMAGE, CORNERS)
    ]
    assert red == pytest.approx(again, abs=1e-2)
    assert max(abs(red[label] - other[label]) for label in red) > 1e-2


def test_the_order_of_images_is_kept(vision_engine):
    loop, engine = vision_engine
    one, other = [
        loop.run(engine.complete(probe(request(*images)))).probabilities
        for images in ((RED_IMAGE, CORNERS), (CORNERS, RED_IMAGE))
    ]
    assert max(abs(one[label] - other[label]) for label in one) > 1e-3


def test_server_and_engine_see_alike(vision_server, vision_engine):
    loop, engine = vision_engine
    requests = [request(image, number=number) for number, image in enumerate((RED_IMAGE, CORNERS), start=1)]
    there = asyncio.run(ask_server(vision_server, *requests))
    here = [loop.run(engine.complete(asked)) for asked in requests]
    assert [(reply.text, reply.prompt_tokens) for reply in here] == [
        (reply.text, reply.prompt_tokens) for reply in there
    ]


def test_an_image_through_litellm(vision_server, tmp_path):
    record = with_image(tmp_path)
    judge = Judge(
        f"litellm/hosted_vllm/{NAME}", api_base=vision_server, params=PARAMS, image_root=tmp_path, evidence="none"
    )
    with judge:
        calls = judge.score([record]).calls
        blind = judge.score([make_record(1)]).calls
    assert set(calls["failure"]) <= {"truncated", "off_menu", "not_json", None}
    assert calls["prompt_tokens"].min() >= blind["prompt_tokens"].min() + IMAGE_TOKENS


def test_a_connection_that_a_500_closed_costs_one_retry(vision_server):
    """The server hangs up after an error of its own, and the next request on that connection finds nobody."""
    content = [{"type": "image_url", "image_url": {"url": "file:///etc/hostname"}}, {"type": "text", "text": "?"}]
    body = {"model": NAME, "messages": [{"role": "user", "content": content}]}
    server = find_server(f"hosted_vllm/{NAME}", vision_server)

    async def ask():
        async with open_session(server) as session:
            failed = (await session.send("POST", "/chat/completions", json.dumps(body).encode())).status
            client = Retrying(OpenAICompatible(server, session), max_retries=2)
            return failed, [await client.complete(request(number=number)) for number in (1, 2)]

    status, replies = asyncio.run(ask())
    assert status == 500
    for reply in replies:
        check_form(reply.text, request())


def test_more_images_than_the_engine_takes_are_a_refusal_of_this_record(text_model, vision_engine):
    loop, engine = vision_engine
    assert reads_images(str(text_model)) is False
    with pytest.raises(RejectedError):  # longer than its context: 300 images of 16 tokens
        loop.run(engine.complete(request(*[RED_IMAGE] * 300)))
    check_form(loop.run(engine.complete(request(RED_IMAGE))).text, request())


def test_a_record_with_an_image_through_the_whole_engine(vision_model, tmp_path):
    traces = tmp_path / "traces.jsonl"
    traces.write_text(json.dumps(with_image(tmp_path)) + "\n")
    arguments = [word for name, value in SMALL.items() for word in ("--engine-arg", f"{name}={json.dumps(value)}")]
    code, said = run_judge(
        "score", traces, "--out", tmp_path / "run", "--judge", f"vllm/{vision_model}", *arguments,
        "--cache", "none", "--evidence", "none", "--param", "max_tokens=200", timeout_s=300,
    )  # fmt: skip
    assert code in (0, 3), said
    calls = pl.read_parquet(tmp_path / "run/calls.parquet")
    assert calls["prompt_tokens"].min() > 300 and set(calls["failure"]) <= {"truncated", "off_menu", None}


def test_a_text_model_is_not_asked_about_images(text_model, tmp_path):
    with pytest.raises(ConfigError, match="reads texts only"):
        score_with_image(text_model, tmp_path)


def score_with_image(model, folder):
    path = folder / "traces.jsonl"
    path.write_text(json.dumps(with_image(folder)) + "\n")
    traces = Traces(path=str(path), limit=None, images=ImageRules(root=folder))
    settings = settings_for("http://127.0.0.1:9/v1", judge=f"vllm/{model}", api_base=None)
    asyncio.run(score_file(traces, folder / "run", settings))
