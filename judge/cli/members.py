"""What `judge score` and `judge estimate` were given -> the options of each judge, one value a judge.

What is given once is for every judge. An address, a key file and headers are for servers of one provider: given once
for judges of several, nobody could say whose they are, and a key would go to the wrong one.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from typing import Any, TypeVar

import click
from click.core import ParameterSource

from judge.cli.options import JudgeOptions, names_apart

__all__ = ["take_members"]

_Options = TypeVar("_Options", bound=JudgeOptions)
_OF_A_SERVER = {"api_base": "--api-base", "key_file": "--key-file", "headers": "--header"}


def take_members(kind: type[_Options], given: Mapping[str, Any]) -> tuple[_Options, ...]:
    """The options of each judge, in their order.

    Args:
        kind: Of the options.
        given: The command's parameters, with `judges` and `api_bases` in place of `judge` and `api_base`.

    Raises:
        click.UsageError: It cannot be told which judge something is for.
    """
    ctx = click.get_current_context()
    apart = frozenset({"api_bases": "api_base"}.get(name, name) for name in names_apart(ctx, "judges"))
    shared = {name: value for name, value in given.items() if name not in ("judges", "api_bases")}
    judges = [one if isinstance(one, dict) else {"judge": one} for one in given["judges"]]
    if len(judges) == 1:
        _refuse_of_panels(ctx)
    addressed = _addressed(judges, given["api_bases"], ctx)
    _refuse_unclear(addressed, shared, ctx)
    useless = {name for name in _NOTHING if not any(_takes(one["judge"], name) for one in judges)}
    return tuple(kind(**_used(shared, own, useless), **own, apart=apart) for own in addressed)


def _refuse_of_panels(ctx: click.Context) -> None:
    """What does nothing with one judge, where it was given for this very command: elsewhere it may be for panels."""
    for name in ("reducer", "min_judges"):
        if ctx.get_parameter_source(name) is ParameterSource.COMMANDLINE:
            named = f"--{name.replace('_', '-')}"
            raise click.UsageError(f"{named} is about a panel, and there is one judge. Name more with --judge.", ctx)


def _addressed(judges: Sequence[dict[str, Any]], given: Sequence[str], ctx: click.Context) -> list[dict[str, Any]]:
    """The judges with their addresses: the one for all that take one, or one each in their order."""
    if len(judges) == 1:
        if len(given) > 1:
            raise click.UsageError(f"--api-base is given {len(given)} times, and there is one judge.", ctx)
        return [{"api_base": next(iter(given), None), **judges[0]}]
    takers = [place for place, one in enumerate(judges) if _takes(one["judge"], "api_base") and "api_base" not in one]
    if len(given) == 1:
        _refuse_providers([judges[place]["judge"] for place in takers], "--api-base", ctx)
    elif given and len(given) != len(takers):
        message = f"--api-base is given {len(given)} times, and {len(takers)} of the judges are still to have one."
        raise click.UsageError(f"{message} Give it once for all of them, or once for each in their order.", ctx)
    addresses = dict(zip(takers, [*given] * len(takers) if len(given) == 1 else given, strict=False))
    return [{"api_base": addresses.get(place), **one} for place, one in enumerate(judges)]


def _refuse_unclear(judges: Sequence[dict[str, Any]], shared: Mapping[str, Any], ctx: click.Context) -> None:
    """A key that is given once goes to servers of one provider only."""
    if len(judges) == 1:
        return
    for name in ("key_file", "headers"):
        if shared.get(name):
            takers = [one["judge"] for one in judges if _takes(one["judge"], name) and name not in one]
            _refuse_providers(takers, _OF_A_SERVER[name], ctx)


def _refuse_providers(judges: Sequence[str], what: str, ctx: click.Context) -> None:
    providers = dict.fromkeys(judge.partition("/")[0] for judge in judges)
    if len(providers) > 1:
        message = f"{what} is given once, for judges of several providers: {', '.join(providers)}."
        hint = f"Say in a --config file whose it is: judge: [{{judge: {judges[0]}, {what[2:]}: …}}, …]"
        raise click.UsageError(f"{message} {hint}", ctx)


def _used(shared: Mapping[str, Any], own: Mapping[str, Any], useless: Collection[str]) -> dict[str, Any]:
    """What is given for all, less what this judge has for itself, and what others have a use for and it has not."""
    used = {name: value for name, value in shared.items() if name not in own}
    left = {name: nothing for name, nothing in _NOTHING.items() if name in used and name not in useless}
    return used | {name: nothing for name, nothing in left.items() if not _takes(own["judge"], name)}


_NOTHING: Mapping[str, Any] = {"key_file": None, "headers": (), "budget": None, "engine_args": ()}


def _takes(judge: str, name: str) -> bool:
    from judge.judge_name import IN_PROCESS, find_needless

    runs_here = judge.startswith(f"{IN_PROCESS}/")
    if name == "engine_args" or "/" not in judge:
        return runs_here
    return not find_needless(judge, {name: "given"}) and not (runs_here and name in _OF_A_SERVER)
