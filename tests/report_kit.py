"""What the tests of `judge report` share: small runs, reports of them, and the data in a report."""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Coroutine, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from judge.image import ImageRules
from judge.report.report import ReportMade, ReportWish, write_report
from judge.rubric import load_rubric
from judge.run import score_file
from judge.settings import Settings
from judge.traces.reading import Traces

PKR = load_rubric("pkr")
TRACE = "The left lung is dark. The heart is 🫀 enlarged. <answer>A</answer>"


def unit(unit_id: str, claim: str) -> dict[str, Any]:
    return {"unit_id": unit_id, "claim": claim}


def record(record_id: str, model: str = "m", **changes: Any) -> dict[str, Any]:
    units = {
        "perception": [unit("P1", "The left lung is dark."), unit("P2", "The heart is enlarged.")],
        "knowledge": [unit("K1", "A pneumothorax is air beside the lung.")],
    }
    given = {"question": "What is it?", "options": {"A": "air", "B": "fluid"}, "context": "A film.", "trace": TRACE}
    return {"id": record_id, "model": model, "units": units, "reference": {"answer": "A"}, **given, **changes}


def write_lines(path: Path, rows: Sequence[Mapping[str, Any] | str]) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return path


def make_run(out: Path, rows: Sequence[Mapping[str, Any] | str], server: str | None = None, **settings: Any) -> Path:
    """A run directory, with its traces beside it."""
    traces = write_lines(out.with_name(f"{out.name}.jsonl"), rows)
    named = {"judge": "lexical"} if server is None else {"judge": "hosted_vllm/any", "api_base": server}
    settings = {"rubric": PKR, **named, **settings}
    _finish(score_file(Traces(path=str(traces)), out, Settings(**settings)))
    return out


def _finish(work: Coroutine[Any, Any, Any]) -> Any:
    """In a thread of its own: the one that drives a browser has a loop already."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(asyncio.run, work).result()


def report(out: Path, *runs: Path, traces: bool = True, **wish: Any) -> ReportMade:
    """A report of runs of `make_run`."""
    files = [
        Traces(path=str(run.with_name(f"{run.name}.jsonl")), images=ImageRules(root=run.parent))
        for run in runs
        if traces and run.with_name(f"{run.name}.jsonl").exists()
    ]
    made: ReportMade = _finish(write_report(ReportWish(runs=runs, **{"traces": files, **wish}), out))
    return made


def read_block(path: Path, name: str = "data") -> Any:
    """A block of data of a report, as the page reads it."""
    found = re.search(
        rf'<script type="application/json" id="{name}">(.*?)</script>', path.read_text("utf-8"), re.DOTALL
    )
    assert found is not None, name
    return json.loads(found[1])


def read_details(path: Path) -> list[Any]:
    return [read_block(path, f"d{number}") for number in range(len(read_block(path)["items"]))]
