"""Names that were met, in four megabytes however many they are."""

from __future__ import annotations

__all__ = ["Seen"]

_PLACES = 2**25


class Seen:
    """A set that takes a few names for others: what was added is in it, and with a million names one other in thirty.

    Of use in one process, as a text's hash is another in the next.
    """

    def __init__(self) -> None:
        self._bits = bytearray(_PLACES // 8)

    def add(self, name: str) -> None:
        """From now on it is in it."""
        place = hash(name) % _PLACES
        self._bits[place >> 3] |= 1 << (place & 7)

    def __contains__(self, name: str) -> bool:
        place = hash(name) % _PLACES
        return bool(self._bits[place >> 3] & 1 << (place & 7))
