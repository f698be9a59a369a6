"""The work behind `judge compare` with folders of runs: what is compared, and what is printed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import asdict
from pathlib import Path
from typing import Any, Literal

import orjson

from judge.cli.asking import EXIT_FAILED_RECORDS, EXIT_OK, EXIT_USAGE
from judge.cli.standing_page import render_standings
from judge.cli.terminal import Screen, clean, complain
from judge.compared_runs import ComparedRuns, compare_runs, keep
from judge.errors import ConfigError, JudgeError
from judge.score_pairs import Unshared
from judge.standing import Standing, as_json, find_standings

__all__ = ["SCHEMA", "ComparingRuns"]

SCHEMA: Literal["judge.compare.runs/1"] = "judge.compare.runs/1"
"""Name and version of what --json prints; another version only where a key goes or changes its meaning."""
_MOST_UNSHARED = 5


class ComparingRuns:
    """One `judge compare` that asks nobody.

    Args:
        runs: Folders of `judge score` or of `judge compare`.
        margin: Scores that are no further apart are a tie.
        axes: Only these; all without them.
        baseline: The model that the others are held against.
        seed: Of the bootstraps.
        out: Where preferences are kept.
        quiet: Print nothing but errors and what is asked for as JSON.
        as_json: Answer with one JSON object.
    """

    def __init__(
        self,
        runs: tuple[Path, ...],
        *,
        margin: float,
        axes: tuple[str, ...],
        baseline: str | None,
        seed: int,
        out: Path | None,
        quiet: bool,
        as_json: bool,
    ) -> None:
        self._runs = runs
        self._margin = margin
        self._chosen: dict[str, Any] = {"axes": axes, "baseline": baseline, "seed": seed}
        self._out = out
        self._quiet = quiet
        self._as_json = as_json

    def run(self) -> int:
        """Compare, keep, print: the exit code."""
        try:
            compared = compare_runs(self._runs, margin=self._margin)
            standings = find_standings(compared.preferences, **self._chosen)
            self._keep(compared)
        except JudgeError as exc:
            complain(exc)
            return EXIT_USAGE
        code = EXIT_FAILED_RECORDS if compared.failed else EXIT_OK
        if self._as_json:
            Screen().out(orjson.dumps(self._told(compared, standings, code)).decode())
        elif not self._quiet:
            self._print(compared, standings)
        return code

    def _keep(self, compared: ComparedRuns) -> None:
        if self._out is None:
            return
        if compared.source == "preferences":
            raise ConfigError("--out: these are preferences already.", hint="Leave it out.")
        keep(compared, self._out)

    def _told(self, compared: ComparedRuns, standings: tuple[Standing, ...], code: int) -> dict[str, Any]:
        """One object of a fixed form."""
        rows = len(compared.preferences)
        return {
            "schema": SCHEMA,
            "exit_code": code,
            "from": compared.source,
            "runs": [str(run) for run in compared.runs],
            "rubric": compared.rubric,
            "rubric_fp": compared.rubric_fp,
            "judges": compared.judges,
            "margin": compared.margin,
            "counts": {"pairs": rows, "judged": rows - compared.failed, "failed": compared.failed},
            "unshared": [asdict(one) for one in compared.unshared],
            "notes": [*compared.notes],
            "standings": as_json(standings),
            "out": None if self._out is None else str(self._out),
        }

    def _print(self, compared: ComparedRuns, standings: tuple[Standing, ...]) -> None:
        screen = Screen(soft_wrap=False)
        for part in render_standings(standings):
            screen.print(part)
        for line in (*self._counts(compared), *map(_unshared, compared.unshared[:_MOST_UNSHARED])):
            screen.print(line, soft_wrap=True)
        for note in compared.notes:
            screen.print(clean(f"Note: {note}"), soft_wrap=True)
        if self._out is not None:
            screen.print(clean(f"Written to {self._out}: preferences.parquet, run.json"), soft_wrap=True)

    def _counts(self, compared: ComparedRuns) -> Iterator[str]:
        rows, failed = len(compared.preferences), compared.failed
        margin = "" if compared.margin is None else f"; no further apart than {compared.margin:g} is a tie"
        yield f"{rows:,} pairs of all axes = {rows - failed:,} judged + {failed:,} failed{margin}"


def _unshared(one: Unshared) -> str:
    only = f"{one.only_model:,} records only of {one.model}, {one.only_other:,} only of {one.other}"
    more = " …" if one.only_model + one.only_other > len(one.records) else ""
    return clean(f"Not compared: {only} ({', '.join(one.records)}{more})")
