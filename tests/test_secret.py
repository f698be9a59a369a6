"""Keys and header values: where they are read from, and that no text shows them."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest
from run_kit import completion, error, http, make_request, scripted

from judge import Judge
from judge.backends import secret
from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.secret import hide, hide_sent, read_headers, read_key_file
from judge.backends.server import Server, find_server
from judge.backends.session import open_session
from judge.errors import ConfigError

KEY = "canary+4711/with=odd signs"  # a space and signs that an address quotes
ADDRESS = "http://127.0.0.1:9/v1"


@pytest.fixture(autouse=True)
def fresh(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.setattr(secret, "_sent", set())
    for name in ("HOSTED_VLLM_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.delenv(name, raising=False)
    secret._read_once.cache_clear()
    return


def key_file(folder: Path, text: str = f"  {KEY}\n", mode: int = 0o600) -> Path:
    path = folder / "key"
    path.write_text(text)
    path.chmod(mode)
    return path


def test_a_key_file_is_read_without_its_line_break_and_wins(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "of-the-environment")
    server = find_server("openai/m", "https://api.openai.com/v1", key_file=key_file(tmp_path))
    assert server.sent_headers == {"Authorization": f"Bearer {KEY}"}
    assert KEY not in repr(server)


@pytest.mark.parametrize(
    ("text", "says"),
    [("", "is empty"), (" \n", "is empty"), ("a\nb", "no HTTP header can carry"), ("clé", "no HTTP header can carry")],
)
def test_what_is_no_key_is_refused(text: str, says: str, tmp_path: Path) -> None:
    path = key_file(tmp_path, text)
    with pytest.raises(ConfigError, match=f"--key-file: {re.escape(str(path))}.*{says}"):
        read_key_file(path)


def test_a_file_that_is_no_text_or_not_there_is_refused(tmp_path: Path) -> None:
    (tmp_path / "bytes").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match="no HTTP header can carry"):
        read_key_file(tmp_path / "bytes")
    with pytest.raises(ConfigError, match="cannot be read: No such file"):
        read_key_file(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"--key-file: .*/none cannot be read"):
        Judge("hosted_vllm/m", api_base=ADDRESS, key_file=tmp_path / "none")


@pytest.mark.parametrize(("mode", "warned"), [(0o600, False), (0o640, True), (0o604, True)])
def test_a_key_that_others_can_read_is_warned_of(
    mode: int, warned: bool, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "judge"):
        read_key_file(key_file(tmp_path, mode=mode))
    assert ("can be read by other users; chmod 600 it." in caplog.text) is warned
    assert KEY not in caplog.text


def test_a_pipe_gives_its_key_to_all_who_ask(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    threading.Thread(target=path.write_text, args=(f"{KEY}\n",), daemon=True).start()
    assert [read_key_file(path) for _ in range(3)] == [KEY] * 3


def test_headers_come_from_the_environment_and_from_files(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", " blue-team-0815 ")
    sources = {"X-Team": "env:TEAM", "Authorization": f"file:{key_file(tmp_path, f'Basic {KEY}')}"}
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", "not-this-one")
    server = find_server("hosted_vllm/m", ADDRESS, headers=sources)
    assert server.sent_headers == {"X-Team": "blue-team-0815", "Authorization": f"Basic {KEY}"}
    assert "blue-team" not in repr(server)


def test_an_authorization_of_ones_own_is_a_key(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "Bearer abcdefgh")
    base = "https://api.openai.com/v1"
    assert find_server("openai/m", base, headers={"authorization": "env:TEAM"}).api_key is None
    with pytest.raises(ConfigError, match="needs a key"):
        find_server("openai/m", base, headers={"X-Team": "env:TEAM"})


@pytest.mark.parametrize(
    ("name", "source", "says"),
    [
        ("X Team", "env:TEAM", "'X Team' is not a header"),
        ("X-Team\r\nX", "env:TEAM", "is not a header"),
        ("", "env:TEAM", "is not a header"),
        ("Content-Length", "env:TEAM", "'Content-Length' is not a header"),
        ("host", "env:TEAM", "'host' is not a header"),
        ("X-Team", "env:NOBODY", "the header X-Team is to come from NOBODY, which is not set"),
        ("X-Team", KEY, "the header X-Team says not where its value is"),
        ("X-Team", "env:", "says not where its value is"),
        ("X-Team", "file:/nowhere/at/all", "the header X-Team: /nowhere/at/all cannot be read"),
        ("X-Team", "env:BAD", "BAD holds a character"),
    ],
)
def test_a_header_that_cannot_be_sent_is_refused(
    name: str, source: str, says: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TEAM", "blue-team-0815")
    monkeypatch.setenv("BAD", f"{KEY}\nX-Other: 1")
    with pytest.raises(ConfigError, match=re.escape(says)) as caught:
        read_headers({name: source})
    assert KEY not in str(caught.value)


def test_every_spelling_of_a_secret_is_hidden(tmp_path: Path) -> None:
    read_key_file(key_file(tmp_path))
    spellings = (KEY, "canary%2B4711%2Fwith%3Dodd%20signs", "canary%2B4711%2Fwith%3Dodd+signs")
    for hidden in (hide, hide_sent):
        for spelling in spellings:
            assert hidden(f"<{spelling}>") == "<***>"


def test_a_word_of_a_header_is_a_secret_by_itself_and_short_ones_are_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "Bearer token-0815")
    monkeypatch.setenv("SMALL", "a")
    read_headers({"X-A": "env:TEAM", "X-B": "env:SMALL"})
    assert hide("Bearer token-0815, token-0815, a bearer") == "***, ***, a bearer"


def test_what_the_environment_calls_a_secret_is_hidden_from_people(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOME_TOKEN", "0123456789")
    monkeypatch.setenv("SOME_API_KEY", "0123456789abcdef")
    assert hide("at 0123456789 and 0123456789abcdef") == "at *** and ***"
    # A judge's words are data: only a whole API key is taken out of them.
    assert hide_sent("at 0123456789 and 0123456789abcdef") == "at 0123456789 and ***"


def ask(answer: bytes, server: dict[str, Any]) -> tuple[Any, str]:
    async def main() -> tuple[Any, str]:
        async with scripted(lambda *_: answer) as (base, heard):
            at = Server(model="m", api_base=base, **server)
            async with open_session(at) as session:
                outcome = await asyncio.gather(
                    OpenAICompatible(at, session).complete(make_request()), return_exceptions=True
                )
            return outcome[0], heard[0].head

    return asyncio.run(main())


def test_headers_are_sent_and_no_reply_or_error_repeats_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TEAM", "blue-team-0815")
    headers = read_headers({"X-Team": "env:TEAM"})
    told = "you are blue-team-0815, blue%2Dteam-0815"
    reply, head = ask(http(200, completion(told, model="blue-team-0815")), {"headers": headers})
    assert "X-Team: blue-team-0815" in head
    assert (reply.text, reply.model) == ("you are ***, blue%2Dteam-0815", "***")
    refused, _ = ask(http(500, error(told)), {"headers": headers})
    assert "you are ***" in str(refused)


@pytest.mark.skipif(find_spec("litellm") is None or find_spec("instructor") is None, reason="needs litellm")
def test_litellm_is_given_key_and_headers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from judge.backends.litellm import LiteLLM
    from judge.backends.litellm_setup import read_secrets

    monkeypatch.setenv("TEAM", "blue-team-0815")
    monkeypatch.setenv("OWN", "Bearer abcdefghij")
    message = {"role": "assistant", "content": '{"a": "blue-team-0815"}'}
    choices = [{"index": 0, "finish_reason": "stop", "message": message}]
    whole = {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": choices}

    async def main(provider: str, headers: dict[str, str]) -> tuple[Any, str]:
        async with scripted(lambda *_: http(200, whole)) as (base, heard):
            asked = LiteLLM(f"{provider}/m", api_base=base, key_file=key_file(tmp_path), headers=headers)
            try:
                return await asked.complete(make_request()), heard[0].head.lower()
            finally:
                await asked.aclose()

    for provider in ("openai", "hosted_vllm"):
        reply, head = asyncio.run(main(provider, {"X-Team": "env:TEAM"}))
        assert f"authorization: bearer {KEY}".lower() in head
        assert "x-team: blue-team-0815" in head
        assert reply.text == '{"a": "***"}'
        _, head = asyncio.run(main(provider, {"Authorization": "env:OWN"}))
        assert head.count("authorization:") == 1
        assert "authorization: bearer abcdefghij" in head
    monkeypatch.setenv("OWN", "Basic abcdefghij")
    with pytest.raises(ConfigError, match="litellm writes the header Authorization itself"):
        read_secrets(None, {"authorization": "env:OWN"})
