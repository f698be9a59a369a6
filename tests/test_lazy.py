"""Groups of commands: every one that is listed is there, and nothing else is."""

from __future__ import annotations

import click
import pytest
from click.testing import CliRunner

from judge.cli import cli
from judge.cli.lazy import LazyCommands


def all_commands(group: click.Group, *above: str) -> dict[tuple[str, ...], click.Command]:
    ctx, found = click.Context(group), {}
    for name in group.list_commands(ctx):
        command = group.get_command(ctx, name)
        assert command is not None
        found[(*above, name)] = command
        if isinstance(command, click.Group):
            found |= all_commands(command, *above, name)
    return found


COMMANDS = all_commands(cli)


def test_every_command_that_is_listed_goes_by_its_name() -> None:
    assert {("score",), ("rubric",), ("rubric", "new"), ("rubric", "test"), ("cache", "ls")} <= COMMANDS.keys()
    for path, command in COMMANDS.items():
        assert command.name == path[-1]
        assert "Example" in (command.help or ""), path


@pytest.mark.parametrize("words", [("scor",), ("rubric", "shew"), ("rubric", "__init__")])
def test_a_command_that_is_not_listed_is_none(words: tuple[str, ...]) -> None:
    done = CliRunner().invoke(cli, words)
    assert done.exit_code == 2
    assert f"No such command '{words[-1]}'" in done.stderr


def test_help_has_the_lines_that_are_listed() -> None:
    group = LazyCommands("any", listed={"one": "First.", "two": "Second."}, modules="nowhere.")
    shown = CliRunner().invoke(group, ["--help"])
    assert shown.stdout.splitlines()[-3:] == ["Commands:", "  one  First.", "  two  Second."]
