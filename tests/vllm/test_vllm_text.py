"""A real vLLM with a text model: its server, alone and beside the engine. It writes nonsense of the right form."""

import asyncio
import json

import aiohttp
import polars as pl
import pytest
from msgspec.structs import replace
from run_kit import make_record, make_records, make_request, run_judge, score
from vllm_kit import CONTEXT, NAME, PARAMS, SMALL, ask_server, check_form, short_request, too_long_request

from judge import Judge
from judge.errors import RejectedError

pytestmark = [pytest.mark.vllm, pytest.mark.filterwarnings("ignore")]

NONSENSE = {"truncated", "off_menu", "not_json", None}
"""What a reply of a random model may fail by: no end of a string, or a presence without its correctness."""


async def post(api_base, body):
    async with aiohttp.ClientSession() as session, session.post(f"{api_base}/chat/completions", json=body) as response:
        return response.status, await response.json()


# The server.


def test_the_direct_client_gets_what_its_schema_asks_for(text_server):
    requests = [short_request(number) for number in range(1, 5)]
    for reply, asked in zip(asyncio.run(ask_server(text_server, *requests)), requests, strict=True):
        check_form(reply.text, asked)
        assert reply.model == NAME
        assert reply.finish_reason == "stop"
        assert reply.prompt_tokens > 300 and 0 < reply.completion_tokens < PARAMS["max_tokens"]
        assert reply.cost_usd is None


def test_the_server_tells_what_its_cache_had(text_server):
    one = short_request(number=77)
    other = replace(one, asked="Another question at the end.")
    _, again, near = asyncio.run(ask_server(text_server, one, one, other))
    for reply in (again, near):
        assert reply.prompt_tokens * 0.6 < reply.cached_tokens < reply.prompt_tokens
        assert reply.cached_tokens % 32 == 0  # whole blocks


def test_a_reply_that_is_cut_says_so(text_server):
    (reply,) = asyncio.run(ask_server(text_server, short_request(max_tokens=5)))
    assert (reply.finish_reason, reply.completion_tokens) == ("length", 5)


def test_a_prompt_that_is_too_long_is_refused_with_sizes(text_server):
    with pytest.raises(RejectedError, match=f"{CONTEXT}") as caught:
        asyncio.run(ask_server(text_server, too_long_request()))
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


# Both.


def test_server_and_engine_answer_alike(text_server, text_engine):
    loop, engine = text_engine
    requests = [short_request(number) for number in range(10, 16)]
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
