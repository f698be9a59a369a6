"""The work behind `judge compare --dry-run`."""

from __future__ import annotations

import asyncio

from judge.cli.asking import EXIT_OK, EXIT_USAGE
from judge.cli.estimating import print_estimate
from judge.cli.given import not_used, read_inputs, read_settings
from judge.cli.options import CompareOptions
from judge.cli.terminal import Screen, clean, complain
from judge.errors import JudgeError
from judge.pair_estimate import estimate_pairs

__all__ = ["dry_run"]

_STARTED = "compare a few records into this --out with --limit N, and ask again"


def dry_run(options: CompareOptions) -> int:
    """Say what comparing would take; what would be overwritten is not paid for any more.

    Returns:
        The exit code.
    """
    try:
        settings = read_settings(options)
        if said := not_used(options):
            Screen(stderr=True).print(clean(said))
        inputs, out = read_inputs(options, settings), None if options.overwrite else options.out
        found = asyncio.run(estimate_pairs(inputs, settings, limit=options.limit, out=out))
    except JudgeError as exc:
        complain(exc)
        return EXIT_USAGE
    print_estimate(found, settings, Screen(), as_json=options.as_json, things=("pairs", "questions"), how=_STARTED)
    return EXIT_OK
