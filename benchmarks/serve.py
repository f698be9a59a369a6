"""The service: how fast it is, and what it does with clients and servers that misbehave.

    python benchmarks/serve.py [rate generated slow large drain faults]

The service is `judge serve` in a process of its own. The client is of asyncio and httptools and shares its two cores. A
latency counts from when a request was to be sent, not from when it was: a service that stalls is not asked less often.

    rate        300 rewards a second of distinct bodies (3 units, 600 characters) for 60 s
    generated   5,000 bodies made from the OpenAPI schema, of every route; a scripted judge scores and compares
    slow        300 sockets that send a letter of a head a second
    large       a body of 200 MB, told beforehand and not
    drain       SIGTERM while 64 clients ask
    faults      five minutes of a judge of whose answers 20 % fail
"""

from __future__ import annotations

import asyncio
import json
import os
import random
import re
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from statistics import quantiles
from typing import Any

import httptools

RATE, SECONDS, MOST_P99_MS = 300, 60, 200
CONNECTIONS = 64
GENERATED = 5_000
SLOW, CLOSED_WITHIN_S = 300, 20
LARGE_MB = 200
FAULTS_S, FAULTY, FAULTY_RATE = 300, 0.2, 2
_WORDS = (
    "heart",
    "lung",
    "base",
    "zone",
    "rib",
    "line",
    "film",
    "shadow",
    "margin",
    "angle",
    "left",
    "right",
    "clear",
    "opaque",
)
_ADDRESS = re.compile(r"http://127\.0\.0\.1:(\d+)")


# ---- the service, and what the system says of it


