"""Canaries: a key, a header and texts go through a whole run, and then every byte that it left behind is read.

Texts of questions are in no file of ours; a line that could not be read is repeated in the failures. An image's path is
in the failures at most, and never printed. Keys and header values are nowhere.
"""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import quote

import polars as pl
import pytest
from run_kit import Heard, environment, http, make_records, planted, run_judge, scripted

from judge.testing import QUICK, REPLY, Server

KEY = "canary-key/4711+odd"
HEADER = "canary-header-0815"
QUESTION = "canary-question"
IMAGE = "canary-image.png"
FAILURES = ("failures.jsonl", "failures.parquet")
LITELLM = pytest.mark.skipif(
    find_spec("litellm") is None or find_spec("instructor") is None, reason="litellm and instructor are not installed"
)


@dataclass
class Place:
    """Where a run can write: everything is empty but for the input and the key."""

    root: Path

    def __post_init__(self) -> None:
        for name in ("home", "tmp", "cache", "config", "data", "work", "given", "store"):
            (self.root / name).mkdir()
        records: list[Any] = make_records(6, units=(1, 2))
        for record in records:
            record["question"] = f"What of {QUESTION}?"
        records[4]["image"] = IMAGE
        lines = [json.dumps(record) for record in records]
        lines.append(f'{{"id": "broken", "question": "{QUESTION}"')
        (self.root / "given" / "traces.jsonl").write_text("\n".join(lines))
        (self.root / "given" / "key").write_text(KEY + "\n")
        (self.root / "given" / "key").chmod(0o600)

    def environment(self, **more: str) -> dict[str, str]:
        places = {"HOME": "home", "TMPDIR": "tmp", "XDG_CACHE_HOME": "cache", "XDG_CONFIG_HOME": "config"}
        found = {name: str(self.root / folder) for name, folder in {**places, "XDG_DATA_HOME": "data"}.items()}
        return environment({**found, "TEAM": HEADER, "PYTHONDONTWRITEBYTECODE": "1", **more})

    def run(
        self, base: str, *more: object, script: str = "", judge: str = "hosted_vllm/m", **env: str
    ) -> tuple[int, str]:
        words = ["score", self.root / "given" / "traces.jsonl", "--out", self.root / "run", "--judge", judge]
        words += ["--api-base", base, "--header", "X-Team=env:TEAM", "--log-level", "debug", "--max-retries", "2"]
        words += ["--cache", self.root / "store", "--timeout", "5", *more]
        return run_judge(*words, env=self.environment(**env), script=script, cwd=self.root / "work")

    @property
    def key_file(self) -> tuple[object, ...]:
        return "--key-file", self.root / "given" / "key"

    def written(self) -> Iterator[tuple[str, str]]:
        """Name and text of each file; tables as text too, as they are compressed."""
        for path in self.root.rglob("*"):
            if path.is_file() and "given" not in path.parts:
                yield path.name, path.read_bytes().decode("utf-8", "replace")
                if path.suffix == ".parquet":
                    yield path.name, pl.read_parquet(path).write_ndjson()


def check(place: Place, said: str, *, at_least: int = 1) -> None:
    files = [("what was printed", said), *place.written()]
    assert len(files) > at_least
    for name, text in files:
        for canary in (KEY, quote(KEY, safe=""), json.dumps(KEY)[1:-1], HEADER):
            assert canary not in text, f"a secret is in {name}"
        assert QUESTION not in text or name in FAILURES, f"the question is in {name}"
        assert IMAGE not in text or name in FAILURES, f"the image's path is in {name}"


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place(tmp_path)


def with_server(answer: Callable[[int, Heard], bytes], work: Callable[[str], tuple[int, str]]) -> tuple[int, str, int]:
    """Exit code, what was printed, and how many requests held key and header."""

    async def main() -> tuple[int, str, int]:
        async with scripted(answer) as (base, heard):
            code, said = await asyncio.to_thread(work, base)
            knew = sum(KEY in request.head and HEADER in request.head for request in heard)
            assert knew == len(heard)  # a test of secrets that are not sent would be none
            return code, said, knew

    return asyncio.run(main())


@pytest.mark.parametrize("workers", [1, 2])
def test_a_run_with_faults(workers: int, place: Place) -> None:
    kinds = (*QUICK, *REPLY)
    with Server(script="sloppy", faults=0.5, kinds=kinds, retry_after_s=0.01, api_key=KEY, seed=2) as server:
        code, said = place.run(server.api_base, *place.key_file, "--workers", workers)
        assert server.ledger.paid > 3
    assert code == 3
    assert ": answered in " in said  # debug
    assert ": failed with " in said  # info
    check(place, said, at_least=12)
    run = json.loads((place.root / "run" / "run.json").read_bytes())
    assert run["settings"]["headers"] == {"X-Team": "env:TEAM"}
    assert run["settings"]["key_file"] == str(place.root / "given" / "key")
    raw = (place.root / "run" / "failures.jsonl").read_text()
    assert QUESTION in raw  # the line that could not be read, and so the reader of files does find canaries


