"""What the tests of a run share: records of our own, a run in this process or in another, and its tables."""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import polars as pl

from judge.probe import build_probes
from judge.prompt import JudgeModel, Prompt, Request
from judge.record import build_record
from judge.rubric import load_rubric
from judge.run import Progress, RunReport, score_file
from judge.settings import Settings
from judge.testing import Server
from judge.traces.reading import Traces

NAME = "hosted_vllm/any"
RUBRIC = load_rubric("pkr")
_AXES = ("perception", "knowledge", "rationale")
_ORGANS = ("liver", "spleen", "left kidney", "right lung", "aorta", "pancreas", "thyroid", "bladder")
_SIGNS = ("is enlarged", "shows a cyst", "is of normal size", "is calcified", "shows no fluid", "enhances late")
_SIDES = ("on the first slice", "in the late phase", "after contrast", "without contrast", "at follow-up")


def make_record(number: int, *, units: int = 1, seed: int = 0) -> dict[str, Any]:
    """A record that is like no other: its number is in its trace."""
    dice = random.Random(f"{seed}:{number}")
    said = [f"The {dice.choice(_ORGANS)} {dice.choice(_SIGNS)} {dice.choice(_SIDES)}." for _ in range(4)]
    claims = [dice.choice(said) if dice.random() < 0.7 else f"The {dice.choice(_ORGANS)} is absent." for _ in _AXES]
    asked = {
        axis: [{"unit_id": f"U{place}", "claim": claim}]
        for place, (axis, claim) in enumerate(zip(_AXES[:units], claims[:units], strict=True))
    }
    return {
        "id": f"r{number}",
        "question": "What does the scan show?",
        "model": "m",
        "reference": {"answer": "A", "reasoning": "See the scan."},
        "units": asked,
        "trace": f"Case {number}. {' '.join(said)} <answer>{dice.choice('AB')}</answer>",
    }


def make_records(count: int, *, units: Sequence[int] = (1,), seed: int = 0) -> list[dict[str, Any]]:
    return [make_record(n, units=units[n % len(units)], seed=seed) for n in range(1, count + 1)]


def to_lines(records: Iterable[dict[str, Any] | str]) -> bytes:
    lines = [record if isinstance(record, str) else json.dumps(record) for record in records]
    return "".join(f"{line}\n" for line in lines).encode()


def make_request(number: int = 1, *, params: dict[str, Any] | None = None) -> Request:
    """A request of the first axis of a record."""
    record = build_record(make_record(number), number=number)
    judge = JudgeModel(name=NAME, api_base="http://127.0.0.1:9/v1", params=params or {"temperature": 0})
    return Prompt(RUBRIC).build_requests(build_probes(record, RUBRIC, granularity="axis"), judge)[0]


def settings_for(server: Server | str, **changes: Any) -> Settings:
    base = server if isinstance(server, str) else server.api_base
    return Settings(**{"judge": NAME, "rubric": RUBRIC, "api_base": base, "timeout_s": 10.0, **changes})


def traces_of(content: bytes, out: Path, *, limit: int | None = None) -> Traces:
    """A trace file beside a run directory."""
    path = out.with_name(f"{out.name}.jsonl")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return Traces(path=str(path), limit=limit)


def score(
    records: Iterable[dict[str, Any] | str],
    out: Path,
    server: Server | str,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    workers: int = 1,
    progress: Progress | None = None,
    **changes: Any,
) -> RunReport:
    """A run in this process; read = scored + failed is checked of every one that finishes."""
    traces, settings = traces_of(to_lines(records), out, limit=limit), settings_for(server, **changes)
    report = asyncio.run(score_file(traces, out, settings, overwrite=overwrite, workers=workers, progress=progress))
    check_conservation(out, report.read)
    return report


def check_conservation(out: Path, read: int) -> None:
    """read = scored + failed in the report, in run.json, and in the tables."""
    counts = json.loads((out / "run.json").read_bytes())["counts"]
    scores, failures = pl.read_parquet(out / "scores.parquet"), read_failures(out)
    unreadable = sum(row["stage"] == "read" for row in failures)
    scored = scores["failure"].is_null().sum()
    assert counts == {"read": read, "scored": scored, "failed": len(scores) - scored + unreadable}
    assert counts["read"] == counts["scored"] + counts["failed"]
    assert set(scores.filter(pl.col("failure").is_not_null())["line"]) <= {row["line"] for row in failures}


def read_failures(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "failures.jsonl").read_bytes().splitlines()]


