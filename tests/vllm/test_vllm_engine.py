"""A real vLLM with a text model, in this process. `.ci/run` takes this part: it needs no server."""

import asyncio
import json

import pytest
from msgspec.structs import replace
from run_kit import make_request
from vllm_kit import CONTEXT, PARAMS, bounded, check_form, probe, short_request, too_long_request

from judge.calls.deadline import Deadline
from judge.errors import RejectedError, TransientError

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]


def unsupported_request():
    schema = {"type": "array", "items": {"type": "string"}, "uniqueItems": True}
    return replace(short_request(), schema=json.dumps(schema))


def test_the_engine_gets_what_its_schema_asks_for(text_engine):
    loop, engine = text_engine
    for number in range(1, 4):
        asked = short_request(number)
        reply = loop.run(engine.complete(asked))
        check_form(reply.text, asked)
        assert reply.finish_reason == "stop" and reply.cost_usd is None
        assert reply.prompt_tokens > 300 and 0 < reply.completion_tokens < PARAMS["max_tokens"]


def test_a_probe_is_one_token_with_the_probability_of_each_label(text_engine):
    loop, engine = text_engine
    asked = probe(make_request(5))
    reply = loop.run(engine.complete(asked))
    assert reply.completion_tokens == 1
    assert set(reply.probabilities) == set(asked.labels)
    assert sum(reply.probabilities.values()) == pytest.approx(1, abs=1e-3)
    assert reply.text == max(asked.labels, key=reply.probabilities.get)
    assert len({round(value, 3) for value in reply.probabilities.values()}) > 1  # of this model, and not even


def test_probes_of_a_record_share_their_prompt(text_engine):
    loop, engine = text_engine
    first = probe(make_request(6))
    loop.run(engine.complete(first))
    reply = loop.run(engine.complete(replace(first, asked="Was it said right?")))
    assert reply.prompt_tokens * 0.8 < reply.cached_tokens < reply.prompt_tokens


def test_a_seed_repeats_what_is_drawn(text_engine):
    loop, engine = text_engine
    drawn = [short_request(temperature=1.5, seed=seed) for seed in (1, 1, 2)]
    one, same, other = [loop.run(engine.complete(each)).text for each in drawn]
    assert one == same != other


def test_the_models_own_sampling_is_not_taken(text_engine):
    """Its generation_config.json says temperature 1.5; the server here and there go by the request alone."""
    loop, engine = text_engine
    llm = loop.run(engine._engine()).llm
    assert llm.model_config.generation_config == "vllm"
    assert llm.model_config.get_diff_sampling_param() == {}


@pytest.mark.parametrize(
    ("asked", "code", "said"),
    [
        (too_long_request(), "context_limit", f"maximum context length is {CONTEXT} tokens"),
        (unsupported_request(), "http_400", "not supported by xgrammar"),
        (short_request(temperature=-1), "http_400", "temperature must be non-negative"),
        (short_request(max_tokens=CONTEXT + 1), "context_limit", "max_tokens"),
    ],
    ids=["too long", "keyword", "temperature", "max_tokens"],
)
def test_what_cannot_be_answered_is_refused_alone(text_engine, asked, code, said):
    loop, engine = text_engine
    with pytest.raises(RejectedError, match=said) as caught:
        loop.run(engine.complete(asked))
    assert caught.value.code == code
    assert str(caught.value).startswith("vLLM answered 400: ")
    check_form(loop.run(engine.complete(short_request())).text, short_request())


def test_a_deadline_ends_the_request_in_the_engine(text_engine):
    loop, engine = text_engine
    endless = bounded(make_request(params={"temperature": 0, "max_tokens": 3000, "min_tokens": 2900}), most=9000)
    with pytest.raises(TransientError, match=r"no reply within 0.05 s") as caught:
        loop.run(Deadline(engine, timeout_s=0.05).complete(endless))
    assert caught.value.code == "timeout"
    llm = loop.run(engine._engine()).llm
    assert llm.output_processor.get_num_unfinished_requests() == 0
    # With one place in the engine, this would wait for thousands of tokens if it were still at work.
    check_form(loop.run(Deadline(engine, timeout_s=20).complete(short_request())).text, short_request())


def test_requests_are_answered_in_the_order_of_asking(text_engine):
    loop, engine = text_engine
    order = []

    async def ask(number):
        await engine.complete(probe(make_request(number)))
        order.append(number)

    async def ask_all():
        await asyncio.gather(*map(ask, range(40, 60)))

    loop.run(ask_all())
    assert order == list(range(40, 60))
