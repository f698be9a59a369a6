"""class Judge: the library's door, sync and async."""

from __future__ import annotations

import asyncio
import os
import weakref
from collections.abc import Iterable, Mapping
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from types import TracebackType

from pydantic import JsonValue

from judge import loop
from judge.asking import Outcome, each, failed_record
from judge.connect import Connection, connect, refuse_unusable
from judge.errors import JudgeError, RecordError
from judge.probe import Granularity
from judge.record import Record, build_record
from judge.rubric import Rubric, load_rubric
from judge.settings import Settings
from judge.table import Run, build_tables
from judge.verdict import EvidenceRule

__all__ = ["Judge"]


class Judge:
    """One judge with one rubric. Works in threads, inside a running event loop, and after a fork; pickles.

    Args:
        judge: `lexical`, `hosted_vllm/MODEL` (any OpenAI-compatible server) or `openai/MODEL`.
        rubric: Name of a built-in rubric, path of a YAML file, or a loaded rubric.
        api_base: Address of the server, up to and with `/v1`.
        params: Sampling and other request parameters, such as `{"temperature": 0.7, "max_tokens": 2048}`.
        granularity: Which units share a call: all of a `trace`, those of an `axis`, or one `unit`.
        evidence: `required` makes a presence whose quote is not in the trace a failure, `flag` marks it, `none` asks
            for no quotes.
        samples: Repeats of each judgement.
        min_coverage: Share of judged weight, in [0, 1], below which an axis has no score.
        concurrency: Calls in flight.
        timeout_s: Seconds that one attempt may take.
        max_retries: Further attempts after a transport error.
        cache: Folder of a shared store of replies; None keeps none.

    Raises:
        ConfigError, RubricError: Found now, before anything is asked.

    Example:
        >>> from judge import Judge
        >>> unit = {"unit_id": "P1", "claim": "The fracture is in the left wrist."}
        >>> record = {"id": "r1", "trace": "I see a fracture in the left wrist.", "units": {"perception": [unit]}}
        >>> run = Judge("lexical").score([record])
        >>> run.scores["perception_score"].to_list()
        [1.0]
    """

    def __init__(
        self,
        judge: str,
        *,
        rubric: str | Path | Rubric = "pkr",
        api_base: str | None = None,
        params: Mapping[str, JsonValue] | None = None,
        granularity: Granularity = "axis",
        evidence: EvidenceRule = "required",
        samples: int = 1,
        min_coverage: float = 1.0,
        concurrency: int = 64,
        timeout_s: float = 120.0,
        max_retries: int = 4,
        cache: str | Path | None = None,
    ) -> None:
        self._setup(
            Settings(
                judge=judge,
                rubric=rubric if isinstance(rubric, Rubric) else load_rubric(rubric),
                api_base=api_base,
                params=dict(params or {}),
                granularity=granularity,
                evidence=evidence,
                samples=samples,
                min_coverage=min_coverage,
                concurrency=concurrency,
                timeout_s=timeout_s,
                max_retries=max_retries,
                cache=None if cache is None else Path(cache),
            )
        )

    def _setup(self, settings: Settings) -> None:
        refuse_unusable(settings)
        self._settings = settings
        self._open = _OpenConnection(settings)

    def __getstate__(self) -> Settings:
        return replace(self._settings)  # without what it has computed: templates do not pickle

    def __setstate__(self, settings: Settings) -> None:
        self._setup(settings)

    def __repr__(self) -> str:
        return f"Judge({self._settings.judge!r}, rubric={self._settings.labels.rubric!r})"

    def score(self, records: Iterable[Mapping[str, object] | Record]) -> Run:
        """Score records and wait.

        Args:
            records: Mappings in the shape of an input line, or records; order is kept.

        Returns:
            The tables. A bad record is a failure in them, never an exception.

        Raises:
            FatalError: The provider refuses every request, or is down.
        """
        return loop.run(self._score(records))

    async def ascore(self, records: Iterable[Mapping[str, object] | Record]) -> Run:
        """Score records; the same as `score` for callers that have an event loop of their own."""
        return await asyncio.wrap_future(loop.submit(self._score(records)))

    def close(self) -> None:
        """Close the connection; the next call opens a new one."""
        loop.run(self._open.close())

    def __enter__(self) -> Judge:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _score(self, records: Iterable[Mapping[str, object] | Record]) -> Run:
        asker = (await self._open.get()).asker
        outcomes: dict[int, Outcome] = {}

        async def work(item: tuple[int, Mapping[str, object] | Record]) -> None:
            number, given = item
            try:
                record = given if isinstance(given, Record) else build_record(given, number=number)
            except RecordError as exc:
                outcomes[number] = failed_record(exc, record=None, line=number)
            else:
                outcomes[number] = await asker.judge(record)

        await each(enumerate(records, start=1), work, concurrency=self._settings.concurrency)
        tables = build_tables((outcomes[number] for number in sorted(outcomes)), self._settings.labels)
        return Run(scores=tables.scores, verdicts=tables.verdicts, calls=tables.calls, failures=tables.failures)


class _OpenConnection:
    """A judge's connection, opened on the process's loop at first use."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._stack = AsyncExitStack()
        self._opening: asyncio.Task[Connection] | None = None
        self._pid = os.getpid()

    async def get(self) -> Connection:
        if self._pid != os.getpid():  # the parent's sockets are not ours to use or to close
            self.__init__(self._settings)  # type: ignore[misc]
        if self._opening is None:
            self._opening = asyncio.ensure_future(self._stack.enter_async_context(connect(self._settings)))
            loop.at_exit(_close(weakref.ref(self)))
        try:
            return await asyncio.shield(self._opening)
        except JudgeError:
            self._opening = None  # what could not be opened now may be opened later
            raise

    async def close(self) -> None:
        if self._opening is not None and self._pid == os.getpid():
            self._opening = None
            await self._stack.aclose()


async def _close(reference: weakref.ref[_OpenConnection]) -> None:
    connection = reference()
    if connection is not None:
        await connection.close()
