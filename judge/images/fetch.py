"""An https address -> its bytes, from public hosts only.

Whoever wrote the address may not reach what the machine that reads it reaches: its own services, its network, the
metadata of its cloud. So a host is looked up once, all its addresses must be public, the connection goes to the very
address that was checked, and a redirect is an address like any other.
"""

from __future__ import annotations

import http.client
import io
import re
import socket
import ssl
import time
from collections.abc import Callable
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv6Address, ip_address, ip_network
from queue import Empty, SimpleQueue
from threading import Thread
from typing import Any, Final, cast
from urllib.parse import SplitResult, quote, urljoin, urlsplit

from judge.errors import RecordError

__all__ = ["MAX_REDIRECTS", "fetch", "is_public", "shown_url"]

MAX_REDIRECTS: Final = 3

Address = IPv4Address | IPv6Address
_Place = tuple[socket.AddressFamily, Any]  # what a socket connects to
_REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
_HOST: Final = re.compile(r"[a-z0-9._-]+|[0-9a-f:.]+")  # a name or an IPv6 address; no zone, no control characters
_SAFE: Final = "/?%:=&~+!$,;'()*@[]-._"
# Global by the registry, and yet inside: special-purpose IPv4 (a cloud's metadata is 192.0.0.192), the dead 6to4 relay,
# Azure's host.
_INSIDE: Final = tuple(map(ip_network, ("192.0.0.0/24", "192.88.99.0/24", "168.63.129.16/32")))
_GLOBAL_UNICAST: Final = ip_network("2000::/3")
# Protocol assignments with Teredo, documentation, 6to4: what is public among them carries another address.
_NOT_HOSTS: Final = tuple(map(ip_network, ("2001::/23", "2001:db8::/32", "2002::/16", "3fff::/20")))
_CARRIES_IPV4: Final = tuple(map(ip_network, ("::ffff:0:0/96", "64:ff9b::/96")))  # IPv4-mapped, NAT64


@dataclass(frozen=True, slots=True, kw_only=True)
class _Terms:
    max_bytes: int
    deadline: float
    is_allowed: Callable[[Address], bool]
    context: ssl.SSLContext


def is_public(address: Address) -> bool:
    """Whether an address is a host of the public internet.

    >>> [is_public(ip_address(text)) for text in ("1.1.1.1", "10.0.0.1", "::ffff:127.0.0.1", "64:ff9b::a9fe:a9fe")]
    [True, False, False, False]
    """
    if isinstance(address, IPv4Address):
        return address.is_global and not address.is_multicast and not any(address in net for net in _INSIDE)
    if any(address in net for net in _CARRIES_IPV4):
        return is_public(IPv4Address(int(address) & 0xFFFF_FFFF))
    return address in _GLOBAL_UNICAST and not any(address in net for net in _NOT_HOSTS)


