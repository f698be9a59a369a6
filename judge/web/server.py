"""An application and a socket -> a server that says nothing by itself and ends when it is told to."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Final

from starlette.types import ASGIApp
from uvicorn import Config, Server

from judge.errors import ConfigError

__all__ = ["LOOPBACK", "PlainServer", "heard", "listen"]

LOOPBACK: Final = "127.0.0.1"
_BACKLOG: Final = 1024
_SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class PlainServer(Server):
    """A server without a log, WebSockets or trust in what proxies say.

    Args:
        app: What answers.
        options: Further ones of uvicorn's.
    """

    def __init__(self, app: ASGIApp, **options: Any) -> None:
        quiet: dict[str, Any] = {
            "access_log": False,
            "log_config": None,
            "log_level": "critical",
            "server_header": False,
        }
        plain: dict[str, Any] = {"ws": "none", "lifespan": "off", "proxy_headers": False}
        super().__init__(Config(app, **quiet, **plain, **options))

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave signals to who runs us: uvicorn would raise them once more when all is over."""
        yield

    def end(self) -> None:
        """Make `serve` return, when what is under way is answered."""
        self.should_exit = True


def listen(port: int, host: str = LOOPBACK) -> socket.socket:
    """A socket that waits for connections.

    Args:
        port: 0 for one that is free.
        host: An address of this machine, or a name of it.

    Raises:
        ConfigError: It is taken, or not ours to use.
    """
    try:
        family, kind, proto, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
    except (OSError, UnicodeError) as exc:
        raise ConfigError(f"--host {host}: is no address of this machine.", hint="Such as 127.0.0.1.") from exc
    listener = socket.socket(family, kind, proto)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(address)
        listener.listen(_BACKLOG)  # who opens the address at once waits, and is not refused
    except OSError as exc:
        listener.close()
        raise ConfigError(f"--port {port}: {exc.strerror}.", hint="Give another one, or 0 for any.") from exc
    return listener


@contextmanager
def heard(end: Callable[[], None]) -> Iterator[None]:
    """Signals call `end`; those that this process is deaf to stay unheard."""
    loop = asyncio.get_running_loop()
    numbers = [number for number in _SIGNALS if signal.getsignal(number) != signal.SIG_IGN]
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)
