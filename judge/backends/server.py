"""Where a judge's server is and with which key: `hosted_vllm/MODEL` and an address -> Server."""

from __future__ import annotations

import os
from dataclasses import dataclass
from urllib.parse import SplitResult, urlsplit

from judge.errors import ConfigError
from judge.settings import SERVERS

__all__ = ["Server", "find_server", "parse_address"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to ask, and as whom. The key is never shown."""

    model: str
    api_base: str
    api_key: str | None = None

    def __repr__(self) -> str:
        return f"Server(model={self.model!r}, api_base={self.api_base!r}, api_key={'***' if self.api_key else None})"


def find_server(name: str, api_base: str | None) -> Server:
    """Server of `hosted_vllm/MODEL` (any OpenAI-compatible one) or `openai/MODEL`.

    Keys come from the environment: `HOSTED_VLLM_API_KEY` or `OPENAI_API_KEY`.

    Raises:
        ConfigError: No address or no key where one is needed.
    """
    provider, _, model = name.partition("/")
    prefix = "OPENAI" if provider == "openai" else "HOSTED_VLLM"
    if api_base is None:
        raise ConfigError(f"{name} needs the address of its server.", hint="Add --api-base http://127.0.0.1:8000/v1")
    if "@" in parse_address(api_base).netloc:
        raise ConfigError(f"--api-base holds a name or password; put the key into {prefix}_API_KEY.")
    key = _key(f"{prefix}_API_KEY")
    if api_base == SERVERS["openai"] and not key:
        raise ConfigError(f"{name} needs a key.", hint="Set OPENAI_API_KEY, or give --api-base for another server.")
    return Server(model=model, api_base=api_base.rstrip("/"), api_key=key)


def parse_address(base: str) -> SplitResult:
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port above 65535, half an IPv6 address
        usable = False
    if not usable:
        raise ConfigError(f"--api-base {base!r} is not an address like http://127.0.0.1:8000/v1.")
    return parts


def _key(variable: str) -> str | None:
    key = os.environ.get(variable, "").strip()
    if not (key.isascii() and key.isprintable()):
        raise ConfigError(f"{variable} holds a character that no HTTP header can carry.", hint="Set it anew.")
    return key or None
