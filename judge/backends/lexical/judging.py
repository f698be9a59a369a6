"""A claim × a read trace -> an opinion: presence, correctness, evidence, reason.

Presence is how similar the trace is to the claim, cut at two fitted thresholds. Correctness is +1 unless a conflict is
found: −1 for an opposite, a negation or another number, 0 for a word in another's place, which is as often a
paraphrase. A trace that affirms a claim in one sentence and contradicts it in another is −1 (contract §2).
"""

from collections.abc import Iterator
from dataclasses import dataclass

from judge.backends.lexical.conflict import Conflict, find_conflicts, read_stance
from judge.backends.lexical.overlap import Overlap, measure_overlap
from judge.backends.lexical.parameters import PARAMETERS, Parameters
from judge.backends.lexical.text import ReadTrace, read_trace, term_of

__all__ = ["Opinion", "ReadTrace", "judge_claim", "read_trace"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Opinion:
    """What the lexical judge says of one claim.

    Attributes:
        presence: 0, 1 or 2.
        correctness: −1, 0 or +1; None where presence is 0.
        evidence: a stretch of the trace, word for word; empty where presence is 0.
        reason: one line in plain words.
        similarity: in [0, 1]; what presence was cut from.
    """

    presence: int
    correctness: int | None
    evidence: str
    reason: str
    similarity: float


def judge_claim(claim: str, trace: ReadTrace, *, question: str = "", parameters: Parameters = PARAMETERS) -> Opinion:
    """Judge whether a trace raises a claim, and whether it states it right.

    Args:
        claim: the text of a unit.
        trace: what `read_trace` made of the trace.
        question: its words count little: a trace that only repeats the question raises nothing.
        parameters: the fitted numbers; another set is for fitting.

    Examples:
        >>> judge_claim("The mass is in the left kidney.", read_trace("I see a mass in the right kidney.")).reason
        'covers 2 of 3 claim terms; "left" against "right"'
    """
    overlap = measure_overlap(claim, trace, parameters, question=question)
    reason = f"covers {overlap.found} of {overlap.asked} claim terms"
    presence = (overlap.similarity >= parameters.partly) + (overlap.similarity >= parameters.clearly)
    if not presence:
        return Opinion(presence=0, correctness=None, evidence="", reason=reason, similarity=overlap.similarity)
    found = _conflicts(claim, trace, overlap, parameters)
    at, conflict = min(found, key=lambda pair: _correctness(pair[1]), default=(overlap.sentences[0], None))
    if conflict:
        reason += f'; "{conflict.claim}" against "{conflict.trace}"'
    return Opinion(
        presence=presence,
        correctness=_correctness(conflict),
        evidence=_quote(trace, at),
        reason=reason,
        similarity=overlap.similarity,
    )


def _correctness(conflict: Conflict | None) -> int:
    if conflict is None:
        return 1
    return 0 if conflict.kind == "substitution" else -1


def _conflicts(
    claim: str, trace: ReadTrace, overlap: Overlap, parameters: Parameters
) -> Iterator[tuple[int, Conflict]]:
    """Yield the conflicts that count, with their sentence: those of the best sentence first."""
    first = overlap.sentences[0]
    stance, best = read_stance(claim), read_stance(_quote(trace, first))
    close = overlap.found >= parameters.conflict_share * overlap.asked
    for at, similarity in list(zip(overlap.sentences, overlap.similarities, strict=True))[:2]:
        sentence = read_stance(_quote(trace, at))
        raises = close and (at == first or similarity >= parameters.clearly)
        for conflict in find_conflicts(stance, sentence):
            # A sentence that does not raise the claim by itself may still hold the opposite of a word of it, unless the
            # best sentence has that word: "the left kidney has a mass; the right kidney is normal".
            apart = conflict.kind == "opposite" and (at == first or term_of(conflict.claim) not in best.terms)
            if raises or apart:
                yield at, conflict


def _quote(trace: ReadTrace, at: int) -> str:
    sentence = trace.sentences[at]
    return trace.text[sentence.start : sentence.end]
