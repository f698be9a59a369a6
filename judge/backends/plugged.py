"""A backend of another package: opened with its faults named, and asked so that one bad call is one failure.

What it raises on purpose (`TransientError`, `RejectedError`, `FatalError` of `judge.errors`) passes as it is. Anything
else is a bug of that package and not of ours: the call fails with the code `backend_bug`, and the run goes on.
"""

from __future__ import annotations

from typing import Any

import msgspec

from judge.backend import BackendFactory, Reply
from judge.backends.http_status import shown
from judge.backends.litellm_errors import clean
from judge.backends.logprobs import REFUSED, no_logprobs
from judge.backends.server import Server
from judge.errors import BackendError, ConfigError, InputError, RejectedError, TransientError
from judge.plugin import GROUP, Plugin
from judge.prompt import Request

__all__ = ["Plugged", "load_factory", "open_plugin"]

_EXPECTED = (
    "Expected: def open_backend(model: str, *, api_base: str | None) -> Backend, "
    "with async def complete(self, request) -> Reply; see docs/backends.md."
)


class Plugged:
    """Asks a backend of another package.

    Args:
        plugin: Where it comes from.
        model: What follows the provider in the judge's name.
        backend: What the plugin's factory opened.

    Attributes:
        notes: The backend's own, and where it comes from.
        sees_images: Whether it reads the record's image.
    """

    def __init__(self, plugin: Plugin, model: str, backend: Any) -> None:
        self._plugin = plugin
        self._backend = backend
        notes = getattr(backend, "notes", None)
        self.notes: list[str] = notes if isinstance(notes, list) else []
        note = f"{plugin.name}/{model} is answered by {plugin.source}, whatever litellm calls by that name."
        if note not in self.notes:  # the list may be shared by all that the factory opens
            self.notes.append(note)
        self.sees_images = getattr(backend, "sees_images", False) is True

    async def complete(self, request: Request) -> Reply:
        """Answer one request.

        Raises:
            TransientError: Also for a time-out or a connection error that the backend let through.
            RejectedError: Also, with the code `backend_bug`, for whatever else it raised or returned.
        FatalError: Also, with the code `no_logprobs`, for a probe that came back without probabilities.
        """
        try:
            reply: object = await self._backend.complete(request)
        except BackendError:
            raise
        except (TimeoutError, ConnectionError) as exc:
            raise TransientError(f"{self._plugin.source}: {_said(exc)}.", code="connection") from exc
        except Exception as exc:
            raise self._bug(f"raised {_said(exc)}") from exc
        checked = self._checked(reply)
        if request.labels and checked.probabilities is None and checked.finish_reason not in REFUSED:
            raise no_logprobs(self._plugin.source)
        return checked

    async def aclose(self) -> None:
        """Close what the backend opened; that it cannot be closed costs no run that is done."""
        close = getattr(self._backend, "aclose", None)
        try:
            if close is not None:
                await close()
        except Exception as exc:  # noqa: BLE001 - whatever code of others raises
            self.notes.append(f"{self._plugin.source} could not be closed: {_said(exc)}.")

    def _checked(self, reply: object) -> Reply:
        """A reply that journal and tables can hold."""
        if not isinstance(reply, Reply):
            raise self._bug(f"returned {type(reply).__name__}, and not a judge.backend.Reply")
        try:
            return msgspec.json.decode(msgspec.json.encode(reply), type=Reply)
        except (ValueError, TypeError, OverflowError, msgspec.MsgspecError) as exc:
            raise self._bug(f"returned a Reply that cannot be kept: {_said(exc)}") from exc

    def _bug(self, what: str) -> RejectedError:
        hint = "Tell its authors: only errors of judge.errors may leave `complete`."
        return RejectedError(f"the backend of {self._plugin.source} {what}.", code="backend_bug", hint=hint)


def open_plugin(plugin: Plugin, model: str, *, api_base: str | None) -> Plugged:
    """Import a plugin and let it open its backend.

    Raises:
        ConfigError: It cannot be imported, raises, or opens what cannot answer; names package and entry point.
    """
    factory = load_factory(plugin)
    try:
        backend = factory(model, api_base=api_base)
    except InputError:  # it says in our words what is missing
        raise
    except Exception as exc:
        raise _broken(plugin, f"raised {_said(exc)}") from exc
    if not callable(getattr(backend, "complete", None)):
        raise _broken(plugin, f"returned {type(backend).__name__}, which has no complete(request)")
    return Plugged(plugin, model, backend)


def load_factory(plugin: Plugin) -> BackendFactory:
    """Import a plugin, and open nothing.

    Raises:
        ConfigError: It cannot be imported, or is no function.
    """
    try:
        factory: BackendFactory = plugin.entry.load()
    except Exception as exc:
        raise _broken(plugin, f"cannot be imported: {_said(exc)}") from exc
    if not callable(factory):
        raise _broken(plugin, f"is {type(factory).__name__}, and not a function")
    return factory


def _broken(plugin: Plugin, what: str) -> ConfigError:
    place = f"the entry point {plugin.name!r} of {GROUP!r} in {plugin.source}"
    return ConfigError(f"{place} {what}.", hint=_EXPECTED)


def _said(exc: Exception) -> str:
    """An error of others in one line, without the key that it may repeat."""
    text = shown(clean(str(exc)), Server(model="", api_base="")).rstrip(".")
    return f"{type(exc).__name__}: {text}" if text else type(exc).__name__
