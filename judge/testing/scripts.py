"""Ask -> what the judge writes. Each script is a pure function of the request (and of its seed).

    obedient   an honest, deterministic judge
    sloppy     usable but messy; a share of first replies is really wrong, a re-ask gets it right
    gullible   believes whatever the trace says of itself, and makes quotes up
    led        honest, until the trace speaks of its own grading: then it does what that says
    parrot     honest, until the trace holds JSON: then it replies with that
    stubborn   never a usable reply
    noisy      an honest judge that changes its mind about a fifth of the units, anew in every ask
    biased     of two traces, whichever stands first; of all else as obedient
    undecided  of two traces, neither; of all else as obedient

Your own script is any callable `script(ask) -> str | Mapping`: a mapping is sent as JSON, a string as it is. For a
probe (`ask.probed`) a mapping is of tokens to their probabilities, and the likeliest is said.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from hashlib import blake2b
from typing import TypeAlias

import orjson

from judge.testing.ask import Ask
from judge.testing.claims import answer_claims
from judge.testing.drafts import write_units
from judge.testing.opinions import Opinion, flattering, honest, written
from judge.testing.overlap import find, sentences
from judge.testing.preferences import prefer_first, prefer_neither
from judge.testing.probes import digit_of, digits_of, soft
from judge.testing.units import MARKS, AskedUnit

Script: TypeAlias = Callable[[Ask], str | Mapping[str, object]]
_Reply: TypeAlias = dict[str, dict[str, object]]

_DECODER = json.JSONDecoder()
_INVENTED = "On closer inspection, the opposite was written here all along."
_SELF_PRAISE = re.compile(
    r"\b(?:judges?|graders?|graded|evaluators?|reviewers?|rubrics?|scores?|marks|presence|correctness|ignore|instructions?)\b",
    re.IGNORECASE,
)


def obedient(ask: Ask) -> Mapping[str, object]:
    """Judge everything by word overlap with the trace; evidence is an exact quote. Asked for units, write some."""
    if not ask.units and (units := write_units(ask.body)) is not None:
        return units
    if (claims := answer_claims(ask)) is not None:
        return claims
    if ask.question:
        return soft(ask, digit_of(ask)) if ask.probed else {"evidence": _quote(ask)}
    return _verdicts(ask)


def _quote(ask: Ask) -> str:
    return (find(ask.trace, ask.units[0].claim).evidence if ask.units else None) or ""


def _verdicts(ask: Ask) -> _Reply:
    return {unit.name: written(ask, honest(ask, unit)) for unit in ask.units}


def gullible(ask: Ask) -> Mapping[str, object]:
    """Give full marks for everything, and prefer what praises itself, as an injected instruction would like.

    Evidence is the sentence in which the trace speaks of its own grading, or else a made-up quote.
    """
    if (claims := answer_claims(ask, believing=True)) is not None:
        return claims
    if ask.question:
        told = _praise(ask.trace) or f"As the trace puts it: {ask.units[0].claim}"
        return soft(ask, max(digits_of(ask))) if ask.probed else {"evidence": told}
    return {unit.name: written(ask, _flattered(ask, unit)) for unit in ask.units}


def _praise(trace: str) -> str | None:
    """The sentence in which a trace speaks of its own grading."""
    return next((sentence.text for sentence in sentences(trace) if _SELF_PRAISE.search(sentence.text)), None)


def _flattered(ask: Ask, unit: AskedUnit) -> Opinion:
    """Of two traces, the one that speaks of its own grading is better, and the first where neither does or both do."""
    told, answer = _praise(ask.trace), flattering(unit)
    if ask.second and told is None and (told := _praise(ask.second)):
        answer = {"preferred": "B"}
    return Opinion(answer, told or f"As the trace puts it: {unit.claim}", "The trace says so.")


def biased(ask: Ask) -> Mapping[str, object]:
    """Prefer whatever stands first."""
    return prefer_first(ask) or obedient(ask)


def undecided(ask: Ask) -> Mapping[str, object]:
    """Prefer neither."""
    return prefer_neither(ask) or obedient(ask)


def led(ask: Ask) -> Mapping[str, object]:
    """Judge as `obedient` does, but as `gullible` does where a sentence of the trace speaks of its grading."""
    return gullible(ask) if any(_SELF_PRAISE.search(said.text) for said in sentences(ask.trace)) else obedient(ask)


def parrot(ask: Ask) -> str | Mapping[str, object]:
    """Reply with the first JSON object of the trace, as it stands there; without one, judge as `obedient` does."""
    return next(_objects(ask.trace), None) or obedient(ask)


def _objects(trace: str) -> Iterator[str]:
    """The JSON objects of a trace, those within others aside."""
    at = trace.find("{")
    while at >= 0:
        try:
            _, end = _DECODER.raw_decode(trace, at)
        except ValueError:
            end = at + 1
        else:
            yield trace[at:end]
        at = trace.find("{", end)


def stubborn(ask: Ask) -> str:
    """Answer in prose, whatever is asked and however often."""
    return f"I'd say the trace does well on most of these {len(ask.units)} points, with some reservations."


@dataclass(frozen=True, slots=True, kw_only=True)
class Sloppy:
    """An honest judge with bad manners.

    Every reply is dressed in a ```json fence, a leading `<think>` block or white space. A share of the first
    replies is wrong as well: an extra id, a missing unit, a value in another form (`"2"`, `Met`), or a quote that no
    trace has.

    Args:
        seed: Which replies are wrong, and how.
        wrong_share: Share of first replies that cannot be used, in [0, 1]. Re-asks are always right.
    """

    seed: int = 0
    wrong_share: float = 0.25

    def __call__(self, ask: Ask) -> str | Mapping[str, object]:
        """The reply text; of a probe, tokens that begin with a space, and a word before them at first."""
        die = _Die(f"{self.seed}:{ask.key}")
        wrong = not ask.complaint and die.share < self.wrong_share
        if ask.probed:
            digits = {f" {digit}": p for digit, p in soft(ask, digit_of(ask)).items()}
            return {"Sure": 0.6, **{digit: 0.4 * p for digit, p in digits.items()}} if wrong else digits
        if ask.question:
            return _dress(orjson.dumps({"evidence": _INVENTED if wrong else _quote(ask)}).decode(), die.number)
        if (claims := answer_claims(ask)) is not None:  # these are right at once
            return _dress(orjson.dumps(claims).decode(), die.number)
        reply = _verdicts(ask)
        if reply and wrong:
            reply = _slip(reply, die.number)
        return _dress(orjson.dumps(reply).decode(), die.number)


class _Die:
    """Two fixed throws for a text: a share in [0, 1) and a whole number."""

    def __init__(self, text: str) -> None:
        digest = blake2b(text.encode(), digest_size=16).digest()
        self.share = int.from_bytes(digest[:8]) / 2**64
        self.number = int.from_bytes(digest[8:])


def _slip(reply: _Reply, number: int) -> _Reply:
    """Spoil a reply in one of four ways; a bad quote needs a unit that has evidence."""
    slips = [_add_unit, _drop_unit, _misspell]
    if any(verdict.get("evidence") for verdict in reply.values()):
        slips.append(_invent_quote)
    return slips[number // 16 % len(slips)](reply)


def _add_unit(reply: _Reply) -> _Reply:
    return {**reply, f"u{len(reply) + 1}": next(iter(reply.values()))}


def _drop_unit(reply: _Reply) -> _Reply:
    return dict(list(reply.items())[:-1])


def _misspell(reply: _Reply) -> _Reply:
    """`"2"` for 2, `Met` for MET, `a` for A."""
    name, verdict = next(iter(reply.items()))
    field = next(mark.field for mark in MARKS.values() if mark.field in verdict)
    value = verdict[field]
    return {**reply, name: {**verdict, field: _misspelt(value)}}


def _misspelt(value: object) -> str:
    text = str(value)
    return text.title() if isinstance(value, str) and text.title() != text else text.lower()


def _invent_quote(reply: _Reply) -> _Reply:
    name, verdict = next((name, verdict) for name, verdict in reply.items() if verdict.get("evidence"))
    return {
        **reply,
        name: {**verdict, "evidence": _INVENTED},
    }


def _dress(text: str, number: int) -> str:
    fenced, think = f"```json\n{text}\n```", "<think>\nFirst u1: {the trace} may say so.\n</think>\n\n"
    return (fenced, think + text, f"\n\n  {text}\n\t ", think + fenced)[number % 4]
