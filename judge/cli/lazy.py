"""A group of commands that are imported only when they are called: listing them loads none of them."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Any

import click

__all__ = ["LazyCommands"]


class LazyCommands(click.Group):
    """One file a command.

    Args:
        listed: Name -> one line of help.
        modules: What stands before a command's name in that of its module, such as `judge.cli.rubric_`.
    """

    def __init__(self, *args: Any, listed: Mapping[str, str], modules: str, **settings: Any) -> None:
        super().__init__(*args, **settings)
        self._listed = dict(listed)
        self._modules = modules

    def list_commands(self, ctx: click.Context) -> list[str]:
        return list(self._listed)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        if cmd_name not in self._listed:
            return None
        function = f"{cmd_name}_" if iskeyword(cmd_name) else cmd_name
        command = getattr(import_module(f"{self._modules}{cmd_name}"), function)
        assert isinstance(command, click.Command)  # else a fault of ours, not of the user's
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        with formatter.section("Commands"):
            formatter.write_dl(list(self._listed.items()))
