"""Every built-in rubric: its fixed headings, and the text that a judge gets for it, as a file under golden/."""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import Any

import pytest

from judge.pairs.pair import Candidate, Pair
from judge.prompt import Request
from judge.record import build_record
from judge.resource import resource_path, rubric_names
from judge.rubric import load_rubric
from judge.settings import Settings
from judge.written import Written

GOLDEN = Path(__file__).parent / "golden" / "built_in"
HEADINGS = ("What it asks", "Why it matters", "Example", "Known problems", "Source")
RECORD: dict[str, Any] = {
    "id": "r1",
    "question": "What does the film show?",
    "options": {"A": "An effusion.", "B": "A tumour."},
    "context": "67-year-old man, cough.",
    "reference": {"reasoning": "The left base is opaque, so there is an effusion.", "answer": "A"},
    "trace": "<think>The left base is opaque. No rib is broken.</think><answer>A</answer>",
}
UNITS = {
    "perception": [{"unit_id": "P1", "claim": "The left base is opaque."}],
    "knowledge": [{"unit_id": "K1", "claim": "Fluid is opaque.", "presence_question": "Does it speak of fluid?"}],
    "rationale": [{"unit_id": "R1", "claim": "An opaque base points to an effusion."}],
}
CRITERIA = {
    "criteria": [
        {"unit_id": "c1", "claim": "Names the effusion.", "importance": "Essential", "points": 5},
        {"unit_id": "c2", "claim": "Advises to wait.", "importance": "Pitfall", "polarity": "negative", "points": -3},
    ]
}
OF_RECORDS = {"pkr": UNITS, "pkr-strict": UNITS, "healthbench": CRITERIA, "rar": CRITERIA, "rar-implicit": CRITERIA}


OTHER = "<think>The left base is opaque, so fluid has gathered there.</think><answer>A</answer>"


def _requests(name: str) -> list[Request]:
    if not load_rubric(name).scored:
        return _requests_of_a_pair(name)
    settings = Settings(judge="hosted_vllm/m", api_base="http://127.0.0.1:9/v1", rubric=load_rubric(name))
    way = settings.way
    assert isinstance(way, Written)
    asks = way.first_asks(build_record({**RECORD, "units": OF_RECORDS.get(name, {})}))
    return [*asks, *way.next_asks(asks)]


def _requests_of_a_pair(name: str) -> list[Request]:
    settings = Settings(judge="hosted_vllm/m", api_base="http://127.0.0.1:9/v1", rubric=load_rubric(name), pairs=True)
    traces = {"m": RECORD["trace"], "n": OTHER}
    a, b = (
        Candidate(record=build_record({**RECORD, "trace": traces[model]}), model=model, source="t") for model in traces
    )
    way, pair = settings.pair_way, Pair(a=a, b=b)
    return [request for _, request in way.first_asks(pair, a.record, way.prompt.asked)]


def _page(requests: list[Request]) -> str:
    """Every message of every call; what a call has in common with the one before stands once."""
    page, last = "", {"system": "", "user": "", "schema": ""}
    for number, request in enumerate(requests, start=1):
        told = {"system": request.system, "user": request.user, "schema": request.schema + "\n"}
        for part, text in told.items():
            page += f"##### call {number}, {part}\n" + (text if text != last[part] else "(as before)\n")
        last = told
    return page


@pytest.mark.parametrize("name", rubric_names())
def test_the_text_that_a_judge_gets(name: str) -> None:
    text, path = _page(_requests(name)), GOLDEN / f"{name}.txt"
    if os.environ.get("JUDGE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def test_no_text_is_left_of_a_rubric_that_is_gone() -> None:
    assert sorted(path.stem for path in GOLDEN.iterdir()) == sorted(rubric_names())


@pytest.mark.parametrize("name", rubric_names())
def test_a_built_in_rubric_has_its_headings_in_order(name: str) -> None:
    text = resource_path("rubrics", f"{name}.yaml").read_text(encoding="utf-8")
    comments = "\n".join(line for line in text.splitlines() if line.startswith("# "))
    assert tuple(re.findall(r"^# ([A-Z][a-z ]+): ", comments, re.MULTILINE)) == HEADINGS
    assert load_rubric(name).name == name
