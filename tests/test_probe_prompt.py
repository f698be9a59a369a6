"""What a probe says is a file under golden/; all that is asked of a record begins with the same bytes.

`JUDGE_WRITE_GOLDEN=1 pytest tests/test_probe_prompt.py` writes the file anew: read the diff before it is committed.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from msgspec.structs import replace

from judge.errors import ConfigError
from judge.probe import build_probes
from judge.probe_prompt import LABELS, ProbePrompt, refuse_unprobed
from judge.prompt import JudgeModel, Prompt, Request
from judge.record import Record, build_record, parse_record
from judge.rubric import Rubric, load_rubric

HERE = Path(__file__).parent
RECORDS = [parse_record(line) for line in (HERE.parent / "examples" / "traces.jsonl").read_bytes().splitlines()]
PKR = load_rubric("pkr")
MODEL = JudgeModel(name="m", api_base="http://127.0.0.1:1/v1", params={"temperature": 0})
PROMPT = ProbePrompt(PKR)


def asked_of(record: Record, *, samples: int = 1) -> list[Request]:
    """Everything that may be asked of a record, unit by unit: presence, correctness, evidence."""
    groups = build_probes(record, PKR, "unit")
    return [
        request
        for presence in PROMPT.ask_first(groups, MODEL, samples=samples)
        for request in (presence, PROMPT.ask_correctness(presence), PROMPT.ask_evidence(presence))
    ]


def test_the_text_that_is_sent() -> None:
    unit = {
        "unit_id": "K1",
        "claim": "Air rises.",
        "presence_question": "Is air\nmentioned?",
        "correctness_question": "Up?",
    }
    record = build_record({"question": "Why?", "trace": "It is clear.", "units": {"knowledge": [unit]}})
    requests = asked_of(record)
    requests.append(PROMPT.complain(requests[0], ["it must be one digit: 0, 1, 2"]))
    pages = [f"##### system\n{requests[0].system}", f"##### user, shared by all\n{requests[0].shared}"]
    pages += [f"##### then\n{request.asked}{request.complaint}" for request in requests]
    pages += [f"##### schema of the last but one\n{requests[2].schema}\n"]
    _same_as_golden("probe", "".join(pages))


def _same_as_golden(name: str, text: str) -> None:
    path = HERE / "golden" / f"{name}.txt"
    if os.environ.get("JUDGE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


def with_axes(**axes: object) -> Rubric:
    return Rubric.model_validate({"name": "r", "version": "1", "description": "d", "axes": axes})


def a_scale(*levels: int, description: str = "How\nwell?") -> dict[str, object]:
    told = [{"level": level, "anchor": f"As level\n{level}."} for level in levels]
    return {"kind": "scale", "description": description, "levels": told}


CHECKLIST = {"kind": "checklist", "description": "Facts."}
MIXED = with_axes(knowledge=CHECKLIST, style=a_scale(0, 2, 9), clarity=a_scale(1, 2, description="Is it clear?"))


def asked_of_mixed() -> list[Request]:
    record = build_record({"trace": "Air rises.", "units": {"knowledge": [{"unit_id": "K1", "claim": "Air rises."}]}})
    return ProbePrompt(MIXED).ask_first(build_probes(record, MIXED, "unit"), MODEL)


def test_the_text_of_a_scale() -> None:
    rubric = load_rubric("prometheus")
    record = build_record({"question": "Why?", "reference": {"answer": "Heat."}, "trace": "It is clear."})
    (request,) = ProbePrompt(rubric).ask_first(build_probes(record, rubric, "unit"), MODEL)
    again = PROMPT.complain(request, ["it must be one digit: 1, 2, 3, 4, 5"])
    pages = [("system", request.system), ("user, shared by all", request.shared), ("then", request.asked)]
    pages += [("then", again.asked + again.complaint), ("labels", f"{', '.join(request.labels)}\n")]
    _same_as_golden("probe_scale", "".join(f"##### {name}\n{text}" for name, text in pages))


def test_a_scale_is_one_token_of_its_levels_and_its_text_comes_last() -> None:
    unit, style, clarity = asked_of_mixed()
    assert (unit.labels, style.labels, clarity.labels) == (LABELS, ("0", "2", "9"), ("1", "2"))
    assert style.schema == clarity.schema == ""
    # Nothing of a scale is before its record, so that scales share all that comes before.
    assert (style.system, style.shared) == (clarity.system, clarity.shared)
    assert style.shared == unit.shared and style.system != unit.system
    assert style.user == style.shared + style.asked and "level" not in style.shared
    assert 'u1 (style): "How well?"\n' in style.asked
    assert "\n0: As level 0.\n2: As level 2.\n9: As level 9.\nAnswer with one digit, 0, 2 or 9:" in style.asked
    assert "Answer with one digit, 1 or 2:" in clarity.asked


def test_a_scale_changes_the_fingerprint_and_checklists_keep_theirs() -> None:
    # Whoever changes this changes every judge that probes: run directories of before are refused.
    assert PROMPT.fingerprint == "67b08e5f14cc"
    assert ProbePrompt(MIXED).fingerprint == ProbePrompt(load_rubric("prometheus")).fingerprint != PROMPT.fingerprint


@pytest.mark.parametrize("levels", [range(10), (0, 9), (1, 2, 3, 4, 5)])
def test_levels_of_one_digit_can_be_probed(levels: tuple[int, ...]) -> None:
    refuse_unprobed(with_axes(a=CHECKLIST, b=a_scale(*levels)))


@pytest.mark.parametrize(
    ("axes", "said"),
    [
        ({"a": a_scale(1, 10)}, "one digit, and the scale 'a' has levels that are none: 10. Number its levels from 0"),
        ({"a": a_scale(-2, -1, 0, 1)}, "the scale 'a' has levels that are none: -2, -1. Number its levels from 0 to 9"),
        ({"a": a_scale(0, 1), "b": a_scale(*range(11))}, "the scale 'b' has levels that are none: 10."),
        (
            {"a": a_scale(0, 1), "b": {"kind": "criteria", "description": "d"}},
            "only checklists and scales can be probed, and the rubric 'r' has axes of other kinds: b (criteria).",
        ),
    ],
)
def test_what_one_token_cannot_say_is_refused(axes: dict[str, object], said: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(said)) as caught:
        refuse_unprobed(with_axes(**axes))
    assert "eave --probe out." in str(caught.value)


@pytest.mark.parametrize("record", RECORDS[::5], ids=lambda record: record.id)
def test_all_that_is_asked_of_a_record_begins_with_the_same_bytes(record: Record) -> None:
    requests = asked_of(record, samples=2)
    assert len({(request.system, request.shared) for request in requests}) == 1
    assert requests[0].shared == Prompt(PKR).build_requests(build_probes(record, PKR, "unit"), MODEL)[0].shared
    assert requests[0].shared.rstrip().endswith(">")  # the trace's fence
    assert all(request.user.startswith(request.shared) for request in requests)


@pytest.mark.parametrize("record", RECORDS[::5], ids=lambda record: record.id)
def test_all_that_is_asked_of_a_unit_shares_its_claim_too(record: Record) -> None:
    requests = asked_of(record)
    for presence, *others in zip(requests[::3], requests[1::3], requests[2::3], strict=True):
        head = presence.asked.partition("Question of presence:")[0]
        assert presence.probes.asked[0].unit.claim in head.replace('\\"', '"')
        assert all(other.asked.startswith(head) for other in others)


def test_a_probe_is_one_token_and_a_quote_is_json() -> None:
    presence, correctness, evidence = asked_of(RECORDS[0])[:3]
    assert (presence.labels, presence.schema) == (LABELS, "") == (correctness.labels, correctness.schema)
    assert evidence.labels == ()
    assert evidence.schema == (
        '{"type":"object","properties":{"evidence":{"type":"string"}},"required":["evidence"],"additionalProperties":false}'
    )


def test_every_request_has_a_key_of_its_own() -> None:
    requests = asked_of(RECORDS[0], samples=2)
    assert len({request.key for request in requests}) == len(requests)
    again = PROMPT.ask_correctness(PROMPT.complain(replace(requests[0], ask=2), ["a"]))
    assert (again.key, again.call_id) == (requests[1].key, requests[1].call_id)  # whatever came before it


def test_the_fingerprint_is_another_than_that_of_verdicts_in_writing() -> None:
    assert PROMPT.fingerprint == ProbePrompt(PKR.model_copy(update={"guidelines": "x"})).fingerprint
    assert PROMPT.fingerprint not in {Prompt(PKR, evidence=evidence).fingerprint for evidence in (True, False)}
