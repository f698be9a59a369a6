"""A reply is read as it was declared or not at all: no coercion, no repair, no default."""

from __future__ import annotations

import json
from typing import Any

import pytest

from judge.backend import Reply
from judge.errors import MalformedReplyError, OffMenuError, ReplyError, TruncatedReplyError
from judge.evidence import TraceText
from judge.probe import AskedUnit
from judge.record import Unit
from judge.verdict import contentless_verdict, failed_verdict, verify
from judge.words import PlainUnitReply, UnitReply, parse_reply

ONE = '{"u1": {"evidence": null, "reason": "r", "presence": 0, "correctness": null}}'
OTHER = '{"u1": {"evidence": "e", "reason": "r", "presence": 2, "correctness": 1}}'


def parse(text: str, units: int = 1, *, evidence: bool = True, finish_reason: str | None = "stop") -> list[Any]:
    return parse_reply(Reply(text=text, finish_reason=finish_reason), units, evidence=evidence)


def with_value(field: str, raw: str) -> str:
    """A reply that raises its unit, with this JSON text in one field."""
    values = {"evidence": '"e"', "reason": '"r"', "presence": "2", "correctness": "1", field: raw}
    return '{"u1": {' + ", ".join(f'"{name}": {value}' for name, value in values.items()) + "}}"


# JO-01, JO-02: what stands around the object


@pytest.mark.parametrize(
    "text",
    [
        ONE,
        f"  \n{ONE}\n\n",
        f"```json\n{ONE}\n```",
        f"```JSON\n{ONE}\n```",
        f"```\n{ONE}\n```",
        f"```json  \n\n{ONE}\n\n```",
        f"```json\r\n{ONE}\r\n```",
        f"```json\n{ONE}```",
        f"~~~\n{ONE}\n~~~",
        f"~~~json\n{ONE}\n~~~",
        f"\n```json\n{ONE}\n```\n",
        f"<think></think>{ONE}",
        f"<think>\nFirst the base.\n</think>\n\n{ONE}",
        f"  <think>a</think>```json\n{ONE}\n```",
        f"<think>My draft: {OTHER}</think>{ONE}",
        f"My draft: {OTHER}\n</think>\n{ONE}",  # the template wrote the opening tag
        f"<think>My draft:\n```json\n{OTHER}\n```\n</think>\n{ONE}",
        json.dumps(json.loads(ONE), indent=4),
    ],
)
def test_one_fence_and_one_think_block_are_taken_off(text: str) -> None:
    assert parse(text) == [UnitReply(evidence=None, reason="r", presence=0, correctness=None)]


@pytest.mark.parametrize(
    ("text", "code"),
    [
        (f"Here it is:\n{ONE}", "not_json"),
        (f"{ONE}\nI hope that this helps.", "not_json"),
        (f"Here it is:\n```json\n{ONE}\n```", "not_json"),
        (f"```json\n{ONE}\n```\nDone.", "not_json"),
        (f"```json\n{ONE}\n~~~", "not_json"),
        (f"```json\n{ONE}", "not_json"),
        (f"{ONE}\n```", "not_json"),
        (f"````json\n{ONE}\n````", "not_json"),
        (f"```\n```json\n{ONE}\n```\n```", "not_json"),
        (f"```json\n{ONE}\n```\n```json\n{OTHER}\n```", "not_json"),
        (f"Hm. <think>a</think>{ONE}", "not_json"),
        (f"<think>a</think>Now: {ONE}", "not_json"),
        (f"<think>a</think>{ONE}</think>{OTHER}", "not_json"),
        (f"{ONE}<think>was that right?</think>", "not_json"),
        (f"<THINK>a</THINK>{ONE}", "not_json"),
        (f"\ufeff{ONE}", "not_json"),
        ("<think>a</think>", "empty"),
        ("<think>a</think> \n ", "empty"),
        ("<think>", "truncated"),
        (f"<think>{OTHER}", "truncated"),
        (f"<think>a</think><think>{OTHER}", "not_json"),
        (f"<think>a</think> <think>b</think>{OTHER}", "not_json"),
    ],
)
def test_nothing_cleverer_than_that(text: str, code: str) -> None:
    with pytest.raises(ReplyError) as caught:
        parse(text)
    assert caught.value.code == code


