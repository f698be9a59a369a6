"""How fast calls leave and come back: `judge`, beside clients that do nothing else.

    python -m benchmarks.clients [throughput latency cached workers shares] [--rounds 5]

Every client is a process of its own against one stub server (`stub.py`) in another, and they take turns, so that a busy
moment of the machine hits all alike; medians, and ratios to the first row. `bare` is aiohttp with uvloop and orjson: it
sends the bytes that `judge` sends, which were made before, decodes what comes, and keeps nothing. `judge` is the whole
of `judge score`, from the file of records to the tables: journal, shared store, limits, deadlines, checks, evidence.
What a process takes to start and to import is not counted for anybody but the workers of `judge`.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Coroutine, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

from benchmarks.share import can_limit, limited_to
from benchmarks.workload import AXES, bodies, write_records

MODEL = "hosted_vllm/m"


@dataclass(frozen=True, kw_only=True)
class Load:
    """What a client is given.

    Attributes:
        base: Address of the server.
        traces: The file of records; clients that read none send what `judge` would send for them.
        calls: How many calls, in all processes.
        concurrency: Calls in flight, in all processes.
        share: Of a processor, which each process gets; None for as much as there is.
    """

    base: str
    traces: Path
    calls: int
    concurrency: int
    share: float | None = None


# The clients. Each makes `calls` calls and is timed from its first to its last.


async def bare(load: Load) -> float:
    import aiohttp
    import orjson

    waiting = iter(bodies(load.traces, MODEL)[: load.calls])

    async def work(session: aiohttp.ClientSession) -> None:
        for body in waiting:
            headers = {"Content-Type": "application/json"}
            async with session.post(f"{load.base}/chat/completions", data=body, headers=headers) as response:
                completion = orjson.loads(await response.read())
                orjson.loads(completion["choices"][0]["message"]["content"])

    async with aiohttp.ClientSession(connector=aiohttp.TCPConnector(limit=0)) as session:
        return await timed([work(session) for _ in range(load.concurrency)])


async def two_bare(load: Load) -> float:
    """Two processes with half of the calls each: what this machine lets a second one add."""

    half = replace(load, calls=load.calls // 2, concurrency=load.concurrency // 2)
    with ThreadPoolExecutor(max_workers=2) as pool:
        return load.calls / sum(pool.map(lambda _: measure("bare", half)["calls_s"], range(2)))


async def raw(load: Load) -> float:
    """Sockets without a client library: what the server could answer."""
    waiting = iter(bodies(load.traces, MODEL)[: load.calls])
    host, port = load.base.removeprefix("http://").removesuffix("/v1").split(":")

    async def work() -> None:
        reader, writer = await asyncio.open_connection(host, int(port), limit=2**20)
        for body in waiting:
            writer.write(b"POST /v1/chat/completions HTTP/1.1\r\ncontent-length: %d\r\n\r\n" % len(body) + body)
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(int(head.lower().partition(b"content-length:")[2].split(b"\r\n")[0]))
        writer.close()

    return await timed([work() for _ in range(load.concurrency)])


async def litellm(load: Load) -> float:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from litellm import acompletion

    waiting = iter(bodies(load.traces, MODEL)[: load.calls])

    async def work() -> None:
        for body in waiting:
            asked = json.loads(body)
            reply = await acompletion(**{**asked, "model": MODEL}, api_base=load.base, api_key="none")
            json.loads(reply.choices[0].message.content)

    return await timed([work() for _ in range(load.concurrency)])


async def instructor(load: Load) -> float:
    os.environ["LITELLM_LOCAL_MODEL_COST_MAP"] = "True"
    from instructor import Mode, from_litellm
    from litellm import acompletion
    from pydantic import create_model

    unit = create_model("Unit", evidence=(str, ...), reason=(str, ...), presence=(int, ...), correctness=(int, ...))
    form = create_model("Verdicts", u1=(unit, ...), u2=(unit, ...), u3=(unit, ...))
    client: Any = from_litellm(acompletion, mode=Mode.JSON_SCHEMA)
    waiting = iter(bodies(load.traces, MODEL)[: load.calls])

    async def work() -> None:
        for body in waiting:
            messages = json.loads(body)["messages"]
            await client.chat.completions.create(
                model=MODEL, messages=messages, response_model=form, max_retries=0, api_base=load.base, api_key="none"
            )

    return await timed([work() for _ in range(load.concurrency)])


async def judge(load: Load) -> float:
    return await score(load, workers=1)


async def two_workers(load: Load) -> float:
    return await score(load, workers=2)


async def score(load: Load, *, workers: int) -> float:
    from judge.rubric import load_rubric
    from judge.run import score_file
    from judge.settings import Settings
    from judge.traces.reading import Traces

    # Beside the traces: the next round of the same folder finds what this one has stored.
    settings = Settings(
        judge=MODEL,
        rubric=load_rubric("pkr"),
        api_base=load.base,
        concurrency=load.concurrency,
        cache=load.traces.parent / "cache",
    )
    out = Path(tempfile.mkdtemp(dir=load.traces.parent)) / "run"
    traces, around = Traces(path=str(load.traces)), partial(limited_to, load.share)
    begun = time.perf_counter()
    report = await score_file(traces, out, settings, workers=workers, around=around)
    took = time.perf_counter() - begun
    assert report.scored * len(AXES) == load.calls, report
    return took


async def timed(work: list[Coroutine[None, None, None]]) -> float:
    begun = time.perf_counter()
    await asyncio.gather(*work)
    return time.perf_counter() - begun


CLIENTS: dict[str, Callable[[Load], Coroutine[None, None, float]]] = {
    "bare": bare,
    "bare, 2 processes": two_bare,
    "raw": raw,
    "judge": judge,
    "judge, 2 workers": two_workers,
    "litellm": litellm,
    "instructor": instructor,
}


def one(client: str, load: Load) -> None:
    """In a process of its own: run a client and print what it took."""
    from judge.loop import drive

    few = load.traces.parent / "few" / "traces.jsonl"  # what is imported late is imported now, for everybody
    few.parent.mkdir(exist_ok=True)
    write_records(few, 2)
    drive(CLIENTS[client](replace(load, traces=few, calls=2 * len(AXES))))
    before = time.process_time()
    with limited_to(load.share):
        took = drive(CLIENTS[client](load))
    processor = time.process_time() - before
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"calls_s": load.calls / took, "cpu_ms": 1000 * processor / load.calls, "peak_mib": peak}))


# The benchmark: who takes turns, with what.


@contextmanager
def stub(latency: float) -> Iterator[str]:
    command = [sys.executable, "-m", "benchmarks.stub", "--latency", str(latency)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.communicate()


def measure(client: str, load: Load) -> dict[str, float]:
    given = {name: value for name, value in vars(load).items() if value is not None}
    words = [word for name, value in given.items() for word in (f"--{name}", str(value))]
    command = [sys.executable, "-m", "benchmarks.clients", "--one", client, *words]
    said = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True, check=True).stdout
    found: dict[str, float] = json.loads(said.splitlines()[-1])
    return found


def take_turns(
    clients: dict[str, int], *, latency: float, concurrency: int, rounds: int, share: float | None = None
) -> None:
    """Every client its number of calls, `rounds` times; a table of medians."""
    taken: dict[str, list[dict[str, float]]] = {client: [] for client in clients}
    with stub(latency) as base:
        for _ in range(rounds):
            for client, calls in clients.items():
                with tempfile.TemporaryDirectory() as folder:
                    traces = Path(folder) / "traces.jsonl"
                    write_records(traces, calls // len(AXES))
                    load = Load(base=base, traces=traces, calls=calls, concurrency=concurrency, share=share)
                    taken[client].append(measure(client, load))
    slowed = "" if share is None else f", each process with {share:g} of a processor"
    print_table(taken, f"{latency * 1000:g} ms, concurrency {concurrency}, medians of {rounds}{slowed}")


def print_table(taken: dict[str, list[dict[str, float]]], title: str) -> None:
    print(f"\n{title}\n{'client':<20}{'calls/s':>9}{'x first':>9}{'ms a call':>11}{'peak MiB':>10}", flush=True)
    first = median(one["calls_s"] for one in next(iter(taken.values())))
    for client, rounds in taken.items():
        calls, cpu, peak = (median(one[name] for one in rounds) for name in ("calls_s", "cpu_ms", "peak_mib"))
        print(f"{client:<20}{calls:9,.0f}{calls / first:9.3f}{cpu:11.3f}{peak:10.0f}", flush=True)


def throughput(rounds: int) -> None:
    """As many calls for each: the longer litellm runs, the slower it gets."""
    clients = ("bare", "judge", "raw", "litellm", "instructor")
    take_turns(dict.fromkeys(clients, 18_000), latency=0, concurrency=128, rounds=rounds)


def latency(rounds: int) -> None:
    take_turns({"bare": 20_001, "judge": 20_001}, latency=0.3, concurrency=512, rounds=rounds)


def workers(rounds: int, share: float | None = None) -> None:
    """A second process of each: what the hardware adds is what the bare client tells."""
    for clients in ("bare", "bare, 2 processes"), ("judge", "judge, 2 workers"):
        take_turns(dict.fromkeys(clients, 120_000), latency=0, concurrency=128, rounds=rounds, share=share)


def shares(rounds: int) -> None:
    """The same where two processors are enough for two processes, with their threads, and the server."""
    if can_limit():
        workers(rounds, share=0.6)
    else:
        print("\nshares: left out, as it needs root and Linux's control groups of version 1")


def cached(rounds: int) -> None:
    """100,000 verdicts once more, all of them stored, beside a run that has to ask."""
    taken: dict[str, list[dict[str, float]]] = {"asked": [], "stored": []}
    with tempfile.TemporaryDirectory() as folder:
        traces, part = Path(folder) / "traces.jsonl", Path(folder) / "part" / "traces.jsonl"
        part.parent.mkdir()
        write_records(traces, 11_112)  # 100,008 verdicts, 33,336 calls
        write_records(part, 500)
        with stub(0) as base:
            measure("judge", Load(base=base, traces=traces, calls=33_336, concurrency=128))
        with stub(0.3) as slow:
            for _ in range(rounds):
                shutil.rmtree(part.parent / "cache", ignore_errors=True)
                taken["asked"].append(measure("judge", Load(base=slow, traces=part, calls=1_500, concurrency=64)))
        for _ in range(rounds):  # the server is gone: a request would end the run
            taken["stored"].append(measure("judge", Load(base=base, traces=traces, calls=33_336, concurrency=64)))
    print_table(
        taken, f"a stored run of 100,008 verdicts, and one that asks (300 ms, concurrency 64), medians of {rounds}"
    )


PARTS: dict[str, Callable[[int], None]] = {
    part.__name__: part for part in (throughput, latency, cached, workers, shares)
}


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("parts", nargs="*", choices=[*PARTS, []])
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--one", choices=[*CLIENTS])
    parser.add_argument("--base")
    parser.add_argument("--traces", type=Path)
    parser.add_argument("--calls", type=int)
    parser.add_argument("--concurrency", type=int)
    parser.add_argument("--share", type=float)
    given = vars(parser.parse_args())
    parts, rounds, client = given.pop("parts"), given.pop("rounds"), given.pop("one")
    if client:
        one(client, Load(**given))
        return
    for part in parts or PARTS:
        PARTS[part](rounds)


if __name__ == "__main__":
    main()
