import json
import os
import threading
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest
from click.testing import CliRunner
from plugin_kit import install

from judge.cli import cli, extras, served
from judge.testing import Server

READABLE = "that this machine could read"
INSTALL = "pip install 'rationale-judge[remote]'"
KEY = "sk-a-very-secret-key"


@pytest.fixture(autouse=True)
def plain_environment(monkeypatch, tmp_path):
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("JUDGE_CACHE", str(tmp_path / "store"))


def doctor(*words):
    """Exit code, and the mark and text of each line by its name."""
    shown = CliRunner().invoke(cli, ["doctor", *words], catch_exceptions=False)
    assert KEY not in shown.output
    assert shown.stderr == ""
    return shown.exit_code, {line[4:23].strip(): (line[:2], line[23:]) for line in shown.output.splitlines()}


@contextmanager
def answering(status, body):
    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            self.send_response(status)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}/v1"
        server.shutdown()
        thread.join()


def test_a_bare_machine_is_fine_and_says_what_to_do(tmp_path):
    code, lines = doctor()
    assert code == 0
    assert lines["judge"][0] == lines["rubric pkr"][0] == "ok"
    assert lines["lexical"] == ("ok", "embedded baseline; needs nothing")
    assert lines["openai/MODEL"] == ("--", "set OPENAI_API_KEY to use it")
    assert lines["hosted_vllm/MODEL"][0] == "--"
    assert "judge doctor --api-base http://127.0.0.1:8000/v1" in lines["hosted_vllm/MODEL"][1]
    assert lines["shared store"] == ("ok", f"{tmp_path / 'store'}, made at first use")
    names = ["keys", "extra vllm", "extra serve", ".jsonl.zst", "disk", "open files", "terminal", "proxies", "gpu"]
    assert set(names) <= set(lines)


@pytest.mark.parametrize(
    ("missing", "mark", "said"),
    [
        ({}, "ok", "instructor 1.17.0, litellm 1.90.0: a key is read from the provider's own variable"),
        ({"instructor": None}, "--", "instructor not installed; pip install 'rationale-judge[remote]'"),
        (
            {"litellm": None, "instructor": None},
            "--",
            "instructor and litellm not installed; pip install 'rationale-judge[remote]'",
        ),
        ({"litellm": "1.9.0"}, "--", "litellm 1.9.0 is older than 1.83.7; pip install 'rationale-judge[remote]'"),
        (
            {"litellm": "1.82.7"},
            "no",
            f"litellm 1.82.7 carried a trojan; uninstall it, replace every key {READABLE}, then: {INSTALL}",
        ),
    ],
)
def test_other_providers(monkeypatch, missing, mark, said):
    here = {"litellm": "1.90.0", "instructor": "1.17.0"} | missing
    monkeypatch.setattr(extras, "_version", lambda name: here.get(name, "99"))
    code, lines = doctor()
    assert code == 0
    assert lines["PROVIDER/MODEL"] == (mark, said)


def test_what_an_extra_needs_is_what_our_metadata_says():
    """litellm and instructor, with the lowest versions of pyproject.toml."""
    assert dict(extras._required("remote")) == {"litellm": "1.83.7", "instructor": "1.17"}
    assert set(dict(extras._required("serve"))) == {"fastapi", "prometheus-client", "starlette", "uvicorn"}


def test_versions_are_compared_as_numbers():
    assert extras._numbers("1.83.10") > extras._numbers("1.83.7rc1") == (1, 83, 7)


def test_keys_are_named_where_they_are_set(monkeypatch):
    monkeypatch.setenv("GEMINI_API_KEY", KEY)
    monkeypatch.setenv("MISTRAL_API_KEY", "  ")
    mark, said = doctor()[1]["keys"]
    assert mark == "ok"
    assert "GEMINI_API_KEY (gemini/)" in said and "MISTRAL" not in said


