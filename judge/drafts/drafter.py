"""Record -> a Draft, or why there is none: asks for the units of every axis, and asks again."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from judge.backend import Reply
from judge.content import has_content
from judge.conversation import Conversation, Heard
from judge.drafts.asking import AxisRequest, DraftPrompt
from judge.drafts.draft import Draft, build_draft
from judge.drafts.reply import DraftUnit, read_units
from judge.errors import JudgeError, PromptError, RecordError, ReplyError
from judge.evidence import TraceText
from judge.outcome import Call, Failure
from judge.prompt import JudgeModel, Request
from judge.record import Record
from judge.working import together

__all__ = ["Drafted", "Drafter"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Drafted:
    """What came of one record.

    Attributes:
        draft: None where it failed: units of some axes only would be a wrong reference.
        calls: All asks.
        failures: Empty where there is a draft.
        failed_calls: Ids of the calls of the conversations that failed: to be asked anew another time.
    """

    draft: Draft | None
    calls: tuple[Call, ...] = ()
    failures: tuple[Failure, ...] = ()
    failed_calls: tuple[str, ...] = ()


class Drafter:
    """Drafts units.

    Args:
        prompt: Of the rubric.
        model: Who is asked.
        talk: Holds the conversations.
    """

    def __init__(self, prompt: DraftPrompt, model: JudgeModel, talk: Conversation) -> None:
        self._prompt = prompt
        self._model = model
        self._talk = talk

    async def draft(self, record: Record) -> Drafted:
        """Draft the units of one record.

        Raises:
            FatalError: No request can succeed.
            CacheError: What is paid for cannot be kept. Every other trouble is in what it returns.
        """
        try:
            refuse_unreasoned(record)
            requests = self._prompt.build_requests(record, self._model)
        except (RecordError, PromptError) as exc:
            return Drafted(draft=None, failures=(_failure(record, exc, stage="record"),))
        readers = [_Reader(self._prompt, asked.axis, record) for asked in requests]
        heard = await together(
            [self._talk.hold(asked.request, reader.read) for asked, reader in zip(requests, readers, strict=True)]
        )
        return self._drafted(record, requests, heard)

    def _drafted(
        self, record: Record, requests: Sequence[AxisRequest], heard: Sequence[Heard[tuple[DraftUnit, ...]]]
    ) -> Drafted:
        calls = tuple(call for each in heard for call in each.calls)
        lost = [(asked.axis, each) for asked, each in zip(requests, heard, strict=True) if each.value is None]
        failures = [
            _failure(record, each.error, stage=each.stage, axis=axis) for axis, each in lost if each.error is not None
        ]
        again = [call for _, each in lost for call in each.calls]
        draft = build_draft(record, list(self._prompt.axes), [unit for each in heard for unit in each.value or ()])
        if not lost and not draft.units:
            failures, again = [_failure(record, _no_units(record), stage="reply")], list(calls)
        return Drafted(
            draft=None if failures else draft,
            calls=calls,
            failures=tuple(failures),
            failed_calls=tuple(call.call_id for call in again),
        )


@dataclass(slots=True)
class _Reader:
    """Reads the replies of one conversation; where one is of no use, what the one before said still holds."""

    prompt: DraftPrompt
    axis: str
    record: Record
    best: tuple[DraftUnit, ...] | None = None
    reference: TraceText = field(init=False)

    def __post_init__(self) -> None:
        self.reference = TraceText(self.record.reference.reasoning or "")

    def read(self, _: Request, reply: Reply) -> tuple[tuple[DraftUnit, ...] | None, ReplyError | None]:
        importances, answer = self.prompt.axes[self.axis].importances, self.record.reference.answer
        try:
            read = read_units(reply, self.axis, self.reference, importances=importances, answer=answer)
        except ReplyError as exc:
            return self.best, exc
        self.best = read.units
        return read.units, read.error


def refuse_unreasoned(record: Record) -> None:
    """Raise where there is nothing to take units from.

    Raises:
        RecordError: No reference, or one that says nothing.
    """
    reasoning = record.reference.reasoning
    if reasoning is None or not has_content(reasoning):
        raise RecordError(
            "is missing." if reasoning is None else "says nothing.",
            line=record.line,
            field="reference.reasoning",
            record_id=record.id,
            code="no_reasoning",
            hint="Units are taken from it. Is it called otherwise? --map reference.reasoning=NAME",
        )


def _no_units(record: Record) -> RecordError:
    message = "the judge found no unit in the reference that could be kept."
    return RecordError(message, line=record.line, record_id=record.id, code="no_units")


def _failure(record: Record, error: JudgeError, *, stage: str, axis: str | None = None) -> Failure:
    return Failure(line=record.line, record_id=record.id, stage=stage, error=error.code, message=str(error), axis=axis)
