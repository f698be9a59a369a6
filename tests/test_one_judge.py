"""`judge doctor --judge NAME [--ask]`: one judge, and what it answers."""

from __future__ import annotations

import json
import os

import pytest
from click.testing import CliRunner
from plugin_kit import GOOD, install

from judge.cli import cli
from judge.testing import Server

KEY = "sk-a-very-secret-key"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch):
    for name in list(os.environ):
        if name.startswith(("JUDGE_", "HOSTED_VLLM_")) or name.endswith(("_API_KEY", "_API_BASE")):
            monkeypatch.delenv(name)


def doctor(*words):
    """Exit code, and the mark and text of each line by its name."""
    shown = CliRunner().invoke(cli, ["doctor", *words], catch_exceptions=False)
    assert KEY not in shown.output
    return shown.exit_code, {line[4:23].strip(): (line[:2], line[23:]) for line in shown.stdout.splitlines()}


def hosted(server, *words, model="m"):
    return doctor("--judge", f"hosted_vllm/{model}", "--api-base", server.api_base, *words)


def test_a_judge_that_is_served():
    with Server(model="m") as server:
        code, lines = hosted(server)
    unknown = ("--", "not known: its server says so when it gets the first one")
    assert (code, lines) == (0, {"judge": ("ok", f"{server.api_base} serves m"), "images": unknown})
    assert server.ledger.requests == 0  # nothing is asked that costs


def test_another_model_is_served():
    with Server(model="m") as server:
        code, lines = hosted(server, model="other")
    assert code == 1
    assert lines["judge"] == ("no", f"{server.api_base} does not serve 'other'; it serves m; --judge hosted_vllm/m")


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("nope", "no judge is called 'nope'"),
        ("hosted_vllm/m", "hosted_vllm/m needs the address of its server. Add --api-base"),
        ("openai/m", "openai/m needs a key. Set OPENAI_API_KEY"),
        ("nonsense/m", "litellm knows no provider for 'nonsense/m'."),
    ],
)
def test_a_judge_that_cannot_be_asked(name, said):
    code, lines = doctor("--judge", name, "--ask")
    assert code == 1
    assert list(lines) == ["judge"]  # and it was not asked
    assert lines["judge"][0] == "no" and said in lines["judge"][1]


def test_a_provider_of_litellm_names_the_keys_that_are_missing(monkeypatch):
    code, lines = doctor("--judge", "anthropic/claude-sonnet-4-5")
    assert (code, lines["judge"][0]) == (1, "no")
    assert lines["judge"][1].endswith("; set ANTHROPIC_API_KEY")
    monkeypatch.setenv("ANTHROPIC_API_KEY", KEY)
    code, lines = doctor("--judge", "anthropic/claude-sonnet-4-5")
    assert code == 0
    assert lines["judge"] == ("ok", "anthropic/claude-sonnet-4-5, asked through litellm")
    assert lines["images"] == ("ok", "sees them: litellm's map of models says so")


@pytest.mark.parametrize(
    ("name", "sees", "why"),
    [
        ("openai/gpt-4o-mini", True, "sees them: litellm's map of models says so"),
        ("openai/gpt-3.5-turbo-0125", None, "not known: its server says so when it gets the first one"),
        ("litellm/openai/of-my-own", None, "not known: litellm's map of models does not say"),
        ("blind/m", False, "reads texts only: judge-blind 1.2 (judge_blind:open_backend) does not say that it reads"),
        ("seeing/m", True, "sees them: judge-seeing 1.2 (judge_seeing:open_backend) says that it reads them"),
        ("lexical", False, "reads texts only: it compares words"),
    ],
)
def test_whether_it_sees_images_and_how_we_know(name, sees, why, monkeypatch, tmp_path):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, GOOD, name="blind", package="judge-blind")
    seeing = GOOD.replace("class Backend:", "class Backend:\n    sees_images = True")
    install(tmp_path, seeing, name="seeing", package="judge-seeing")
    with Server(model=None, script="obedient") as server:
        words = ("--judge", name, *(() if name == "lexical" else ("--api-base", server.api_base)), "--ask")
        code, lines = doctor(*words)
        shown = CliRunner().invoke(cli, ["doctor", *words, "--json"])
    assert code == 0, shown.output
    mark, said = lines["images"]
    assert mark == ("ok" if sees else "--") and said.startswith(why)
    asked = json.loads(shown.stdout)["asked"]
    assert asked is None if name == "lexical" else asked["sees_images"] is sees


