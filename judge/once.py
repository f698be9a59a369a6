"""A property that is worked out when it is first asked for, and then kept.

As `functools.cached_property`, which until Python 3.12 takes a lock to work it out; of use where every call has one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["once"]

T = TypeVar("T")


class once(Generic[T]):  # noqa: N801 - used as a decorator
    """Decorates a method of a class whose objects have a `__dict__`; two threads may both work it out.

    Args:
        work: The method.
    """

    def __init__(self, work: Callable[[Any], T]) -> None:
        self._work = work
        self.__doc__ = work.__doc__

    def __set_name__(self, owner: type, name: str) -> None:
        self._name = name

    @overload
    def __get__(self, found: None, owner: type) -> Self: ...
    @overload
    def __get__(self, found: object, owner: type) -> T: ...
    def __get__(self, found: object | None, owner: type) -> Self | T:
        if found is None:
            return self
        value = found.__dict__[self._name] = self._work(found)
        return value
