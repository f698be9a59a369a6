"""An open input -> Candidates: its records without their images, and whose traces they are."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping, Sequence
from functools import partial
from pathlib import Path, PurePath
from typing import Any, Final, cast

from judge.errors import InputError
from judge.identifier import id_text
from judge.outcome import failed_record
from judge.pairs.grouping import PairFailure
from judge.pairs.pair import Candidate
from judge.record import Record, build_record, with_images
from judge.traces.lines import Line
from judge.traces.reading import Reading, points_at_images
from judge.working import END, reader

__all__ = ["build_candidate", "name_sources", "read_candidates"]

_SUFFIXES: Final = {".gz", ".gzip", ".zst", ".zstd", ".jsonl", ".ndjson", ".json", ".parquet", ".pq"}


def name_sources(paths: Sequence[str]) -> list[str]:
    """What the model of each file is called where its records do not say: the file's name, and more of it if needed.

    >>> name_sources(["qwen2.5.jsonl.gz", "-"]), name_sources(["a/traces.jsonl", "b/traces.jsonl"])
    (['qwen2.5', 'stdin'], ['a/traces', 'b/traces'])
    >>> name_sources(["qwen/out/t.jsonl", "llama/out/t.jsonl"]), name_sources(["a/t.jsonl", "a/t.parquet"])
    (['qwen/out/t', 'llama/out/t'], ['a/t.jsonl', 'a/t.parquet'])
    """
    names = ["stdin" if path == "-" else _stem(path) for path in paths]
    for longer in (_with_folder, _with_folders, str):
        repeated = {name for name, times in Counter(names).items() if times > 1}
        names = [longer(path) if name in repeated else name for path, name in zip(paths, names, strict=True)]
    return names


def _with_folder(path: str) -> str:
    return f"{Path(path).absolute().parent.name}/{_stem(path)}"


def _with_folders(path: str) -> str:
    return str(PurePath(path).with_name(_stem(path)))


def _stem(path: str) -> str:
    name = PurePath(path)
    while name.suffix.lower() in _SUFFIXES:
        name = name.with_suffix("")
    return name.name


async def read_candidates(
    reading: Reading, *, source: str, model: str, stop: asyncio.Event
) -> tuple[list[Candidate], list[PairFailure]]:
    """Read an input to its end; its images stay closed.

    Args:
        reading: The input; it has to stay open as long as its candidates are used.
        source: What messages call it.
        model: Of records that name none.
        stop: When set, no more is read.

    Returns:
        Its records, and its rows that are none.

    Raises:
        InputError: It is of no known format, or broken.
        CancelledError: It was stopped: a part of an input would leave the others without partners.
    """
    candidates: list[Candidate] = []
    failures: list[PairFailure] = []
    read = reader(iter(reading.lines), stop, waits=reading.lines.waits)
    while (item := await read()) is not END:
        _, (number, row) = cast("Line", item)
        try:
            fields, opens = reading.fields(number, row), partial(reading.record, number, row)
            candidates.append(await build_candidate(fields, opens, number=number, source=source, model=model))
        except InputError as exc:
            raw = row if isinstance(row, bytes) else None
            (failure,) = failed_record(exc, record=None, line=number, raw=raw).failures
            failures.append(PairFailure(failure=failure, source=source))
        await asyncio.sleep(0)  # signals are heard
        if stop.is_set():
            raise asyncio.CancelledError
    return candidates, failures


async def build_candidate(
    fields: Mapping[str, Any], opens: Callable[[], Awaitable[Record]], *, number: int, source: str, model: str
) -> Candidate:
    """A record without its images, which are opened when they are needed.

    Args:
        fields: Of the record.
        opens: Makes the whole record.
        number: Of its row.
        source: What messages call its input.
        model: Whose it is where it does not say.

    Raises:
        RecordError: It is none.
    """
    with_images_later = points_at_images(fields)
    if not with_images_later:
        record = build_record(fields, number=number)
    elif id_text(fields.get("id")) is not None:
        record = build_record({**fields, "image": None}, number=number)
    else:  # what the images hold is a part of the id
        record = with_images(await opens(), ())
    later = opens if with_images_later else None
    return Candidate(record=record, model=record.model or model, source=source, opens=later)
