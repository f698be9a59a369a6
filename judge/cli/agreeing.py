"""The work behind `judge agree`: runs and labels read, agreement measured, shown and written."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import Any, Literal

import orjson

from judge.cli.agreement_page import print_agreement
from judge.cli.options import AgreeOptions
from judge.cli.terminal import Screen, clean, complain
from judge.errors import ConfigError, JudgeError
from judge.runs.directory import write_atomically
from judge.trust.agreement import Agreement, measure_agreement
from judge.trust.compared import NUMBERS
from judge.trust.labels import read_labels
from judge.trust.lines import Line, find_lines
from judge.trust.matching import Ratings, match
from judge.trust.numbers import build_numbers
from judge.trust.sheet import MAJORITY

__all__ = ["SCHEMA", "show_agreement"]

SCHEMA: Literal["judge.agree/1"] = "judge.agree/1"
EXIT_OK = 0
EXIT_BELOW = 1
EXIT_USAGE = 2
_FILES = (".json", ".parquet")


def show_agreement(options: AgreeOptions) -> int:
    """Measure, print, and write.

    Returns:
        The exit code.
    """
    try:
        _refuse_wrong(options)
        ratings = match(options.runs, read_labels(options.labels))
        agreements = _measured(ratings, options)
        lines = list(find_lines(agreements, options.against))
        below = list(_below(lines, options.fail_under))
        code = EXIT_BELOW if below else EXIT_OK
        told = _told(options, ratings, agreements, below, code)
        if options.out is not None:
            _write(options.out, agreements, told)
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    screen = Screen(soft_wrap=False)
    if options.as_json:
        screen.out(told.decode())
    else:
        print_agreement(screen, ratings, lines, asked=options.probes)
    for line in below:
        Screen(stderr=True).print(clean(line))
    return code


def _refuse_wrong(options: AgreeOptions) -> None:
    unknown = [name for name, _ in options.fail_under if name not in NUMBERS]
    if unknown:
        raise ConfigError(f"--fail-under {unknown[0]!r} is no number of ours.", hint=f"There are {', '.join(NUMBERS)}.")
    if options.out is not None and options.out.suffix not in _FILES:
        raise ConfigError(f"--out {options.out}: must end in {' or '.join(_FILES)}.")


def _measured(ratings: Ratings, options: AgreeOptions) -> tuple[Agreement, ...]:
    if options.against not in (MAJORITY, *ratings.raters):
        hint = f"There are {', '.join((MAJORITY, *ratings.raters))}."
        raise ConfigError(f"--against {options.against!r} is no rater of {options.labels}.", hint=hint)
    axes = {*ratings.labelled["axis"]}
    if missing := [axis for axis in options.axes if axis not in axes]:
        raise ConfigError(f"--axis {missing[0]!r} has no label.", hint=f"There are {', '.join(sorted(axes))}.")
    found = measure_agreement(
        ratings, probes=options.probes, axes=options.axes, by_unit=options.by_unit, seed=options.seed
    )
    if not found:
        there = sorted({*ratings.labelled["probe"]})
        asked = ", ".join(options.probes)
        raise ConfigError(f"--probe {asked}: nothing was labelled so.", hint=f"There are {', '.join(there)}.")
    return found


def _below(lines: Sequence[Line], least: Sequence[tuple[str, float]]) -> Iterator[str]:
    for name, number in least:
        held = [(line, found) for line in lines if (found := line.number(name)) is not None]
        if not held:
            asked = ", ".join(dict.fromkeys(line.agreement.probe for line in lines))
            raise ConfigError(f"--fail-under {name}: nothing that is shown has this number ({asked}).")
        for line, found in held:
            value = found.value
            if value is None or value < number:
                said = "is not known" if value is None else f"is {value:.3f}"
                yield f"{name} of {line.judge} on {line.what} {said}, and must be {number:g} at least."


def _told(
    options: AgreeOptions, ratings: Ratings, agreements: Sequence[Agreement], below: Sequence[str], code: int
) -> bytes:
    """What --json prints: one object of a fixed form."""
    told: dict[str, Any] = {
        "schema": SCHEMA,
        "exit_code": code,
        "runs": [str(run) for run in options.runs],
        "labels_file": str(options.labels),
        "labels": ratings.labels,
        "judges": ratings.judges,
        "raters": ratings.raters,
        "unmatched": [asdict(one) for one in ratings.unmatched],
        "against": options.against,
        "seed": options.seed,
        "agreements": [asdict(one) for one in agreements],
        "below": below,
    }
    return orjson.dumps(told)


def _write(path: Path, agreements: Sequence[Agreement], told: bytes) -> None:
    write = build_numbers(agreements).write_parquet if path.suffix == ".parquet" else partial(_put, told)
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        write_atomically(path, write)
    except OSError as exc:
        raise ConfigError(f"--out {path}: {exc.strerror or exc}.", hint="Give a file that can be written to.") from exc


def _put(body: bytes, file: Any) -> None:
    file.write(body)
