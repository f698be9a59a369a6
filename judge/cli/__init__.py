"""The command line: one file a command, imported only when it is called."""

from __future__ import annotations

import sys
from importlib import import_module
from io import TextIOWrapper

import click

__all__ = ["cli"]

# Name -> one line of help; the module of a command has its name. Listing them must load none of them.
_COMMANDS = {
    "score": "Score a file of reasoning traces.",
    "label": "Label the units of traces by hand, in a page on this machine.",
    "cache": "What the shared store of replies holds, and how it goes away.",
    "estimate": "Calls, tokens, price and time of a run, before anything is paid.",
    "doctor": "Which judges can be used here, and what is missing.",
}


class _LazyCommands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"judge.cli.{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # else a fault of ours, not of the user's
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_LazyCommands, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
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
