"""A backend of another package: what is found before anything is read, and what one bad call costs."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import textwrap
from pathlib import Path

import polars as pl
import pytest
from image_kit import corners, encode
from msgspec.structs import replace
from plugin_kit import GOOD, install
from run_kit import make_record, make_request, run_judge, to_lines

from judge import Judge
from judge.backend import Reply
from judge.backends.plugged import open_plugin
from judge.errors import ConfigError, FatalError, RejectedError, TransientError
from judge.plugin import find_plugin

ROOT = Path(__file__).parents[1]
TRACES = ROOT / "examples" / "traces.jsonl"
SECRET = "sk-canary-4711-canary"
OPEN = "def open_backend(model, *, api_base): return Backend()\n"


@pytest.fixture
def site(tmp_path, monkeypatch):
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.syspath_prepend(str(folder))
    forget()  # what tests of other files imported under this name
    yield folder
    forget()


def forget():
    for name in [name for name in sys.modules if name.startswith("judge_other")]:
        del sys.modules[name]


def opened(site, source=GOOD, *, api_base=None):
    install(site, textwrap.dedent(source))
    plugin = find_plugin("other")
    assert plugin is not None
    return open_plugin(plugin, "m", api_base=api_base)


def backend(body, *, fields=""):
    """Source of a module whose backend has this body of `complete`."""
    return f"""
