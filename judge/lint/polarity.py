"""A statement -> remarks: whether MET is good, by what is said and by how it is worded."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from judge.lint.finding import Remark
from judge.lint.statement import Statement

__all__ = ["remark_on_polarity"]

_SUBJECT: Final = r"^(?:(?:the|this)\s+(?:response|answer|trace|model|reasoning|assistant|completion)\s+|it\s+)?"
_ADVERB: Final = r"(?:(?:also|explicitly|clearly)\s+)?"
_NEGATION: Final = re.compile(
    rf"{_SUBJECT}(?:(?:does|do|did|is|are|was|has|should|must|may|will|can|could|would)(?:\s+not|n['’]t)|cannot|never|no)\b",
    re.IGNORECASE,
)
_FAULT: Final = re.compile(
    rf"{_SUBJECT}{_ADVERB}(?:fails?\s+to|forgets?\s+to|omits?|neglects?|misses|overlooks?|ignores?|lacks?|confuses?|misstates?"
    r"|misidentif(?:y|ies)|misinterprets?|misdiagnoses?|mischaracteri[sz]es?|hallucinates?|fabricates?|invents?"
    r"|contradicts?|(?:\w+\s+)?(?:incorrectly|wrongly|mistakenly|falsely|erroneously|inaccurately|inappropriately"
    r"|unnecessarily))\b",
    re.IGNORECASE,
)
_VIRTUE: Final = re.compile(
    rf"{_SUBJECT}{_ADVERB}(?:avoids?|refrains?\s+from|abstains?\s+from|(?:should|must|needs?\s+to|has\s+to)\b"
    r"|(?:\w+\s+)?(?:correctly|accurately|appropriately|properly|rightly))\b",
    re.IGNORECASE,
)
_AVOIDING: Final = re.compile(rf"{_SUBJECT}{_ADVERB}(?:avoids?|refrains?\s+from|abstains?\s+from)\b", re.IGNORECASE)
_TWICE: Final = re.compile(
    rf"{_SUBJECT}(?:(?:does|do|did|should|must)(?:\s+not|n['’]t)|fails?\s+to|never|avoids?)\s+"
    r"(?:fail|avoid|omit|neglect|forget|miss|ignore|refrain|not)\w*\b",
    re.IGNORECASE,
)
_PITFALL: Final = "pitfall"
_SAY: Final = "name what is seen in the trace, and say by `polarity` whether that is good"


def remark_on_polarity(statement: Statement) -> Iterator[Remark]:
    """At most one remark a statement. Units without points or polarity are no criteria: nothing is met there."""
    if statement.what == "level" or (statement.what == "claim" and statement.direction is None):
        return
    text = statement.bare
    if found := _TWICE.search(text):
        yield _unclear(found, f"{found[0]!r} says no twice")
    elif statement.direction is None:
        yield from _undirected(statement)
    elif statement.direction == "positive" and (found := _FAULT.search(text)):
        yield _against(
            found, f"{found[0]!r} words a fault, and MET counts as good", "polarity: negative and negative points"
        )
    elif statement.direction == "negative" and (found := _VIRTUE.search(text)):
        yield _against(
            found, f"{found[0]!r} words a merit, and MET counts as bad", "polarity: positive and positive points"
        )
    elif statement.direction == "positive" and (found := _NEGATION.search(text)):
        yield _unclear(found, f"{found[0]!r} is met by what is not there")


def _undirected(statement: Statement) -> Iterator[Remark]:
    """Pitfalls are written both ways: "Does not mention …" (met is bad) and "Avoids …" (met is good)."""
    if (statement.importance or "").casefold() == _PITFALL:
        yield Remark(rule="unclear-polarity", what="a pitfall without `polarity`: it may mean either", to_do=_SAY)
        return
    for words in (_FAULT, _NEGATION, _AVOIDING):
        if found := words.search(statement.bare):
            yield _unclear(found, f"{found[0]!r} without `polarity`: MET may be good or bad")
            return


def _unclear(found: re.Match[str], what: str) -> Remark:
    return Remark(rule="unclear-polarity", start=found.start(), end=found.end(), what=what, to_do=_SAY)


def _against(found: re.Match[str], what: str, otherwise: str) -> Remark:
    to_do = f"give it {otherwise}, or reword it"
    return Remark(rule="sign-wording", start=found.start(), end=found.end(), what=what, to_do=to_do)
