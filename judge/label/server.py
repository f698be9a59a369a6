"""Tasks × a file of labels -> a page on this machine, for one person.

GET     /TOKEN/                       the page; also page.css, page.js and passage.js
GET     /TOKEN/tasks                  {"rater", "rubric", "guidelines", "out", "records": [[units, done], …], "skipped"}
GET     /TOKEN/records/0              {"sheet": {…}, "labels": [{…} or null, …], "done": 3}
PUT     /TOKEN/records/0/labels/2     {"presence": 2, "correctness": 1, "evidence": {"quote", "start", "end"} or null}
DELETE  /TOKEN/records/0/labels/2     takes it back

What is put has a verdict or a value in place of presence and correctness, where that is asked (`sent.py`).
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from itertools import chain
from pathlib import Path
from typing import Any, Final

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp

from judge.errors import ConfigError, InputError
from judge.label.guard import Guard
from judge.label.label import Label, Question
from judge.label.labels import LabelFile
from judge.label.sent import read_sent
from judge.label.tasks import Task, Tasks
from judge.web.body import read_body

__all__ = ["MAX_BODY_BYTES", "build_app"]

MAX_BODY_BYTES: Final = 4 * 1024 * 1024
"""The longest request that is read; the quote is most of it."""

_HERE = Path(__file__).parent
_SCRIPT = "text/javascript"
_PAGE = {"": "text/html", "page.css": "text/css", "page.js": _SCRIPT, "passage.js": _SCRIPT}


def build_app(tasks: Tasks, file: LabelFile, *, token: str, port: int) -> ASGIApp:
    """The page and what it asks for, behind its guard."""
    desk = _Desk(tasks, file)
    one = "/records/{number:int}/labels/{unit:int}"
    routes = [
        *(Route(f"/{name}", _file(name or "page.html", kind), methods=["GET"]) for name, kind in _PAGE.items()),
        Route("/tasks", desk.tasks),
        Route("/records/{number:int}", desk.record),
        Route(one, desk.put, methods=["PUT"]),
        Route(one, desk.delete, methods=["DELETE"]),
    ]
    app = Starlette(routes=routes, exception_handlers={HTTPException: _refusal})
    app.router.redirect_slashes = False  # to an address without the token
    return Guard(app, token=token, port=port)


class _Desk:
    """Answers what the page asks.

    Writing is done in place, without an await: one label after the other.
    """

    def __init__(self, tasks: Tasks, file: LabelFile) -> None:
        self._tasks = tasks
        self._file = file

    async def tasks(self, _: Request) -> Response:
        skipped = [{"line": error.line, "id": error.record_id, "message": str(error)} for error in self._tasks.skipped]
        return _json(
            {
                "rater": self._file.rater,
                "rubric": f"{self._tasks.rubric.name}@{self._tasks.rubric.version}",
                "guidelines": self._tasks.rubric.guidelines.strip(),
                "out": self._file.path.name,
                "records": [(len(task.questions), self._done(task)) for task in self._tasks.tasks],
                "skipped": skipped,
            }
        )

    async def record(self, request: Request) -> Response:
        task = self._task(request)
        sheet = orjson.Fragment(self._tasks.sheet(request.path_params["number"]))
        labels = [_shown(self._file.of(question, task.key)) for question in task.questions]
        return _json({"sheet": sheet, "labels": labels, "done": self._done(task)})

    async def put(self, request: Request) -> Response:
        task, question = self._question(request)
        seen = self._tasks.seen(request.path_params["number"], request.path_params["unit"])
        try:
            sent = read_sent(
                await read_body(request, most=MAX_BODY_BYTES), question, chain.from_iterable(seen["parts"])
            )
        except InputError as exc:
            raise HTTPException(HTTPStatus.UNPROCESSABLE_ENTITY, str(exc)) from exc
        label = Label(**question.place._asdict(), rater=self._file.rater, record_key=task.key, **sent.fields())
        with _written(self._file):
            self._file.put(label)
        return _json({"label": _shown(label), "done": self._done(task)})

    async def delete(self, request: Request) -> Response:
        task, question = self._question(request)
        with _written(self._file):
            self._file.remove(question.place)
        return _json({"label": None, "done": self._done(task)})

    def _task(self, request: Request) -> Task:
        number: int = request.path_params["number"]
        if number >= len(self._tasks.tasks):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no record {number}.")
        return self._tasks.tasks[number]

    def _question(self, request: Request) -> tuple[Task, Question]:
        task, unit = self._task(request), request.path_params["unit"]
        if unit >= len(task.questions):
            raise HTTPException(HTTPStatus.NOT_FOUND, f"there is no unit {unit} in this record.")
        return task, task.questions[unit]

    def _done(self, task: Task) -> int:
        return sum(self._file.of(question, task.key) is not None for question in task.questions)


def _file(name: str, media_type: str) -> ASGIApp:
    return Response((_HERE / name).read_bytes(), media_type=media_type)


@contextmanager
def _written(file: LabelFile) -> Iterator[None]:
    try:
        yield
    except ConfigError as exc:
        raise HTTPException(HTTPStatus.CONFLICT, str(exc)) from exc
    except OSError as exc:
        message = f"{file.path} cannot be written: {exc.strerror or exc}."
        raise HTTPException(HTTPStatus.INSUFFICIENT_STORAGE, message) from exc


def _shown(label: Label | None) -> dict[str, Any] | None:
    if label is None:
        return None
    evidence = {"quote": label.evidence, "start": label.evidence_start, "end": label.evidence_end}
    return {**label.answers, "evidence": None if label.evidence is None else evidence}


async def _refusal(_: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    return _json({"error": error.detail}, status=error.status_code)


def _json(content: object, status: int = 200) -> Response:
    return Response(orjson.dumps(content), status_code=status, media_type="application/json")
