"""The fitted numbers of the lexical judge.

`python -m benchmarks.lexical.fit` finds them: those of presence on realsumm_scu and the even half of scifact_rte, that
of conflict on the even halves of medec and scifact_rte. `benchmarks/lexical/README.md` says what they reach elsewhere.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """What turns overlap into presence, and conflicts into correctness.

    Attributes:
        light_weight: weight of a commonplace word; an ordinary one weighs 1.
        number_weight: weight of a number.
        question_weight: factor on the weight of a word that the question has.
        beside_credit: credit of a term that stands beside the best sentence, in [0, 1].
        trace_credit: credit of a term that stands elsewhere in the trace, in [0, 1].
        phrase_share: share of phrases in similarity, in [0, 1]; the rest is coverage.
        partly: similarity from which presence is 1.
        clearly: similarity from which presence is 2.
        conflict_share: share of the claim's terms that the best sentence must have for any
            conflict but an opposite to count.
    """

    light_weight: float = 0.4
    number_weight: float = 2.0
    question_weight: float = 0.2
    beside_credit: float = 0.5
    trace_credit: float = 0.3
    phrase_share: float = 0.2
    partly: float = 0.38
    clearly: float = 0.66
    conflict_share: float = 0.4


PARAMETERS = Parameters()
