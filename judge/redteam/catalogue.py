"""All families of attacks, by name."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from judge.errors import ConfigError
from judge.redteam.attack import Family
from judge.redteam.families import (
    authority,
    contentless,
    delimiters,
    echo,
    forged,
    formatting,
    hidden,
    others,
    pictured,
    planted,
    pleas,
    shotgun,
    talk,
    verbosity,
    verdicts,
)

__all__ = ["FAMILIES", "choose"]

FAMILIES: Final = (
    *(contentless.FAMILY, talk.FAMILY, pleas.FAMILY, delimiters.FAMILY, forged.FAMILY, authority.FAMILY),
    *(verbosity.FAMILY, formatting.FAMILY, hidden.FAMILY, pictured.FAMILY, verdicts.FAMILY, others.CROSS_RECORD),
    *(planted.FAMILY, shotgun.FAMILY, echo.FAMILY, others.SHUFFLED),
)
"""In the order in which they are tried."""


def choose(names: Sequence[str]) -> tuple[Family, ...]:
    """The families of these names, in our order; all where none is named.

    Raises:
        ConfigError: No family has one of the names.
    """
    known = {family.name: family for family in FAMILIES}
    if unknown := [name for name in names if name not in known]:
        raise ConfigError(f"--families: no family is called {unknown[0]!r}; there are: {', '.join(known)}.")
    return tuple(family for family in FAMILIES if not names or family.name in names)
