"""What is logged goes to standard error, and no secret goes with it."""

from __future__ import annotations

import logging
import sys
import traceback
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from judge.backends.secret import hide

__all__ = ["logging_to_stderr"]


class _Hiding(logging.Filter):
    """Makes the whole line first, as a secret may come in by an argument or an exception."""

    def filter(self, record: logging.LogRecord) -> bool:
        told = record.getMessage()
        if record.exc_info:
            told += "\n" + "".join(traceback.format_exception(*record.exc_info))
        record.msg, record.args, record.exc_info = hide(told), None, None
        return True


@contextmanager
def logging_to_stderr(level: str) -> Iterator[None]:
    """Show what judge logs inside, and hide secrets in it, and in the traceback of a crash. Once in each process.

    Args:
        level: `debug`, `info` or `warning`.
    """
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(_Hiding())
    logger = logging.getLogger("judge")
    before = logger.handlers, logger.propagate, logger.level
    logger.handlers, logger.propagate = [handler], False
    logger.setLevel(level.upper())
    sys.excepthook = _show_crash  # stays: a crash is shown after this has ended
    try:
        yield
    finally:
        logger.handlers, logger.propagate, logger.level = before


def _show_crash(kind: type[BaseException], error: BaseException, trace: TracebackType | None) -> None:
    """As the interpreter does, with secrets hidden: what another library raises may repeat a header."""
    sys.stderr.write(hide("".join(traceback.format_exception(kind, error, trace))))
