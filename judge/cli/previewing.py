"""The work behind `judge rubric preview`: a record found, and all that would be sent of it shown."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Any, Literal

import orjson
from msgspec.structs import asdict

from judge.cli.given import read_traces
from judge.cli.options import ReadOptions
from judge.cli.preview_page import ANY_SERVER, page
from judge.cli.terminal import Screen, clean_lines, complain
from judge.errors import InputError, JudgeError, RecordError
from judge.image import Image
from judge.judge_name import BASELINE
from judge.preview import Example, Preview, PreviewedCall
from judge.preview import preview as make_preview
from judge.price import parse_price
from judge.probe import Granularity
from judge.record import Record
from judge.rubric import load_rubric
from judge.score import columns_of
from judge.settings import Settings
from judge.traces.reading import Reading
from judge.verdict import EvidenceRule

__all__ = ["SCHEMA", "PreviewOptions", "run_preview"]

SCHEMA: Literal["judge.rubric.preview/1"] = "judge.rubric.preview/1"
EXIT_OK = 0
EXIT_USAGE = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class PreviewOptions(ReadOptions):
    """What `judge rubric preview` was given; all but `record` (an id) and `line` as of `JudgeOptions`."""

    rubric: str
    record: str | None
    line: int | None
    judge: str
    granularity: Granularity
    evidence: EvidenceRule
    probe: bool
    probe_evidence: bool
    price: str | None
    as_json: bool


def run_preview(options: PreviewOptions) -> int:
    """Find the record, and show what would be sent.

    Returns:
        The exit code.
    """
    try:
        settings = _read_settings(options)
        found = make_preview(asyncio.run(_find(options)), settings)
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    screen = Screen()
    if options.as_json:
        screen.out(orjson.dumps(_told(found, settings)).decode())
    else:
        screen.out(clean_lines("\n".join(page(found, settings))), highlight=False)
    return EXIT_OK


def _read_settings(options: PreviewOptions) -> Settings:
    return Settings(
        judge=ANY_SERVER if options.judge == BASELINE else options.judge,
        rubric=load_rubric(options.rubric),
        granularity=options.granularity,
        evidence=options.evidence,
        probe=options.probe,
        probe_evidence=options.probe_evidence,
        price=None if options.price is None else parse_price(options.price),
    )


async def _find(options: PreviewOptions) -> Record:
    traces = read_traces(options)
    with traces.opened() as reading:
        record = await (_by_line(reading, options.line) if options.record is None else _by_id(reading, options.record))
    if record is None:
        raise _no_record(options, traces.name, reading.lines.read)
    return record


def _no_record(options: PreviewOptions, name: str, read: int) -> InputError:
    wanted = f"line {options.line}" if options.record is None else f"readable record with the id {options.record!r}"
    return InputError(f"{name} has no {wanted}: it has {read} records." if read else f"{name} is empty.")


async def _by_line(reading: Reading, line: int | None) -> Record | None:
    for _, (number, row) in reading.lines:
        if line in (None, number):
            return await reading.record(number, row)
    return None


async def _by_id(reading: Reading, record_id: str) -> Record | None:
    for _, (number, row) in reading.lines:
        try:
            record = await reading.record(number, row)
        except RecordError as exc:
            if exc.record_id == record_id:
                raise
            continue
        if record.id == record_id:
            return record
    return None


def _told(found: Preview, settings: Settings) -> dict[str, Any]:
    rubric, record = settings.rubric, found.record
    return {
        "schema": SCHEMA,
        "rubric": f"{rubric.name}@{rubric.version}",
        "rubric_fp": rubric.fingerprint,
        "prompt_fp": settings.way.prompt.fingerprint,
        "judge": None if settings.judge == ANY_SERVER else settings.judge,
        "record": {"id": record.id, "line": record.line, "model": record.model},
        "granularity": settings.granularity,
        "evidence": settings.evidence,
        "probe": settings.probe,
        "calls": [_told_call(call) for call in found.calls],
        "prompt_tokens": found.prompt_tokens,
        "completion_tokens": found.completion_tokens,
        "cost_usd": found.cost_usd,
        "examples": [_told_example(example, settings) for example in found.examples],
    }


def _told_call(call: PreviewedCall) -> dict[str, Any]:
    request = call.request
    return {
        "units": [{"axis": asked.axis, "unit_id": asked.unit.unit_id} for asked in request.probes.asked],
        "only_if_raised": call.if_raised,
        "claims_guessed": call.guessed,
        "system": request.system,
        "user": request.user,
        "images": [_told_image(image) for image in request.images],
        "reply_schema": orjson.Fragment(request.schema) if request.schema else None,
        "labels": list(request.labels),
        "prompt_tokens": call.prompt_tokens,
        "completion_tokens": call.completion_tokens,
    }


def _told_image(image: Image) -> dict[str, Any]:
    shown = {name: getattr(image, name) for name in ("media_type", "width", "height", "tokens")}
    return {**shown, "bytes": len(image.data), "sha256": image.digest}


def _told_example(example: Example, settings: Settings) -> dict[str, Any]:
    about, soft = ("axis", "unit_id", "weight", "points"), ("p_present", "p_correct")
    fields = (*about, "presence", "correctness", "verdict", "value", "level", *soft)
    axes = {
        name: {column: getattr(score, column) for column in columns_of(settings.labels.axes[name])}
        for name, score in example.scores.axes.items()
    }
    return {
        "said": example.said,
        "verdicts": [{name: getattr(verdict, name) for name in fields} for verdict in example.verdicts],
        "scores": asdict(example.scores) | {"axes": axes},
        "lines": list(example.lines),
    }
