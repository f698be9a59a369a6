"""Keys and header values: read from the environment or a file, sent, and never shown.

--key-file ~/.keys/team              --header X-Team=env:TEAM_TOKEN
"""

from __future__ import annotations

import logging
import os
import re
import stat
from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache
from pathlib import Path
from urllib.parse import quote, quote_plus

import orjson

from judge.errors import ConfigError

__all__ = ["hide", "hide_sent", "hider", "read_headers", "read_key_file", "read_variable"]

_log = logging.getLogger(__name__)
_SECRET_NAME = re.compile(r"KEY|TOKEN|SECRET|PASSWORD|CREDENTIAL", re.IGNORECASE)
_HEADER_NAME = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_NOT_HEADERS = {"connection", "content-encoding", "content-length", "content-type", "host", "transfer-encoding"}
_SHORTEST = 8
"""Characters below which a value is no secret: hiding `none` or `EMPTY` would only spoil texts."""
_SHORTEST_KEY = 16
_sent: set[str] = set()


def read_variable(name: str) -> str | None:
    """A secret of the environment; None where it is not set or empty.

    Raises:
        ConfigError: It holds what no HTTP header can carry.
    """
    return _checked(os.environ.get(name, ""), name) or None


def read_key_file(path: Path, *, option: str = "--key-file") -> str:
    """The key in a file, without the white space around it.

    Args:
        path: Of the file.
        option: That named it, for messages.

    Raises:
        ConfigError: It cannot be read, is empty, or holds what no HTTP header can carry.
    """
    return _read_file(path, option)


def read_headers(sources: Mapping[str, str]) -> dict[str, str]:
    """Header name -> value.

    Args:
        sources: Header name -> `env:VARIABLE` or `file:PATH`.

    Raises:
        ConfigError: A name or a source that cannot be used.
    """
    return {_header_name(name): _read_source(source, f"the header {name}") for name, source in sources.items()}


def hide(text: str) -> str:
    """A text for people: `***` for every secret that was read, and for those that the environment names so."""
    named = {value.strip() for name, value in os.environ.items() if _SECRET_NAME.search(name)}
    return _without(text, _forms(_sent | {value for value in named if len(value) >= _SHORTEST}))


def hide_sent(text: str) -> str:
    """A judge's words without the secrets that were sent to it: those that were read, and every API key."""
    return hider()(text)


def hider() -> Callable[[str], str]:
    """`hide_sent` with the secrets of this moment: to look through the environment takes longer than to send a call."""
    keys = {value.strip() for name, value in os.environ.items() if name.endswith(("_API_KEY", "_SECRET_ACCESS_KEY"))}
    forms = _forms(_sent | {key for key in keys if len(key) >= _SHORTEST_KEY})
    return lambda text: _without(text, forms)


def _forms(secrets: Iterable[str]) -> list[str]:
    """How a secret may be written; long ones first, as one may begin with another."""
    forms: dict[str, None] = {}
    for secret in sorted(secrets, key=len, reverse=True):
        written = orjson.dumps(secret).decode()[1:-1]
        forms |= dict.fromkeys((secret, quote(secret, safe=""), quote_plus(secret), written))
    return list(forms)


def _without(text: str, forms: Iterable[str]) -> str:
    for form in forms:
        text = text.replace(form, "***")
    return text


def _header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name) or name.lower() in _NOT_HEADERS:
        raise ConfigError(f"{name!r} is not a header that can be added.", hint="Such as --header X-Team=env:TEAM_TOKEN")
    return name


def _read_source(source: str, what: str) -> str:
    kind, _, place = source.partition(":")
    if kind == "file" and place:
        return _read_file(Path(place), what)
    if kind != "env" or not place:
        # Not the source itself: somebody may have put the value there.
        raise ConfigError(
            f"{what} says not where its value is.", hint="Give env:VARIABLE or file:PATH, never the value."
        )
    value = read_variable(place)
    if value is None:
        raise ConfigError(f"{what} is to come from {place}, which is not set.")
    return value


def _read_file(path: Path, what: str) -> str:
    try:
        path = path.expanduser()
        text = path.read_text(encoding="utf-8") if path.is_file() else _read_once(path)
        shared = path.is_file() and path.stat().st_mode & (stat.S_IRGRP | stat.S_IROTH)
    except (OSError, RuntimeError) as exc:
        raise ConfigError(f"{what}: {path} cannot be read: {getattr(exc, 'strerror', None) or exc}.") from exc
    except UnicodeDecodeError:
        text, shared = "\0", 0
    if shared:
        _log.warning("%s: %s can be read by other users; chmod 600 it.", what, path)
    value = _checked(text, f"{what}: {path}")
    if not value:
        raise ConfigError(f"{what}: {path} is empty.")
    return value


@lru_cache
def _read_once(path: Path) -> str:
    """A pipe, as in --key-file <(pass show key), gives its text once."""
    return path.read_text(encoding="utf-8")


def _checked(text: str, what: str) -> str:
    value = text.strip()
    if not (value.isascii() and value.isprintable()):
        raise ConfigError(f"{what} holds a character that no HTTP header can carry.", hint="Set it anew.")
    # The word after `Bearer` is a secret by itself.
    _sent.update(part for part in (value, *value.split()) if len(part) >= _SHORTEST)
    return value
