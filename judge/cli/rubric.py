"""`judge rubric`: write a rubric, and find out whether it can be trusted. One file a sub-command."""

from __future__ import annotations

import click

from judge.cli.lazy import LazyCommands

__all__ = ["rubric"]

# In the order of a rubric's life; the module of `new` is rubric_new.py.
_COMMANDS = {
    "new": "Write a rubric to fill in.",
    "import": "Rubrics of other tools and data sets, as ours.",
    "show": "What a rubric says, or which ones are built in.",
    "lint": "Find what is wrong, or likely wrong, with a rubric and its units.",
    "preview": "What a judge is sent for a record, and how its verdicts are scored.",
    "draft": "Units from the reasoning of references, or criteria from a task, for a person to edit.",
    "test": "Whether a judge says of golden cases what it must.",
    "diff": "What differs between two versions, and which verdicts and scores move.",
    "export": "A rubric for other tools, and what it loses on the way.",
}


@click.command(cls=LazyCommands, listed=_COMMANDS, modules="judge.cli.rubric_")
def rubric() -> None:
    """Write a rubric, and find out whether it can be trusted.

    \b
    Example:
      judge rubric new triage
      judge rubric import rubric.json --out paper.yaml
      judge rubric show triage.yaml
      judge rubric lint triage.yaml --records traces.jsonl
      judge rubric preview triage.yaml traces.jsonl
      judge rubric draft records.jsonl --judge openai/gpt-5-mini --out units.jsonl
      judge rubric test triage.yaml
      judge rubric diff triage-1.yaml triage-2.yaml
      judge rubric export triage.yaml --to autorubric --out triage.json
    """