def test_a_fence_and_a_think_block_inside_a_string_are_text() -> None:
    (unit,) = parse(with_value("reason", json.dumps("</think> ```\n<think>")))
    assert unit.reason == "</think> ```\n<think>"


# JO-03, JO-04, JO-05, JO-12: no whole answer


def test_a_reply_cut_at_the_limit_is_never_read_even_where_it_looks_whole() -> None:
    with pytest.raises(TruncatedReplyError, match=r"cut at the token limit after \d+ characters") as caught:
        parse(ONE, finish_reason="length")
    assert caught.value.code == "truncated"
    with pytest.raises(TruncatedReplyError, match="after 16000 characters; 100 % of it is white space"):
        parse(" " * 16_000, finish_reason="length")
    with pytest.raises(TruncatedReplyError, match=r"after 0 characters\. Raise --param max_tokens"):
        parse("", finish_reason="length")


@pytest.mark.parametrize("text", ["", " ", "\n\t\r", "\u00a0\u2003"])
def test_empty(text: str) -> None:
    with pytest.raises(MalformedReplyError) as caught:
        parse(text)
    assert caught.value.code == "empty"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("null", "NoneType"),
        ('""', "str"),
        ("[]", "list"),
        (f"[{ONE}]", "list"),
        ("2", "int"),
        ("2.0", "float"),
        ("true", "bool"),
    ],
)
def test_json_that_is_no_object(text: str, said: str) -> None:
    with pytest.raises(MalformedReplyError, match=f"the reply is a JSON {said}, not an object") as caught:
        parse(text)
    assert caught.value.code == "not_json"


@pytest.mark.parametrize("finish_reason", ["refusal", "content_filter"])
@pytest.mark.parametrize("text", ["", ONE, "I can't."])
def test_a_refusal_is_no_kind_of_verdict(finish_reason: str, text: str) -> None:
    with pytest.raises(ReplyError, match="refused") as caught:
        parse(text, finish_reason=finish_reason)
    assert caught.value.code == "refusal"
    # None of those that are worth another ask.
    assert not isinstance(caught.value, MalformedReplyError | TruncatedReplyError | OffMenuError)


@pytest.mark.parametrize("finish_reason", [None, "stop", "end_turn", "tool_calls"])
def test_a_servers_own_word_for_the_end_is_no_reason_to_refuse(finish_reason: str | None) -> None:
    assert parse(ONE, finish_reason=finish_reason)


# JO-09, JO-10, JO-17: two opinions, or none in the declared form


@pytest.mark.parametrize("text", [ONE + OTHER, OTHER + ONE, f"{ONE}\n{OTHER}", f"{ONE}, {OTHER}", ONE + ONE])
def test_of_two_objects_neither_is_used(text: str) -> None:
    with pytest.raises(MalformedReplyError):
        parse(text)


@pytest.mark.parametrize(
    "text",
    [
        ONE[:-1] + ", " + OTHER[1:],
        with_value("presence", '2, "presence": 2'),
        with_value("presence", '0, "presence": 2'),
        with_value("presence", '2, "pre\\u0073ence": 0'),
    ],
)
def test_duplicate_keys_are_refused(text: str) -> None:
    with pytest.raises(MalformedReplyError) as caught:
        parse(text)
    assert caught.value.code == "duplicate_key"


@pytest.mark.parametrize(
    "text",
    [
        "I'd give u1 a 2: it is clearly raised and right.",
        "u1: presence 2, correctness 1",
        "u1:\n  evidence: null\n  reason: r\n  presence: 2\n  correctness: 1",
        "{'u1': {'evidence': None, 'reason': 'r', 'presence': 2, 'correctness': 1}}",
        '<u1><presence>2</presence><correctness>1</correctness></u1>"',
        "presence=2",
        "Ich gebe eine 2.",
    ],
)
def test_prose_is_not_searched_for_numbers(text: str) -> None:
    with pytest.raises(MalformedReplyError) as caught:
        parse(text)
    assert caught.value.code == "not_json"