import asyncio
from judge.backend import Reply
from judge.errors import *
class Backend:
    {fields or "pass"}
    async def complete(self, request):
        {body}
{OPEN}"""


def ask(site, body):
    return asyncio.run(opened(site, backend(body)).complete(make_request()))


# What is found before anything is read


@pytest.mark.parametrize(
    ("source", "said"),
    [
        ("import no_such_module", "cannot be imported: ModuleNotFoundError: No module named 'no_such_module'."),
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero."),
        ("x = 1", "cannot be imported: AttributeError: module 'judge_other' has no attribute 'open_backend'."),
        ("open_backend = 3", "is int, and not a function."),
        ("def open_backend(model): return 1", "raised TypeError: open_backend() got an unexpected keyword argument"),
        ("def open_backend(model, *, api_base): return object()", "returned object, which has no complete(request)."),
        ("def open_backend(model, *, api_base): raise KeyError('X')", "raised KeyError: 'X'."),
    ],
)
def test_a_plugin_that_cannot_be_used_is_wrong_configuration(site, source, said):
    with pytest.raises(ConfigError) as caught:
        opened(site, source)
    place = "the entry point 'other' of 'judge.backends' in judge-other 1.2 (judge_other:open_backend) "
    assert str(caught.value).startswith(place + said)
    assert caught.value.hint.startswith("Expected: def open_backend(model: str, *, api_base: str | None) -> Backend")


def test_what_a_factory_says_in_our_words_passes(site):
    source = """
        from judge.errors import ConfigError
        def open_backend(model, *, api_base): raise ConfigError(f"{model} at {api_base} needs MY_KEY.", hint="Set it.")
    """
    with pytest.raises(ConfigError, match=r"^m at http://x/v1 needs MY_KEY. Set it.$"):
        opened(site, source, api_base="http://x/v1")


def test_the_command_line_finds_it_before_it_reads(site, tmp_path):
    install(site, "import no_such_module")
    env = {"PYTHONPATH": f"{ROOT}{os.pathsep}{site}"}
    code, said = run_judge("score", TRACES, "--judge", "other/m", "--out", tmp_path / "run", env=env)
    assert code == 2
    assert "judge-other 1.2" in said and "no_such_module" in said and "Traceback" not in said
    assert not (tmp_path / "run").exists()


def test_the_library_finds_it_when_the_judge_is_made(site):
    install(site, "import no_such_module")
    with pytest.raises(ConfigError, match="no_such_module"):
        Judge("other/m")


def test_an_unknown_judge_names_the_plugins(site):
    install(site)
    install(site, name="lexical", package="judge-shadow")
    with pytest.raises(
        ConfigError, match=r"there are: lexical, hosted_vllm/MODEL, openai/MODEL, vllm/MODEL, other/MODEL, and"
    ):
        Judge("nope")


# One call


def test_a_reply_passes_as_it_is(site):
    reply = ask(site, "return Reply(text='{}', prompt_tokens=7, cost_usd=0.5)")
    assert reply == Reply(text="{}", prompt_tokens=7, cost_usd=0.5)


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ("1 / 0", "raised ZeroDivisionError: division by zero."),
        ("raise ConfigError('late')", "raised ConfigError: late."),
        ("raise MalformedReplyError('bad')", "raised MalformedReplyError: bad."),
        ("return '{}'", "returned str, and not a judge.backend.Reply."),
        ("return None", "returned NoneType, and not a judge.backend.Reply."),
        ("return Reply(text=None)", "returned a Reply that cannot be kept: "),
        ("return Reply(text='{}', prompt_tokens='7')", "returned a Reply that cannot be kept: "),
        ("return Reply(text='\\ud800')", "returned a Reply that cannot be kept: "),
        ("return Reply(text='{}', prompt_tokens=2**80)", "returned a Reply that cannot be kept: "),
        (f"raise RuntimeError('Bearer {SECRET} was refused')", "raised RuntimeError: Bearer *** was refused."),
    ],
)
def test_a_bug_of_a_plugin_is_one_failed_call_that_names_it(site, body, said):
    with pytest.raises(RejectedError) as caught:
        ask(site, body)
    assert caught.value.code == "backend_bug"
    assert str(caught.value).startswith(f"the backend of judge-other 1.2 (judge_other:open_backend) {said}")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize(
    ("body", "kind", "code"),
    [
        ("raise TransientError('busy', code='rate_limit', throttled=True)", TransientError, "rate_limit"),
        ("raise RejectedError('no', code='context_limit')", RejectedError, "context_limit"),
        ("raise FatalError('key', code='auth')", FatalError, "auth"),
        ("raise TimeoutError('slow')", TransientError, "connection"),
        ("raise ConnectionResetError('gone')", TransientError, "connection"),
    ],
)
def test_errors_that_a_backend_may_raise(site, body, kind, code):
    with pytest.raises(kind) as caught:
        ask(site, body)
    assert (type(caught.value), caught.value.code) == (kind, code)


@pytest.mark.parametrize(
    ("name", "kind"), [("KeyboardInterrupt", KeyboardInterrupt), ("asyncio.CancelledError", asyncio.CancelledError)]
)
def test_an_interrupt_is_none_of_a_plugins_bugs(site, name, kind):
    with pytest.raises(kind):
        ask(site, f"raise {name}")


# A run


def test_one_bad_call_is_one_failure_and_the_run_goes_on(site, tmp_path):
    body = """
        if "Case 2." in request.user: 1 / 0
        u = {"evidence": None, "reason": "r", "presence": 0, "correctness": None}
        import json; return Reply(text=json.dumps({"u1": u}), cost_usd=0.0)"""
    install(site, backend(body.strip()))
    traces = tmp_path / "t.jsonl"
    traces.write_bytes(to_lines(make_record(n) for n in (1, 2, 3)))
    env, out = {"PYTHONPATH": f"{ROOT}{os.pathsep}{site}"}, tmp_path / "run"
    code, said = run_judge("score", traces, "--judge", "other/m", "--out", out, "--cache", "none", env=env)
    assert code == 3, said
    failures = pl.read_parquet(out / "scores.parquet").sort("line")["failure"].to_list()
    assert failures == [None, "backend_bug", None]
    (failure,) = [json.loads(line) for line in (out / "failures.jsonl").read_bytes().splitlines()]
    assert "judge-other 1.2" in failure["message"] and "ZeroDivisionError" in failure["message"]


def test_retries_deadline_and_store_stand_around_it(site, tmp_path):
    """Calls: a time-out by the deadline, a transient error, a reply; then the shared store answers."""
    body = """
        Backend.calls += 1
        if Backend.calls == 1: await asyncio.sleep(60)
        if Backend.calls == 2: raise TransientError("again")
        return Reply(text='{"u1": {"evidence": null, "reason": "r", "presence": 0, "correctness": null}}')"""
    install(site, backend(body.strip(), fields="calls = 0"))
    with Judge("other/m", timeout_s=0.2, cache=tmp_path / "store") as judge:
        run = judge.score([make_record(1)])
        assert run.failures.is_empty()
        assert run.calls["attempts"].to_list() == [3]
    with Judge("other/m", timeout_s=0.2, cache=tmp_path / "store") as judge:
        assert judge.score([make_record(1)]).calls["cached"].to_list() == [True]
    assert sys.modules["judge_other"].Backend.calls == 3


def test_it_is_closed_once_and_its_notes_are_told(site):
    closing = """
    async def aclose(self):
        Backend.closed += 1
        raise OSError("busy")
    closed, notes = 0, ["mine"]
