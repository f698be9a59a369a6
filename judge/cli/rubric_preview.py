"""`judge rubric preview`: what a judge is sent for a record, and how its verdicts are scored."""

from __future__ import annotations

from typing import Any

import click

from judge.cli.declared import options_of_score

__all__ = ["preview"]

_AS_SCORE_HAS_THEM = (
    *("traces", "config", "judge", "granularity", "evidence", "probe", "probe_evidence", "price", "map"),
    *("references", "on", "image_root", "allow_image_urls", "image_max_side", "as_json"),
)


@options_of_score(*_AS_SCORE_HAS_THEM)
@click.command()
@click.argument("rubric", metavar="RUBRIC")
@click.option("--record", metavar="ID", help="The first record with this id.  [default: the first record]")
@click.option("--line", type=click.IntRange(min=1), metavar="N", help="The record of this line, or row of a table.")
def preview(**given: Any) -> None:
    """Show what judging a record of TRACES by RUBRIC would send, and how the verdicts would be scored.

    Nothing is sent. Shown are the messages and the reply schema of every call, images by their size, tokens by
    length, and the sums worked by hand for verdicts that a judge might give. What a server of the OpenAI kind gets is
    exactly this; lexical, which reads no messages, stands for any such server here.

    \b
    Example:
      judge rubric preview pkr examples/traces.jsonl --line 2
      judge rubric preview triage.yaml notes.jsonl --record r17 \\
          --judge openai/gpt-5-mini --granularity unit

    On a terminal, control characters of a text are shown as \N{REPLACEMENT CHARACTER}; --json has every text as it is.

    \b
    Exit codes:
      0   shown
      2   wrong usage, rubric or record
    """
    if given["record"] is not None and given["line"] is not None:
        raise click.UsageError("--record and --line name one record each; give one of them.")
    from judge.cli.previewing import PreviewOptions, run_preview

    raise SystemExit(run_preview(PreviewOptions(**given)))
