"""Seconds that pass, or a stop that ends them."""

from __future__ import annotations

import asyncio
from contextlib import suppress

__all__ = ["LONGEST_WAIT_S", "wait"]

LONGEST_WAIT_S = 600.0
"""Being asked to slow down says nothing about the request, so it is no retry; but nobody is waited for any longer."""


async def wait(seconds: float, stop: asyncio.Event) -> None:
    """Wait so long, or until `stop` is set."""
    with suppress(TimeoutError):
        async with asyncio.timeout(seconds):
            await stop.wait()
