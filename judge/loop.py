"""Coroutines from any thread -> the one private event loop of this process.

A loop a call leaks (four file descriptors each through some clients) and breaks whatever is bound to a loop. A private
one works under a running loop (notebooks, trainers), in threads, and after a fork, where the child starts its own.
"""

from __future__ import annotations

import asyncio
import atexit
import os
import threading
from collections.abc import Coroutine
from concurrent.futures import Future
from typing import Any, TypeVar

__all__ = ["at_exit", "run", "submit"]

T = TypeVar("T")
_starting = threading.Lock()
_current: _LoopThread | None = None


class _LoopThread:
    def __init__(self) -> None:
        self.pid = os.getpid()
        self.loop = asyncio.new_event_loop()
        self.thread = threading.Thread(target=self.loop.run_forever, name="judge-loop", daemon=True)
        self.thread.start()


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine on the process's loop."""
    return asyncio.run_coroutine_threadsafe(coroutine, _loop())


def run(coroutine: Coroutine[Any, Any, T]) -> T:
    """Run a coroutine on the process's loop and wait for it; an interrupt cancels it.

    Raises:
        RuntimeError: Called from that loop itself, which would wait for itself for ever.
    """
    if _current is not None and threading.current_thread() is _current.thread:
        coroutine.close()
        raise RuntimeError("this is judge's own event loop; await the async twin (ascore) here")
    future = submit(coroutine)
    try:
        return future.result()
    except BaseException:
        future.cancel()
        raise


def at_exit(close: Coroutine[Any, Any, None]) -> None:
    """Run a last coroutine while the loop still lives; for connections that were not closed."""
    atexit.register(_last, close, os.getpid())


def _last(close: Coroutine[Any, Any, None], pid: int) -> None:
    if os.getpid() == pid and _current is not None and _current.thread.is_alive():
        run(close)
    else:
        close.close()


def _loop() -> asyncio.AbstractEventLoop:
    global _current
    with _starting:
        if _current is None or _current.pid != os.getpid():
            _current = _LoopThread()
        return _current.loop


def _after_fork() -> None:
    global _starting
    _starting = threading.Lock()  # the parent's may be held by a thread that the child does not have


os.register_at_fork(after_in_child=_after_fork)
