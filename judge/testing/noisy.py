"""An honest judge that changes its mind: a share of its verdicts on units is the other way round.

Two asks about one unit differ with probability 2 p (1 − p), where p is that share.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from hashlib import blake2b

from judge.testing.ask import Ask
from judge.testing.claims import answer_claims
from judge.testing.opinions import Opinion, honest, written
from judge.testing.overlap import sentences
from judge.testing.scripts import obedient
from judge.testing.units import AskedUnit

__all__ = ["Noisy"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Noisy:
    """Changes its mind by a hash of the whole request, so that another sample, order or wording is another throw.

    Args:
        share: Of the verdicts on units and criteria that are the other way round, in [0, 1].
        seed: Another seed, other verdicts.
    """

    share: float = 0.2
    seed: int = 0

    def __call__(self, ask: Ask) -> Mapping[str, object]:
        """The verdicts, each with a quote that is in the trace; where something else is asked for, an honest answer."""
        if ask.question or not ask.units or answer_claims(ask) is not None:
            return obedient(ask)
        return {unit.name: written(ask, self._opinion(ask, unit)) for unit in ask.units}

    def _opinion(self, ask: Ask, unit: AskedUnit) -> Opinion:
        told = json.dumps([self.seed, ask.body.get("messages"), ask.body.get("seed"), unit.name])
        thrown = int.from_bytes(blake2b(told.encode(), digest_size=8).digest()) / 2**64
        opinion = honest(ask, unit)
        return _turned(ask, opinion) if thrown < self.share else opinion


def _turned(ask: Ask, opinion: Opinion) -> Opinion:
    first = next((sentence.text for sentence in sentences(ask.trace)), None)
    if "verdict" in opinion.answer:
        met = opinion.answer["verdict"] != "MET"
        return Opinion({"verdict": "MET" if met else "UNMET"}, first if met else None, "On second thoughts.")
    if "presence" in opinion.answer:
        raised = not opinion.answer["presence"]
        answer = {"presence": 2 if raised else 0, "correctness": 1 if raised else None}
        return Opinion(answer, first if raised else None, "On second thoughts.")
    return opinion
