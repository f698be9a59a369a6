"""How many records may wait: what is too many is told to come back, and when."""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from http import HTTPStatus
from typing import Final

from judge.serve.refusal import Refusal

__all__ = ["Room"]

_LATELY_S: Final = 30.0
_SHORTEST_S: Final = 1
_LONGEST_S: Final = 60


class Room:
    """The one queue of all clients: records that wait or are being judged.

    Args:
        most: Records at a time, at least 1.
    """

    def __init__(self, most: int) -> None:
        self.most = most
        self.held = 0
        self._done: deque[tuple[float, int]] = deque()
        self._lately = 0

    @contextmanager
    def taken(self, records: int) -> Iterator[None]:
        """Hold room for some records.

        Raises:
            Refusal: They are more than there ever is room for, or than there is now.
        """
        if records > self.most:
            message = f"These are {records:,} records; at most {self.most:,} are taken at a time."
            hint = "Send them in parts, or start the service with a larger --queue."
            raise Refusal(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, "too_many_records", message, hint=hint)
        if self.held + records > self.most:
            message = f"{self.held:,} records are waiting, and there is room for {self.most:,}."
            hint = "Send it again after the seconds that Retry-After tells."
            wait = {"Retry-After": str(self.retry_after_s())}
            raise Refusal(HTTPStatus.TOO_MANY_REQUESTS, "queue_full", message, hint=hint, headers=wait)
        self.held += records
        try:
            yield
        finally:
            self.held -= records
            self._done.append((time.monotonic(), records))
            self._lately += records
            self._forget()

    def retry_after_s(self) -> int:
        """About how long what waits will take, by how fast the last half minute went; from 1 to 60."""
        self._forget()
        if not self._done:
            return _SHORTEST_S
        taken_s = max(time.monotonic() - self._done[0][0], 0.1)
        return max(_SHORTEST_S, min(_LONGEST_S, math.ceil(self.held * taken_s / self._lately)))

    def _forget(self) -> None:
        long_ago = time.monotonic() - _LATELY_S
        while self._done and self._done[0][0] < long_ago:
            self._lately -= self._done.popleft()[1]
