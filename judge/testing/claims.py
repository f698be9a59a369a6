"""A request about the claims of a trace -> the reply: a claim a sentence, and for each what the sources say of it.

# Axes                                              # Claims

perception: What is seen.                           Check these claims, each against the sources above:

List the claims of the trace above that …           u1 (perception): "The left base is opaque."
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from judge.testing.ask import Ask, last_user_text
from judge.testing.overlap import Finding, find, sentences

_LIST = re.compile(r"^List the claims of the trace above\b", re.MULTILINE)
_CHECK = re.compile(r"^# Claims\n\nCheck these claims\b", re.MULTILINE)
_AXES = re.compile(r"^# Axes\n\n((?:\w+: .*\n)+)", re.MULTILINE)
_OPTIONS = re.compile(r"^# Options\n\n.*?(?=^# |\Z)", re.MULTILINE | re.DOTALL)
"""They support nothing."""
_POINT = re.compile(r"^- (\".*\")$", re.MULTILINE)


def answer_claims(ask: Ask, *, believing: bool = False) -> Mapping[str, object] | None:
    """The reply to a request about claims; None for any other request.

    Args:
        ask: The request.
        believing: A claim is supported as soon as the sources speak of the same thing.
    """
    text = last_user_text(ask.body)
    if _LIST.search(text) and (axes := _AXES.search(text)):
        return _take_apart(ask.trace, re.findall(r"^(\w+): ", axes[1], re.MULTILINE))
    if found := _CHECK.search(text):
        told = _POINT.sub(lambda point: str(json.loads(point[1])), _OPTIONS.sub("", text[: found.start()]))
        return {unit.name: _check(ask, find(told, unit.claim), believing=believing) for unit in ask.units}
    return None


def _take_apart(trace: str, axes: list[str]) -> Mapping[str, object]:
    """The axes in turn: it reads no meaning."""
    said = [sentence.text for sentence in sentences(trace)]
    claims = [
        {"quote": sentence, "claim": sentence, "axis": axes[index % len(axes)]} for index, sentence in enumerate(said)
    ]
    return {"claims": claims}


def _check(ask: Ask, found: Finding, *, believing: bool) -> dict[str, object]:
    if (found.presence and believing) or (found.presence == 2 and found.correctness == 1):
        verdict = "SUPPORTED"
    else:
        verdict = "CONTRADICTED" if found.correctness == -1 else "NOT_FOUND"
    source = {"source": None if verdict == "NOT_FOUND" else found.evidence} if ask.with_evidence else {}
    return {**source, "reason": f"{found.overlap:.0%} of the claim's words are in the sources.", "verdict": verdict}
