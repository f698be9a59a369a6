"""A server in a thread of its own: `with Server(...) as server: server.api_base, server.ledger`."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from concurrent.futures import Future
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from aiohttp import StreamReader, web
from aiohttp.abc import AbstractStreamWriter
from aiohttp.http import RawRequestMessage

from judge.testing.behaviour import Behaviour
from judge.testing.endpoint import Endpoint
from judge.testing.ledger import Ledger

_HOST = "127.0.0.1"
# Images travel as data URLs; aiohttp's own bound is 1 MiB.
_LARGEST_BODY = 256 * 2**20
_START_S = 30.0
_STOP_S = 10.0


@dataclass(kw_only=True, eq=False)
class Server(Behaviour):
    """An OpenAI-compatible server on loopback that follows a script and misbehaves on request.

    It runs between `start` and `stop`, or inside `with`. The fields of `Behaviour` say what it does; all but
    `script` may be changed while it runs.

    Args:
        port: 0 takes a free one.
        ledger_file: Every finished request is appended here as a JSON line too.

    Examples:
        >>> from judge.testing import Server
        >>> with Server(script="obedient", seed=0, faults=0.2) as server:
        ...     server.api_base.startswith("http://127.0.0.1:")
        True
        >>> server.ledger.requests
        0
    """

    port: int = 0
    ledger_file: Path | None = None
    ledger: Ledger = field(init=False, repr=False)

    def __post_init__(self) -> None:
        Behaviour.__post_init__(self)
        self.ledger = Ledger(file=self.ledger_file, settle=self._settle)
        self._endpoint = Endpoint(self, self.ledger)
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None

    @property
    def api_base(self) -> str:
        """Where to point a client, `/v1` included."""
        return f"http://{_HOST}:{self.port}/v1"

    def start(self) -> Self:
        """Listen; returns when the port is open.

        Raises:
            OSError: The port is taken, or the ledger file cannot be written.
        """
        self.ledger.open_file()
        opened: Future[int] = Future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="judge-testing-server", daemon=True)
        self._thread.start()
        self.port = opened.result(_START_S)
        return self

    def stop(self) -> None:
        """Drop what is under way and stop listening; the ledger stays. `start` opens the same port again."""
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._stopping.set)
        if self._thread is not None:
            self._thread.join(_STOP_S)
        self._loop = self._thread = None
        self.ledger.close_file()

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self, opened: Future[int]) -> None:
        try:
            asyncio.run(self._serve(opened))
        except OSError as exc:
            self._loop = None
            if opened.done():
                raise
            opened.set_exception(exc)

    async def _serve(self, opened: Future[int]) -> None:
        self._stopping = asyncio.Event()
        self._loop = asyncio.get_running_loop()
        runner = web.ServerRunner(_protocol(self._endpoint), shutdown_timeout=0.1)
        await runner.setup()
        try:
            site = web.TCPSite(runner, _HOST, self.port, backlog=1024)
            await site.start()
            opened.set_result(site.port)
            await self._stopping.wait()
        finally:
            await runner.cleanup()

    def _settle(self) -> None:
        """Let the server's thread run once, so that rows of answers already sent are closed."""
        loop, thread = self._loop, self._thread
        if loop is None or thread is None or thread is threading.current_thread():
            return
        asyncio.run_coroutine_threadsafe(asyncio.sleep(0), loop).result(_STOP_S)


def _protocol(handle: Callable[[web.BaseRequest], Awaitable[web.StreamResponse]]) -> web.Server:
    """The bare protocol server of aiohttp: no router and no access log, half the time of an application."""
    return web.Server(
        handle,
        request_factory=_request,
        handler_cancellation=True,  # a black hole ends when its client goes away
        access_log=None,
    )


def _request(
    message: RawRequestMessage,
    payload: StreamReader,
    protocol: web.RequestHandler,
    writer: AbstractStreamWriter,
    task: asyncio.Task[None],
) -> web.BaseRequest:
    """As aiohttp makes it, with room for images."""
    loop = asyncio.get_running_loop()
    return web.BaseRequest(message, payload, protocol, writer, task, loop, client_max_size=_LARGEST_BODY)
