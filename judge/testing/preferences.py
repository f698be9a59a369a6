"""A question about two traces -> which is better: by what they have of the reference, by where they stand, or neither.

# Trace A                  # Trace B                  # Questions

<trace-…> … </trace-…>     <trace-…> … </trace-…>     u1 (overall): Which trace is better as a whole?

A reply calls them A and B by where they stand; who shows them in both orders finds out who judges by that.
"""

from __future__ import annotations

from collections.abc import Mapping

from judge.testing.ask import Ask
from judge.testing.overlap import closest, sentences, share_said

_ENOUGH = 300


def prefer(ask: Ask) -> tuple[str, str | None, str]:
    """The trace that has more of the reference's words, or of the question's where there is none; its closest sentence.

    Returns:
        Which, a quote from it, and why.
    """
    wanted = ask.shown.get("Reference") or " ".join(ask.shown.values())
    shares = [share_said(trace, wanted) for trace in (ask.trace, ask.second)]
    reason = f"A has {shares[0]:.0%} of the words of the reference or the question, and B {shares[1]:.0%}."
    if shares[0] == shares[1]:
        return "tie", None, reason
    better, trace = ("A", ask.trace) if shares[0] > shares[1] else ("B", ask.second)
    return better, closest(trace, wanted), reason


def prefer_first(ask: Ask) -> Mapping[str, object] | None:
    """Whatever stands first is better, with its first sentence as evidence; None for a request about one trace."""
    first = next((sentence.text for sentence in sentences(ask.trace)), "")
    return _reply(ask, "A", first[:_ENOUGH].rstrip()) if ask.second else None


def prefer_neither(ask: Ask) -> Mapping[str, object] | None:
    """Always a tie; None for a request about one trace."""
    return _reply(ask, "tie", None) if ask.second else None


def _reply(ask: Ask, preferred: str, evidence: str | None) -> Mapping[str, object]:
    quoted = {"evidence": evidence} if ask.with_evidence else {}
    return {unit.name: {**quoted, "reason": "As ever.", "preferred": preferred} for unit in ask.units}