def shown_url(url: str) -> str:
    """Scheme and host: a path or a query may carry a secret."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return "a URL"
    return f"{parts.scheme}://{parts.hostname or ''}"[:60]


def fetch(
    url: str,
    *,
    max_bytes: int,
    timeout_s: float,
    is_allowed: Callable[[Address], bool] = is_public,
    context: ssl.SSLContext | None = None,
) -> bytes:
    """Get what is at an https address. Blocks; no proxy, no cookie, no compression, at most three redirects.

    Args:
        url: `https://host[:port]/path?query`, without a name or a password.
        max_bytes: The longest body that is read.
        timeout_s: Seconds for all of it, redirects and look-ups included.
        is_allowed: Whether an address may be connected to; asked of every address that a host has.
        context: Whom to trust; the system's authorities by default.

    Returns:
        The body of an answer with status 200.

    Raises:
        RecordError: `image_url_refused` by these rules, `image_too_large`, or `image_url_failed` on the way.
    """
    terms = _Terms(
        max_bytes=max_bytes,
        deadline=time.monotonic() + timeout_s,
        is_allowed=is_allowed,
        context=context or ssl.create_default_context(),
    )
    for _ in range(MAX_REDIRECTS + 1):
        try:
            found = _get(_parsed(url), terms)
        except TimeoutError as exc:
            raise _failed(url, f"was not read to its end in {timeout_s:g} s") from exc
        except ssl.SSLCertVerificationError as exc:
            raise _failed(url, f"has a certificate that is not trusted: {exc.verify_message}") from exc
        except (OSError, http.client.HTTPException) as exc:
            why = getattr(exc, "reason", None) or getattr(exc, "strerror", None) or type(exc).__name__
            raise _failed(url, f"could not be read: {why}") from exc
        if isinstance(found, bytes):
            return found
        url = _joined(url, found)
    raise _refused(url, f"is behind more than {MAX_REDIRECTS} redirects")


def _parsed(url: str) -> SplitResult:
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as exc:
        raise _refused(url, "is not a URL that can be read") from exc
    if parts.scheme != "https":
        raise _refused(url, "is not https")
    if "@" in parts.netloc:
        raise _refused(url, "carries a name or a password")
    if not _HOST.fullmatch(parts.hostname or ""):
        raise _refused(url, "has no host name in ASCII")
    return parts


def _get(parts: SplitResult, terms: _Terms) -> bytes | str:
    """The body, or where we are sent."""
    host = cast("str", parts.hostname)
    places = _look_up(host, parts.port or 443, terms.deadline)
    if not all(terms.is_allowed(ip_address(address[0])) for _, address in places):
        raise _refused(parts.geturl(), "is not on a public address")
    with terms.context.wrap_socket(_connect(places, terms.deadline), server_hostname=host) as sock:
        sock.settimeout(_left(terms.deadline))
        sock.sendall(_request(parts))
        response = http.client.HTTPResponse(cast("socket.socket", _Timed(sock, terms.deadline)), method="GET")
        with response:
            response.begin()
            return _body(response, parts.geturl(), terms.max_bytes)


def _look_up(host: str, port: int, deadline: float) -> list[_Place]:
    """In a thread of its own, as a look-up cannot be given a time limit."""
    found: SimpleQueue[list[_Place] | OSError] = SimpleQueue()

    def ask() -> None:
        try:
            rows = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            found.put([(row[0], row[4]) for row in rows])
        except OSError as exc:
            found.put(exc)
        except UnicodeError:  # a label of the name is empty or too long
            found.put(OSError("the host name is malformed"))

    Thread(target=ask, name="judge-look-up", daemon=True).start()
    try:
        places = found.get(timeout=_left(deadline))
    except Empty:
        raise TimeoutError from None
    if isinstance(places, OSError):
        raise places
    return places


def _connect(places: list[_Place], deadline: float) -> socket.socket:
    """A connection to the first place that takes it; the time left is shared out, as a place may be silent."""
    failed: OSError = ConnectionError("the host has no address")
    for tried, (family, address) in enumerate(places):
        sock = socket.socket(family, socket.SOCK_STREAM)
        try:
            sock.settimeout(_left(deadline) / (len(places) - tried))
            sock.connect(address)
            sock.settimeout(_left(deadline))
        except OSError as exc:
            sock.close()
            failed = exc
        else:
            return sock
    raise failed


def _request(parts: SplitResult) -> bytes:
    target = quote(parts.path or "/", safe=_SAFE) + (f"?{quote(parts.query, safe=_SAFE)}" if parts.query else "")
    headers = {
        "Host": parts.netloc,
        "User-Agent": "rationale-judge",
        "Accept": "image/*",
        "Accept-Encoding": "identity",
        "Connection": "close",
    }
    lines = [f"GET {target} HTTP/1.1", *(f"{name}: {value}" for name, value in headers.items())]
    return "".join(f"{line}\r\n" for line in [*lines, ""]).encode("ascii")


def _body(response: http.client.HTTPResponse, url: str, max_bytes: int) -> bytes | str:
    if response.status in _REDIRECTS and (location := response.headers["Location"]):
        return str(location)
    if response.status != http.HTTPStatus.OK:
        raise _failed(url, f"answered with status {response.status}")
    if (encoding := response.headers.get("Content-Encoding", "identity")).lower() != "identity":
        raise _failed(url, f"is sent compressed ({encoding[:20]!r}), though we asked for it as it is")
    body = b"" if (too_large := (response.length or 0) > max_bytes) else response.read(max_bytes + 1)
    if too_large or len(body) > max_bytes:
        message = f"{shown_url(url)} sends more than {max_bytes:,} bytes."
        raise RecordError(message, code="image_too_large", hint="Give a smaller image.")
    if response.length:
        raise _failed(url, f"ended {response.length:,} bytes early")
    return body


class _Timed(io.RawIOBase):
    """What a socket receives until the deadline: a limit on every read alone lets a server drip for ever."""

    def __init__(self, sock: socket.socket, deadline: float) -> None:
        self._sock = sock
        self._deadline = deadline

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(_left(self._deadline))
        return self._sock.recv_into(buffer)

    def makefile(self, _mode: str) -> io.BufferedReader:
        """All that `http.client` wants of a socket."""
        return _Bounded(self)


class _Bounded(io.BufferedReader):
    """Reads no more than was asked for: `http.client` takes a chunk of size -1 for everything that is still to come."""

    def read(self, size: int | None = -1, /) -> bytes:
        if size is None or size < 0:
            raise _ChunkSizeError
        return super().read(size)


class _ChunkSizeError(http.client.HTTPException):
    reason = "a chunk of the body has an impossible size"


def _left(deadline: float) -> float:
    if (left := deadline - time.monotonic()) <= 0:
        raise TimeoutError
    return left


def _joined(url: str, found: str) -> str:
    try:
        return urljoin(url, found)
    except ValueError as exc:  # half an IPv6 address
        raise _refused(url, "redirects to what is no address") from exc


def _refused(url: str, why: str) -> RecordError:
    hint = "Only https addresses of public hosts are fetched; or give a path or a data URL."
    return RecordError(f"{shown_url(url)} {why}.", code="image_url_refused", hint=hint)


def _failed(url: str, why: str) -> RecordError:
    hint = "Try again, or save the image below --image-root and give its path."
    return RecordError(f"{shown_url(url)} {why}.", code="image_url_failed", hint=hint)
