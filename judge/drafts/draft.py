"""Units of one record -> Draft: numbered, each said once, with what a person should look at."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from judge.compound import find_second
from judge.drafts.claim import gives_answer, share_words
from judge.drafts.coverage import Coverage, cover
from judge.drafts.merging import Merged, merge
from judge.drafts.reply import DraftUnit
from judge.record import Record

__all__ = ["Draft", "Warned", "build_draft", "unit_prefixes"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Warned:
    """What a person should look at.

    Attributes:
        unit_id: Of the unit.
        code: `compound`, `similar`, `names_answer`.
        message: In words.
    """

    unit_id: str
    code: str
    message: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """The units of one record.

    Attributes:
        record: What they are of.
        axes: Of the rubric, in its order, those without a unit too.
        units: Unit id -> unit, axis by axis; each has a passage of the reference.
        merged: Units that said what an earlier one says.
        dropped: Units whose quote is not in the reference, in the end.
        warnings: Of units.
        coverage: Of the reference, by `units` and `merged`.
    """

    record: Record
    axes: tuple[str, ...]
    units: Mapping[str, DraftUnit]
    merged: tuple[Merged, ...]
    dropped: tuple[DraftUnit, ...]
    warnings: tuple[Warned, ...]
    coverage: Coverage

    def id_of(self, unit: DraftUnit) -> str:
        """The id of one of its units."""
        return next(name for name, other in self.units.items() if other is unit)


def build_draft(record: Record, axes: Sequence[str], written: Iterable[DraftUnit]) -> Draft:
    """Make a draft of what the judge wrote.

    Args:
        record: What was asked about.
        axes: In the rubric's order.
        written: All units of the record, axis by axis in the same order.
    """
    units = list(written)
    found = [unit for unit in units if unit.found]
    kept, merged = merge(found)
    named = _numbered(kept, axes)
    return Draft(
        record=record,
        axes=tuple(axes),
        units=named,
        merged=tuple(merged),
        dropped=tuple(unit for unit in units if not unit.found),
        warnings=(*_each_alone(named, record.reference.answer), *_pairs(named)),
        coverage=cover(record.reference.reasoning or "", [(unit.start, unit.end) for unit in found]),
    )


def unit_prefixes(axes: Iterable[str]) -> dict[str, str]:
    """What the unit ids of each axis begin with: its initial, and more letters where another axis has it.

    >>> unit_prefixes(["perception", "knowledge", "prognosis"])
    {'perception': 'P', 'knowledge': 'K', 'prognosis': 'PR'}
    """
    prefixes: dict[str, str] = {}
    for axis in axes:
        letters = "".join(filter(str.isalpha, axis)).upper() or "U"
        tries = [letters[:length] for length in range(1, len(letters) + 1)]
        while not (free := [one for one in tries if one not in prefixes.values()]):
            tries = [f"{tries[-1]}_"]
        prefixes[axis] = free[0]
    return prefixes


def _numbered(units: Iterable[DraftUnit], axes: Iterable[str]) -> dict[str, DraftUnit]:
    prefixes, counts = unit_prefixes(axes), Counter[str]()
    named = {}
    for unit in units:
        counts[unit.axis] += 1
        named[f"{prefixes[unit.axis]}{counts[unit.axis]}"] = unit
    return named


def _each_alone(units: Mapping[str, DraftUnit], answer: str | None) -> list[Warned]:
    warnings = []
    for name, unit in units.items():
        if find_second(unit.claim, "claim"):
            message = "the claim seems to join two; a trace may get one of them right."
            warnings.append(Warned(unit_id=name, code="compound", message=message))
        fields = [field for field in ("presence_question", "claim") if gives_answer(getattr(unit, field), answer)]
        if fields:
            message = f"{' and '.join(fields)} names the letter of the right option."
            warnings.append(Warned(unit_id=name, code="names_answer", message=message))
    return warnings


def _pairs(units: Mapping[str, DraftUnit]) -> list[Warned]:
    return [
        Warned(unit_id=name, code="similar", message=f"the claim has nearly the words of {first}.")
        for (first, one), (name, other) in combinations(units.items(), 2)
        if share_words(one.claim, other.claim)
    ]
