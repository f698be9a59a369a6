"""`judge rubric test`: whether a judge says of golden cases what it must."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.declared import options_of_score
from judge.cli.options import JudgeOptions, take

__all__ = ["test"]

# A case is a whole record of ours: nothing is renamed, joined or left out.
_OF_THE_FILE = {"traces": "", "limit": None, "map": (), "references": None, "on": "id"}
_AS_SCORE_HAS_THEM = (
    *("config", "judge", "api_base", "granularity", "evidence", "probe", "probe_evidence", "samples", "params"),
    *("min_coverage", "engine_args", "concurrency", "rpm", "tpm", "timeout", "max_retries", "cache", "price", "budget"),
    *("key_file", "headers", "image_root", "allow_image_urls", "image_max_side", "as_json"),
)


@options_of_score(*_AS_SCORE_HAS_THEM)
@click.command()
@click.argument("rubric", metavar="RUBRIC")
@click.option(
    "--cases",
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="Records, each with what is expected of it.  [default: NAME.cases.jsonl beside the rubric]",
)
def test(cases: Path | None, **given: Any) -> None:
    """Judge golden cases by RUBRIC, and check that the verdicts and scores are what they must be.

    A case is a record with an `expect`: verdicts of units, bounds of scores, a case that it must outscore.

    \b
      {"id": "mirrored", "trace": "The right lung is collapsed.", "units": …,
       "expect": {"verdicts": {"P1": {"presence": 2, "correctness": -1}},
                  "scores": {"trace_score": [0, 0.2]}, "better_than": "silent"}}

    With "lexical": false in it, the embedded baseline is not held to the case: it compares words.

    \b
    Example:
      judge rubric test pkr
      judge rubric test triage.yaml --judge hosted_vllm/Qwen3-32B \\
          --api-base http://127.0.0.1:8000/v1

    \b
    Exit codes:
      0   every check passed
      1   a check failed
      2   wrong usage, rubric or cases: says where, before anything is asked
      3   no check failed, but some could not be made: a case was not judged
      75  interrupted
    """
    from judge.cli.case_testing import test_cases

    raise SystemExit(test_cases(take(JudgeOptions, {**given, **_OF_THE_FILE}), cases))
