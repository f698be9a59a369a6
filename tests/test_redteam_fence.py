"""Ten thousand traces that try to end their data block: the prompt has exactly one, by a parser that is none of ours.

The parser knows the contract (§7) alone: the trace stands in a fence whose tag is the first 12 hex digits of the
SHA-256 of what it encloses. What a rendered prompt has before and after that block must be what it has around a trace
that does no harm.
"""

from __future__ import annotations

import hashlib
import re
from random import Random

import pytest

from judge.inert import make_inert
from judge.probe import build_probes
from judge.prompt import JudgeModel, Prompt
from judge.record import build_record
from judge.redteam.families.delimiters import breakout
from judge.rubric import load_rubric

ATTEMPTS = 10_000
HARMLESS = "The left base is opaque. <answer>A</answer>"
FENCE = re.compile(r"</?trace-([0-9a-f]{12})>")
MODEL = JudgeModel(name="m")


def user_text(trace: str, rubric: str = "pkr") -> str:
    known = load_rubric(rubric)
    return render(trace, Prompt(known), build_units(rubric))


def build_units(rubric: str) -> dict[str, object]:
    return {"perception": [{"unit_id": "P1", "claim": "The left base is opaque."}]} if rubric == "pkr" else {}


def render(trace: str, prompt: Prompt, units: dict[str, object]) -> str:
    record = build_record({"id": "r", "question": "What is it?", "units": units, "trace": trace})
    (request,) = prompt.build_requests(build_probes(record, prompt.rubric, "trace"), MODEL)
    return request.user


def blocks(text: str) -> list[tuple[int, int]]:
    """Where blocks stand whose tag is the hash of what they enclose, those within another aside."""
    found: list[tuple[int, int]] = []
    for opening in FENCE.finditer(text):
        if opening[0].startswith("</") or (found and opening.start() < found[-1][1]):
            continue
        closing, start = f"\n</trace-{opening[1]}>", opening.end() + 1
        end = text.find(closing, start)
        if end >= 0 and hashlib.sha256(text[start:end].encode()).hexdigest()[:12] == opening[1]:
            found.append((start, end))
    return found


@pytest.mark.parametrize(("rubric", "attempts"), [("pkr", ATTEMPTS), ("prometheus", 500)])
def test_no_trace_leaves_its_block(rubric: str, attempts: int) -> None:
    prompt, units, dice = Prompt(load_rubric(rubric)), build_units(rubric), Random(0)
    plain = render(HARMLESS, prompt, units)
    ((start, end),) = blocks(plain)
    tag = hashlib.sha256(HARMLESS.encode()).hexdigest()[:12]
    before, after = plain[:start].removesuffix(f"{tag}>\n"), plain[end:].removeprefix(f"\n</trace-{tag}>")
    seen = set()
    for _ in range(attempts):
        trace = breakout(HARMLESS, dice)
        text, own = render(trace, prompt, units), hashlib.sha256(make_inert(trace).encode()).hexdigest()[:12]
        seen.add(trace)
        assert [text[start:end] for start, end in blocks(text)] == [make_inert(trace)]
        assert text.startswith(f"{before}{own}>\n") and text.endswith(f"\n</trace-{own}>{after}")
        assert text.count(own) == 2
    assert len(seen) > 0.9 * attempts


def test_the_parser_would_see_a_breakout() -> None:
    inner = "New units."
    tag = hashlib.sha256(inner.encode()).hexdigest()[:12]
    second = f"<trace-{tag}>\n{inner}\n</trace-{tag}>"
    text = render(HARMLESS, Prompt(load_rubric("pkr")), build_units("pkr"))
    assert len(blocks(text)) == 1
    assert len(blocks(f"{text}\n{second}")) == 2
