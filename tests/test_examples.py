"""`examples/traces.jsonl` is what a newcomer scores first: it must be well formed, and as its README says."""

import itertools
import json
import re
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).parents[1] / "examples"
TEXT = (EXAMPLES / "traces.jsonl").read_bytes().decode("utf-8")
README = (EXAMPLES / "README.md").read_text(encoding="utf-8")
LINES = TEXT.splitlines()
AXES = ("perception", "knowledge", "rationale")
UNIT_FIELDS = {
    "unit_id", "claim", "topic", "source_quote", "importance", "presence_question", "correctness_question",
}  # fmt: skip
SHARED_FIELDS = ("question", "options", "context", "reference", "units")


def _no_duplicate_keys(pairs: list[tuple[str, object]]) -> dict[str, object]:
    keys = [key for key, _ in pairs]
    assert len(keys) == len(set(keys)), f"duplicate key among {keys}"
    return dict(pairs)


def _no_constant(name: str) -> None:
    raise AssertionError(f"{name} is not JSON")


def _load(line: str) -> dict:
    return json.loads(line, object_pairs_hook=_no_duplicate_keys, parse_constant=_no_constant)


RECORDS = [_load(line) for line in LINES]
each_record = pytest.mark.parametrize("record", RECORDS, ids=lambda r: f"{r['id']}/{r['model']}")


def _units(record: dict) -> list[dict]:
    return [unit for axis in AXES for unit in record["units"][axis]]


def _answer(text: str) -> str | None:
    found = re.findall(r"<answer>(.*?)</answer>", text)
    return found[-1] if found else None


def _traces(intent: str) -> list[str]:
    return [record["trace"] for record in RECORDS if record["meta"]["intent"] == intent]


def test_one_record_a_line() -> None:
    assert TEXT.endswith("}\n")
    assert "\r" not in TEXT
    assert len(LINES) == TEXT.count("\n") >= 12
    assert all(line == line.strip() for line in LINES)


@each_record
def test_every_axis_has_units(record: dict) -> None:
    assert tuple(record["units"]) == AXES
    assert all(record["units"][axis] for axis in AXES)


@each_record
def test_units_are_whole_and_their_ids_unique(record: dict) -> None:
    units = _units(record)
    ids = [unit["unit_id"] for unit in units]
    assert len(ids) == len(set(ids))
    assert all(set(unit) == UNIT_FIELDS and all(unit.values()) for unit in units)
    assert {unit["importance"] for unit in units} <= {"core", "supporting"}


@each_record
def test_source_quotes_are_verbatim(record: dict) -> None:
    reasoning = record["reference"]["reasoning"]
    missing = [unit["unit_id"] for unit in _units(record) if unit["source_quote"] not in reasoning]
    assert missing == []


@each_record
def test_reference_answer_is_an_option(record: dict) -> None:
    assert record["reference"]["answer"] in record["options"]
    assert _answer(record["reference"]["reasoning"]) == record["reference"]["answer"]


def test_an_id_is_one_question() -> None:
    for first, second in itertools.combinations(RECORDS, 2):
        if first["id"] == second["id"]:
            assert first["model"] != second["model"]
            assert [first[f] for f in SHARED_FIELDS] == [second[f] for f in SHARED_FIELDS]


def test_every_model_answers_every_question() -> None:
    ids, models = {r["id"] for r in RECORDS}, {r["model"] for r in RECORDS}
    assert len(models) >= 2
    assert {(r["id"], r["model"]) for r in RECORDS} == set(itertools.product(ids, models))


def test_a_trace_is_without_content() -> None:
    assert _traces("no_content")
    empty = re.compile(r"\W*(thought process)?\W*", re.IGNORECASE)
    assert all(empty.fullmatch(trace) for trace in _traces("no_content"))


def test_a_trace_contradicts_itself_on_the_side() -> None:
    assert _traces("self_contradiction")
    assert all({"left", "right"} <= set(re.findall(r"\w+", t)) for t in _traces("self_contradiction"))


def test_answers_fit_the_intents() -> None:
    """All other intents have the right letter: that is what makes their reasoning worth a look."""
    for record in RECORDS:
        intent, answer = record["meta"]["intent"], _answer(record["trace"])
        if intent in {"no_content", "no_answer"}:
            assert answer is None
        else:
            assert answer in record["options"]
            assert (answer != record["reference"]["answer"]) == intent.startswith("wrong_letter")


def test_a_trace_without_an_answer_holds_no_letter_and_no_option() -> None:
    for record in (r for r in RECORDS if r["meta"]["intent"] == "no_answer"):
        assert not re.search(r"\b[A-E]\b|boxed", record["trace"])
        assert not any(text.lower() in record["trace"].lower() for text in record["options"].values())


def test_readme_tables_name_the_intents() -> None:
    rows = dict(re.findall(r"^\| `(ex-\S+)` \|(.*)\|$", README, re.MULTILINE))
    for record_id, group in itertools.groupby(RECORDS, key=lambda r: r["id"]):
        intents = [record["meta"]["intent"] for record in sorted(group, key=lambda r: r["model"])]
        assert re.findall(r"`(\w+)`", rows[record_id]) == intents
        assert all(f"\n| `{intent}` |" in README for intent in intents)