def test_json_has_a_fixed_form(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    shown = CliRunner().invoke(cli, ["doctor", "--json", "--api-base", "http://127.0.0.1:1/v1"])
    told = json.loads(shown.stdout)
    assert KEY not in shown.output
    assert list(told) == ["version", "ok", "checks", "asked"]
    assert (told["ok"], told["asked"], shown.exit_code) == (False, None, 1)
    assert all(list(check) == ["name", "status", "found", "fix"] for check in told["checks"])
    by_name = {check["name"]: check for check in told["checks"]}
    assert by_name["hosted_vllm/MODEL"]["status"] == "failed"
    assert by_name["hosted_vllm/MODEL"]["fix"] == "Is the server running?"
    assert by_name["lexical"]["status"] == "ok"
    assert {check["status"] for check in told["checks"]} <= {"ok", "failed", "missing"}


def test_backends_of_other_packages_and_why_one_cannot_be_used(monkeypatch, tmp_path):
    monkeypatch.syspath_prepend(str(tmp_path))
    install(tmp_path)
    install(tmp_path, "import no_such_module", name="broken", package="judge-broken")
    install(tmp_path, name="openai", package="judge-shadow")
    install(tmp_path, name="twice", package="judge-twice")
    install(tmp_path, name="twice", package="judge-again")
    code, lines = doctor()
    assert code == 0  # nobody asked for them
    assert lines["other/MODEL"] == ("ok", "judge-other 1.2 (judge_other:open_backend)")
    mark, said = lines["broken/MODEL"]
    assert mark == "no" and "judge-broken 1.2" in said and "No module named 'no_such_module'" in said
    assert lines["openai/MODEL"][1].startswith("judge-shadow 1.2 (judge_shadow:open_backend) cannot have this name")
    assert "the judge 'twice' is registered twice" in lines["twice/MODEL"][1]


def test_a_server_names_its_models_and_how_to_use_one():
    with Server(model="Qwen/Qwen3-32B") as server:
        code, lines = doctor("--api-base", server.api_base)
    assert code == 0
    said = f"{server.api_base} serves Qwen/Qwen3-32B; use --judge hosted_vllm/Qwen/Qwen3-32B"
    assert lines["hosted_vllm/MODEL"] == ("ok", said)


@pytest.mark.parametrize("name", ["JUDGE_API_BASE", "HOSTED_VLLM_API_BASE"])
def test_the_address_can_come_from_the_environment(monkeypatch, name):
    with Server(model="m") as server:
        monkeypatch.setenv(name, server.api_base)
        assert doctor()[1]["hosted_vllm/MODEL"][0] == "ok"


def test_a_wrong_port():
    code, lines = doctor("--api-base", "http://127.0.0.1:1/v1")
    assert code == 1
    mark, said = lines["hosted_vllm/MODEL"]
    assert mark == "no"
    assert said == "cannot reach http://127.0.0.1:1/v1 (Connect call failed ('127.0.0.1', 1)). Is the server running?"


def test_an_address_that_is_none():
    code, lines = doctor("--api-base", "localhost:8000")
    assert code == 1
    assert "is not an address like http://127.0.0.1:8000/v1" in lines["hosted_vllm/MODEL"][1]


def test_keys_are_used_and_never_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", KEY)
    with Server(model="m", api_key=KEY) as server:
        code, lines = doctor("--api-base", server.api_base)
        assert code == 1
        assert lines["hosted_vllm/MODEL"] == ("no", f"{server.api_base} asks for a key; set HOSTED_VLLM_API_KEY.")
        monkeypatch.setenv("HOSTED_VLLM_API_KEY", "sk-wrong")
        assert doctor("--api-base", server.api_base)[1]["hosted_vllm/MODEL"][1].endswith(
            "refuses the key in HOSTED_VLLM_API_KEY."
        )
        monkeypatch.setenv("HOSTED_VLLM_API_KEY", KEY)
        code, lines = doctor("--api-base", server.api_base)
    assert code == 0
    assert lines["openai/MODEL"] == ("ok", "OPENAI_API_KEY is set; not tried, as that may cost")


def test_a_password_in_the_address_is_not_shown():
    code, lines = doctor("--api-base", f"http://me:{KEY}@127.0.0.1:1/v1")
    assert code == 1
    assert "put the key into HOSTED_VLLM_API_KEY" in lines["hosted_vllm/MODEL"][1]


@pytest.mark.parametrize(
    ("status", "body", "said"),
    [
        (404, b"not here", "/models answered 404, and not with a list of models. Does the address end in /v1?"),
        (200, b"<html>", "/models answered 200, and not with a list of models."),
        (200, b'{"data": [{"name": "m"}]}', "and not with a list of models."),
        (200, b'{"data": []}', "serves no model."),
    ],
)
def test_a_server_that_is_no_model_server(status, body, said):
    with answering(status, body) as base:
        code, lines = doctor("--api-base", base)
    assert code == 1
    assert said in lines["hosted_vllm/MODEL"][1]


def test_many_models_and_harmful_names():
    names = ["[red]\\u001b[2J", *"abcdef"]
    models = ", ".join(f'{{"id": "{name}"}}' for name in names)
    with answering(200, f'{{"data": [{models}]}}'.encode()) as base:
        _, lines = doctor("--api-base", base)
    assert "serves [red]\ufffd[2J, a, b, c, d and 2 more;" in lines["hosted_vllm/MODEL"][1]


def test_a_server_that_never_answers(monkeypatch):
    monkeypatch.setattr(served, "_PATIENCE_S", 0.2)

    class Silent(HTTPServer):
        def process_request(self, *_):
            pass

    with Silent(("127.0.0.1", 0), BaseHTTPRequestHandler) as server:
        code, lines = doctor("--api-base", f"http://127.0.0.1:{server.server_port}/v1")
    assert code == 1
    assert lines["hosted_vllm/MODEL"][1].endswith("did not answer within 0.2 s.")


@pytest.mark.parametrize(
    ("chosen", "mark", "said"), [("none", "--", "none, as JUDGE_CACHE says"), ("file/x", "no", "cannot be written")]
)
def test_the_store(monkeypatch, tmp_path, chosen, mark, said):
    (tmp_path / "file").write_text("")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("JUDGE_CACHE", chosen)
    _, lines = doctor()
    assert lines["shared store"][0] == mark
    assert said in lines["shared store"][1]
