"""A request -> its body, which is never longer than it may be."""

from __future__ import annotations

from http import HTTPStatus

from starlette.exceptions import HTTPException
from starlette.requests import Request

__all__ = ["read_body"]


async def read_body(request: Request, *, most: int) -> bytes:
    """The body of a request.

    Args:
        request: Of which nothing is read yet.
        most: Bytes; what says that it is longer is not read at all, and what is longer no further.

    Raises:
        HTTPException: It is longer.
    """
    told = request.headers.get("content-length", "")
    _bound(int(told) if told.isdecimal() else 0, most)
    body = bytearray()
    async for portion in request.stream():
        body += portion
        _bound(len(body), most)
    return bytes(body)


def _bound(found: int, most: int) -> None:
    if found > most:
        raise HTTPException(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, f"is longer than {most:,} bytes.")
