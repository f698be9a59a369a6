"""What is asked once more in another way that should change no verdict: a repeat, another order, other words.

sample    index of the repeat that is asked first, from 0: the same words, a sample of their own
order     0 as the record has its units, 1, 2, … a seeded order of those that share a call
wording   0 the templates of `prompts/`, 1 to 3 the same rules said in other words, of `prompts/wordings/`
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Final

__all__ = ["PLAIN", "WORDED_KINDS", "WORDINGS", "Variation"]

WORDINGS: Final = 3
"""How many times the rules are written down in other words."""
WORDED_KINDS: Final = ("checklist", "criteria", "scale", "rating")
"""Kinds of what is asked that other words are there for."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Variation:
    """One way to ask; all zeros is the plain one."""

    sample: int = 0
    order: int = 0
    wording: int = 0

    @property
    def told(self) -> dict[str, int]:
        """What makes it another judge than the plain one, by name; nothing of that one."""
        return {f"variation_{name}": number for name, number in asdict(self).items() if number}


PLAIN: Final = Variation()
