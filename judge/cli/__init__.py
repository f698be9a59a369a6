"""The command line: one file a command, imported only when it is called."""

from __future__ import annotations

import sys
from io import TextIOWrapper

import click

from judge.cli.lazy import LazyCommands

__all__ = ["cli"]

# The module of a command has its name.
_COMMANDS = {
    "score": "Score a file of reasoning traces.",
    "agree": "Whether a judge agrees with people, and people with each other.",
    "compare": "Which of two models, or traces, is better: by a judge, or from two runs.",
    "rubric": "Write a rubric, and find out whether it can be trusted.",
    "calibrate": "What labels show of a judge, for later runs of it.",
    "noise": "How much of a score is the judge's own noise.",
    "replay": "Read recorded judge outputs into a run directory.",
    "redteam": "Attack a judge, and see what it lets pass.",
    "label": "Label the units of traces by hand, in a page on this machine.",
    "serve": "Scores and rewards over HTTP, for all processes of a training run.",
    "report": "One HTML file of runs: means, plots, and the records behind them.",
    "cache": "What the shared store of replies holds, and how it goes away.",
    "estimate": "Calls, tokens, price and time of a run, before anything is paid.",
    "doctor": "Which judges can be used here, and what is missing.",
}


@click.command(
    cls=LazyCommands,
    listed=_COMMANDS,
    modules="judge.cli.",
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="rationale-judge", prog_name="judge")
def cli() -> None:
    """Score the reasoning of models: per trace and capability, with the quotes behind every number.

    \b
    Try it, with the embedded baseline that needs nothing:
      judge score examples/traces.jsonl --out runs/first
    With a real judge on a server of your own:
      judge score traces.jsonl --out runs/second \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1
    What can be used here:
      judge doctor
    """
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, TextIOWrapper):  # a terminal that knows no "–" must not end a run that is paid for
            stream.reconfigure(errors="replace")
