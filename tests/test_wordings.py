"""The rules in other words: nothing that the judge must know is lost, and what is asked stays as it is."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
from run_kit import RUBRIC, settings_for

from judge.axis import AskedKind
from judge.probe import build_probes
from judge.prompt import Prompt, Request
from judge.record import build_record
from judge.rubric import Rubric
from judge.variation import WORDED_KINDS, WORDINGS, Variation

NUMBERS = range(1, WORDINGS + 1)
UNITS = {"perception": [{"unit_id": "P1", "claim": "A node.", "presence_question": "Is a node named?"}]}
TOLD: dict[AskedKind, tuple[str, ...]] = {
    "checklist": (
        "presence",
        "correctness",
        "-1",
        "null",
        "contradicts itself",
        "wrong",
        "unclear",
        "implie|implication",
    ),
    "criteria": ("MET", "UNMET", "CANNOT_ASSESS", "null", "(bad)", "several", "together|every one of them"),
    "scale": ("value", "null", "lower", "next"),
    "rating": ("value", "10", "1", "null", "(bad)", "whole number", "worth", "lower|down", "weight"),
}
"""Words that each rule cannot be said without."""
ALWAYS = (
    "character by character|to the letter",
    "shortest|as short as possible",
    "style",
    "length",
    "scores",
    "JSON object",
)


def mixed() -> Rubric:
    axes: dict[str, Any] = {
        "perception": {"kind": "checklist", "description": "What is seen."},
        "safety": {
            "kind": "criteria",
            "description": "Safe.",
            "criteria": [{"id": "c1", "text": "Names a risk.", "points": -1, "polarity": "negative"}],
        },
        "clarity": {
            "kind": "scale",
            "description": "How clear.",
            "levels": [{"level": 1, "anchor": "Muddled."}, {"level": 3, "anchor": "Clear."}],
        },
        "whole": {
            "kind": "criteria",
            "description": "All in all.",
            "scoring": "rar_implicit",
            "criteria": [{"id": "r1", "text": "Is right.", "importance": "Essential"}],
        },
    }
    return Rubric.model_validate({"name": "mixed", "version": "1", "description": "d", "axes": axes})


def requests(wording: int, *, evidence: bool = True) -> dict[AskedKind, Request]:
    rubric = mixed()
    record = build_record({"id": "r", "question": "What is it?", "units": UNITS, "trace": "A node is seen."})
    prompt = Prompt(rubric, evidence=evidence, wording=wording)
    asked = prompt.build_requests(build_probes(record, rubric, "axis"), settings_for("http://127.0.0.1:9/v1").model)
    return {request.probes.kind: request for request in asked}


def test_every_kind_is_there() -> None:
    assert set(requests(0)) == set(WORDED_KINDS)
    folder = Path(__file__).parents[1] / "prompts" / "wordings"
    assert sorted(int(path.name) for path in folder.iterdir()) == list(NUMBERS)


@pytest.mark.parametrize("wording", [0, *NUMBERS])
@pytest.mark.parametrize("kind", WORDED_KINDS)
def test_every_rule_is_told(kind: AskedKind, wording: int) -> None:
    system = requests(wording)[kind].system
    for words in (*ALWAYS, *TOLD[kind]):
        assert any(word in system for word in words.split("|")), words
    assert "<trace-…> and </trace-…>" in system and re.search("before (you decide|the decision)", system)


@pytest.mark.parametrize("wording", NUMBERS)
@pytest.mark.parametrize("kind", WORDED_KINDS)
@pytest.mark.parametrize("evidence", [True, False])
def test_only_words_of_ours_differ(kind: AskedKind, wording: int, evidence: bool) -> None:
    plain, other = requests(0, evidence=evidence)[kind], requests(wording, evidence=evidence)[kind]
    assert plain.schema == other.schema and plain.shared == other.shared
    assert plain.system != other.system and plain.asked != other.asked
    assert ("evidence" in other.system.lower()) == evidence
    # The form of the reply, and what is asked, in the same letters.
    form = re.compile(r'\{"u1": \{.*\}, "u2": …\}')
    assert form.findall(plain.system) == form.findall(other.system) != []
    unit = re.compile(r"^u1 \(.*(?:\n  .*)*", re.MULTILINE)
    assert unit.findall(plain.asked) == unit.findall(other.asked) != []


def test_wordings_are_no_two_alike_and_are_other_judges() -> None:
    for kind in WORDED_KINDS:
        assert len({(requests(n)[kind].system, requests(n)[kind].asked) for n in (0, *NUMBERS)}) == WORDINGS + 1
    judges = {settings_for("http://127.0.0.1:9/v1", variation=Variation(wording=n)).labels.judge for n in (0, *NUMBERS)}
    prompts = {Prompt(RUBRIC, wording=n).fingerprint for n in (0, *NUMBERS)}
    assert len(judges) == len(prompts) == WORDINGS + 1


def test_what_a_leaf_is_a_part_of_is_told_in_every_wording() -> None:
    leaf = {"id": "leaf", "text": "A part.", "points": 1}
    criteria = [{"id": "root", "text": "All of it.", "points": 1, "children": [leaf]}]
    work = {"kind": "criteria", "description": "The work.", "scoring": "tree", "criteria": criteria}
    rubric = Rubric.model_validate({"name": "t", "version": "1", "description": "d", "axes": {"work": work}})
    groups = build_probes(build_record({"id": "r", "trace": "Some trace."}), rubric, "axis")
    for wording in (0, *NUMBERS):
        (asked,) = Prompt(rubric, wording=wording).build_requests(groups, settings_for("http://127.0.0.1:9/v1").model)
        assert "a line `within`" in asked.asked.lower() and 'within: "All of it."' in asked.asked
