"""Who is let in, and whether somebody is still in: a service that ends answers those who are, and nobody else."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus

from judge.serve.refusal import Refusal

__all__ = ["Door"]


class Door:
    """Counts the requests under way.

    Attributes:
        closed: Whether the service is ending.
    """

    def __init__(self) -> None:
        self.closed = False
        self.inside = 0
        self._empty = asyncio.Event()
        self._empty.set()

    @contextmanager
    def entered(self) -> Iterator[None]:
        """Be under way.

        Raises:
            Refusal: The service is ending.
        """
        if self.closed:
            message = "The service is ending; requests that came before are still answered."
            raise Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "ending",
                message,
                hint="Send it again, to the service that takes over.",
                headers={"Retry-After": "5", "Connection": "close"},
            )
        self.inside += 1
        self._empty.clear()
        try:
            yield
        finally:
            self.inside -= 1
            if not self.inside:
                self._empty.set()

    def close(self) -> None:
        """Let nobody in any more."""
        self.closed = True

    async def emptied(self) -> None:
        """Wait until nobody is under way."""
        await self._empty.wait()
