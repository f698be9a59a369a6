"""class Judge: the library's door, sync and async."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Self, TypeAlias

from pydantic import JsonValue

from judge import loop
from judge.asking import Asker
from judge.comparing import Comparing
from judge.errors import ConfigError, InputError, RecordError
from judge.image import ImageRules
from judge.judge_name import find_needless, usual_concurrency
from judge.line import Line
from judge.outcome import Outcome, failed_record, late_record
from judge.pairs.asking import PairOutcome
from judge.pairs.grouping import PairFailure
from judge.pairs.table import Compared
from judge.price import build_price
from judge.probe import Granularity
from judge.record import Record
from judge.rubric import Rubric, load_rubric
from judge.settings import LEFT_OPEN, Settings
from judge.table import Run, build_tables
from judge.traces.reading import Reader
from judge.usable import refuse_unusable
from judge.verdict import EvidenceRule
from judge.working import each, together, within

__all__ = ["Given", "Judge", "listed"]

Given: TypeAlias = Mapping[str, object] | Record
"""One record as a user has it: in the shape of an input line, or as it is judged."""


class Judge:
    """One judge with one rubric. Works in threads, inside a running event loop, and after a fork; pickles.

    Args:
        judge: `lexical`, `hosted_vllm/MODEL` (any OpenAI-compatible server), `vllm/MODEL` (vLLM in this process),
            `openai/MODEL`, or `PROVIDER/MODEL` of litellm or of a package that registers it in the entry point group
            `judge.backends`; `litellm/PROVIDER/MODEL` asks through litellm whatever the provider.
        rubric: Name of a built-in rubric, path of a YAML file, or a loaded rubric.
        api_base: Address of the server, up to and with `/v1`.
        params: Sampling and other request parameters, such as `{"temperature": 0.7, "max_tokens": 2048}`.
        granularity: Which units share a call: all of a `trace`, those of an `axis` (the default), or one `unit`.
        evidence: `required` (the default) makes a presence whose quote is not in the trace a failure, `flag`
            marks it, `none` asks for no quotes.
        probe: Ask for one token on each unit's presence, one on its correctness where it is raised, and one on each
            scale's level, and score their probabilities. The server has to give logprobs; a model that thinks before it
            answers cannot be probed. There is neither evidence nor reason then.
        probe_evidence: Probe, and ask for a quote of each raised unit.
        samples: Repeats of each judgement.
        min_coverage: Share of judged weight, in [0, 1], below which an axis has no score.
        concurrency: Calls in flight; None for 64, and for 256 of an engine in this process.
        rpm, tpm: Requests and tokens that may be sent a minute; None for no bound of our own.
        timeout_s: Seconds that one attempt may take.
        max_retries: Further attempts after a transport error.
        cache: Folder of a shared store of replies; None keeps none.
        image_root: Folder that image paths of records are below; None takes no paths.
        allow_image_urls: Fetch https addresses of images, from public hosts only.
        image_max_side: Pixels of the longer side that images are shrunk to before they are sent.
        price: USD a million tokens: prompt, completion, and cached prompt where it differs; in place of what is known.
        budget: USD that this judge may cost in all; above it, `score` raises a FatalError with the code `budget`. A
            copy (pickled, or of a fork) has a budget of its own.
        key_file: File with the key, in place of the environment's.
        headers: Further headers for the server: name -> `env:VARIABLE` or `file:PATH`.
        engine_args: Of vLLM's engine, for `vllm/MODEL`, such as `{"max_model_len": 16384}`. It starts at the first
            `score`, in a process of its own: a script needs `if __name__ == "__main__":` around what it does.

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
        granularity: Granularity = LEFT_OPEN,
        evidence: EvidenceRule = LEFT_OPEN,
        probe: bool = False,
        probe_evidence: bool = False,
        samples: int = 1,
        min_coverage: float = 1.0,
        concurrency: int | None = None,
        rpm: int | None = None,
        tpm: int | None = None,
        timeout_s: float = 120.0,
        max_retries: int = 4,
        cache: str | Path | None = None,
        image_root: str | Path | None = None,
        allow_image_urls: bool = False,
        image_max_side: int = 1568,
        price: Sequence[float] | None = None,
        budget: float | None = None,
        key_file: str | Path | None = None,
        headers: Mapping[str, str] | None = None,
        engine_args: Mapping[str, JsonValue] | None = None,
    ) -> None:
        _refuse_needless(judge, api_base=api_base, budget=budget, headers=headers, key_file=key_file)
        scored = rubric if isinstance(rubric, Rubric) else load_rubric(rubric)
        calls = usual_concurrency(judge) if concurrency is None else concurrency
        tokens = None if price is None else build_price(price)
        root, store, keys = (None if path is None else Path(path) for path in (image_root, cache, key_file))
        settings = Settings(
            judge=judge,
            rubric=scored,
            api_base=api_base,
            params=dict(params or {}),
            granularity=granularity,
            evidence=evidence,
            probe=probe,
            probe_evidence=probe_evidence,
            samples=samples,
            min_coverage=min_coverage,
            concurrency=calls,
            rpm=rpm,
            tpm=tpm,
            timeout_s=timeout_s,
            max_retries=max_retries,
            cache=store,
            image_max_side=image_max_side,
            price=tokens,
            budget_usd=budget,
            key_file=keys,
            headers=dict(headers or {}),
            engine_args=dict(engine_args or {}),
            pairs=not scored.scored,
        )
        self._setup(settings, settings.image_rules(root=root, allow_urls=allow_image_urls))

    @classmethod
    def of(cls, settings: Settings, *, images: ImageRules | None = None, beside: Judge | None = None) -> Self:
        """The judge of settings that are there already, as the command line makes them.

        Args:
            settings: Judge and rubric.
            images: Where images may come from; None leaves them unopened.
            beside: The same judge with another rubric: they share one connection, with its places, rates, store and
                budget.

        Raises:
            ConfigError: It cannot be asked.
        """
        judge = cls.__new__(cls)
        judge._setup(settings, images, None if beside is None else beside._line)  # noqa: SLF001 - its own
        return judge

    def _setup(self, settings: Settings, images: ImageRules | None, line: Line | None = None) -> None:
        refuse_unusable(settings)
        self._settings = settings
        self._images = images
        self._line = Line(settings) if line is None else line

    def __getstate__(self) -> tuple[Settings, ImageRules | None]:
        return replace(self._settings), self._images  # without what it has computed: templates do not pickle

    def __setstate__(self, state: tuple[Settings, ImageRules | None]) -> None:
        settings, images = state
        self._setup(settings, images)

    def __repr__(self) -> str:
        return f"Judge({self._settings.judge!r}, rubric={self._settings.labels.rubric!r})"

    def score(self, records: Iterable[Mapping[str, object] | Record], *, deadline_s: float | None = None) -> Run:
        """Score records and wait.

        Args:
            records: Mappings in the shape of an input line, or records; order is kept.
            deadline_s: Seconds after which what is not done is a failure, `timeout`; None waits for all of it.

        Returns:
            The tables. A bad record is a failure in them, never an exception.

        Raises:
            InputError: It is one record, or a path, and not a list of records.
            FatalError: The provider refuses every request, or is down; the next call tries afresh.
        """
        return loop.run(self._score(listed(records), deadline_s))

    async def ascore(self, records: Iterable[Mapping[str, object] | Record], *, deadline_s: float | None = None) -> Run:
        """Score records; the same as `score` for callers that have an event loop of their own."""
        return await loop.complete(self._score(listed(records), deadline_s))

    def compare(
        self,
        records_a: Iterable[Given],
        records_b: Iterable[Given],
        *,
        models: tuple[str, str] = ("a", "b"),
        deadline_s: float | None = None,
    ) -> Compared:
        """Ask which of two traces is better, on every axis of preference and overall, in both orders.

        Args:
            records_a: As of `score`; all that share an id and are of different models are compared.
            records_b: The same. What comes first is A, whichever list it is in.
            models: Whose the traces of each list are, where they do not say.
            deadline_s: Seconds after which a pair that is not done is a failure, `timeout`; None waits for all of it.

        Returns:
            The tables. A bad record, or one without a partner, is a failure in them, never an exception.

        Raises:
            ConfigError: The rubric has no axis of preference, or the judge cannot compare.
            InputError, FatalError: As `score`.
        """
        return loop.run(self._compare(_two_lists(records_a, records_b, models), deadline_s))

    async def acompare(
        self,
        records_a: Iterable[Given],
        records_b: Iterable[Given],
        *,
        models: tuple[str, str] = ("a", "b"),
        deadline_s: float | None = None,
    ) -> Compared:
        """Ask which of two traces is better; `compare` for callers that have an event loop of their own."""
        return await loop.complete(self._compare(_two_lists(records_a, records_b, models), deadline_s))

    async def apairs(
        self, pairs: Iterable[tuple[Given, Given]], *, deadline_s: float | None = None
    ) -> list[PairOutcome | PairFailure]:
        """Ask which of two traces is better, and leave what came of each pair as it is, in their order, without tables.

        Args:
            pairs: Two records of one question each; what one of the two leaves out is taken from the other. Their
                models may be the same.
            deadline_s: As of `compare`.

        Returns:
            One for each pair; a `PairFailure` where one of the two is no record.

        Raises:
            ConfigError, FatalError: As `compare`.
        """
        return await loop.complete(self._pairs(list(pairs), deadline_s))

    @property
    def settings(self) -> Settings:
        """Who judges, by what and how."""
        return self._settings

    @cached_property
    def pair_settings(self) -> Settings:
        """Who compares, by what and how.

        Raises:
            ConfigError: The rubric has no axis of preference, or the judge cannot compare.
        """
        return self._settings if self._settings.pairs else replace(self._settings, pairs=True)

    @property
    def rubric(self) -> Rubric:
        """What is judged by."""
        return self._settings.rubric

    async def arecords(self, rows: Iterable[Given]) -> list[Record | RecordError]:
        """Rows as the records that would be judged, in their order; an error where a row is none."""
        return await loop.complete(self._records(listed(rows)))

    async def _records(self, rows: Sequence[Given]) -> list[Record | RecordError]:
        reader = self._line.reader(self._images)

        async def read(number: int, given: Given) -> Record | RecordError:
            try:
                return await _checked(reader, given, number)
            except RecordError as exc:
                return exc

        return await together([read(number, given) for number, given in enumerate(rows, start=1)])

    async def aoutcomes(
        self, records: Iterable[Mapping[str, object] | Record], *, deadline_s: float | None = None
    ) -> list[Outcome]:
        """Score records, and leave what came of each as it is, in their order, without tables.

        Args:
            records: As of `score`.
            deadline_s: As of `score`.

        Raises:
            InputError, FatalError: As `score`.
        """
        return await loop.complete(self._outcomes(listed(records), deadline_s))

    def close(self) -> None:
        """Close the connection, or let the last score that is under way close it; the next one opens a new one."""
        loop.run(self._line.close())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    async def _compare(self, lists: Mapping[str, Sequence[Given]], deadline_s: float | None) -> Compared:
        return await self._comparing(deadline_s).by_id(lists)

    async def _pairs(
        self, pairs: Sequence[tuple[Given, Given]], deadline_s: float | None
    ) -> list[PairOutcome | PairFailure]:
        return await self._comparing(deadline_s).by_place(pairs)

    def _comparing(self, deadline_s: float | None) -> Comparing:
        reader = self._line.reader(self._images)
        connected = self._line.connected
        return Comparing(settings=self.pair_settings, reader=reader, connected=connected, deadline_s=deadline_s)

    async def _score(self, records: Sequence[Given], deadline_s: float | None) -> Run:
        tables = build_tables(await self._outcomes(records, deadline_s), self._settings.labels)
        return Run(scores=tables.scores, verdicts=tables.verdicts, calls=tables.calls, failures=tables.failures)

    async def _outcomes(self, records: Sequence[Given], deadline_s: float | None) -> list[Outcome]:
        self._settings.refuse_unscored()
        outcomes: dict[int, Outcome] = {}
        reader = self._line.reader(self._images)
        async with within(deadline_s), self._line.connected() as connection:
            asker = connection.asker_of(self._settings)

            async def work(numbered: tuple[int, Given]) -> None:
                number, given = numbered
                outcomes[number] = await _judge(reader, given, number, asker)

            # No more workers than records: for one, 64 of them take as long as the record.
            workers = min(self._settings.concurrency, max(1, len(records)))
            await each(enumerate(records, start=1), work, concurrency=workers)
        late = [number for number in range(1, len(records) + 1) if number not in outcomes]
        outcomes |= {number: await _unfinished(records[number - 1], number, deadline_s) for number in late}
        return [outcomes[number] for number in range(1, len(records) + 1)]


