"""Rubrics of others: one file a format. A document is of the first format here that it fits."""

from __future__ import annotations

from typing import Final

from judge.formats.autorubric import AUTORUBRIC
from judge.formats.format import Format
from judge.formats.healthbench import HEALTHBENCH
from judge.formats.paperbench import PAPERBENCH
from judge.formats.rar import RAR
from judge.formats.rubric import RUBRIC
from judge.formats.verifiers import VERIFIERS

__all__ = ["FORMATS"]

FORMATS: Final[dict[str, Format]] = {
    one.name: one for one in (HEALTHBENCH, RAR, PAPERBENCH, VERIFIERS, RUBRIC, AUTORUBRIC)
}
