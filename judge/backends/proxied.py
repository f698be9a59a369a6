"""HTTP to one server through the proxy of the environment: aiohttp knows how to speak to those."""

from __future__ import annotations

from urllib.parse import urlsplit

import aiohttp

from judge.backends.exchange import MOST_BYTES, Response, too_large
from judge.backends.server import Server
from judge.backends.transport import no_tls, unreachable
from judge.errors import BackendError, TransientError

__all__ = ["Proxied"]


class Proxied:
    """Sends requests to one server through a proxy.

    Args:
        server: Where; its key and headers go with every request.
        proxy: Its address.
    """

    def __init__(self, server: Server, proxy: str) -> None:
        self._server = server
        # No timeout of aiohttp's own: a wall-clock deadline stands around every attempt. No limit of connections: the
        # limit of calls is the limit.
        self._session = aiohttp.ClientSession(
            headers={"Content-Type": "application/json", **server.sent_headers},
            timeout=aiohttp.ClientTimeout(total=None, sock_connect=None),
            connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=30),
            proxy=proxy,
            cookie_jar=aiohttp.DummyCookieJar(),  # a server of models has nothing to remember us by
        )

    async def send(self, method: str, path: str, body: bytes = b"") -> Response:
        """As `Straight.send`."""
        try:
            # A redirect is not followed: it would take the prompt, and headers with secrets, to somebody else.
            sending = self._session.request(method, f"{self._server.api_base}{path}", data=body, allow_redirects=False)
            async with sending as response:
                headers = {name.lower(): value for name, value in response.headers.items()}
                return Response(response.status, headers, await _read_bounded(response))
        except (aiohttp.ClientError, OSError) as exc:
            raise _our_error(exc, self._server.api_base) from exc

    async def aclose(self) -> None:
        """Close every connection."""
        await self._session.close()


async def _read_bounded(response: aiohttp.ClientResponse) -> bytes:
    received = bytearray()
    async for chunk in response.content.iter_any():
        received += chunk
        if len(received) > MOST_BYTES:
            raise too_large()
    return bytes(received)


def _our_error(error: aiohttp.ClientError | OSError, address: str) -> BackendError:
    """Our error where no answer came through a proxy."""
    if isinstance(error, aiohttp.ClientConnectorCertificateError):
        return no_tls(error.certificate_error, address)
    if isinstance(error, aiohttp.ClientSSLError):
        return no_tls(error.os_error, address)
    if isinstance(error, aiohttp.ClientProxyConnectionError):
        message = (
            f"cannot reach the proxy of the environment for {address} ({error.os_error.strerror or error.os_error})."
        )
        hint = f"Unset HTTP_PROXY and HTTPS_PROXY, or put {urlsplit(address).hostname} into NO_PROXY."
        return TransientError(message, code="unreachable", hint=hint)
    if isinstance(error, aiohttp.ClientConnectorError):
        return unreachable(error.os_error, address)
    return TransientError(f"{address}: the connection broke ({type(error).__name__}).", code="connection")