def _refuse_needless(judge: str, **given: object) -> None:
    if needless := find_needless(judge, given):
        message = f"{judge} has no use for {', '.join(needless)}: it {next(iter(needless.values()))}."
        raise ConfigError(message, hint="Leave that out, or name another judge.")


async def _judge(reader: Reader, given: Given, number: int, asker: Asker) -> Outcome:
    try:
        record = await _checked(reader, given, number)
    except RecordError as exc:
        return failed_record(exc, record=None, line=number)
    return await asker.judge(record)


async def _unfinished(given: Given, number: int, deadline_s: float | None) -> Outcome:
    """A record for which there was no time; its images are not opened, as that may be what took so long."""
    try:
        record = await _checked(Reader(images=None), given, number)
    except RecordError as exc:
        return failed_record(exc, record=None, line=number)
    return late_record(record, f"not done within the {deadline_s:.3g} s that the batch had.")


async def _checked(reader: Reader, given: Given, number: int) -> Record:
    """A record that was made by hand has neither a place nor a key, and its units may repeat."""
    if isinstance(given, Record):
        return given if given.key else await reader.record(given.given, number)
    return await reader.record(given, number)


def listed(records: Iterable[Given]) -> list[Given]:
    """The records, read in the caller's thread: a generator that waits must not hold up the loop.

    Raises:
        InputError: It is one record, or a path.
    """
    if isinstance(records, Mapping | Record | str | bytes | Path):
        hint = "Give a list of records; a file is scored by the command `judge score`."
        raise InputError(f"records is one {type(records).__name__}, not a list.", hint=hint)
    return list(records)


def _two_lists(
    records_a: Iterable[Given], records_b: Iterable[Given], models: tuple[str, str]
) -> dict[str, list[Given]]:
    lists = dict(zip(models, (listed(records_a), listed(records_b)), strict=True))
    if len(lists) < len(models):
        raise InputError(f"models are {models!r}; they must be two.", hint="Name each list for whose traces it holds.")
    return lists
