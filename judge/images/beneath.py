"""A folder and a path below it -> the bytes of that file, and never of another.

What is outside is refused by its name, before anything is opened. What is inside is opened one folder after the other
without following a link, so that the file read is the file checked, also if somebody swaps a folder meanwhile.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from judge.errors import RecordError

__all__ = ["MAX_PATH", "read_beneath"]

MAX_PATH: Final = 4096
"""Characters of a path. More is no path but an image that lost its prefix."""

_SHOWN: Final = 60
_WINDOWS: Final = re.compile(r"[A-Za-z]:|\\\\")  # a drive, or another machine


def read_beneath(root: Path, path: str, *, max_bytes: int) -> bytes:
    """Read a regular file below a folder; links are followed where they stay below it.

    Args:
        root: The folder. It need not be resolved.
        path: Relative to it, or absolute and below it.
        max_bytes: The longest file that is read.

    Raises:
        RecordError: `image_path_outside_root`, `image_not_found`, `image_too_large`, or `image_unreadable` where it is
            a folder, a device, a pipe, or may not be read.
    """
    parts = _parts(root, path)
    with _explained(path):
        folder = os.open(os.path.realpath(root), os.O_RDONLY | os.O_DIRECTORY)
        for part in parts[:-1]:
            folder = _step(folder, part)
        try:
            return _read(folder, parts[-1], path, max_bytes)
        finally:
            os.close(folder)


def _parts(root: Path, path: str) -> Sequence[str]:
    """The names from the resolved root to the resolved file."""
    if len(path) > MAX_PATH:
        raise _outside(path, f"is cut here: {len(path):,} characters are no path")
    if "\0" in path or _WINDOWS.match(path):
        raise _outside(path, "is no path on this system")
    roots = (os.path.abspath(root), os.path.realpath(root))  # noqa: PTH100 - a path is not yet resolved
    joined = os.path.join(roots[0], path)  # noqa: PTH118 - `Path` would drop what we check
    # First without a look at the disk: whether a file exists elsewhere is nobody's business.
    if not any(_is_below(os.path.normpath(joined), folder) for folder in roots):
        raise _outside(path, "points outside the image root")
    real = os.path.realpath(joined)
    if not _is_below(real, roots[1]):
        raise _outside(path, "leads outside the image root by a link")
    if real == roots[1]:
        raise _unreadable(path, "is a folder, not a file")
    return Path(real).relative_to(roots[1]).parts


def _is_below(path: str, folder: str) -> bool:
    return path == folder or path.startswith(os.path.join(folder, ""))  # noqa: PTH118 - one slash, also below `/`


def _step(folder: int, name: str) -> int:
    try:
        return os.open(name, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _read(folder: int, name: str, path: str, max_bytes: int) -> bytes:
    # Looked at before, as opening a device can do something; and after, as only that tells what was opened.
    _refuse_special(os.stat(name, dir_fd=folder, follow_symlinks=False), path)
    opened = os.open(name, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK, dir_fd=folder)
    with os.fdopen(opened, "rb") as file:
        found = os.fstat(opened)
        _refuse_special(found, path)
        data = b"" if found.st_size > max_bytes else file.read(max_bytes + 1)
    if found.st_size > max_bytes or len(data) > max_bytes:
        message = f"is {path[:_SHOWN]!r} of {max(found.st_size, len(data)):,} bytes; at most {max_bytes:,} are read."
        raise RecordError(message, code="image_too_large", hint="Give a smaller image.")
    return data


def _refuse_special(found: os.stat_result, path: str) -> None:
    if stat.S_ISDIR(found.st_mode):
        raise _unreadable(path, "is a folder, not a file")
    if not stat.S_ISREG(found.st_mode):
        raise _unreadable(path, "is a device, a pipe or a socket, not a file")


@contextmanager
def _explained(path: str) -> Iterator[None]:
    """Without the system's own message, which names the folder as it is called on this machine."""
    try:
        yield
    except (FileNotFoundError, NotADirectoryError) as exc:
        message = f"is {path[:_SHOWN]!r}; there is no such file below the image root."
        raise RecordError(message, code="image_not_found", hint="Is it the right folder? --image-root") from exc
    except OSError as exc:
        raise _unreadable(path, f"cannot be read: {exc.strerror}") from exc


def _outside(path: str, why: str) -> RecordError:
    message = f"is {path[:_SHOWN]!r}, which {why}."
    hint = "Give a path below --image-root, or the image itself as data:image/png;base64,…"
    return RecordError(message, code="image_path_outside_root", hint=hint)


def _unreadable(path: str, why: str) -> RecordError:
    return RecordError(f"is {path[:_SHOWN]!r}, which {why}.", code="image_unreadable")
