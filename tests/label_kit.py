"""What the tests of `judge label` share: records, and a page that is served in a thread of this process."""

from __future__ import annotations

import asyncio
import http.client
import json
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from judge.image import ImageRules
from judge.label.labels import open_labels
from judge.label.server import build_app
from judge.label.tasks import opened_tasks, read_tasks
from judge.rubric import load_rubric
from judge.traces.reading import Traces
from judge.web.server import PlainServer, listen

TOKEN = "a-word-that-nobody-guesses"
# Code points 0, 1 and 2 are the lungs, a space and a T; in UTF-16 the T is at 3.
TRACE = "🫁 The right base is opaque. 右肺 is 𝔠lear.\r\n<answer>A</answer>"


def unit(unit_id: str, claim: str = "The right base is opaque.", **fields: Any) -> dict[str, Any]:
    return {"unit_id": unit_id, "claim": claim, **fields}


def record(record_id: str = "r1", **changes: Any) -> dict[str, Any]:
    units = {"perception": [unit("P1"), unit("P2")], "rationale": [unit("R1")]}
    return {"id": record_id, "model": "m", "question": "Which lobe?", "units": units, "trace": TRACE, **changes}


def write_traces(path: Path, *records: dict[str, Any] | str) -> Path:
    lines = [row if isinstance(row, str) else json.dumps(row) for row in records]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def read_rows(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


@dataclass
class Served:
    """A page that answers."""

    url: str
    out: Path
    server: PlainServer

    @property
    def port(self) -> int:
        return urlsplit(self.url).port

    def ask(self, method: str, path: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        """One request below the token; underscores in a header's name are dashes."""
        return self.raw(method, f"/{TOKEN}/{path}", body, **headers)

    def raw(self, method: str, target: str, body: object = None, **headers: str) -> http.client.HTTPResponse:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=10)
        given = {name.replace("_", "-"): value for name, value in headers.items()}
        connection.putrequest(method, target, skip_host="Host" in given)
        content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
        for name, value in {**given, "Content-Length": str(len(content))}.items():
            connection.putheader(name, value)
        connection.endheaders(content)
        answer = connection.getresponse()
        answer.content = answer.read()
        connection.close()
        return answer

    def json(self, method: str, path: str, body: object = None) -> Any:
        answer = self.ask(method, path, body)
        assert answer.status == 200, answer.content
        return json.loads(answer.content)

    def rows(self) -> list[dict[str, Any]]:
        return read_rows(self.out)


@contextmanager
def serving(folder: Path, *records: dict[str, Any] | str, rater: str = "ann", rubric: str = "pkr") -> Iterator[Served]:
    """The page of these records, with `labels.jsonl` of the folder as its file."""
    traces = write_traces(folder / "traces.jsonl", *records)
    out = folder / "labels.jsonl"
    with opened_tasks(load_rubric(rubric)) as tasks, listen(0) as listener:
        reading = read_tasks(tasks, Traces(path=str(traces), images=ImageRules(root=folder)))
        with ThreadPoolExecutor(1) as pool:  # the thread that drives a browser has a loop already
            pool.submit(asyncio.run, reading).result()
        with open_labels(out, rater) as file:
            port = listener.getsockname()[1]
            server = PlainServer(build_app(tasks, file, token=TOKEN, port=port))
            thread = threading.Thread(target=lambda: asyncio.run(server.serve(sockets=[listener])))
            thread.start()
            try:
                yield Served(f"http://127.0.0.1:{port}/{TOKEN}/", out, server)
            finally:
                server.end()
                thread.join()