# JO-06, JO-07: units


BOTH = {"u1": json.loads(OTHER)["u1"], "u2": json.loads(ONE)["u1"]}


def test_units_may_come_in_any_order_and_are_matched_by_name() -> None:
    for order in (BOTH, dict(reversed(BOTH.items()))):
        assert [unit.presence for unit in parse(json.dumps(order), 2)] == [2, 0]


@pytest.mark.parametrize(
    ("value", "faults"),
    [
        ({}, ["u1 is missing", "u2 is missing"]),
        ({"u1": BOTH["u1"]}, ["u2 is missing"]),
        ({"units": []}, ["u1 is missing", "u2 is missing", "1 keys are not among u1 … u2"]),
        ({**BOTH, "u3": BOTH["u1"]}, ["1 keys are not among u1 … u2"]),
        ({**BOTH, "summary": "s", "": 1}, ["2 keys are not among u1 … u2"]),
        ({"U1": BOTH["u1"], "u2": BOTH["u2"]}, ["u1 is missing", "1 keys are not among u1 … u2"]),
        ({"u1 ": BOTH["u1"], "u2": BOTH["u2"]}, ["u1 is missing", "1 keys are not among u1 … u2"]),
        ({"u01": BOTH["u1"], "u2": BOTH["u2"]}, ["u1 is missing", "1 keys are not among u1 … u2"]),
        ({"u١": BOTH["u1"], "u2": BOTH["u2"]}, ["u1 is missing", "1 keys are not among u1 … u2"]),
        ({"K1": BOTH["u1"], "K2": BOTH["u2"]}, ["u1 is missing", "u2 is missing", "2 keys are not among u1 … u2"]),
        ({"u0": BOTH["u1"], "u1": BOTH["u2"]}, ["u2 is missing", "1 keys are not among u1 … u2"]),
        (
            {f"u{n}": BOTH["u1"] for n in range(1, 10_001)},
            ["9998 keys are not among u1 … u2"],
        ),
        ({"u1": None, "u2": BOTH["u2"]}, ["u1 has wrong keys"]),
        ({"u1": [BOTH["u1"]], "u2": 2}, ["u1 has wrong keys", "u2 has wrong keys"]),
        ({"u1": {}, "u2": BOTH["u2"]}, [
            "u1.evidence must be a quote from the trace, or null",
            "u1.reason must be text",
            "u1.presence must be 0, 1 or 2",
            "u1.correctness must be -1, 0 or 1, or null where presence is 0",
        ]),
    ],
)  # fmt: skip
def test_every_unit_exactly_once(value: dict[str, Any], faults: list[str]) -> None:
    with pytest.raises(OffMenuError) as caught:
        parse(json.dumps(value, ensure_ascii=False), 2)
    assert list(caught.value.faults) == faults
    assert caught.value.message == "; ".join(faults) + "."
    assert caught.value.code == "off_menu"


# JO-08, JO-11: values

NO_JSON = [
    *("NaN", "Infinity", "-Infinity", "1e999", "-1e999", "٣", "²", "2٣", "+1", "02", "0x2", "1_0", "two", "2/2", ".5"),
    "1" + "0" * 30,
    "",
]
NO_INTEGER = ['"5"', '"2"', '"1"', '"0"', '"five"', '"5/5"', '""', "2.0", "1.0", "0.0", "1e0", "2E0", "true", "false"]
NO_INTEGER += ["[2]", "[]", "{}", '{"value": 2}']


@pytest.mark.parametrize("raw", NO_JSON)
@pytest.mark.parametrize("field", ["presence", "correctness"])
def test_a_number_that_is_no_json_spoils_the_reply(field: str, raw: str) -> None:
    with pytest.raises(MalformedReplyError) as caught:
        parse(with_value(field, raw))
    assert caught.value.code == "not_json"


@pytest.mark.parametrize("raw", [*NO_INTEGER, "null", "3", "-1", "-2", "10", "999999999999999999"])
def test_presence_off_the_menu(raw: str) -> None:
    with pytest.raises(OffMenuError, match=r"u1\.presence must be 0, 1 or 2"):
        parse(with_value("presence", raw))


