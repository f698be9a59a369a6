"""Which models a server has, asked of `/v1/models`, which costs nothing."""

from __future__ import annotations

import asyncio

from pydantic import BaseModel, ValidationError

from judge.backends.server import Server
from judge.backends.session import open_session
from judge.errors import BackendError, ConfigError

__all__ = ["list_models", "some"]

_PATIENCE_S = 10.0
_MOST_NAMED = 5


class _Model(BaseModel):
    id: str


class _Models(BaseModel):
    """What `/v1/models` answers, as far as we read it."""

    data: list[_Model]


def list_models(server: Server, *, variable: str) -> list[str]:
    """Names of the models that a server has, at least one.

    Args:
        server: Where and as whom.
        variable: Of the environment, where its key comes from.

    Raises:
        ConfigError: It has none, or does not answer as such a server does.
    """
    status, body = asyncio.run(_ask(server))
    if status in (401, 403):
        wrong = "refuses the key in" if server.api_key else "asks for a key; set"
        raise ConfigError(f"{server.api_base} {wrong} {variable}.")
    try:
        models = [model.id for model in _Models.model_validate_json(body).data]
    except ValidationError as exc:
        message = f"{server.api_base}/models answered {status}, and not with a list of models."
        raise ConfigError(message, hint="Does the address end in /v1?") from exc
    if not models:
        raise ConfigError(f"{server.api_base} serves no model.")
    return models


def some(names: list[str]) -> str:
    """The first few, and how many more."""
    more = len(names) - _MOST_NAMED
    return ", ".join(names[:_MOST_NAMED]) + (f" and {more} more" if more > 0 else "")


async def _ask(server: Server) -> tuple[int, bytes]:
    try:
        async with asyncio.timeout(_PATIENCE_S), open_session(server) as session:
            response = await session.send("GET", "/models")
    except TimeoutError as exc:
        raise ConfigError(f"{server.api_base} did not answer within {_PATIENCE_S:g} s.") from exc
    except BackendError as exc:
        raise ConfigError(exc.message, hint=exc.hint) from exc
    return response.status, response.body
