"""What the tests of `judge serve` share: a service in a thread of this process, and clients that may misbehave."""

from __future__ import annotations

import asyncio
import http.client
import json
import socket
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

from judge.client import Judge
from judge.rubric import Rubric, load_rubric
from judge.serve.app import build_app
from judge.serve.offer import Served, Watched
from judge.serve.server import Ending
from judge.serve.service import Service
from judge.settings import Settings
from judge.web.server import listen

JSON = "application/json"
HOSTS = ("127.0.0.1", "localhost")
ROUTES = ("/v1/score", "/v1/compare", "/v1/reward", "/v1/reward/openrlhf", "/v1/reward/slime", "/verify")
CLAIM = {"unit_id": "P1", "claim": "The fracture is in the left wrist."}
UNITS = {"perception": [CLAIM]}
RIGHT, WRONG = "I see a fracture in the left wrist.", "I see a fracture in the right wrist."


def record(trace: str = RIGHT, **changes: Any) -> dict[str, Any]:
    return {"id": "r1", "question": "What does the X-ray show?", "units": UNITS, "trace": trace, **changes}


def served(judge: str = "lexical", *, rubric: str | Rubric = "pkr", deadline_s: float = 20.0, **options: Any) -> Served:
    """What is offered: a judge with a rubric; options of `Settings`, and `shape` and `rule`."""
    rest = {name: options.pop(name) for name in ("shape", "rule") if name in options}
    beside: Judge | None = options.pop("beside", None)
    loaded = rubric if isinstance(rubric, Rubric) else load_rubric(rubric)
    settings = Settings(judge=judge, rubric=loaded, pairs=not loaded.scored, **options)
    images = settings.image_rules(root=None, allow_urls=False)
    return Served(judge=Watched.of(settings, images=images, beside=beside), deadline_s=deadline_s, **rest)


class Answer:
    """What came back."""

    def __init__(self, status: int, headers: dict[str, str], content: bytes) -> None:
        self.status = status
        self.headers = headers
        self.content = content

    @property
    def json(self) -> Any:
        return json.loads(self.content)

    @property
    def error(self) -> dict[str, str]:
        """Of an answer that has nothing but one."""
        assert self.headers["content-type"] == JSON
        assert [*self.json] == ["error"] and [*self.json["error"]] == ["code", "message", "hint"]
        return self.json["error"]


@dataclass
class Running:
    """A service that answers."""

    port: int
    service: Service
    server: Ending

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> Answer:
        """One request on a connection of its own; underscores in a header's name are dashes."""
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        given = {name.replace("_", "-"): value for name, value in {"Content_Type": JSON, **headers}.items()}
        connection.request(method, path, content, given)
        answer = connection.getresponse()
        found = Answer(answer.status, {name.lower(): value for name, value in answer.getheaders()}, answer.read())
        connection.close()
        return found

    def post(self, path: str, body: object, **headers: str) -> Answer:
        return self.ask("POST", path, body, **headers)

    def raw(self, content: bytes, *, timeout_s: float = 20.0) -> bytes:
        """All that is answered to some bytes, until the connection ends or a whole answer is there."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=timeout_s) as client:
            client.sendall(content)
            said = b""
            while not _is_whole(said) and (more := client.recv(65536)):
                said += more
            return said

    def metric(self, line: str) -> float:
        """The value of a line of `/metrics`; 0 where it is not there."""
        lines = self.service.metrics.written().decode().splitlines()
        return next((float(found.rsplit(" ", 1)[1]) for found in lines if found.startswith(f"{line} ")), 0.0)


def settled(holds: Callable[[], bool], *, within_s: float = 10.0) -> bool:
    """Whether something comes to hold."""
    end = time.monotonic() + within_s
    while not holds() and time.monotonic() < end:
        time.sleep(0.01)
    return holds()


def _is_whole(said: bytes) -> bool:
    head, _, body = said.partition(b"\r\n\r\n")
    lengths = [int(line.split(b":")[1]) for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
    return bool(lengths) and len(body) >= lengths[0]


@contextmanager
def running(
    offered: Sequence[Served],
    *,
    queue: int = 64,
    token: str | None = None,
    hosts: Sequence[str] = HOSTS,
    most_bytes: int = 1_000_000,
    patience_s: float = 20.0,
    connections: int = 500,
) -> Iterator[Running]:
    """A service on a free port of loopback."""
    with listen(0) as listener:
        service = Service.of(offered, queue=queue)
        app = build_app(service, hosts=hosts, token=token, most_bytes=most_bytes)
        server = Ending(app, door=service.door, patience_s=patience_s, connections=connections)
        loop = asyncio.new_event_loop()
        thread = threading.Thread(target=loop.run_until_complete, args=(server.serve(sockets=[listener]),))
        thread.start()
        try:
            yield Running(listener.getsockname()[1], service, server)
        finally:
            loop.call_soon_threadsafe(setattr, server, "should_exit", True)
            thread.join(30)
            loop.close()
            assert not thread.is_alive()