"""
    plugged = opened(site, backend("return Reply(text='{}')").replace(OPEN, closing + OPEN))

    async def main():
        await plugged.complete(make_request())
        await plugged.aclose()

    asyncio.run(main())
    assert plugged.notes == [
        "mine",
        "other/m is answered by judge-other 1.2 (judge_other:open_backend), whatever litellm calls by that name.",
        "judge-other 1.2 (judge_other:open_backend) could not be closed: OSError: busy.",
    ]
    assert sys.modules["judge_other"].Backend.closed == 1


@pytest.mark.parametrize(("fields", "failed"), [("sees_images = True", 0), ("pass", 1)])
def test_records_with_an_image_are_for_those_who_see_it(site, fields, failed):
    reply = """return Reply(text='{"u1": {"evidence": null, "reason": "r", "presence": 0, "correctness": null}}')"""
    install(site, backend(reply, fields=fields))
    record = {**make_record(1), "image": encode(corners())}
    assert len(Judge("other/m").score([record]).failures) == failed


# The example


def test_the_example_package_is_installed_and_scores(tmp_path):
    site, out = tmp_path / "site", tmp_path / "run"
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--disable-pip-version-check", "--no-cache-dir"]
    command = [sys.executable, "-m", "pip", "install", "-q", *options, "--target", site, ROOT / "examples" / "backend"]
    subprocess.run([str(word) for word in command], check=True, capture_output=True, timeout=60)
    env = {"PYTHONPATH": f"{ROOT}{os.pathsep}{site}", "JUDGE_CACHE": "none"}
    code, said = run_judge("score", TRACES, "--judge", "echo/any", "--out", out, env=env)
    assert code == 0, said
    assert "Note: echo/any is answered by judge-echo 0.1.0 (judge_echo:open_backend), whatever litellm" in said
    scores = pl.read_parquet(out / "scores.parquet")
    # It says 2 and +1 of every unit, so each trace scores 1; one of the 15 has no content and scores 0 without a call.
    assert sorted(scores["trace_score"].to_list()) == [0.0] + [1.0] * 14
    identity = json.loads((out / "run.json").read_bytes())["identity"]
    assert (identity["judge"], identity["package"], identity["version"]) == ("echo/any", "judge-echo", "0.1.0")
    code, said = run_judge("score", TRACES, "--judge", "echo/any", "--out", out, env=env)
    assert code == 0 and "0 answered without a new one" in said  # all records are kept from before


# Probes


def ask_probe(site, reply):
    request = replace(make_request(), labels=("0", "1", "2"), schema="")
    return asyncio.run(opened(site, backend(f"return {reply}")).complete(request))


def test_a_plugin_may_give_probabilities(site):
    reply = ask_probe(site, "Reply(text='2', probabilities={'0': 0.25, '1': 0, '2': 0.5})")
    assert reply.probabilities == {"0": 0.25, "1": 0.0, "2": 0.5}


def test_a_plugin_that_gives_none_ends_the_run(site):
    with pytest.raises(FatalError, match=r"judge-other 1\.2 .* gives no logprobs, which a probe needs") as caught:
        ask_probe(site, "Reply(text='2')")
    assert caught.value.code == "no_logprobs"


def test_a_plugin_whose_judge_refuses_gives_none_and_the_run_goes_on(site):
    assert ask_probe(site, "Reply(text='', finish_reason='refusal')").probabilities is None
