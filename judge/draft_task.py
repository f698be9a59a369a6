"""A task with good and bad traces × Settings -> a rubric file, which a person edits."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from judge.backend import Reply
from judge.connect import connect
from judge.conversation import Conversation, Heard
from judge.draft import refuse_baseline
from judge.drafts.criterion import Criterion, read_criteria, remarks
from judge.drafts.folder import DraftFolder
from judge.drafts.rubric_text import rubric_text
from judge.drafts.task import TaskPrompt
from judge.errors import ConfigError, FatalError, InputError, ReplyError
from judge.journal.recovery import open_journal
from judge.outcome import Failure
from judge.prompt import Request
from judge.runs.directory import disk_errors, write_atomically
from judge.settings import Settings
from judge.traces.reading import Traces
from judge.usable import refuse_unusable

__all__ = ["TaskReport", "draft_task"]


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskReport:
    """What came of it.

    Attributes:
        criteria: In the order of the file; none where it was not written.
        failure: Why not; None where there are criteria.
        remarks: Criterion id -> what to look at; only of those that have something.
        good, bad: Traces that were shown.
        spent: As `Journal.spent`.
        notes: What the backend had to do differently.
    """

    criteria: tuple[Criterion, ...]
    failure: str | None
    remarks: dict[str, list[str]]
    good: int
    bad: int
    spent: dict[str, int | float | None]
    notes: tuple[str, ...]


async def draft_task(
    task: Path,
    good: Traces,
    bad: Traces,
    out: Path,
    settings: Settings,
    *,
    overwrite: bool = False,
    stop: asyncio.Event | None = None,
) -> TaskReport:
    """Draft criteria that tell good traces from bad ones, as a rubric file.

    Args:
        task: Text file with the description.
        good: Traces that did it well; all of them go into one prompt, so `limit` is worth giving.
        bad: Traces that did it badly; the same.
        out: The YAML file.
        settings: The judge; the rubric is not looked at.
        overwrite: Replace the file, edited or not.
        stop: When set, nothing more is sent.

    Raises:
        ConfigError: The judge or the file cannot be used; nothing was paid.
        InputError: The task or a trace cannot be read; nothing was paid.
        FatalError: The provider refuses every request, or is down.
        CacheError: The disk is full or broken. What was committed is safe; the same call goes on.
        asyncio.CancelledError: It was stopped, and needs another request.
    """
    refuse_baseline(settings)
    refuse_unusable(settings)
    _refuse_existing(out, overwrite=overwrite)
    text, stop = _read_task(task), stop or asyncio.Event()
    well, badly = await _read_traces(good, stop), await _read_traces(bad, stop)
    folder, prompt = DraftFolder(out), TaskPrompt()
    with disk_errors(folder.directory.path), ExitStack() as stack:
        stack.enter_context(folder.directory.locked())
        if overwrite:
            folder.directory.clear()
        journal = open_journal(folder.directory.journal_path)
        stack.callback(journal.close)
        journal.retire(folder.take_failed_calls())
        async with connect(settings, journal=journal, stop=stop) as connection:
            request = prompt.build_request(text, well, badly, settings.model)
            heard = await _hold(connection.talk(prompt.complain), request)
        _write(folder, heard, task=text, judge=settings.judge)
        notes = (*journal.notes, *connection.notes)
        return _report(heard, good=len(well), bad=len(badly), spent=dict(journal.spent()), notes=notes)


async def _hold(talk: Conversation, request: Request) -> Heard[list[Criterion]]:
    try:
        return await talk.hold(request, _read)
    except FatalError as exc:
        if exc.code == "stopped":  # it needs another request, which the same call will send
            raise asyncio.CancelledError from exc
        raise


def _refuse_existing(out: Path, *, overwrite: bool) -> None:
    if out.exists() and not overwrite:
        raise ConfigError(f"--out {out} exists.", hint="Give another file, or --overwrite to replace it.")


def _write(folder: DraftFolder, heard: Heard[list[Criterion]], *, task: str, judge: str) -> None:
    if not heard.value:
        folder.write_failures([_failure(heard)])
        return
    text = rubric_text(heard.value, name=folder.out.stem, task=task, judge=judge)
    write_atomically(folder.out, lambda file: file.write(text.encode()))


def _report(heard: Heard[list[Criterion]], **more: Any) -> TaskReport:
    criteria = tuple(heard.value or ())
    failure = None if criteria else str(heard.error)
    return TaskReport(criteria=criteria, failure=failure, remarks=_remarks(criteria), **more)


def _remarks(criteria: Sequence[Criterion]) -> dict[str, list[str]]:
    noted = {f"C{number}": remarks(one) for number, one in enumerate(criteria, start=1)}
    return {name: found for name, found in noted.items() if found}


def _failure(heard: Heard[list[Criterion]]) -> tuple[Failure, list[str]]:
    code = heard.error.code if heard.error else ""
    failure = Failure(line=0, record_id=None, stage=heard.stage, error=code, message=str(heard.error))
    return failure, [call.call_id for call in heard.calls]


def _read(_: Request, reply: Reply) -> tuple[list[Criterion] | None, ReplyError | None]:
    try:
        return read_criteria(reply), None
    except ReplyError as exc:
        return None, exc


def _read_task(path: Path) -> str:
    try:
        text = path.read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as exc:
        raise InputError(f"--task {path} cannot be read: {exc}.") from exc
    if not text:
        raise InputError(f"--task {path} is empty.")
    return text


async def _read_traces(traces: Traces, stop: asyncio.Event) -> Sequence[str]:
    with traces.opened() as reading:
        await reading.lines.begin(stop, traces.path)
        return [(await reading.record(number, row)).trace for _, (number, row) in reading.lines]
