"""Settings -> a Line: the connection to a judge that a process has, opened when it is needed."""

from __future__ import annotations

import asyncio
import weakref
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from judge import loop
from judge.connect import Connection, connect
from judge.errors import JudgeError
from judge.image import ImageRules
from judge.purse import Purse
from judge.settings import Settings
from judge.traces.reading import Reader

__all__ = ["Line", "Link"]


class Line:
    """How a judge is reached, whatever the rubric: one connection at a time, which is opened when it is needed."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        # Of all its connections, and not of one.
        self._purse = None if settings.budget_usd is None else Purse(settings.budget_usd)
        self._link: Link | None = None
        self._reading: tuple[asyncio.AbstractEventLoop, ImageRules | None] | None = None
        self._reader = Reader(images=None)

    def reader(self, images: ImageRules | None) -> Reader:
        """One for all who ask, as it bounds how many pictures are decoded at once; a new one after a fork."""
        reading = (asyncio.get_running_loop(), images)
        if self._reading != reading:
            self._reading, self._reader = reading, Reader(images=images)
        return self._reader

    @asynccontextmanager
    async def connected(self) -> AsyncIterator[Connection]:
        link = self._use()
        try:
            yield await link.connection()
        except JudgeError:  # a provider that is down now, or a store that cannot be opened, may be fine next time
            self._drop(link)
            raise
        finally:
            await self._leave(link)

    def _use(self) -> Link:
        if self._link is None or not self._link.ours:
            self._link = Link(self._settings, self._purse)
            # For a judge that is thrown away; at the exit, the loop ends all that it holds.
            weakref.finalize(self, loop.release, self._link.task).atexit = False
        self._link.users += 1
        return self._link

    def _drop(self, link: Link) -> None:
        if self._link is link:
            self._link = None

    async def _leave(self, link: Link) -> None:
        link.users -= 1
        if link is not self._link and not link.users:
            await link.close()

    async def close(self) -> None:
        """Close what is open, or let its last user close it."""
        if (link := self._link) is not None and link.ours:
            link.users += 1
            self._drop(link)
            await self._leave(link)


class Link:
    """A connection that is open in a task of its own, and who uses it.

    Born in the process's loop, and of use there only: after a fork, the child needs another one.
    """

    def __init__(self, settings: Settings, purse: Purse | None = None) -> None:
        self.users = 0
        self._loop = asyncio.get_running_loop()
        self._opened: asyncio.Future[Connection] = self._loop.create_future()
        self.task = loop.hold(self._live(settings, purse))

    @property
    def ours(self) -> bool:
        """Whether it belongs to the running loop; the sockets of a parent process are not ours to use or to close."""
        return self._loop is asyncio.get_running_loop()

    async def connection(self) -> Connection:
        """The connection, once it is open."""
        await asyncio.wait((self._opened, self.task), return_when=asyncio.FIRST_COMPLETED)
        if not self._opened.done():
            self.task.result()  # raises why it could not be opened
        return self._opened.result()

    async def close(self) -> None:
        """End the task, and with it the connection."""
        self.task.cancel()
        await asyncio.wait((self.task,))

    async def _live(self, settings: Settings, purse: Purse | None) -> None:
        async with connect(settings, purse=purse) as connection:
            self._opened.set_result(connection)
            await asyncio.Event().wait()  # until it is cancelled, which also ends calls that nobody waits for
