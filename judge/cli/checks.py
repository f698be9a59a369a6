"""The checks of `judge doctor`."""

from __future__ import annotations

import asyncio
import os
import platform
from collections.abc import Iterator
from dataclasses import dataclass
from importlib.util import find_spec

import aiohttp
from pydantic import BaseModel, ValidationError
from rich.text import Text

from judge.backends.openai_compatible import open_session
from judge.backends.server import Server, find_server
from judge.cli.options import cache_folder
from judge.cli.terminal import Screen, clean
from judge.errors import ConfigError
from judge.rubric import load_rubric
from judge.settings import INSTALL_REMOTE, package_version

__all__ = ["run_checks"]

_PATIENCE_S = 10.0
_MOST_NAMED = 5
_NAME_WIDTH = 19
_MARKS = {True: ("ok", "green"), False: ("no", "red"), None: ("--", "yellow")}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Check:
    """One line of the report; `fine` is None for what is optional and not there."""

    name: str
    fine: bool | None
    found: str


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    """What `/v1/models` answers, as far as we read it."""

    data: list[_Model]


def run_checks(api_base: str | None) -> int:
    """Print the report.

    Returns:
        1 when something that was asked for does not work, else 0.
    """
    screen = Screen(soft_wrap=True, highlight=False)
    checks = list(_checks(api_base))
    for check in checks:
        # Lines, not a table: a command in them can be copied whole.
        screen.print(Text.assemble(_MARKS[check.fine], f"  {check.name:<{_NAME_WIDTH}}{clean(check.found)}"))
    return int(any(check.fine is False for check in checks))


def _checks(api_base: str | None) -> Iterator[_Check]:
    yield _Check(name="judge", fine=True, found=f"{package_version()} on Python {platform.python_version()}")
    rubric = load_rubric("pkr")
    yield _Check(name="rubric pkr", fine=True, found=f"{rubric.name}@{rubric.version}, axes {', '.join(rubric.axes)}")
    yield _Check(name="lexical", fine=True, found="embedded baseline; needs nothing")
    yield _openai()
    yield _litellm()
    yield _server(api_base or os.environ.get("HOSTED_VLLM_API_BASE"))
    yield _store()


def _openai() -> _Check:
    if os.environ.get("OPENAI_API_KEY"):
        return _Check(name="openai/MODEL", fine=True, found="OPENAI_API_KEY is set; not tried, as that may cost")
    return _Check(name="openai/MODEL", fine=None, found="set OPENAI_API_KEY to use it")


def _litellm() -> _Check:
    name, missing = "PROVIDER/MODEL", [name for name in ("litellm", "instructor") if find_spec(name) is None]
    if missing:
        return _Check(name=name, fine=None, found=f"{' and '.join(missing)} not installed; {INSTALL_REMOTE}")
    found = "litellm and instructor are installed; a key is read from the provider's own variable"
    return _Check(name=name, fine=True, found=found)


def _server(base: str | None) -> _Check:
    name = "hosted_vllm/MODEL"
    if not base:
        hint = "start a server (vllm serve MODEL), then: judge doctor --api-base http://127.0.0.1:8000/v1"
        return _Check(name=name, fine=None, found=hint)
    try:
        models = asyncio.run(_served(find_server("hosted_vllm/any", base)))
    except ConfigError as exc:
        return _Check(name=name, fine=False, found=str(exc))
    return _Check(name=name, fine=True, found=f"{base} serves {_some(models)}; use --judge hosted_vllm/{models[0]}")


def _some(models: list[str]) -> str:
    more = len(models) - _MOST_NAMED
    return ", ".join(models[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


async def _served(server: Server) -> list[str]:
    """Names of the models that a server has, at least one.

    Raises:
        ConfigError: It has none, or does not answer as such a server does.
    """
    status, body = await _ask_models(server)
    if status in (401, 403):
        wrong = "refuses the key in" if server.api_key else "asks for a key; set"
        raise ConfigError(f"{server.api_base} {wrong} HOSTED_VLLM_API_KEY.")
    try:
        models = [model.id for model in _Models.model_validate_json(body).data]
    except ValidationError as exc:
        message = f"{server.api_base}/models answered {status}, and not with a list of models."
        raise ConfigError(message, hint="Does the address end in /v1?") from exc
    if not models:
        raise ConfigError(f"{server.api_base} serves no model.")
    return models


async def _ask_models(server: Server) -> tuple[int, bytes]:
    headers = {"Authorization": f"Bearer {server.api_key}"} if server.api_key else {}
    url = f"{server.api_base}/models"
    try:
        async with (
            asyncio.timeout(_PATIENCE_S),
            open_session(server) as session,
            session.get(url, headers=headers) as response,
        ):
            return response.status, await response.read()
    except TimeoutError as exc:
        raise ConfigError(f"{server.api_base} did not answer within {_PATIENCE_S:g} s.") from exc
    except (aiohttp.ClientError, OSError) as exc:
        why = exc.os_error.strerror if isinstance(exc, aiohttp.ClientConnectorError) else None
        message = f"{server.api_base} cannot be reached ({why or exc or type(exc).__name__})."
        raise ConfigError(message, hint="Is the server running?") from exc


def _store() -> _Check:
    name = "shared store"
    try:
        path = cache_folder(os.environ.get("JUDGE_CACHE") or None)
    except ConfigError as exc:
        return _Check(name=name, fine=False, found=str(exc))
    if path is None:
        return _Check(name=name, fine=None, found="none, as JUDGE_CACHE says")
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if existing.is_dir() and os.access(existing, os.W_OK):
        return _Check(name=name, fine=True, found=str(path))
    return _Check(name=name, fine=False, found=f"{path} cannot be written; give --cache DIR, or --cache none")
