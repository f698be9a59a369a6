"""Where a judge's server is and with which key: `hosted_vllm/MODEL` and an address -> Server."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import SplitResult, urlsplit

from judge.backends.secret import read_headers, read_key_file, read_variable
from judge.errors import ConfigError
from judge.judge_name import SERVERS

__all__ = ["Server", "find_server", "parse_address"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """Where to ask, and as whom. Neither the key nor the value of a header is ever shown.

    `vllm`: It may be one, so that what only vLLM knows is worth sending: `structured_outputs`, bounds on strings.
    """

    model: str
    api_base: str
    api_key: str | None = None
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    vllm: bool = False

    @property
    def sent_headers(self) -> dict[str, str]:
        """Headers of every request; an `Authorization` of the user's own stands in place of the key."""
        named = {name.lower() for name in self.headers}
        bearer = {"Authorization": f"Bearer {self.api_key}"} if self.api_key and "authorization" not in named else {}
        return {**bearer, **self.headers}

    def __repr__(self) -> str:
        return f"Server(model={self.model!r}, api_base={self.api_base!r}, api_key={'***' if self.api_key else None})"


def find_server(
    name: str, api_base: str | None, *, key_file: Path | None = None, headers: Mapping[str, str] | None = None
) -> Server:
    """Server of `hosted_vllm/MODEL` (any OpenAI-compatible one) or `openai/MODEL`.

    Args:
        name: The judge.
        api_base: Its address, up to and with `/v1`.
        key_file: Holds the key; else it comes from the environment: `HOSTED_VLLM_API_KEY` or `OPENAI_API_KEY`.
        headers: Further headers: name -> `env:VARIABLE` or `file:PATH`.

    Raises:
        ConfigError: No address or no key where one is needed, or a key or header that cannot be used.
    """
    provider, _, model = name.partition("/")
    prefix = "OPENAI" if provider == "openai" else "HOSTED_VLLM"
    if api_base is None:
        raise ConfigError(f"{name} needs the address of its server.", hint="Add --api-base http://127.0.0.1:8000/v1")
    if "@" in parse_address(api_base).netloc:
        raise ConfigError(f"--api-base holds a name or password; put the key into {prefix}_API_KEY.")
    key = read_variable(f"{prefix}_API_KEY") if key_file is None else read_key_file(key_file)
    server = Server(
        model=model,
        api_base=api_base.rstrip("/"),
        api_key=key,
        headers=read_headers(headers or {}),
        vllm=provider == "hosted_vllm",
    )
    if api_base == SERVERS["openai"] and not _has_key(server):
        hint = "Set OPENAI_API_KEY or give --key-file, or --api-base for another server."
        raise ConfigError(f"{name} needs a key.", hint=hint)
    return server


def parse_address(base: str) -> SplitResult:
    try:
        parts = urlsplit(base)
        usable = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0
    except ValueError:  # a port above 65535, half an IPv6 address
        usable = False
    if not usable:
        raise ConfigError(f"--api-base {base!r} is not an address like http://127.0.0.1:8000/v1.")
    return parts


def _has_key(server: Server) -> bool:
    return any(name.lower() == "authorization" for name in server.sent_headers)
