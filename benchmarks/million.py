"""A long file of records through `lexical`: how fast, and how much memory, however long the file is.

    python benchmarks/million.py [RECORDS ...]                          one-unit records
    python benchmarks/million.py --times 1000 FILE.jsonl [WORKERS ...]  real ones, so many times

Each run is a process of its own (`judge score`) whose peak is read from the kernel. Target: a million records within
400 MiB, and within 1.2 times the peak of ten thousand; at least 2,500 records a second.
"""

from __future__ import annotations

import os
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path

import orjson

RECORDS = (10_000, 100_000)
TARGET_MIB = 400
TARGET_RATIO = 1.2
TARGET_PER_SECOND = 2_500
_SIDES = ("left", "right")
_SIGNS = ("an opacity", "an effusion", "a nodule", "a fracture", "air under the diaphragm")
_MODELS = ("cedar-70b", "willow-8b")


def record(number: int) -> dict[str, object]:
    """One unit, about 200 characters of trace; every model answers every question once."""
    question, model = divmod(number, len(_MODELS))
    side, sign = _SIDES[question % 2], _SIGNS[question % 5]
    seen = sign if (number * 7) % 10 < 6 else "nothing of note"
    return {
        "id": f"q{question:07d}",
        "question": "What does the film show?",
        "model": _MODELS[model],
        "reference": {"answer": "A"},
        "options": {"A": sign, "B": "a normal film"},
        "units": {"perception": [{"unit_id": "P1", "claim": f"The film shows {sign} in the {side} lower zone."}]},
        "trace": f"<think>I look at the {side} side of film {number}. In the {side} lower zone the film shows {seen}. "
        f"The heart is of normal size.{' I look once more.' * (number % 4)}</think><answer>{'AB'[number % 3 == 0]}"
        "</answer>",
    }


def write_records(path: Path, records: int) -> None:
    with path.open("wb") as file:
        for number in range(records):
            file.write(orjson.dumps(record(number), option=orjson.OPT_APPEND_NEWLINE))


def repeat_records(path: Path, source: Path, times: int) -> int:
    """A file's records so many times, each with an id of its own; how many they are."""
    rows = [orjson.loads(line) for line in source.read_bytes().splitlines()]
    with path.open("wb") as file:
        for number in range(times):
            for row in rows:
                file.write(orjson.dumps({**row, "id": f"{row['id']}-{number}"}, option=orjson.OPT_APPEND_NEWLINE))
    return times * len(rows)


def score(traces: Path, out: Path, workers: int = 1) -> tuple[float, float]:
    """Seconds, and MiB at the peak of the process that begins it, of one `judge score`."""
    begun = time.perf_counter()
    command = [sys.executable, "-m", "judge", "score", str(traces), "--out", str(out), "--quiet"]
    command += ["--workers", str(workers)]
    process = os.posix_spawn(sys.executable, command, os.environ)
    _, status, used = os.wait4(process, 0)
    if code := os.waitstatus_to_exitcode(status):
        raise SystemExit(f"judge score ended with {code}")
    return time.perf_counter() - begun, used.ru_maxrss / 1024


def main_of_a_file(times: int, source: Path, workers: Sequence[int]) -> None:
    print(f"{'records':>9}  {'workers':>7}  {'seconds':>8}  {'records/s':>9}  {'peak MiB':>8}")
    for number in workers:
        with tempfile.TemporaryDirectory() as folder:
            records = repeat_records(Path(folder) / "traces.jsonl", source, times)
            seconds, peak = score(Path(folder) / "traces.jsonl", Path(folder) / "run", number)
        print(f"{records:9,}  {number:7}  {seconds:8.1f}  {records / seconds:9,.0f}  {peak:8.0f}", flush=True)


def main(sizes: Sequence[int]) -> None:
    print(f"{'records':>9}  {'seconds':>8}  {'records/s':>9}  {'peak MiB':>8}  ratio")
    first = None
    for records in sizes:
        with tempfile.TemporaryDirectory() as folder:
            traces = Path(folder) / "traces.jsonl"
            write_records(traces, records)
            seconds, peak = score(traces, Path(folder) / "run")
        first = first or peak
        print(f"{records:9,}  {seconds:8.1f}  {records / seconds:9,.0f}  {peak:8.0f}  {peak / first:5.2f}", flush=True)
    print(f"targets: {TARGET_MIB} MiB, ratio {TARGET_RATIO}, {TARGET_PER_SECOND:,} records/s")


if __name__ == "__main__":
    given = sys.argv[1:]
    if given[:1] == ["--times"]:
        main_of_a_file(int(given[1]), Path(given[2]), [int(word) for word in given[3:]] or [1])
    else:
        main([int(word) for word in given] or RECORDS)
