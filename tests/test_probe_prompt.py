"""What a probe says is a file under golden/; all that is asked of a record begins with the same bytes.

`JUDGE_WRITE_GOLDEN=1 pytest tests/test_probe_prompt.py` writes the file anew: read the diff before it is committed.
"""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from msgspec.structs import replace

from judge.probe import build_probes
from judge.probe_prompt import LABELS, ProbePrompt
from judge.prompt import JudgeModel, Prompt, Request
from judge.record import Record, build_record, parse_record
from judge.rubric import load_rubric

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
    text, path = "".join(pages), HERE / "golden" / "probe.txt"
    if os.environ.get("JUDGE_WRITE_GOLDEN"):
        path.write_text(text, encoding="utf-8")
    assert text == path.read_text(encoding="utf-8")


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
