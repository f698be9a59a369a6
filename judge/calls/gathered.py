"""Looks up in groups: a query costs more than the rows that it finds."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from contextvars import Context, copy_context
from copy import copy
from typing import Generic, TypeAlias, TypeVar

__all__ = ["Gathered"]

K = TypeVar("K")
V = TypeVar("V")
_Looking: TypeAlias = tuple[K, asyncio.Future[V], Context]
_MOST = 500


class Gathered(Generic[K, V]):
    """Asks once for all that is looked for in one turn of the loop, as the calls of a record are.

    Args:
        look_up: Given 1 to 500 keys; gives what is found for each, in their order, and None where nothing is.
        missing: Given a key of which nothing is found, and the future of whoever looks, to give it a value later.
    """

    def __init__(
        self,
        look_up: Callable[[Sequence[K]], Sequence[V | None]],
        missing: Callable[[K, asyncio.Future[V]], None],
    ) -> None:
        self._look_up = look_up
        self._missing = missing
        self._waiting: list[_Looking[K, V]] = []

    def find(self, key: K) -> asyncio.Future[V]:
        """What is found for a key, or comes later; or the error of the query."""
        loop = asyncio.get_running_loop()
        if not self._waiting:
            loop.call_soon(self._ask)
        found: asyncio.Future[V] = loop.create_future()
        self._waiting.append((key, found, copy_context()))
        return found

    def _ask(self) -> None:
        waiting, self._waiting = self._waiting, []
        for start in range(0, len(waiting), _MOST):
            self._ask_for(waiting[start : start + _MOST])

    def _ask_for(self, waiting: Sequence[_Looking[K, V]]) -> None:
        try:
            values = self._look_up([key for key, _, _ in waiting])
        except Exception as exc:  # noqa: BLE001 - raised again where it is awaited
            for _, found, _ in waiting:
                if not found.done():
                    found.set_exception(copy(exc))  # one object would gather the traceback of everybody
            return
        for (key, found, context), value in zip(waiting, values, strict=True):
            if found.done():  # whoever looked went away
                continue
            if value is None:
                context.run(self._begin, key, found)  # what it begins is done for whoever looks
            else:
                found.set_result(value)

    def _begin(self, key: K, found: asyncio.Future[V]) -> None:
        try:
            self._missing(key, found)
        except Exception as exc:  # noqa: BLE001 - raised again where it is awaited
            found.set_exception(exc)
