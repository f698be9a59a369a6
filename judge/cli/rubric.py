"""`judge rubric`: the tools of people who write rubrics, one file a command, imported only when it is called."""

from __future__ import annotations

from importlib import import_module

import click

__all__ = ["rubric"]

# Name -> one line of help; the module of a command has its name after `rubric_`. Listing them must load none of them.
_COMMANDS = {
    "draft": "Draft units from the reasoning of references, with a judge.",
}


class _LazyCommands(click.Group):
    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(_COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in _COMMANDS:
            return None
        command = getattr(import_module(f"judge.cli.rubric_{cmd_name}"), cmd_name)
        assert isinstance(command, click.Command)  # else a fault of ours, not of the user's
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(_COMMANDS.items()))


@click.command(cls=_LazyCommands)
def rubric() -> None:
    """Write rubrics that can be trusted."""
