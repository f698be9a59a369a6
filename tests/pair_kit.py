"""What the tests of pairs share: two models' traces of the same questions, a run that compares them, and its tables."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
from run_kit import NAME, make_record, settings_for, to_lines

from judge.compare import CompareReport, compare_files
from judge.pairs.pair import Candidate, Pair
from judge.record import build_record
from judge.rubric import Rubric, load_rubric
from judge.settings import Settings
from judge.testing import Server
from judge.traces.reading import Traces

AXES = ["perception", "knowledge", "rationale", "overall"]
RUBRIC = load_rubric("pkr-preference")
RIGHT = "The left base is opaque, so fluid has gathered there."
WEAK = "The left base is clear."
QUESTION: dict[str, Any] = {"id": "r1", "question": "What is it?", "reference": {"reasoning": RIGHT, "answer": "A"}}
FLIPPED = {"A": "B", "B": "A", "tie": "tie", "inconsistent": "inconsistent", None: None}


def with_trace(trace: str, **changes: Any) -> dict[str, Any]:
    return {**QUESTION, "trace": trace, **changes}


def make_models(count: int, models: Sequence[str] = ("alpha", "beta")) -> dict[str, list[dict[str, Any]]]:
    """Traces of each model of the same questions, with a reference of its own for each question."""
    return {
        model: [_record(number, model, seed) for number in range(1, count + 1)] for seed, model in enumerate(models)
    }


def _record(number: int, model: str, seed: int) -> dict[str, Any]:
    reference = {"reasoning": make_record(number, seed=99)["trace"], "answer": "A"}
    return {**make_record(number, seed=seed), "model": model, "reference": reference, "units": {}}


def write(folder: Path, files: Mapping[str, Iterable[dict[str, Any] | str]]) -> list[Path]:
    """A file each, `NAME.jsonl`."""
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{name}.jsonl" for name in files]
    for path, records in zip(paths, files.values(), strict=True):
        path.write_bytes(to_lines(records))
    return paths


def pair_settings(server: Server | str, rubric: Rubric = RUBRIC, **changes: Any) -> Settings:
    return settings_for(server, rubric=rubric, pairs=True, **changes)


def compare(
    files: Mapping[str, Iterable[dict[str, Any] | str]],
    out: Path,
    server: Server | str,
    *,
    limit: int | None = None,
    overwrite: bool = False,
    **changes: Any,
) -> CompareReport:
    """A run in this process; that nothing is lost is checked of it."""
    inputs = [Traces(path=str(path)) for path in write(out.with_name(f"{out.name}-traces"), files)]
    settings = pair_settings(server, **changes)
    report = asyncio.run(compare_files(inputs, out, settings, limit=limit, overwrite=overwrite))
    check_conservation(out, report)
    return report


def check_conservation(out: Path, report: CompareReport) -> None:
    """Pairs read = judged + failed, records read = paired + unpaired; in the report, in run.json and in the tables."""
    told = json.loads((out / "run.json").read_bytes())
    assert told["counts"] == {"read": report.read, "judged": report.judged, "failed": report.failed}
    assert told["records"] == report.records
    assert report.records["read"] == report.records["paired"] + report.records["unpaired"]
    if report.finished:
        assert report.read == report.judged + report.failed
    rows = preferences(out)
    whole = rows.group_by("record_id", "model_a", "model_b").agg(pl.col("outcome").is_not_null().all())
    assert (len(whole), whole["outcome"].sum()) == (report.judged + report.failed, report.judged)
    assert (rows["outcome"].is_null() == rows["failure"].is_not_null()).all()
    failed_axes = rows.filter(pl.col("failure").is_not_null()).select("record_id", "model_a", "model_b", "axis").rows()
    explained = {(one["record_id"], one.get("model_a"), one.get("model_b"), one.get("axis")) for one in failures(out)}
    assert all(row in explained or (*row[:3], None) in explained for row in failed_axes)


def preferences(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "preferences.parquet")


def failures(out: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in (out / "failures.jsonl").read_bytes().splitlines()]


def assert_same(left: Path, right: Path) -> None:
    """Equal in content and order."""
    assert preferences(left).equals(preferences(right), null_equal=True)
    mine, others = ([{**row, "source": ""} for row in failures(out)] for out in (left, right))
    assert mine == others


def pair_of(a: str, b: str, **changes: Any) -> Pair:
    traces = {"m": a, "n": b}
    candidates = [
        Candidate(record=build_record(with_trace(trace, **changes), number=1), model=model, source=f"{model}.jsonl")
        for model, trace in traces.items()
    ]
    return Pair(a=candidates[0], b=candidates[1])


def compare_words(paths: Sequence[Path], out: Path, server: Server | str, *more: object) -> list[str]:
    """A command line."""
    base = server if isinstance(server, str) else server.api_base
    words = ["compare", *paths, "--out", out, "--judge", NAME, "--api-base", base, "--cache", "none", *more]
    return [str(word) for word in words]