@dataclass
class Service:
    """A service that runs."""

    process: subprocess.Popen[str]
    port: int

    @property
    def descriptors(self) -> int:
        return len(list(Path(f"/proc/{self.process.pid}/fd").iterdir()))

    @property
    def rss_mib(self) -> float:
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(re.search(r"VmRSS:\s+(\d+)", status)[1]) / 1024  # type: ignore[index]

    @property
    def cpu_s(self) -> float:
        fields = Path(f"/proc/{self.process.pid}/stat").read_text().rsplit(") ", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


@contextmanager
def serving(*words: str) -> Iterator[Service]:
    command = [sys.executable, "-m", "judge", "serve", "--port", "0", "--quiet", *words]
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr is not None
        said = ""
        while not (found := _ADDRESS.search(said)):
            said = process.stderr.readline()
            assert said, "the service did not start"
        # What it logs is read, or it would wait for somebody who does.
        threading.Thread(target=process.stderr.read, daemon=True).start()
        try:
            yield Service(process, int(found[1]))
        finally:
            process.send_signal(signal.SIGTERM)
            process.wait(timeout=60)


@contextmanager
def scripted(*words: str) -> Iterator[str]:
    """A judge of ours: its address."""
    command = [sys.executable, "-m", "judge.testing", *words, "--stop-on-eof"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.stdout.readline().strip()
        process.communicate()


# ---- a client


@dataclass
class Answer:
    """What came back; status 0 where nothing did."""

    status: int = 0
    body: bytes = b""


class Connection(asyncio.Protocol):
    """One request after the other over one connection."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self.transport: Any = transport
        self.waiting: asyncio.Future[Answer] | None = None
        self._begin()

    def _begin(self) -> None:
        self._parser, self._answer = httptools.HttpResponseParser(self), Answer()

    def data_received(self, data: bytes) -> None:
        self._parser.feed_data(data)

    def on_body(self, body: bytes) -> None:
        self._answer.body += body

    def on_message_complete(self) -> None:
        self._answer.status = self._parser.get_status_code()
        waiting, answer = self.waiting, self._answer
        self.waiting = None
        self._begin()
        if waiting is not None and not waiting.done():
            waiting.set_result(answer)

    def connection_lost(self, _: Exception | None) -> None:
        if self.waiting is not None and not self.waiting.done():
            self.waiting.set_result(Answer())

    async def ask(self, request: bytes) -> Answer:
        self.waiting = asyncio.get_running_loop().create_future()
        self.transport.write(request)
        return await self.waiting


class Client:
    """Connections that are kept and used again."""

    def __init__(self, port: int, connections: int = CONNECTIONS) -> None:
        self._port = port
        self._idle: list[Connection] = []
        self._places = asyncio.Semaphore(connections)

    async def ask(self, request: bytes) -> Answer:
        async with self._places:
            connection = await self._connection()
            answer = await connection.ask(request)
            if not connection.transport.is_closing():
                self._idle.append(connection)
            return answer

    async def _connection(self) -> Connection:
        while self._idle:
            if not (kept := self._idle.pop()).transport.is_closing():
                return kept
        _, made = await asyncio.get_running_loop().create_connection(Connection, "127.0.0.1", self._port)
        return made

    def close(self) -> None:
        for connection in self._idle:
            connection.transport.close()


@asynccontextmanager
async def connected(service: Service, connections: int = CONNECTIONS) -> AsyncIterator[Client]:
    client = Client(service.port, connections)
    try:
        yield client
    finally:
        client.close()


def request(path: str, body: bytes, content_type: str = "application/json") -> bytes:
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nContent-Type: {content_type}\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


def rewarded(number: int) -> bytes:
    """A reward of a record like no other: 3 units, 600 characters."""
    dice = random.Random(number)
    claims = [f"The {' '.join(dice.sample(_WORDS, 5))} of case {number} is seen." for _ in range(3)]
    said = f"Case {number}. {claims[0]} {claims[1]} "
    while len(said) < 600:
        said += f"The {' '.join(dice.sample(_WORDS, 6))} is as it should be. "
    axes = ("perception", "knowledge", "rationale")
    units = {axis: [{"unit_id": axis[0], "claim": claim}] for axis, claim in zip(axes, claims, strict=True)}
    record = {"id": f"r{number}", "question": "What does the film show?", "units": units, "trace": said[:600]}
    return request("/v1/reward", json.dumps({"records": [record]}).encode())


# ---- what is measured


@dataclass
class Seen:
    """What became of many requests."""

    latencies_ms: list[float] = field(default_factory=list)
    statuses: Counter[int] = field(default_factory=Counter)
    unexplained: list[bytes] = field(default_factory=list)

    def add(self, answer: Answer, latency_s: float = 0.0) -> None:
        self.statuses[answer.status] += 1
        self.latencies_ms.append(latency_s * 1000)
        if answer.status >= 500 or not answer.status:
            self.unexplained.append(answer.body[:200])

    def told(self) -> str:
        parts = quantiles(self.latencies_ms, n=1000)
        told = " ".join(f"p{place / 10:g} {parts[place - 1]:.1f}" for place in (500, 900, 990, 999))
        return f"{told} max {max(self.latencies_ms):.1f} ms; statuses {dict(self.statuses)}"


async def paced(client: Client, requests: list[bytes], rate: float) -> Seen:
    """Send each at its time, whatever became of those before."""
    seen, loop, begun = Seen(), asyncio.get_running_loop(), time.perf_counter()

    async def one(number: int) -> None:
        answer = await client.ask(requests[number])
        seen.add(answer, time.perf_counter() - begun - number / rate)

    tasks = []
    for number in range(len(requests)):
        delay = begun + number / rate - time.perf_counter()
        if delay > 0:
            await asyncio.sleep(delay)
        tasks.append(loop.create_task(one(number)))
    await asyncio.gather(*tasks)
    return seen


async def rate() -> None:
    requests = [rewarded(number) for number in range(RATE * SECONDS)]
    with serving() as service:
        async with connected(service) as client:
            await paced(client, [rewarded(-number) for number in range(1, 301)], RATE)
            cpu, own, begun = service.cpu_s, time.process_time(), time.perf_counter()
            seen = await paced(client, requests, RATE)
            wall = time.perf_counter() - begun
            print(f"rate: {len(requests) / wall:.0f} rewards/s for {wall:.1f} s: {seen.told()}")
            ours, its = ((spent / len(requests) * 1000) for spent in (time.process_time() - own, service.cpu_s - cpu))
            print(f"      processor ms a reward: service {its:.2f}, client {ours:.2f}")
    p99 = quantiles(seen.latencies_ms, n=100)[98]
    print(
        f"      within the targets: {'yes' if p99 <= MOST_P99_MS and seen.statuses == {200: len(requests)} else 'no'}"
    )


async def generated() -> None:
    from benchmarks.generated import bodies

    judge = ("--judge", "hosted_vllm/any", "--cache", "none", "--rubric", "pkr", "--rubric", "pkr-preference")
    with scripted() as base, serving(*judge, "--api-base", base) as service:
        async with connected(service, 4) as client:
            schema = await client.ask(b"GET /openapi.json HTTP/1.1\r\nHost: localhost\r\n\r\n")
            seen, routes = Seen(), Counter[str]()
            for path, body in bodies(json.loads(schema.body), GENERATED):
                seen.add(answer := await client.ask(request(path, body)))
                routes[f"{path} {answer.status}"] += 1
    told = f"{sum(seen.statuses.values())} requests, statuses {dict(seen.statuses)}; {dict(sorted(routes.items()))}"
    print(f"generated: {told}; 5xx {seen.unexplained[:3]}")


async def slow() -> None:
    with serving() as service:
        before, begun = service.descriptors, time.perf_counter()
        closed = await asyncio.gather(*(_slow(service.port, begun) for _ in range(SLOW)))
        async with connected(service, 1) as client:
            well = (await client.ask(rewarded(1))).status
        left = service.descriptors - before
    told = f"{len(closed)} closed within {max(closed):.1f} s (aim {CLOSED_WITHIN_S}), {left:+} descriptors"
    print(f"slow: {told}; another client meanwhile {well}")


async def _slow(port: int, begun: float) -> float:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(b"POST /v1/reward HTTP/1.1\r\nHost: localhost\r\nX-Slow: ")
    reading = asyncio.ensure_future(reader.read())
    with suppress(ConnectionError):
        while not reading.done():
            writer.write(b"a")
            await writer.drain()
            await asyncio.wait([reading], timeout=1)
        await reading
    writer.close()
    return time.perf_counter() - begun


async def large() -> None:
    piece = b"a" * 65536
    pieces = LARGE_MB * 1024 * 1024 // len(piece)
    for how, head in {
        "told": f"Content-Length: {pieces * len(piece)}",
        "chunked": "Transfer-Encoding: chunked",
    }.items():
        with serving() as service:
            before, most = service.rss_mib, 0.0
            reader, writer = await asyncio.open_connection("127.0.0.1", service.port)
            start = f"POST /v1/reward HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n{head}\r\n\r\n"
            writer.write(start.encode())
            answering, sent = asyncio.ensure_future(reader.readuntil(b"\r\n\r\n")), 0
            with suppress(ConnectionError):
                for _ in range(pieces):
                    writer.write(b"10000\r\n" + piece + b"\r\n" if how == "chunked" else piece)
                    await writer.drain()
                    sent, most = sent + len(piece), max(most, service.rss_mib)
            answer = (await answering).split(b"\r\n", 1)[0].decode()
            writer.close()
            print(
                f"large, {how}: {answer}; {sent / 2**20:.0f} MB went out; memory {before:.0f} -> at most {most:.0f} MiB"
            )


async def drain() -> None:
    """An accepted request is one that was sent before the signal; each must be answered, with 200."""
    with serving() as service:
        seen, late, told = Counter[int](), Counter[int](), asyncio.Event()

        async def ask(worker: int) -> None:
            client = Client(service.port, 1)
            for number in range(100_000):
                was_told = told.is_set()
                try:
                    status = (await client.ask(rewarded(worker * 100_000 + number))).status
                except OSError:
                    status = 0  # refused: nobody listens any more
                (late if was_told else seen)[status] += 1
                if status != 200:
                    return

        asking = [asyncio.ensure_future(ask(worker)) for worker in range(CONNECTIONS)]
        await asyncio.sleep(3)
        service.process.send_signal(signal.SIGTERM)
        told.set()
        ready = await _readiness(service.port)
        await asyncio.wait(asking, timeout=30)
        code = await asyncio.to_thread(service.process.wait, 30)
    print(f"drain: sent before the signal {dict(seen)}, after it {dict(late)}; /readyz {ready}; exit {code}")


async def _readiness(port: int) -> list[int]:
    statuses = []
    with suppress(OSError):
        for _ in range(3):
            client = Client(port, 1)
            statuses.append(
                (await client.ask(b"GET /readyz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n")).status
            )
            await asyncio.sleep(0.3)
    return statuses


async def faults() -> None:
    with scripted("--faults", str(FAULTY)) as base:
        words = (
            "--judge",
            "hosted_vllm/any",
            "--api-base",
            base,
            "--cache",
            "none",
            "--timeout",
            "1",
            "--deadline",
            "60",
        )
        with serving(*words) as service:
            async with connected(service) as client:
                seen, marks, begun = Seen(), [], time.perf_counter()
                for minute in range(FAULTS_S // 30):
                    batch = [rewarded(minute * 1000 + number) for number in range(30 * FAULTY_RATE)]
                    part = await paced(client, batch, FAULTY_RATE)
                    seen.statuses += part.statuses
                    seen.latencies_ms += part.latencies_ms
                    seen.unexplained += part.unexplained
                    marks.append(f"{service.descriptors} fds {service.rss_mib:.0f} MiB")
                print(f"faults: {time.perf_counter() - begun:.0f} s: {seen.told()}; 5xx {seen.unexplained[:3]}")
                print(f"        each half minute: {', '.join(marks)}")


PARTS = {"rate": rate, "generated": generated, "slow": slow, "large": large, "drain": drain, "faults": faults}


def main() -> None:
    for name in sys.argv[1:] or PARTS:
        print(f"load {' '.join(f'{load:.1f}' for load in os.getloadavg())}", flush=True)
        asyncio.run(PARTS[name]())


if __name__ == "__main__":
    main()
