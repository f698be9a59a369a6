"""What the tests of a judge's noise share: traces with several units an axis, and the command on them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from click.testing import CliRunner, Result
from run_kit import NAME, make_record, to_lines

from judge.cli import cli
from judge.testing import Server


def noise_record(number: int, *, units: int = 4) -> dict[str, Any]:
    """A trace of four sentences, of which the odd units say one and the even ones another."""
    record = make_record(number)
    said = [f"{sentence}." for sentence in record["trace"].split("<answer>")[0].split(".")[1:-1]]
    claims = [said[place].strip() if place % 2 else "The kidney is absent." for place in range(units)]
    asked = [{"unit_id": f"U{place}", "claim": claim} for place, claim in enumerate(claims)]
    return {**record, "units": {"perception": asked}}


def write_traces(path: Path, count: int, **how: Any) -> Path:
    path.write_bytes(to_lines(noise_record(number, **how) for number in range(1, count + 1)))
    return path


def run_noise(traces: Path, out: Path, server: Server | None, *more: object, cache: str = "none") -> Result:
    asked = ["--judge", NAME, "--api-base", server.api_base, "--cache", cache] if server else []
    given = ["noise", str(traces), "--out", str(out), *asked, *map(str, more)]
    return CliRunner().invoke(cli, given, catch_exceptions=False, env={"COLUMNS": "160"})


def noise_of(traces: Path, out: Path, server: Server, *more: object, code: int = 0) -> dict[str, Any]:
    done = run_noise(traces, out, server, "--json", "--quiet", *more)
    assert done.exit_code == code, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    assert told["schema"] == "judge.noise/1" and told["exit_code"] == code
    return told


def flip(told: dict[str, Any], arm: str, told_of: str = "any", axis: str | None = None) -> dict[str, Any]:
    (found,) = [one for one in told["flips"] if (one["arm"], one["told"], one["axis"]) == (arm, told_of, axis)]
    return dict(found)


def split(told: dict[str, Any], arm: str, measure: str = "trace_score") -> dict[str, Any]:
    (found,) = [one["variance"] for one in told["splits"] if (one["arm"], one["measure"]) == (arm, measure)]
    return dict(found)


def sway(told: dict[str, Any], arm: str) -> dict[str, Any]:
    (found,) = [one for one in told["sways"] if one["arm"] == arm]
    return dict(found)
