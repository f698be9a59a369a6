"""The fitted numbers of the lexical judge."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Parameters:
    """The few numbers that turn overlap into verdicts."""

    light_weight: float = 0.3
    number_weight: float = 2.0
    question_weight: float = 0.2
    beside_credit: float = 0.5
    trace_credit: float = 0.3
    phrase_share: float = 0.2
    partly: float = 0.36
    clearly: float = 0.6
    conflict_share: float = 0.5
    substitution_share: float = 0.6


PARAMETERS = Parameters()
