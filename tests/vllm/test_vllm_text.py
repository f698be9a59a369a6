"""A real vLLM with a text model: its server, and its engine in this process. It writes nonsense of the right form."""

import asyncio
import json

import aiohttp
import polars as pl
import pytest
from msgspec.structs import replace
from run_kit import make_record, make_records, make_request, run_judge, score
from vllm_kit import CONTEXT, NAME, SMALL, ask_server, bounded, check_form, probe

from judge import Judge
from judge.calls.deadline import Deadline
from judge.errors import RejectedError, TransientError

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]

PARAMS = {"temperature": 0, "max_tokens": 400}
NONSENSE = {"truncated", "off_menu", "not_json", None}
"""What a reply of a random model may fail by: no end of a string, or a presence without its correctness."""


def request(number=1, **params):
    return bounded(make_request(number, params={**PARAMS, **params}))


def too_long():
    long = request()
    return replace(long, shared=f"{'so long a word ' * CONTEXT}{long.shared}")


def unsupported():
    one = request()
    return replace(one, schema=json.dumps({"type": "array", "items": {"type": "string"}, "uniqueItems": True}))


async def post(api_base, body):
    async with aiohttp.ClientSession() as session, session.post(f"{api_base}/chat/completions", json=body) as response:
        return response.status, await response.json()


# The server.


def test_the_direct_client_gets_what_its_schema_asks_for(text_server):
    requests = [request(number) for number in range(1, 5)]
    for reply, asked in zip(asyncio.run(ask_server(text_server, *requests)), requests, strict=True):
        check_form(reply.text, asked)
        assert reply.model == NAME
        assert reply.finish_reason == "stop"
        assert reply.prompt_tokens > 300 and 0 < reply.completion_tokens < PARAMS["max_tokens"]
        assert reply.cost_usd is None


def test_the_server_tells_what_its_cache_had(text_server):
    one = request(number=77)
    other = replace(one, asked="Another question at the end.")
    _, again, near = asyncio.run(ask_server(text_server, one, one, other))
    for reply in (again, near):
        assert reply.prompt_tokens * 0.6 < reply.cached_tokens < reply.prompt_tokens
        assert reply.cached_tokens % 32 == 0  # whole blocks


def test_a_reply_that_is_cut_says_so(text_server):
    (reply,) = asyncio.run(ask_server(text_server, request(max_tokens=5)))
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 5)


def test_a_prompt_that_is_too_long_is_refused_with_sizes(text_server):
    with pytest.raises(RejectedError, match=f"{CONTEXT}") as caught:
        asyncio.run(ask_server(text_server, too_long()))
    assert caught.value.code == "context_limit"


def test_a_choice_comes_with_the_probabilities_of_its_labels(text_server):
    body = {
        "model": NAME,
        "messages": [{"role": "user", "content": make_request().user}],
        "max_tokens": 1,
        "temperature": 0,
        "logprobs": True,
        "top_logprobs": 20,
        "structured_outputs": {"choice": ["0", "1", "2"]},
    }
    status, answer = asyncio.run(post(text_server, body))
    assert status == 200
    choice = answer["choices"][0]
    assert choice["message"]["content"] in ("0", "1", "2")
    likely = {one["token"]: one["logprob"] for one in choice["logprobs"]["content"][0]["top_logprobs"]}
    assert sum(2.718281828 ** likely[label] for label in ("0", "1", "2")) == pytest.approx(1, abs=1e-3)


def test_a_field_that_the_server_does_not_know_is_ignored_by_it(text_server):
    """Why names are checked here: a constraint of an older vLLM is answered 200, and constrains nothing."""
    body = {"model": NAME, "messages": [{"role": "user", "content": "1?"}], "max_tokens": 3, "guided_choice": ["0"]}
    status, answer = asyncio.run(post(text_server, body))
    assert status == 200 and answer["choices"][0]["message"]["content"] != "0"


def test_a_run_through_litellm_and_instructor(text_server, tmp_path):
    report = score(
        make_records(3), tmp_path / "run", text_server, judge=f"litellm/hosted_vllm/{NAME}", params=PARAMS, timeout_s=60
    )
    calls = pl.read_parquet(tmp_path / "run/calls.parquet")
    assert report.read == 3 and len(calls) >= 3
    assert set(calls["failure"]) <= NONSENSE
    assert calls["prompt_tokens"].min() > 300 and set(calls["finish_reason"]) <= {"stop", "length"}


# The engine.