def test_the_baseline():
    code, lines = doctor("--judge", "lexical", "--ask")
    assert code == 0
    assert lines["answer"] == ("ok", "computed here, at no cost")


def test_a_backend_of_another_package(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path, GOOD, name="doc", package="judge-doc")
    code, lines = doctor("--judge", "doc/m", "--ask")
    assert code == 0
    assert lines["judge"] == ("ok", "doc/m, of judge-doc 1.2 (judge_doc:open_backend)")
    assert lines["answer"][1].endswith("s from plugged; it cost $0.000000")
    assert lines["structured output"][0] == "--"  # it says {}
    assert lines["tokens"][0] == "--"


# Asking


def test_one_request_tells_time_form_and_tokens():
    with Server(model="m", script="obedient") as server:
        code, lines = hosted(server, "--ask")
        shown = CliRunner().invoke(
            cli, ["doctor", "--judge", "hosted_vllm/m", "--api-base", server.api_base, "--ask", "--json"]
        )
    assert code == 0
    assert lines["answer"][0] == "ok" and "s from m; its price is not known" in lines["answer"][1]
    assert lines["structured output"] == ("ok", "honoured: the reply is JSON of the form asked for")
    assert lines["tokens"][0] == "ok" and lines["tokens"][1].endswith(" counted")
    assert server.ledger.requests == 2  # one each
    asked = json.loads(shown.stdout)["asked"]
    keys = ["seconds", "model", "structured", "prompt_tokens", "completion_tokens", "cost_usd", "sees_images"]
    assert list(asked) == keys
    assert (asked["model"], asked["structured"], asked["cost_usd"]) == ("m", True, None)
    assert asked["prompt_tokens"] > 100 and asked["completion_tokens"] > 0


def test_that_it_may_cost_is_said_before():
    with Server(model="m") as server:
        words = ["doctor", "--judge", "hosted_vllm/m", "--api-base", server.api_base, "--ask"]
        assert CliRunner().invoke(cli, words).stderr == "Sending one request, which may cost.\n"


@pytest.mark.parametrize(
    ("behaviour", "said"),
    [
        ({"reject_response_format": True}, "refused response_format json_schema; asked for JSON in the text instead;"),
        ({"script": "stubborn"}, "the reply is not of the form asked for: "),
        ({"script": lambda ask: "```json\n{}\n```"}, "the reply is not of the form asked for: "),
        ({"script": lambda ask: '{"u1": {"presence": 2}}'}, "the reply is not of the form asked for: "),
        ({"script": lambda ask: '{"u1": 2}'}, "the reply is not of the form asked for: "),
    ],
)
def test_a_form_that_is_not_honoured_is_said_and_fails_nothing(behaviour, said):
    with Server(**{"model": "m", "script": "obedient", **behaviour}) as server:
        code, lines = hosted(server, "--ask")
    assert code == 0
    assert lines["structured output"][0] == "--" and said in lines["structured output"][1]


def test_a_wrong_key(monkeypatch):
    with Server(model="m", api_key="right") as server:
        monkeypatch.setenv("HOSTED_VLLM_API_KEY", KEY)
        code, lines = hosted(server, "--ask")
    assert code == 1
    assert lines["judge"] == ("no", f"{server.api_base} refuses the key in HOSTED_VLLM_API_KEY.")
    assert lines["answer"][0] == "no" and "answered 401" in lines["answer"][1]


def test_the_answer_decides_where_a_server_lists_another_name():
    """vLLM lists adapters and aliases that gateways before it do not."""
    with Server(model=None, script="obedient") as server:  # lists a name of its own, and answers to any
        assert hosted(server, model="alias")[0] == 1
        assert hosted(server, "--ask", model="alias")[0] == 0


def test_whom_to_ask_must_be_named():
    shown = CliRunner().invoke(cli, ["doctor", "--ask"])
    assert shown.exit_code == 2
    assert "--ask needs --judge NAME" in shown.stderr
