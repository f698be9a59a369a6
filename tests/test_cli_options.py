"""Options are declared once: a command that takes some of them takes the same, in the same order."""

from __future__ import annotations

import click
import pytest

from judge.cli.declared import options_of_score
from judge.cli.estimate import estimate
from judge.cli.rubric_diff import diff
from judge.cli.rubric_preview import preview
from judge.cli.rubric_test import test as rubric_test
from judge.cli.score import score


def made(*names: str) -> click.Command:
    return options_of_score(*names)(click.command("own")(click.option("--mine")(lambda **_: None)))


def test_they_follow_the_commands_own_in_the_order_of_score() -> None:
    assert [param.name for param in made("as_json", "judge", "traces").params] == ["mine", "traces", "judge", "as_json"]


def test_a_name_that_is_none_is_our_fault() -> None:
    with pytest.raises(AssertionError, match=r"no such options: \{'jugde'\}"):
        made("jugde")


@pytest.mark.parametrize("command", [diff, estimate, preview, rubric_test])
def test_what_is_called_alike_is_alike(command: click.Command) -> None:
    known = {param.name: param for param in score.params}
    shared = [param for param in command.params if param.name in known and param.name != "out"]
    assert len(shared) > 10
    for param in shared:
        other = known[param.name]
        if isinstance(param, click.Option) and param.opts != ["--cases"]:
            assert param.to_info_dict() == other.to_info_dict() and param.envvar == other.envvar


def test_nothing_is_taken_that_would_do_nothing() -> None:
    """A preview sends nothing, and a case is a whole record."""
    of_preview, of_test = ({param.name for param in command.params} for command in (preview, rubric_test))
    assert not of_preview & {"api_base", "concurrency", "rpm", "timeout", "cache", "budget", "key_file", "samples"}
    assert not of_test & {"traces", "limit", "map", "references", "on", "out", "workers"}
