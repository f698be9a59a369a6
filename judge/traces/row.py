"""A row of an input, and what an input of each format begins with."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, TypeAlias

from judge.errors import RecordError

__all__ = ["MAGIC", "Format", "Row"]

Row: TypeAlias = tuple[int, bytes | Mapping[str, Any] | RecordError]
"""Number from 1 (a line of JSONL, blank ones counted, or a row of Parquet), and the row or why it cannot be read."""

Format: TypeAlias = Literal["JSONL", "gzip", "Zstandard", "Parquet"]

MAGIC: Final[dict[bytes, Format]] = {
    b"\x1f\x8b": "gzip",
    b"\x28\xb5\x2f\xfd": "Zstandard",
    **dict.fromkeys((bytes((first, 0x2A, 0x4D, 0x18)) for first in range(0x50, 0x60)), "Zstandard"),  # skippable frames
    b"PAR1": "Parquet",
}
"""What an input begins with, by format."""
