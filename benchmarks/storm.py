"""A 429 storm: `judge score` with 256 places against a server that lets 200 requests a second through.

    python benchmarks/storm.py [ROUNDS]

The scripted server and the command line are processes of their own. The server lets a second's share through at once
when nothing came before, so no client can be done sooner than (1,500 - 200) / 200 = 6.5 s after its first request.
Targets: nobody fails, 1.7 requests a record at most, and 1.2 times the floor from the first request to the last answer.
"""

from __future__ import annotations

import json
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median

ROUNDS = 5
RECORDS = 1500
PER_S = 200
PLACES = 256
FLOOR_S = (RECORDS - PER_S) / PER_S
MOST_REQUESTS = 1.7
MOST_FLOORS = 1.2


@dataclass(frozen=True, kw_only=True)
class Round:
    """What one storm took: requests a record, seconds by the server's ledger, and seconds of the whole command."""

    failed: int
    requests: float
    asked_s: float
    command_s: float


def record(number: int) -> dict[str, object]:
    claim = f"The mass of case {number} is in the left lung."
    units = {"perception": [{"unit_id": "P1", "claim": claim}]}
    return {"id": f"r{number}", "question": "What does the scan show?", "units": units, "trace": f"I see it. {claim}"}


def storm(folder: Path) -> Round:
    traces, ledger = folder / "traces.jsonl", folder / "ledger.jsonl"
    traces.write_text("".join(json.dumps(record(number)) + "\n" for number in range(RECORDS)))
    serve = [sys.executable, "-m", "judge.testing", "--rate-limit", str(PER_S), "--stop-on-eof"]
    serve += ["--ledger", str(ledger)]
    with subprocess.Popen(serve, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        base = server.stdout.readline().strip()
        begun = time.perf_counter()
        told = subprocess.run(command(traces, folder / "run", base), capture_output=True, check=False).stdout
        command_s = time.perf_counter() - begun
        server.communicate()  # closes its standard input, which ends it
    rows = [json.loads(line) for line in ledger.read_text().splitlines()]
    asked_s = max(row["t_done"] for row in rows) - min(row["t_received"] for row in rows)
    failed = RECORDS - json.loads(told)["counts"]["scored"]
    return Round(failed=failed, requests=len(rows) / RECORDS, asked_s=asked_s, command_s=command_s)


def command(traces: Path, out: Path, base: str) -> list[str]:
    judge = [sys.executable, "-m", "judge", "score", str(traces), "--out", str(out), "--judge", "hosted_vllm/any"]
    return [*judge, "--api-base", base, "--concurrency", str(PLACES), "--cache", "none", "--quiet", "--json"]


def main() -> None:
    rounds = []
    print(f"{'failed':>6} {'requests':>9} {'wall':>7} {'x floor':>8} {'command':>8}")
    for _ in range(int(sys.argv[1]) if len(sys.argv) > 1 else ROUNDS):
        with tempfile.TemporaryDirectory() as folder:
            one = storm(Path(folder))
        rounds.append(one)
        floors = one.asked_s / FLOOR_S
        print(f"{one.failed:6} {one.requests:8.2f}x {one.asked_s:6.2f}s {floors:7.2f}x {one.command_s:7.2f}s")
    requests, floors = median(one.requests for one in rounds), median(one.asked_s for one in rounds) / FLOOR_S
    held = not any(one.failed for one in rounds) and requests <= MOST_REQUESTS and floors <= MOST_FLOORS
    print(f"medians of {len(rounds)}: requests x {requests:.2f}, wall {floors:.2f} x the floor of {FLOOR_S:g} s")
    print(f"within the targets: {'yes' if held else 'no'}")


if __name__ == "__main__":
    main()
