"""litellm as we can use it: imported only when asked for, offline, quiet, and resending nothing."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterable, Mapping
from contextlib import suppress
from contextvars import ContextVar
from functools import cache
from importlib import import_module
from importlib.metadata import version
from pathlib import Path
from typing import Any

from judge.backends.secret import read_headers, read_key_file
from judge.backends.server import parse_address
from judge.errors import ConfigError
from judge.judge_name import INSTALL_REMOTE

__all__ = [
    "FIXED",
    "TROJANED",
    "check_model",
    "import_litellm",
    "internal_call",
    "missing_keys",
    "once",
    "read_secrets",
    "refuse_params",
]

TROJANED = ("1.82.7", "1.82.8")
_QUIET = {
    "LITELLM_LOCAL_MODEL_COST_MAP": "True",  # else it fetches prices when imported, and the next two later on
    "LITELLM_LOCAL_ANTHROPIC_BETA_HEADERS": "True",
    "LITELLM_LOCAL_BLOG_POSTS": "True",
    "LITELLM_OFFLINE_MODE": "True",  # newer versions know it
    "LITELLM_TELEMETRY": "False",
    "LITELLM_MODE": "PRODUCTION",  # else it reads a .env file into our environment
    "LITELLM_LOG": "CRITICAL",
}
FIXED: dict[str, Any] = {
    "num_retries": 0,
    "max_retries": 0,
    "timeout": 24 * 3600.0,  # a wall-clock deadline stands around every attempt; litellm wants a number
    "caching": False,
    "no-log": True,
    "drop_params": False,  # what is left out is left out here, and said
    "_skip_mcp_handler": True,  # else tools need the package mcp
}
"""What every call of litellm is given: no retry, timeout, cache or log of its own."""
_NOT_PARAMS = {"api_base", "api_key", "base_url", "client", "custom_llm_provider", "fallbacks", "mock_response"}
_NOT_PARAMS |= {"aws_secret_access_key", "aws_session_token", "azure_ad_token", "extra_headers", "headers"}
_NOT_PARAMS |= {"cache", "model_list", "retry_policy", "shared_session", "vertex_credentials", *FIXED}
once: ContextVar[bool] = ContextVar("once", default=False)
"""Set around our own calls, which must not be sent twice."""


def import_litellm() -> Any:
    """The library litellm: offline, quiet, and of a version that can be trusted.

    Raises:
        ConfigError: It or instructor is not installed, or it is one of the two versions that carried a trojan.
    """
    try:
        found = version("litellm")
        if found in TROJANED:
            hint = f"Uninstall it, replace every key that this machine could read, then: {INSTALL_REMOTE}"
            raise ConfigError(f"litellm {found} is one of the two versions that carried a trojan.", hint=hint)
        for variable, value in _QUIET.items():
            os.environ.setdefault(variable, value)
        litellm: Any = import_module("litellm")
        import_module("instructor")
    except ImportError as exc:
        raise ConfigError("this judge needs litellm and instructor.", hint=f"Install them: {INSTALL_REMOTE}") from exc
    _forbid_resending()
    litellm.suppress_debug_info = True  # else it prints something at every error
    # It makes its coroutine in a thread: a call that is cancelled just then leaves one behind that nobody has begun.
    warnings.filterwarnings("ignore", r"coroutine '.*completion' was never awaited", RuntimeWarning)
    # It says this once, when it is imported; but it makes its models at their first use, when filters may be others.
    warnings.filterwarnings("ignore", r".*`ReadOnly` qualifier", UserWarning)
    if os.environ["LITELLM_LOG"] == _QUIET["LITELLM_LOG"]:
        for name in ("LiteLLM", "instructor"):  # both log what a server said, which may repeat a key
            logging.getLogger(name).setLevel(logging.CRITICAL)
    return litellm


@cache
def _forbid_resending() -> None:
    """Take a retry out of litellm that has no switch, for our calls only.

    Where a connection breaks before an answer, its HTTP client sends the request once more, paid or not.
    """
    handler: Any = import_module("litellm.llms.custom_httpx.http_handler").AsyncHTTPHandler
    resend = getattr(handler, "single_connection_post_request", None)
    if resend is None:  # another version of litellm: a test counts its requests
        return

    async def send_again(self: Any, *args: Any, **kwargs: Any) -> Any:
        broken = sys.exception()
        if broken is not None and once.get():
            raise broken
        return await resend(self, *args, **kwargs)

    handler.single_connection_post_request = send_again


def check_model(model: str, *, api_base: str | None, params: Iterable[str] = ()) -> str:
    """Find out before the first call whether a model can be asked.

    Args:
        model: `provider/model`, as litellm names it.
        api_base: The provider's address, where it is not its usual one.
        params: Names of the request parameters.

    Returns:
        The provider.

    Raises:
        ConfigError: Unknown provider, unusable address, or a parameter that is not the request's.
    """
    litellm = import_litellm()
    if api_base is not None and "@" in parse_address(api_base).netloc:
        raise ConfigError("--api-base holds a name or password; put the key into the provider's own variable.")
    refuse_params(params)
    with suppress(litellm.BadRequestError):
        return str(litellm.get_llm_provider(model, api_base=api_base)[1])
    hint = "Name it as provider/model: https://docs.litellm.ai/docs/providers"
    raise ConfigError(f"litellm knows no provider for {model!r}.", hint=hint)


def read_secrets(key_file: Path | None, headers: Mapping[str, str]) -> tuple[str | None, dict[str, str]]:
    """The key, None where litellm is to find one itself, and further headers.

    Args:
        key_file: Holds the key.
        headers: Name -> `env:VARIABLE` or `file:PATH`.

    Raises:
        ConfigError: They cannot be read; or an Authorization that is no bearer key, as litellm writes its own.
    """
    key = read_key_file(key_file) if key_file is not None else None
    sent = read_headers(headers)
    for name in [name for name in sent if name.lower() == "authorization"]:
        scheme, _, key = sent.pop(name).partition(" ")
        if scheme.lower() != "bearer" or not key:
            message = "litellm writes the header Authorization itself, from a key."
            raise ConfigError(message, hint="Let its value be `Bearer KEY`, or give the key with --key-file.")
    return key, sent


def missing_keys(model: str, *, api_base: str | None) -> list[str]:
    """Variables of the environment that litellm reads a model's keys from and that are not set.

    Raises:
        ConfigError: As `check_model`.
    """
    check_model(model, api_base=api_base)
    return [str(name) for name in import_litellm().validate_environment(model)["missing_keys"]]


@cache
def internal_call() -> ContextVar[bool]:
    """An internal call of litellm has no callbacks, and leaves no logging task behind in our loop."""
    try:
        flag: ContextVar[bool] = import_module("litellm._internal_context").is_internal_call
    except ImportError:  # an older litellm: `no-log` has to do
        return ContextVar("unused")
    return flag


def refuse_params(params: Iterable[str]) -> None:
    """Refuse parameters that name a key, an address or a retry: those have places of their own."""
    for name in sorted(_NOT_PARAMS.intersection(params)):
        hint = (
            "Keys come from the provider's variable or --key-file, headers from --header, the address from --api-base."
        )
        raise ConfigError(f"the parameter {name!r} is not one of a request.", hint=hint)
