"""A process that gets a part of a processor: two of them and a server then have enough of two processors.

Control groups of Linux, version 1, where they can be written to: as root, on a machine that has them.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

__all__ = ["can_limit", "limited_to"]

_GROUPS = Path("/sys/fs/cgroup/cpu")
_PERIOD_US = 5_000  # short: nobody who waits for this process should notice more than that it is slow


@contextmanager
def limited_to(share: float | None) -> Iterator[None]:
    """This process and all its threads together get this share of one processor; None: as much as there is.

    What it starts is in its group, and so shares that, until it enters this itself.
    """
    if share is None:
        yield
        return
    group = _GROUPS / f"judge-benchmark-{os.getpid()}"
    group.mkdir(exist_ok=True)
    try:
        (group / "cpu.cfs_period_us").write_text(str(_PERIOD_US))
        (group / "cpu.cfs_quota_us").write_text(str(round(share * _PERIOD_US)))
        _enter(group)
        yield
    finally:
        _enter(_GROUPS)
        group.rmdir()


def can_limit() -> bool:
    """Whether processes can be limited on this machine, by this user."""
    return os.access(_GROUPS, os.W_OK)


def _enter(group: Path) -> None:
    (group / "cgroup.procs").write_text(str(os.getpid()))
