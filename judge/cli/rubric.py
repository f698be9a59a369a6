"""`judge rubric`: the commands for people who write rubrics, each in a file of its own."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["rubric"]

# Name -> one line of help; `judge rubric lint` is `rubric_lint` in the module of that name. Listing them loads none.
_COMMANDS = {
    "lint": "Find what is wrong, or likely wrong, with a rubric and its units.",
}


class _LazyCommands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        name = f"rubric_{cmd_name}"
        command = getattr(import_module(f"judge.cli.{name}"), name)
        assert isinstance(command, click.Command)  # else a fault of ours, not of the user's
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.group(cls=_LazyCommands)
def rubric() -> None:
    """Write rubrics that can be trusted."""
