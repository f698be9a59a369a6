"""A judge's name -> who answers under it: the baseline, a server, an engine in this process, a plugin, or litellm."""

from __future__ import annotations

import os
from collections.abc import Mapping

from judge.plugin import Plugin, find_plugin

__all__ = [
    "BASELINE",
    "INSTALL_REMOTE",
    "IN_PROCESS",
    "OURS",
    "SERVERS",
    "address_of",
    "find_needless",
    "litellm_model",
    "plugin_of",
    "usual_concurrency",
]

BASELINE = "lexical"
SERVERS: Mapping[str, str | None] = {"hosted_vllm": None, "openai": "https://api.openai.com/v1"}
"""Providers that are asked straight over HTTP, with the address of those that have one. All others are litellm's."""
IN_PROCESS = "vllm"
"""The provider that runs here: `vllm/MODEL` is a model in this process, and `hosted_vllm/MODEL` one at a server."""
OURS = frozenset({BASELINE, IN_PROCESS, *SERVERS})
"""First words of a judge's name that no other package can have."""
INSTALL_REMOTE = "pip install 'rationale-judge[remote]'"
_FORCED = "litellm/"


def litellm_model(judge: str) -> str | None:
    """`provider/model` for litellm; None for a judge that is asked without it."""
    forced = judge.startswith(_FORCED)
    return judge.removeprefix(_FORCED) if forced or judge.partition("/")[0] not in (IN_PROCESS, *SERVERS) else None


def usual_concurrency(judge: str) -> int:
    """Calls in flight where the user names no number: an engine batches what it is given, a server is shared."""
    return 256 if judge.startswith(f"{IN_PROCESS}/") else 64


def plugin_of(judge: str) -> Plugin | None:
    """Of which other package the backend of a judge is; our own names cannot be taken.

    Raises:
        ConfigError: Two packages want the name.
    """
    provider, slash, _ = judge.partition("/")
    return find_plugin(provider) if slash and provider not in OURS else None


def find_needless(judge: str, given: Mapping[str, object]) -> dict[str, str]:
    """What was given and means nothing to a judge, while the user may count on it: setting -> why.

    >>> find_needless("lexical", {"budget": 5.0, "headers": {}, "key_file": None})
    {'budget': 'computes here, at no cost, and asks no server'}
    """
    names, why = list[str](), ""
    if judge == BASELINE:
        names, why = ["api_base", "budget", "headers", "key_file"], "computes here, at no cost, and asks no server"
    elif plugin := plugin_of(judge):
        names, why = ["headers", "key_file"], f"is of {plugin.source}, which is given a model and an address only"
    return {name: why for name in names if given.get(name) not in (None, (), {})}


def address_of(judge: str, given: str | None) -> str | None:
    """The server's address, in one spelling: the given one, else the environment's, else the provider's own."""
    provider, slash, _ = judge.removeprefix(_FORCED).partition("/")
    if not slash:
        return None
    if judge.startswith(f"{IN_PROCESS}/"):
        return given  # none is meant for it, and one that is given is refused
    named = os.environ.get(f"{provider.upper()}_API_BASE") if provider.isascii() else None
    found = given or named or SERVERS.get(provider)
    return found.rstrip("/") if found else None