@pytest.mark.parametrize("raw", [*NO_INTEGER, "2", "-2", "3", "100"])
def test_correctness_off_the_menu(raw: str) -> None:
    with pytest.raises(OffMenuError, match=r"u1\.correctness must be -1, 0 or 1, or null"):
        parse(with_value("correctness", raw))


@pytest.mark.parametrize("presence", ["1", "2"])
def test_a_raised_unit_needs_a_correctness(presence: str) -> None:
    text = with_value("correctness", "null").replace('"presence": 2', f'"presence": {presence}')
    with pytest.raises(OffMenuError, match=r"u1\.correctness is null although u1\.presence is not 0"):
        parse(text)
    assert parse(text.replace(f'"presence": {presence}', '"presence": 0'))


@pytest.mark.parametrize("field", ["presence", "correctness"])
def test_minus_zero_is_zero(field: str) -> None:
    """The one other spelling that JSON has for a whole number on the menu; it says the same."""
    (unit,) = parse(with_value(field, "-0"))
    assert getattr(unit, field) == 0
    assert unit == parse(with_value(field, "0"))[0]


@pytest.mark.parametrize("raw", ["null", "2", "true", "[]", "{}"])
def test_a_reason_is_text(raw: str) -> None:
    with pytest.raises(OffMenuError, match=r"u1\.reason must be text"):
        parse(with_value("reason", raw))


@pytest.mark.parametrize("raw", ["2", "false", "[]", "{}", '["e"]'])
def test_evidence_is_text_or_null(raw: str) -> None:
    with pytest.raises(OffMenuError, match=r"u1\.evidence must be a quote from the trace, or null"):
        parse(with_value("evidence", raw))


@pytest.mark.parametrize("extra", ['"score": 1', '"Presence": 2', '"presence ": 2', '"u1": {}', '"": 0'])
def test_extra_fields_are_wrong_keys(extra: str) -> None:
    with pytest.raises(OffMenuError) as caught:
        parse(with_value("presence", f"2, {extra}"))
    assert caught.value.faults == ("u1 has wrong keys",)


def test_all_faults_are_told_at_once() -> None:
    value = {"u1": {**BOTH["u1"], "presence": 3, "correctness": 2}, "u2": {**BOTH["u2"], "reason": None}}
    with pytest.raises(OffMenuError) as caught:
        parse(json.dumps(value), 2)
    assert [fault.split()[0] for fault in caught.value.faults] == ["u1.presence", "u1.correctness", "u2.reason"]


def test_a_reason_of_a_megabyte() -> None:
    (unit,) = parse(with_value("reason", json.dumps("x" * 2**20)))
    assert len(unit.reason) == 2**20


@pytest.mark.parametrize("text", ["\x00", "\x1b[31mred\x1b[0m", "\u202egnp.exe", "\u2028", "🫁", "\\ud83e\\udec1"])
def test_strange_characters_are_text(text: str) -> None:
    (unit,) = parse(with_value("reason", json.dumps(text)))
    assert unit.reason == text


@pytest.mark.parametrize("raw", [r'"\ud800"', r'"a\udc00b"', '"a\nb"', '"a\x00b"', r'"\x41"', '"a'])
def test_what_is_no_json_text_spoils_the_reply(raw: str) -> None:
    with pytest.raises(MalformedReplyError):
        parse(with_value("reason", raw))


def test_nesting_that_ends_other_parsers() -> None:
    with pytest.raises(MalformedReplyError, match="nested too deeply"):
        parse('{"u1": ' * 100_000)


def test_without_evidence_the_declared_form_is_another() -> None:
    plain = '{"u1": {"reason": "r", "presence": 1, "correctness": 0}}'
    assert parse(plain, evidence=False) == [PlainUnitReply(reason="r", presence=1, correctness=0)]
    for text, evidence in ((plain, True), (OTHER, False)):
        with pytest.raises(OffMenuError):
            parse(text, evidence=evidence)


# verify

