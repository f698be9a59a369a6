"""`judge rubric draft`: reasoning of references -> units that a person edits."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from judge.cli.declared import asking_options, log_level_option, option
from judge.cli.options import DraftOptions, TaskOptions, take_asking

__all__ = ["draft"]

_FILE = click.Path(exists=True, dir_okay=False, path_type=Path)
_OF_A_TASK = ("task", "good", "bad")


@click.command()
@click.argument(
    "traces", metavar="[RECORDS]", required=False, type=click.Path(exists=True, dir_okay=False, allow_dash=True)
)
@option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    help="File to write: units as JSONL, or with --task a rubric as YAML.",
)
@click.option("--task", type=_FILE, help="Draft criteria for this task, a text file, from --good and --bad.")
@click.option("--good", type=_FILE, metavar="TRACES", help="Traces that did the task well; --limit of them.")
@click.option("--bad", type=_FILE, metavar="TRACES", help="Traces that did it badly; --limit of them.")
@asking_options
@option("--overwrite", is_flag=True, help="Start afresh, whatever is in --out, edited or not.")
@option("--quiet", is_flag=True, help="No progress, no notices, no summary; errors only.")
@click.option("-v", "--verbose", is_flag=True, help="Show of every record what to look at: uncovered, merged, dropped.")
@log_level_option
def draft(**given: Any) -> None:
    """Draft the units of every checklist axis of --rubric from `reference.reasoning` of RECORDS, for a person to edit.

    \b
    Example:
      judge rubric draft records.jsonl --out units.jsonl \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1
      judge score traces.jsonl --references units.jsonl --on id --out runs/first

    Code makes sure of what the judge writes. Every source_quote is a passage of the reference: one that is not is asked
    for again, twice at most, and then the unit is dropped into `meta`, from where you can take it back. A claim that
    says what an earlier one says is merged into it. Compound claims, claims that are alike, and the letter of the
    right option are warned of; sentences of the reference that no unit quotes are listed. See -v, and `meta.draft` of
    each line.

    One line an id: further rows of a question are not drafted again. Neither traces nor images are looked at.

    The same command again goes on where it stopped and pays for nothing twice; lines that you have edited stay as they
    are. What was paid for, and what failed, is in the folder OUT.draft.

    With --task, the judge is shown the task, good and bad traces in one prompt, and writes criteria that tell them
    apart: a rubric, with text, polarity and importance of each, and comments on what to look at.

    \b
      judge rubric draft --task task.md --good good.jsonl --bad bad.jsonl \\
          --limit 5 --out triage.yaml \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1

    \b
    Exit codes:
      0   all drafted
      2   wrong usage, input or configuration, found before anything was paid
      3   finished, some records failed: failures.jsonl in OUT.draft says why
      75  stopped early; the same command resumes
    """
    _refuse_mixed(given)
    if given["task"] is not None:
        from judge.cli.task_drafting import TaskDrafting

        given["traces"] = str(given.pop("good"))
        raise SystemExit(TaskDrafting(take_asking(TaskOptions, given)).run())
    from judge.cli.drafting import Drafting

    records = {name: value for name, value in given.items() if name not in _OF_A_TASK}
    raise SystemExit(Drafting(take_asking(DraftOptions, records)).run())


def _refuse_mixed(given: dict[str, Any]) -> None:
    """Either RECORDS, or all three of a task."""
    of_a_task = [given[name] is not None for name in _OF_A_TASK]
    if given["traces"] is None and not any(of_a_task):
        raise click.UsageError("Missing argument 'RECORDS', or --task with --good and --bad.")
    if any(of_a_task) and not all(of_a_task):
        raise click.UsageError("--task, --good and --bad go together.")
    if any(of_a_task) and given["traces"] is not None:
        raise click.UsageError("RECORDS give units and --task gives criteria; give one of them.")
