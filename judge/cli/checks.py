"""The checks of `judge doctor`."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass

import aiohttp
from rich.console import Console
from rich.table import Table

from judge.backends.openai_compatible import Server, find_server, open_session
from judge.calls.store import default_store_path
from judge.cli.terminal import clean
from judge.errors import ConfigError
from judge.rubric import load_rubric
from judge.settings import package_version

__all__ = ["run_checks"]

_PATIENCE_S = 10.0


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """One line of the report; `fine` is None for what is optional and not there."""

    name: str
    fine: bool | None
    found: str


def run_checks(api_base: str | None) -> int:
    """Print the report.

    Returns:
        1 when something that was asked for does not work, else 0.
    """
    checks = list(_checks(api_base))
    table = Table(box=None, pad_edge=False, show_header=False)
    for check in checks:
        mark = {True: "[green]ok[/]", False: "[red]no[/]", None: "[yellow]--[/]"}[check.fine]
        table.add_row(mark, check.name, clean(check.found))
    Console(soft_wrap=True, highlight=False).print(table)
    return int(any(check.fine is False for check in checks))


def _checks(api_base: str | None) -> Iterator[_Check]:
    yield _Check(name="judge", fine=True, found=f"{package_version()} on Python {platform.python_version()}")
    rubric = load_rubric("pkr")
    yield _Check(name="rubric pkr", fine=True, found=f"{rubric.name}@{rubric.version}, axes {', '.join(rubric.axes)}")
    yield _Check(name="lexical", fine=True, found="embedded baseline; needs nothing")
    yield _openai()
    yield _vllm(api_base)
    yield _store()


def _openai() -> _Check:
    if os.environ.get("OPENAI_API_KEY"):
        return _Check(name="openai/MODEL", fine=True, found="OPENAI_API_KEY is set")
    return _Check(name="openai/MODEL", fine=None, found="set OPENAI_API_KEY to use it")


def _vllm(api_base: str | None) -> _Check:
    name = "hosted_vllm/MODEL"
    base = api_base or os.environ.get("HOSTED_VLLM_API_BASE")
    if base is None:
        return _Check(
            name=name, fine=None, found="start a server (vllm serve MODEL), then: judge doctor --api-base URL"
        )
    try:
        found = asyncio.run(_served(find_server("hosted_vllm/any", base)))
    except ConfigError as exc:
        return _Check(name=name, fine=False, found=str(exc))
    except (aiohttp.ClientError, OSError, ValueError, KeyError, TypeError) as exc:
        return _Check(name=name, fine=False, found=f"{base} does not answer ({exc or type(exc).__name__})")
    return _Check(name=name, fine=True, found=f"{base} serves {found}; use --judge hosted_vllm/{found.split(', ')[0]}")


async def _served(server: Server) -> str:
    headers = {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    async with asyncio.timeout(_PATIENCE_S), open_session(server) as session:
        async with session.get(f"{server.api_base}/models", headers=headers) as response:
            response.raise_for_status()
            return ", ".join(model["id"] for model in (await response.json())["data"])


def _store() -> _Check:
    path = default_store_path()
    parent = next(folder for folder in (path, *path.parents) if folder.exists())
    fine = os.access(parent, os.W_OK)
    return _Check(
        name="shared store", fine=fine, found=f"{path}{'' if fine else ' cannot be written; give --cache DIR'}"
    )