TRACE = TraceText("The left base is opaque.\nThe heart is enlarged.")
UNIT = AskedUnit(axis="knowledge", unit=Unit(unit_id="K7", claim="The heart is large.", importance="core"), weight=2.5)


def said(presence: int, correctness: int | None, evidence: str | None) -> UnitReply:
    return UnitReply(evidence=evidence, reason="r", presence=presence, correctness=correctness)


@pytest.mark.parametrize("presence", [1, 2])
@pytest.mark.parametrize("correctness", [-1, 0, 1])
@pytest.mark.parametrize("rule", ["required", "flag"])
def test_found_evidence_is_stored_as_the_trace_has_it(presence: int, correctness: int, rule: Any) -> None:
    verdict = verify(said(presence, correctness, "LEFT BASE is opaque. the heart"), UNIT, TRACE, rule, sample=3)
    # "The " is 4 code points, and "left base is opaque.\nThe heart" is 30.
    assert (verdict.evidence_start, verdict.evidence_end) == (4, 34)
    assert verdict.evidence == "left base is opaque.\nThe heart"
    assert (verdict.evidence_found, verdict.reason, verdict.failure) == ("normalised", "r", None)
    assert (verdict.presence, verdict.correctness, verdict.judged) == (presence, correctness, True)
    assert (verdict.axis, verdict.unit_id, verdict.claim) == ("knowledge", "K7", "The heart is large.")
    assert (verdict.importance, verdict.weight, verdict.sample) == ("core", 2.5, 3)


@pytest.mark.parametrize(
    ("quote", "failure"),
    [
        (None, "evidence_missing"),
        ("", "evidence_missing"),
        ("  ", "evidence_not_found"),
        ("…", "evidence_not_found"),
        ("the heart is not enlarged", "evidence_not_found"),
        ("The heart is large.", "evidence_not_found"),  # the claim, not the trace
    ],
)
def test_required_evidence_that_is_not_there(quote: str | None, failure: str) -> None:
    verdict = verify(said(2, 1, quote), UNIT, TRACE, "required")
    assert (verdict.presence, verdict.correctness, verdict.failure, verdict.judged) == (None, None, failure, False)
    assert (verdict.evidence, verdict.evidence_found, verdict.evidence_start) == (quote, "no", None)

    flagged = verify(said(2, 1, quote), UNIT, TRACE, "flag")
    assert (flagged.presence, flagged.correctness, flagged.failure, flagged.judged) == (2, 1, None, True)
    assert (flagged.evidence, flagged.evidence_found, flagged.evidence_end) == (quote, "no", None)


def test_without_the_rule_no_evidence_is_looked_at() -> None:
    for reply in (PlainUnitReply(reason="r", presence=2, correctness=1), said(2, 1, "not there")):
        verdict = verify(reply, UNIT, TRACE, "none")
        assert (verdict.presence, verdict.evidence, verdict.evidence_found, verdict.failure) == (2, None, None, None)


@pytest.mark.parametrize("rule", ["required", "flag", "none"])
@pytest.mark.parametrize("correctness", [None, -1, 0, 1])
@pytest.mark.parametrize("quote", [None, "The heart is enlarged", "not there"])
def test_a_unit_that_is_not_raised_has_neither_correctness_nor_evidence(
    rule: Any, correctness: int | None, quote: str | None
) -> None:
    verdict = verify(said(0, correctness, quote), UNIT, TRACE, rule)
    assert (verdict.presence, verdict.correctness, verdict.failure, verdict.judged) == (0, None, None, True)
    assert (verdict.evidence, verdict.evidence_start, verdict.evidence_end) == (None, None, None)
    assert (verdict.evidence_found, verdict.reason) == (None, "r")


def test_no_verdict_and_no_content() -> None:
    failed = failed_verdict(UNIT, sample=1, failure="timeout", call_id="c")
    assert (failed.presence, failed.failure, failed.call_id, failed.judged, failed.sample) == (
        *(None, "timeout", "c"),
        *(False, 1),
    )
    empty = contentless_verdict(UNIT, sample=1)
    assert (empty.presence, empty.correctness, empty.reason, empty.judged) == (0, None, "no_content", True)
