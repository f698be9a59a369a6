"""Coroutines from any thread -> the one private event loop of this process.

A loop a call leaks (four file descriptors each through some clients) and breaks whatever is bound to a loop. A private
one works under a running loop (notebooks, trainers), in threads, and after a fork, where the child starts its own.
"""

from __future__ import annotations

import asyncio
import atexit
import ctypes
import gc
import os
import threading
from collections.abc import Coroutine, Iterable, Iterator
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from typing import Any, TypeVar

__all__ = ["complete", "drive", "hold", "new_event_loop", "owned", "release", "run", "submit"]

T = TypeVar("T")
_END_S = 5.0
_COLLECT_AFTER = 200_000
_starting = threading.Lock()
_current: _LoopThread | None = None


def new_event_loop() -> asyncio.AbstractEventLoop:
    """A loop of uvloop's where that is installed (`rationale-judge[fast]`), else asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return asyncio.new_event_loop()
    return uvloop.new_event_loop() if _are_open(range(3)) else asyncio.new_event_loop()


def _are_open(descriptors: Iterable[int]) -> bool:
    """Whether standard input, output and error are there: else a pipe of the loop is one of them, and uvloop aborts."""
    try:
        return all(os.fstat(number) for number in descriptors)
    except OSError:
        return False


def drive(coroutine: Coroutine[Any, Any, T], *, collect_after: int = _COLLECT_AFTER) -> T:
    """Run a coroutine that is all this process is there for.

    The collector looks for circles of objects, and there are next to none among records and verdicts; to look through
    all that lives as often as it does by itself takes a fifth of a run. What was imported is not looked through again.

    Args:
        coroutine: What is run.
        collect_after: New objects after which it looks.
    """
    gc.freeze()
    gc.set_threshold(collect_after, 20, 50)
    with asyncio.Runner(loop_factory=new_event_loop) as runner:
        return runner.run(coroutine)


class _LoopThread:
    """An event loop and the thread that it runs in."""

    def __init__(self, loop: asyncio.AbstractEventLoop, thread: threading.Thread) -> None:
        self.loop = loop
        self.thread = thread
        self.held: set[asyncio.Task[None]] = set()

    @classmethod
    def started(cls) -> _LoopThread:
        """One that runs in a daemon thread until the interpreter exits."""
        loop = new_event_loop()
        thread = threading.Thread(target=loop.run_forever, name="judge-loop", daemon=True)
        thread.start()
        found = cls(loop, thread)
        atexit.register(found.end)
        return found

    def end(self) -> None:
        """Cancel what still runs, so that connections nobody closed are closed without a word."""
        if not self.thread.is_alive():  # in a forked child: the thread, and what it serves, are the parent's
            return
        with suppress(TimeoutError):
            asyncio.run_coroutine_threadsafe(_cancel_all(), self.loop).result(_END_S)
        self.loop.call_soon_threadsafe(self.loop.stop)
        self.thread.join(_END_S)


def submit(coroutine: Coroutine[Any, Any, T]) -> Future[T]:
    """Start a coroutine on the process's loop."""
    return asyncio.run_coroutine_threadsafe(coroutine, _running().loop)


async def complete(coroutine: Coroutine[Any, Any, T]) -> T:
    """Await a coroutine that runs on the process's loop, whatever loop runs here."""
    if _current is not None and _current.loop is asyncio.get_running_loop():
        return await coroutine
    return await asyncio.wrap_future(submit(coroutine))


@contextmanager
def owned() -> Iterator[None]:
    """Let the running loop be the process's own meanwhile: two in two threads take the interpreter from each other."""
    global _current
    before = _current
    _current = _LoopThread(asyncio.get_running_loop(), threading.current_thread())
    try:
        yield
    finally:
        _current = before


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
        # A wait with an end, however far: Polars makes the kernel go back to one without end, deaf to Ctrl-C.
        return future.result(threading.TIMEOUT_MAX)
    except BaseException:
        future.cancel()
        raise


def hold(coroutine: Coroutine[Any, Any, None]) -> asyncio.Task[None]:
    """Start a task that lives until it is released or the interpreter exits; call it in the process's loop."""
    thread = _running()
    task = thread.loop.create_task(coroutine)
    thread.held.add(task)  # asyncio itself keeps no task alive
    task.add_done_callback(thread.held.discard)
    return task


def release(task: asyncio.Task[None]) -> None:
    """End a held task; for any thread. In a forked child it is the parent's, and nothing happens."""
    thread = _current
    if thread is not None and thread.thread.is_alive() and task.get_loop() is thread.loop:
        thread.loop.call_soon_threadsafe(task.cancel)


async def _cancel_all() -> None:
    others = asyncio.all_tasks() - {asyncio.current_task()}
    for task in others:
        task.cancel()
    await asyncio.gather(*others, return_exceptions=True)


def _running() -> _LoopThread:
    global _current
    with _starting:
        if _current is None or not _current.thread.is_alive():  # a fork leaves no thread alive but its own
            _current = _LoopThread.started()
        return _current


def _after_fork() -> None:
    global _starting
    _starting = threading.Lock()  # the parent's may be held by a thread that the child does not have
    if _current is not None:
        # The parent's connections share their sockets, and even the epoll set, with this process. Were they garbage
        # here, their clean-up would take the parent's sockets out of its loop; so they are never garbage here.
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(_current))


os.register_at_fork(after_in_child=_after_fork)
