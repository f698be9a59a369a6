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
from judge.cli.needed import require_serve
from judge.cli.terminal import Screen, clean
from judge.errors import InputError, JudgeError
from judge.image import ImageRules
from judge.rubric import load_rubric
from judge.traces.mapping import parse_map
from judge.traces.reading import Traces

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
class LabelOptions:
    """What `judge label` was given."""

    traces: str
    out: Path
    rater: str
    rubric: str
    port: int
    limit: int | None
    map: tuple[str, ...]
    references: str | None
    on: str
    image_root: Path | None
    allow_image_urls: bool
    image_max_side: int
    as_json: bool
    quiet: bool


class Labelling:
    """One `judge label`.

    Args:
        options: What the user gave.
    """

    def __init__(self, options: LabelOptions) -> None:
        self._options = options
        self._told = Screen(stderr=True, quiet=options.quiet, soft_wrap=True, highlight=False, markup=False)
        self._errors = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False)
        self._shown = Screen(quiet=options.quiet and not options.as_json, soft_wrap=True, highlight=False, markup=False)

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
        from judge.label.labels import open_labels
        from judge.label.tasks import opened_tasks, read_tasks

        options = self._options
        with ExitStack() as stack:
            tasks = stack.enter_context(opened_tasks(load_rubric(options.rubric)))
            self._told.print(f"Reading {clean(options.traces)} …")
            await read_tasks(tasks, _traces(options))
            self._list_skipped(tasks)
            if not tasks.tasks:
                raise InputError(f"{options.traces} holds no record that can be labelled.")
            file = stack.enter_context(open_labels(options.out, options.rater))
            await self._serve(tasks, file)
            return self._conclude(tasks, file)

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
                self._errors.print(f"http://127.0.0.1:{port}/{token}/", soft_wrap=True)
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
            changed = f"{stale:,} earlier labels are of records that have changed since; their units are asked anew."
            self._told.print(changed)
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


def _traces(options: LabelOptions) -> Traces:
    beside = Path() if options.traces == "-" else Path(options.traces).parent
    root = beside if options.image_root is None else options.image_root
    return Traces(
        path=options.traces,
        limit=options.limit,
        mapped=parse_map(options.map),
        references=options.references,
        on=options.on,
        images=ImageRules(root=root, allow_urls=options.allow_image_urls, max_side=options.image_max_side),
    )


def _count(tasks: Tasks, file: LabelFile) -> tuple[int, int]:
    """Units with a label, and those whose label is of a record that was another one."""
    done = sum(file.of(place, key) is not None for place, key in tasks.places())
    return done, sum(place in file.labels for place, _ in tasks.places()) - done


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
