"""Answer -> bytes on the connection, in good manners or bad."""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Awaitable, Callable
from itertools import count
from typing import TypeAlias

from aiohttp import web

from judge.testing.replies import Answer, Manner

_Send: TypeAlias = Callable[[web.BaseRequest, Answer], Awaitable[web.StreamResponse]]

_DRIP_S = 0.3
# Half a body must have left before the reset, or the client sees a reset before the headers.
_FLUSH_S = 0.02


async def deliver(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    """Send an answer in its manner, to the last byte that the manner allows."""
    return await _MANNERS[answer.manner](request, answer)


async def reached(request: web.BaseRequest) -> bool:
    """Whether all that was sent has left this process to a client that is still there, as far as we know."""
    transport = request.transport
    while isinstance(transport, asyncio.WriteTransport) and not transport.is_closing():
        if not transport.get_write_buffer_size():
            return True
        await asyncio.sleep(_FLUSH_S)
    return False


async def _whole(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.Response(
        body=answer.body,
        status=answer.status or 200,
        headers=answer.headers,
        content_type=answer.content_type,
    )
    await response.prepare(request)
    await response.write_eof()
    return response


async def _drip(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = await _begin(request, answer)
    for byte in answer.body:
        await response.write(bytes((byte,)))
        await asyncio.sleep(_DRIP_S)
    await response.write_eof()
    return response


async def _drip_headers(request: web.BaseRequest, _answer: Answer) -> web.StreamResponse:
    """Headers without end, so that no timeout between two bytes ever fires."""
    for number in count():
        line = f"X-Drip-{number}: drip\r\n" if number else "HTTP/1.1 200 OK\r\n"
        for byte in line.encode():
            _write_raw(request, bytes((byte,)))
            await asyncio.sleep(_DRIP_S)
    raise AssertionError("count() does not end")


async def _reset(request: web.BaseRequest, _answer: Answer) -> web.StreamResponse:
    _abort(request)
    return web.Response()


async def _reset_midbody(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = await _half(request, answer)
    await asyncio.sleep(_FLUSH_S)
    _abort(request)
    return response


async def _truncated(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = await _half(request, answer)
    if request.transport is not None:
        request.transport.close()
    return response


async def _black_hole(_request: web.BaseRequest, _answer: Answer) -> web.StreamResponse:
    """Never answers; the server cancels this when the client goes away."""
    await asyncio.Event().wait()
    raise AssertionError("nobody sets this event")


async def _begin(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = web.StreamResponse(status=answer.status or 200, headers=answer.headers)
    response.content_type, response.content_length = answer.content_type, len(answer.body)
    await response.prepare(request)
    return response


async def _half(request: web.BaseRequest, answer: Answer) -> web.StreamResponse:
    response = await _begin(request, answer)
    await response.write(answer.body[: len(answer.body) // 2])
    return response


def _write_raw(request: web.BaseRequest, data: bytes) -> None:
    if isinstance(request.transport, asyncio.WriteTransport):
        request.transport.write(data)


def _abort(request: web.BaseRequest) -> None:
    """Close with RST, not FIN: lingering for 0 s throws away what is unsent and resets the peer."""
    transport = request.transport
    if not isinstance(transport, asyncio.WriteTransport):
        return
    connection = transport.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    transport.abort()


_MANNERS: dict[Manner, _Send] = {
    "whole": _whole,
    "drip": _drip,
    "drip_headers": _drip_headers,
    "reset": _reset,
    "reset_midbody": _reset_midbody,
    "truncated": _truncated,
    "black_hole": _black_hole,
}
