"""Calls at once -> as many as this process may have connections for.

Every call in flight holds a connection, and a connection is an open file. A shell often allows 1,024 of them, a
container sometimes fewer; past that limit every new connection fails, which looks like a server that is down.
"""

from __future__ import annotations

import resource
from pathlib import Path

__all__ = ["RESERVED", "file_limits", "fit_concurrency"]

RESERVED = 32
"""Open files for all else: journal, store, parts, name look-ups, what the program around us opens meanwhile."""
_OPEN = Path("/dev/fd")


def file_limits() -> tuple[int, int]:
    """Soft and hard limit of open files; an unlimited one is the largest number there is."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    return _number(soft), _number(hard)


def fit_concurrency(concurrency: int) -> tuple[int, str]:
    """Make room for so many connections, or say for how many there is room.

    The soft limit is raised as far as needed and allowed; it is there for programs that cannot deal with many files.

    Args:
        concurrency: Calls in flight, at least 1.

    Returns:
        Calls in flight that fit, at least 1, and a note where those are fewer; else an empty one.
    """
    needed = concurrency + _open_now() + RESERVED
    soft, hard = file_limits()
    if soft < needed and soft < hard:
        soft = _raise_soft(min(needed, hard), soft)
    if soft >= needed:
        return concurrency, ""
    fitting = max(1, concurrency - (needed - soft))
    note = (
        f"file-descriptor limit {soft}: {fitting} calls in flight at most, and not {concurrency}; raise it: ulimit -n"
    )
    return fitting, f"{note} {needed}"


def _raise_soft(wanted: int, soft: int) -> int:
    try:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, resource.getrlimit(resource.RLIMIT_NOFILE)[1]))
    except (ValueError, OSError):  # a sandbox, or a system whose real limit is lower than it says
        return soft
    return wanted


def _open_now() -> int:
    return len(list(_OPEN.iterdir())) if _OPEN.is_dir() else RESERVED


def _number(limit: int) -> int:
    return 2**31 if limit == resource.RLIM_INFINITY else limit
