"""The work behind `judge label`: reads the traces, runs the page until a signal, and says what came of it."""

from __future__ import annotations

import asyncio
import secrets
import shlex
import sys
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import orjson

from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_RESUMABLE, EXIT_USAGE
from judge.cli.given import read_traces
from judge.cli.needed import require_serve
from judge.cli.options import ReadOptions
from judge.cli.terminal import clean, open_screens
from judge.errors import InputError, JudgeError
from judge.rubric import load_rubric

if TYPE_CHECKING:
    from judge.label.labels import LabelFile
    from judge.label.tasks import Tasks

__all__ = ["SCHEMA", "LabelOptions", "Labelling"]

SCHEMA = "judge.label/1"
"""Name and version of what `--json` prints."""

_CLOSING_S = 2
_LISTED = 20
_TOKEN_BYTES = 32


@dataclass(frozen=True, slots=True, kw_only=True)
class LabelOptions(ReadOptions):
    """What `judge label` was given."""

    out: Path
    rater: str
    rubric: str
    only: Path | None
    port: int
    as_json: bool
    quiet: bool


class Labelling:
    """One `judge label`.

    Args:
        options: What the user gave.
    """

    def __init__(self, options: LabelOptions) -> None:
        self._options = options
        self._told, self._errors, self._shown = open_screens(quiet=options.quiet, as_json=options.as_json)

    def run(self) -> int:
        """Serve the page until a signal: the exit code."""
        try:
            require_serve("judge label", "starlette", "uvicorn")
            return asyncio.run(self._run())
        except JudgeError as exc:
            self._errors.print(clean(exc))
            return EXIT_USAGE
        except KeyboardInterrupt:  # while the traces are read
            self._errors.print("Stopped before the page was there; nothing was written.")
            return EXIT_RESUMABLE

    async def _run(self) -> int:
        from judge.label.chosen import read_chosen
        from judge.label.labels import open_labels
        from judge.label.tasks import opened_tasks, read_tasks

        options = self._options
        with ExitStack() as stack:
            only = None if options.only is None else read_chosen(options.only)
            tasks = stack.enter_context(opened_tasks(load_rubric(options.rubric), only))
            self._told.print(f"Reading {clean(options.traces)} …")
            await read_tasks(tasks, read_traces(options))
            self._list_skipped(tasks)
            if not tasks.tasks:
                asked = "record that can be labelled" if only is None else f"unit that {options.only} names"
                raise InputError(f"{options.traces} holds no {asked}.")
            self._tell_missing(tasks)
            file = stack.enter_context(open_labels(options.out, options.rater))
            await self._serve(tasks, file)
            return self._conclude(tasks, file)

    def _tell_missing(self, tasks: Tasks) -> None:
        if tasks.only is not None and (missing := len(tasks.only) - len(tasks)) > 0:
            units = f"{missing:,} of {len(tasks.only):,} units of {self._options.only}"
            self._errors.print(clean(f"Left out: {units} are of no record of {self._options.traces}."))

    async def _serve(self, tasks: Tasks, file: LabelFile) -> None:
        from judge.label.server import build_app
        from judge.web.server import PlainServer, heard, listen

        token = secrets.token_urlsafe(_TOKEN_BYTES)
        with listen(self._options.port) as listener:
            port: int = listener.getsockname()[1]
            app = build_app(tasks, file, token=token, port=port)
            server = PlainServer(app, timeout_graceful_shutdown=_CLOSING_S)
            with heard(server.end):
                self._introduce(tasks, file)
                self._errors.print(f"http://127.0.0.1:{port}/{token}/")
                await server.serve(sockets=[listener])

    def _list_skipped(self, tasks: Tasks) -> None:
        for error in tasks.skipped[:_LISTED]:
            self._errors.print(f"Left out: {clean(error)}")
        if (more := len(tasks.skipped) - _LISTED) > 0:
            self._errors.print(f"Left out: {more:,} more; the page lists all of them.")

    def _introduce(self, tasks: Tasks, file: LabelFile) -> None:
        done, stale = _count(tasks, file)
        self._told.print(
            f"{len(tasks):,} units of {len(tasks.tasks):,} records; {done:,} have a label of {file.rater}."
        )
        if stale:
            since = "are of records or axes that have changed since; their units are asked anew."
            self._told.print(f"{stale:,} earlier labels {since}")
        self._told.print("Open this address in a browser on this machine; Ctrl-C ends.")

    def _conclude(self, tasks: Tasks, file: LabelFile) -> int:
        done, _ = _count(tasks, file)
        left = len(tasks) - done
        code = EXIT_RESUMABLE if left else EXIT_FAILED_RECORDS if tasks.skipped else EXIT_OK
        if self._options.as_json:
            self._shown.out(_tell(tasks, file, self._options, exit_code=code))
            return code
        self._shown.print(f"\n{done:,} of {len(tasks):,} units have a label of {file.rater} in {self._options.out}.")
        if left:
            self._shown.print("To go on: " + clean(shlex.join(["judge", *sys.argv[1:]])))
        return code


def _count(tasks: Tasks, file: LabelFile) -> tuple[int, int]:
    """Units with a label, and those whose label is of a record or an axis that was another one."""
    done = sum(file.of(question, key) is not None for question, key in tasks.questions())
    return done, sum(question.place in file.labels for question, _ in tasks.questions()) - done


def _tell(tasks: Tasks, file: LabelFile, options: LabelOptions, *, exit_code: int) -> str:
    done, _ = _count(tasks, file)
    skipped = [{"line": error.line, "record_id": error.record_id, "message": str(error)} for error in tasks.skipped]
    told = {
        "schema": SCHEMA,
        "exit_code": exit_code,
        "rater": file.rater,
        "rubric": f"{tasks.rubric.name}@{tasks.rubric.version}",
        "records": len(tasks.tasks),
        "units": len(tasks),
        "labelled": done,
        "skipped": skipped,
        "out": str(options.out),
    }
    return orjson.dumps(told).decode()