@pytest.mark.parametrize(
    ("image", "told"),
    [
        (IMAGE, "image: is '…'; there is no such file below the image root. Is it the right folder? --image-root"),
        (f"""it's "{IMAGE}" \\'\n""", "image: is '…'; there is no such file below the image root."),
        (f"../{IMAGE}", "image: is '…', which points outside the image root. Give a path below --image-root"),
        (f"folder/{IMAGE}", "image: is '…', which is a folder, not a file."),
        (f"large/{IMAGE}", "image: is '…' of 99,999,999 bytes; at most "),
        (f"https://example.com/{IMAGE}", "image: is an address, 'https://example.com', and addresses are not fetched."),
    ],
)
def test_the_path_of_an_image_is_not_printed(image: str, told: str, place: Place) -> None:
    """The end of what is printed is the first failure; it says all but the path, which is in the failures."""
    (place.root / "given" / "folder" / IMAGE).mkdir(parents=True)
    (place.root / "given" / "large").mkdir()
    with (place.root / "given" / "large" / IMAGE).open("wb") as file:
        file.truncate(99_999_999)
    (record,) = make_records(1)
    (place.root / "given" / "traces.jsonl").write_text(json.dumps({**record, "image": image}))
    with Server(api_key=KEY) as server:
        code, said = place.run(server.api_base, *place.key_file)
    assert code == 3, said
    assert f"says why. The first: line 1, {told}" in said
    check(place, said)
    assert IMAGE in (place.root / "run" / "failures.jsonl").read_text()


def echo(number: int, heard: Heard) -> bytes:
    """Repeats what it was sent, in errors of all kinds and in the words of the judge."""
    head = f"{heard.head} {quote(KEY, safe='')} {quote(HEADER)}"
    if number % 4:
        body = {"error": {"message": head, "code": KEY}} if number % 2 else head.encode()
        return http((500, 400, 200)[number % 4 - 1], body, X_Echo=KEY)
    said = {"u1": {"evidence": None, "reason": f"As {KEY} and {HEADER} say.", "presence": 0, "correctness": None}}
    choice = {"index": 0, "message": {"role": "assistant", "content": json.dumps(said)}, "finish_reason": HEADER}
    whole = {"id": KEY, "object": "chat.completion", "created": 1, "model": KEY, "choices": [choice]}
    return http(200, whole)


@pytest.mark.parametrize(
    "judge", ["hosted_vllm/m", pytest.param("litellm/hosted_vllm/m", marks=LITELLM)], ids=["direct", "litellm"]
)
def test_a_server_that_repeats_what_it_was_sent(place: Place, judge: str) -> None:
    flags = ("--concurrency", "1")
    code, said, knew = with_server(echo, lambda base: place.run(base, *place.key_file, *flags, judge=judge))
    assert code == 3
    assert knew > 8
    check(place, said, at_least=12)
    reasons = pl.read_parquet(place.root / "run" / "verdicts.parquet")["reason"].drop_nulls().to_list()
    assert set(reasons) == {"As *** and *** say."}


def test_a_key_that_is_refused(place: Place) -> None:
    def refuse(_: int, heard: Heard) -> bytes:
        return http(401, {"error": {"message": f"Incorrect API key provided: {KEY}, {heard.head}"}})

    code, said, knew = with_server(refuse, lambda base: place.run(base, HOSTED_VLLM_API_KEY=KEY))
    assert (code, knew) == (2, 1)
    assert "***" in said
    check(place, said)


CRASH = """
import logging
import judge.backends.openai_compatible as backend
def read(self, body, attempts):
    logging.getLogger("judge.planted").warning("about to crash as %s", self._server.sent_headers, exc_info=True)
    raise RuntimeError(f"Invalid header value {self._server.sent_headers}")
backend.OpenAICompatible._read = read
"""


def check_crash(place: Place, said: str) -> None:
    assert "RuntimeError: Invalid header value {'Authorization': 'Bearer ***', 'X-Team': '***'}" in said
    assert "Traceback" in said
    assert "about to crash as {'Authorization': 'Bearer ***', 'X-Team': '***'}" in said
    check(place, said)


def test_a_crash(place: Place) -> None:
    with Server(api_key=KEY) as server:
        code, said = place.run(server.api_base, *place.key_file, script=CRASH)
    assert code == 1
    check_crash(place, said)


def test_a_crash_of_a_worker(place: Place) -> None:
    with Server(api_key=KEY) as server:
        everywhere = planted(place.root / "given" / "planted", CRASH)
        code, said = place.run(server.api_base, *place.key_file, "--workers", 2, **everywhere)
    assert code == 75
    assert "a worker process ended with code 1." in said
    check_crash(place, said)


def test_a_value_on_the_command_line_is_refused_and_not_repeated(place: Place) -> None:
    code, said = place.run("http://127.0.0.1:9/v1", "--header", f"X-Key={KEY}")
    assert code == 2
    assert "a header is NAME=env:VARIABLE or NAME=file:PATH" in said
    check(place, said, at_least=0)


def test_without_being_asked_nothing_is_logged(place: Place) -> None:
    with Server(api_key=KEY, faults=0.5, kinds=("500",)) as server:
        said = place.run(server.api_base, *place.key_file, "--log-level", "warning", "--quiet")[1]
    assert "judge.calls" not in said
    assert len(said.splitlines()) <= 1