def assert_same_tables(left: Path, right: Path) -> None:
    """Equal in content and order; calls.parquet aside, as what was asked differs."""
    for name in ("scores", "verdicts"):
        one, other = (pl.read_parquet(out / f"{name}.parquet") for out in (left, right))
        assert one.equals(other, null_equal=True), f"{name} differ"
    assert (left / "failures.jsonl").read_bytes() == (right / "failures.jsonl").read_bytes()


def asked_after_commit(server: Server) -> int:
    """Requests for a key that came after a usable reply to that key had been delivered."""
    delivered: dict[str, float] = {}
    late = 0
    for row in server.ledger.rows():
        late += row.key in delivered and row.t_received > delivered[row.key]
        if row.paid and row.delivered and row.fault is None and row.t_done is not None:
            delivered.setdefault(row.key, row.t_done)
    return late


def start_judge(
    *arguments: object, env: dict[str, str] | None = None, script: str = "", **options: Any
) -> subprocess.Popen[bytes]:
    """The real command line in a process of its own; `script` is run before it, to plant a fault."""
    main = f"{script}\nfrom judge.__main__ import main\nmain()"
    command = [sys.executable, "-c", main, *map(str, arguments)]
    streams = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    return subprocess.Popen(command, env=environment(env), **{**streams, **options})


def run_judge(*arguments: object, timeout_s: float = 60.0, **options: Any) -> tuple[int, str]:
    """Exit code, and all that was printed."""
    process = start_judge(*arguments, **options)
    return finish(process, timeout_s)


def finish(process: subprocess.Popen[bytes], timeout_s: float = 60.0) -> tuple[int, str]:
    try:
        out, err = process.communicate(timeout=timeout_s)
    except subprocess.TimeoutExpired:
        process.kill()
        out, err = process.communicate()
        raise AssertionError(f"did not end in {timeout_s} s: {err.decode()}") from None
    return process.returncode, (out + err).decode()


def environment(changes: dict[str, str] | None = None) -> dict[str, str]:
    """Ours, without what would tell a run where to ask."""
    plain = {key: value for key, value in os.environ.items() if not key.upper().startswith(("JUDGE_", "HOSTED_"))}
    return {**plain, "COLUMNS": "200", **(changes or {})}


def planted(folder: Path, code: str) -> dict[str, str]:
    """What an environment needs so that every worker process runs this code before anything else."""
    folder.mkdir(parents=True)
    begins = "import sys\nif any('spawn_main' in word for word in sys.orig_argv):\n    "
    (folder / "sitecustomize.py").write_text(begins + code.strip().replace("\n", "\n    "))
    found = os.environ.get("PYTHONPATH")
    return {"PYTHONPATH": os.pathsep.join([str(folder), *([found] if found else [])])}


def arguments_for(traces: Path, out: Path, server: Server | str, *more: object) -> list[object]:
    base = server if isinstance(server, str) else server.api_base
    return ["score", traces, "--out", out, "--judge", NAME, "--api-base", base, "--cache", "none", *more]


@dataclass
class Heard:
    """One request as it came over the wire."""

    at: float
    head: str
    body: dict[str, Any]


@asynccontextmanager
async def scripted(
    answer: Callable[[int, Heard], bytes], *, lists: bool = False
) -> AsyncIterator[tuple[str, list[Heard]]]:
    """A server that sends these very bytes to its n-th request (from 1) and hangs up; none at all resets.

    What models it has it does not say, unless it `lists` them, with its answers too.
    """
    heard: list[Heard] = []

    async def handle(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        length = re.search(r"content-length: (\d+)", head, re.IGNORECASE)
        body = json.loads(await reader.readexactly(int(length[1])) or b"{}") if length else {}
        listing = head.startswith("GET ") and not lists
        if not listing:
            heard.append(Heard(time.time(), head, body))
        with suppress(ConnectionError):
            writer.write(http(404) if listing else answer(len(heard), heard[-1]))
            await writer.drain()
            writer.close()
            await writer.wait_closed()

    server = await asyncio.start_server(handle, "127.0.0.1", 0)
    async with server:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1", heard


def http(status: int, body: object = b"", **headers: str) -> bytes:
    """The bytes of an HTTP answer; underscores in a header's name are dashes."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    given = {"Content-Length": str(len(content)), "Connection": "close", **headers}
    lines = [f"HTTP/1.1 {status} Whatever", *(f"{name.replace('_', '-')}: {value}" for name, value in given.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def error(message: str, **fields: object) -> dict[str, Any]:
    return {"error": {"message": message, **fields}}


def completion(text: str = "{}", **changes: Any) -> dict[str, Any]:
    return {"choices": [{"message": {"content": text}, "finish_reason": "stop"}], **changes}