def test_the_engine_gets_what_its_schema_asks_for(text_engine):
    loop, engine = text_engine
    for number in range(1, 4):
        asked = request(number)
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
    drawn = [request(temperature=1.5, seed=seed) for seed in (1, 1, 2)]
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
        (too_long(), "context_limit", f"maximum context length is {CONTEXT} tokens"),
        (unsupported(), "http_400", "not supported by xgrammar"),
        (request(temperature=-1), "http_400", "temperature must be non-negative"),
        (request(max_tokens=CONTEXT + 1), "context_limit", "max_tokens"),
    ],
    ids=["too long", "keyword", "temperature", "max_tokens"],
)
def test_what_cannot_be_answered_is_refused_alone(text_engine, asked, code, said):
    loop, engine = text_engine
    with pytest.raises(RejectedError, match=said) as caught:
        loop.run(engine.complete(asked))
    assert caught.value.code == code
    assert str(caught.value).startswith("vLLM answered 400: ")
    check_form(loop.run(engine.complete(request())).text, request())


def test_a_deadline_ends_the_request_in_the_engine(text_engine):
    loop, engine = text_engine
    endless = bounded(make_request(params={"temperature": 0, "max_tokens": 3000, "min_tokens": 2900}), most=9000)
    with pytest.raises(TransientError, match=r"no reply within 0.05 s") as caught:
        loop.run(Deadline(engine, timeout_s=0.05).complete(endless))
    assert caught.value.code == "timeout"
    llm = loop.run(engine._engine()).llm
    assert llm.output_processor.get_num_unfinished_requests() == 0
    # With one place in the engine, this would wait for thousands of tokens if it were still at work.
    check_form(loop.run(Deadline(engine, timeout_s=20).complete(request())).text, request())


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


# Both.


def test_server_and_engine_answer_alike(text_server, text_engine):
    loop, engine = text_engine
    requests = [request(number) for number in range(10, 16)]
    there = asyncio.run(ask_server(text_server, *requests))
    here = [loop.run(engine.complete(asked)) for asked in requests]
    assert [reply.text for reply in here] == [reply.text for reply in there]
    assert [reply.finish_reason for reply in here] == [reply.finish_reason for reply in there]
    assert [reply.prompt_tokens for reply in here] == [reply.prompt_tokens for reply in there]


def flags(engine_args):
    return [word for name, value in engine_args.items() for word in ("--engine-arg", f"{name}={json.dumps(value)}")]


def test_the_command_gives_equal_verdicts_here_and_there(text_server, text_model, tmp_path):
    traces = tmp_path / "traces.jsonl"
    traces.write_text("".join(json.dumps(make_record(number)) + "\n" for number in range(1, 7)))
    common = ["score", traces, "--cache", "none", "--evidence", "none", "--param", "max_tokens=300"]
    there, here = tmp_path / "there", tmp_path / "here"
    at_server = ["--judge", f"hosted_vllm/{NAME}", "--api-base", text_server]
    code, said = run_judge(*common, "--out", there, *at_server, timeout_s=300)
    assert code in (0, 3), said
    in_process = ["--judge", f"vllm/{text_model}", *flags(SMALL)]
    code, said = run_judge(*common, "--out", here, *in_process, timeout_s=300)
    assert code in (0, 3), said
    assert f"Starting vLLM with {text_model} in this process" in said
    assert "Traceback" not in said and "Exception ignored" not in said and "leaked" not in said
    same = ["record_id", "unit_id", "presence", "correctness", "reason", "failure"]
    assert pl.read_parquet(here / "verdicts.parquet")[same].equals(pl.read_parquet(there / "verdicts.parquet")[same])
    assert pl.read_parquet(here / "calls.parquet")["cost_usd"].is_null().all()


def test_probes_judge_records_alike_from_a_server_and_in_this_process(text_server, text_model):
    records = make_records(4, units=(3,))
    served = Judge(f"hosted_vllm/{NAME}", api_base=text_server, probe=True)
    here = Judge(f"vllm/{text_model}", engine_args=SMALL, probe=True)
    with served, here:
        runs = [judge.score(records) for judge in (served, here)]
    for run in runs:
        assert run.failures.is_empty()
        assert run.verdicts["p_present"].is_between(0, 1).all()
        raised = run.verdicts.filter(run.verdicts["presence"] >= 1)
        assert raised["p_correct"].is_between(0, 1).all() and raised["p_correct"].null_count() == 0
        assert set(run.calls["completion_tokens"]) == {1}
        assert run.calls["cached_tokens"].sum() > 0  # the record's prompt, after its first probe
    first, second = (run.verdicts.select("unit_id", "p_present") for run in runs)
    assert first["unit_id"].equals(second["unit_id"])
    assert (first["p_present"] - second["p_present"]).abs().max() < 0.05
