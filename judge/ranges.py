"""A setting's value -> whether it is in its range."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any, Final, NamedTuple, get_args

from judge.errors import ConfigError
from judge.probe import Granularity
from judge.verdict import EvidenceRule

__all__ = ["RANGES", "Range"]

_MOST_CALLS: Final = 10_000  # a worker each, and a connection: more than a machine has open files for


class Range(NamedTuple):
    """What a setting may be.

    Attributes:
        field: Of the settings.
        name: As a user knows it.
        holds: Whether a value is in it.
        allowed: The same in words.
    """

    field: str
    name: str
    holds: Callable[[Any], bool]
    allowed: str

    def refuse(self, value: object) -> None:
        """Refuse what is outside.

        Raises:
            ConfigError: The value is not in the range.
        """
        if not self.holds(value):
            raise ConfigError(f"{self.name} is {value!r}; it must be {self.allowed}.")


def _one_of(field: str, allowed: tuple[str, ...]) -> Range:
    return Range(field, field, allowed.__contains__, f"one of {', '.join(allowed)}")


RANGES: Final = (
    _one_of("granularity", get_args(Granularity)),
    _one_of("evidence", get_args(EvidenceRule)),
    Range("samples", "samples", lambda n: n >= 1, "at least 1"),
    Range("concurrency", "concurrency", lambda n: 1 <= n <= _MOST_CALLS, f"between 1 and {_MOST_CALLS:,}"),
    Range("rpm", "rpm", lambda n: n is None or n >= 1, "at least 1"),
    Range("tpm", "tpm", lambda n: n is None or n >= 1, "at least 1"),
    Range("max_retries", "max_retries", lambda n: n >= 0, "0 or more"),
    Range("timeout_s", "timeout", lambda s: 0 < s < math.inf, "a number of seconds above 0"),
    Range("min_coverage", "min_coverage", lambda share: 0 <= share <= 1, "between 0 and 1"),
    Range("budget_usd", "budget", lambda usd: usd is None or 0 < usd < math.inf, "a number of USD above 0"),
)
"""Of all settings that have one, in the order in which they are looked at."""
