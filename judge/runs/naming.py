"""Run directories -> names that tell them apart."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

__all__ = ["shortest_names"]


def shortest_names(paths: Sequence[Path]) -> list[str]:
    """The shortest ends of the paths that are all different.

    Args:
        paths: At least one; resolved, and each once.
    """
    for depth in range(1, max(len(path.parts) for path in paths) + 1):
        names = ["/".join(path.parts[-depth:]) for path in paths]
        if len(set(names)) == len(names):
            break
    return names
