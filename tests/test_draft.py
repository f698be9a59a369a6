"""A file of records -> a file of units: what is asked, checked, kept, paid, and never lost."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from draft_kit import (
    AXES,
    DARK,
    PRESSURE,
    REASONING,
    RECORD,
    RETURN,
    TRACHEA,
    UNITS,
    Writer,
    axis_of,
    make_unit,
    read_lines,
    run_draft,
)

from judge.errors import ConfigError, FatalError, InputError, RubricError
from judge.record import parse_record
from judge.rubric import load_rubric
from judge.testing import Server

ORDER = ["unit_id", "topic", "claim", "source_quote", "importance", "presence_question", "correctness_question"]


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "units.jsonl"


def named(number: int, **changes: Any) -> dict[str, Any]:
    """Records with other questions, so that no two requests are one."""
    return {**RECORD, "id": f"r{number}", "question": f"Question {number}?", **changes}


def notes(row: dict[str, Any]) -> dict[str, Any]:
    return dict(row["meta"]["draft"])


def edit(path: Path, *, at: int = 0, claim: str = "Edited by a person.") -> None:
    rows = read_lines(path)
    rows[at]["units"]["perception"][0]["claim"] = claim
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")


# --- what is written -----------------------------------------------------------------------------------------------


def test_the_line_of_a_record(out: Path) -> None:
    with Server(script=Writer()) as server:
        report = run_draft([RECORD], out, server)
        assert server.ledger.requests == len(AXES)
    (row,) = read_lines(out)
    assert list(row) == ["id", "question", "options", "context", "reference", "units", "meta"]
    assert {name: row[name] for name in RECORD} == RECORD
    assert {axis: [unit["unit_id"] for unit in units] for axis, units in row["units"].items()} == {
        "perception": ["P1", "P2"],
        "knowledge": ["K1"],
        "rationale": ["R1"],
    }
    first = row["units"]["perception"][0]
    assert list(first) == ORDER
    assert first == {"unit_id": "P1", **UNITS["perception"][0]}
    # The letters of REASONING are counted in draft_kit.py: all but the So of the last sentence.
    assert notes(row)["coverage"] == {
        "sentences": 4,
        "covered": 4,
        "characters": 101,
        "quoted": 99,
        "uncovered": [],
    }
    assert (notes(row)["merged"], notes(row)["dropped"], notes(row)["warnings"]) == ([], [], [])
    assert notes(row)["judge"] == report.judge and notes(row)["rubric"] == "pkr@1.0"
    assert (report.finished, report.read, len(report.drafted), report.failed) == (True, 1, 1, 0)


def test_every_source_quote_is_in_the_reference_and_every_line_is_a_record(out: Path) -> None:
    loose = {**UNITS, "knowledge": [make_unit("trapped AIR  raises pressure…")]}
    with Server(script=Writer(loose)) as server:
        run_draft([RECORD], out, server)
    record = parse_record(json.dumps({**read_lines(out)[0], "trace": "It is dark."}).encode())
    units = [unit for units in record.units.values() for unit in units]
    assert len(units) == 4
    assert all(unit.source_quote and unit.source_quote in REASONING for unit in units)


def test_an_axis_may_have_no_unit(out: Path) -> None:
    with Server(script=Writer({**UNITS, "knowledge": []})) as server:
        run_draft([RECORD], out, server)
    (row,) = read_lines(out)
    assert row["units"]["knowledge"] == []
    assert notes(row)["coverage"]["uncovered"] == [f"{PRESSURE}."]


def test_lines_are_in_input_order(out: Path) -> None:
    with Server(script=Writer(), latency_ms=20, latency_sigma=1.0) as server:
        run_draft([named(number) for number in range(20)], out, server)
    assert [row["id"] for row in read_lines(out)] == [f"r{number}" for number in range(20)]


def test_what_a_record_has_besides_is_not_shown_and_not_written(out: Path) -> None:
    more = {"trace": "SECRET", "model": "SECRET", "units": {"perception": []}, "image": "ct.png", "price": 3}
    writer = Writer()
    with Server(script=writer) as server:
        run_draft([{**RECORD, **more}], out, server)
    assert "SECRET" not in json.dumps([ask.body for ask in writer.heard])
    assert all(not ask.images for ask in writer.heard)
    (row,) = read_lines(out)
    assert row["image"] == "ct.png"  # the judge that scores is shown it
    assert not {"trace", "model", "price"} & set(row)


# --- what code makes sure of ---------------------------------------------------------------------------------------


def test_an_invented_quote_is_asked_for_again(out: Path) -> None:
    wrong = {**UNITS, "knowledge": [make_unit("Helium raises pressure")]}
    writer = Writer(wrong, UNITS)
    with Server(script=writer) as server:
        run_draft([RECORD], out, server)
        assert server.ledger.requests == len(AXES) + 1
    (again,) = [ask for ask in writer.heard if ask.complaint]
    assert axis_of(again) == "knowledge"
    assert "- units[0].source_quote is not a passage of the reference\n" in again.complaint
    assert "Helium" not in str(again.body)  # what a judge wrote may carry what a reference told it to write
    assert notes(read_lines(out)[0])["dropped"] == []


def test_a_quote_that_stays_invented_costs_two_more_calls_and_its_unit(out: Path) -> None:
    invented = make_unit("Helium raises pressure", "Helium does it.")
    with Server(script=Writer({**UNITS, "knowledge": [invented, make_unit(PRESSURE)]})) as server:
        report = run_draft([RECORD], out, server)
        assert server.ledger.requests == len(AXES) + 2
    (row,) = read_lines(out)
    assert [unit["claim"] for unit in row["units"]["knowledge"]] == [f"{PRESSURE}."]
    # In full, so that a person can take it back.
    reason = "its source_quote is not in the reference"
    assert notes(row)["dropped"] == [{"axis": "knowledge", **invented, "reason": reason}]
    assert report.failed == 0


def test_the_last_reply_that_could_be_read_counts(out: Path) -> None:
    """Two re-asks that are no JSON do not cost the units of the first reply."""
    first = {**UNITS, "knowledge": [make_unit("Helium raises pressure"), make_unit(PRESSURE)]}
    with Server(script=Writer(first, {"knowledge": "I would rather not."})) as server:
        run_draft([RECORD], out, server)
    (row,) = read_lines(out)
    assert [unit["claim"] for unit in row["units"]["knowledge"]] == [f"{PRESSURE}."]
    assert len(notes(row)["dropped"]) == 1


def test_a_question_that_names_the_letter_is_asked_for_again_and_then_warned_of(out: Path) -> None:
    leak = make_unit(PRESSURE, presence_question="Does the trace choose option C?")
    with Server(script=Writer({**UNITS, "knowledge": [leak]})) as server:
        run_draft([RECORD], out, server)
        assert server.ledger.requests == len(AXES) + 2
    (warned,) = notes(read_lines(out)[0])["warnings"]
    assert (warned["unit_id"], warned["code"]) == ("K1", "names_answer")


def test_what_is_said_twice_is_merged_into_the_first_axis(out: Path) -> None:
    twice = {**UNITS, "rationale": [make_unit(DARK, "Left lung wholly dark"), *UNITS["rationale"]]}
    with Server(script=Writer(twice)) as server:
        run_draft([RECORD], out, server)
    (row,) = read_lines(out)
    assert [unit["unit_id"] for unit in row["units"]["rationale"]] == ["R1"]
    assert row["units"]["rationale"][0]["source_quote"] == RETURN
    assert notes(row)["merged"] == [{"axis": "rationale", "claim": "Left lung wholly dark", "into": "P1"}]


# --- what fails ----------------------------------------------------------------------------------------------------


def test_a_record_of_which_an_axis_fails_has_no_line(out: Path) -> None:
    """Units of some axes only would look like a whole reference."""
    with Server(script=Writer({**UNITS, "knowledge": "Sorry."})) as server:
        report = run_draft([RECORD], out, server)
        assert server.ledger.requests == len(AXES) + 2
    assert not out.exists()
    (failure,) = read_lines(out.with_name("units.jsonl.draft") / "failures.jsonl")
    assert (failure["stage"], failure["error"], failure["axis"]) == ("reply", "not_json", "knowledge")
    assert (failure["line"], failure["record_id"]) == (1, "r1")
    assert (report.finished, report.failed, len(report.failures)) == (True, 1, 1)


@pytest.mark.parametrize(
    ("record", "error", "message"),
    [
        ({**RECORD, "reference": {"answer": "C"}}, "no_reasoning", "line 1, reference.reasoning: is missing."),
        ({**RECORD, "reference": {"reasoning": "<think> </think>"}}, "no_reasoning", "says nothing."),
        ({**RECORD, "question": 3}, "wrong_type", "line 1, question"),
        ("{no json", "json_invalid", "line 1"),
    ],
)
def test_what_cannot_be_asked_about_fails_and_the_rest_goes_on(
    record: Any, error: str, message: str, out: Path
) -> None:
    with Server(script=Writer()) as server:
        report = run_draft([record, named(2)], out, server)
        assert server.ledger.requests == len(AXES)
    assert [row["id"] for row in read_lines(out)] == ["r2"]
    (failure,) = report.failures
    assert message in failure.message
    assert failure.error == error


def test_a_draft_without_a_unit_is_a_failure(out: Path) -> None:
    with Server(script=Writer({axis: [] for axis in AXES})) as server:
        report = run_draft([RECORD], out, server)
    assert [failure.error for failure in report.failures] == ["no_units"]


def test_a_question_is_drafted_once(out: Path) -> None:
    """Several models answered it; another question with its id is an error."""
    rows = [{**RECORD, "model": model, "trace": model} for model in "abc"]
    with Server(script=Writer()) as server:
        report = run_draft([*rows, {**RECORD, "context": "Another film."}], out, server)
        assert server.ledger.requests == len(AXES)
    assert (len(report.drafted), report.repeated, report.failed) == (1, 2, 1)
    assert report.failures[0].error == "duplicate_id"
    assert len(read_lines(out)) == 1


# --- money and edits -----------------------------------------------------------------------------------------------


def test_the_same_again_asks_for_nothing(out: Path) -> None:
    with Server(script=Writer()) as server:
        run_draft([named(1), named(2)], out, server)
        before = out.read_bytes()
        report = run_draft([named(1), named(2)], out, server)
        assert server.ledger.requests == 2 * len(AXES)
    assert out.read_bytes() == before
    assert (report.read, len(report.drafted), report.kept) == (2, 2, 0)
    assert report.spent["replies"] == 2 * len(AXES)


def test_a_draft_that_broke_off_goes_on_without_paying_twice(out: Path) -> None:
    """The key is refused from the third record on; all that was delivered before is in the journal."""
    writer = Writer()
    records = [named(number) for number in range(6)]

    def breaks(ask: Any) -> Any:
        if len(writer.heard) == 7:
            server.always = 401
        return writer(ask)

    with Server(script=breaks) as server:
        with pytest.raises(FatalError):
            run_draft(records, out, server, concurrency=1)
        done = [row["id"] for row in read_lines(out)]
        assert 0 < len(done) < 6
        server.always = None
        report = run_draft(records, out, server, concurrency=1)
        assert server.ledger.repaid == 0
        assert server.ledger.delivered == 6 * len(AXES)
    assert report.finished and len(report.drafted) == 6
    assert [row["id"] for row in read_lines(out)][: len(done)] == done


def test_lines_stay_while_the_server_is_down(out: Path) -> None:
    with Server(script=Writer()) as server:
        run_draft([named(1), named(2)], out, server)
        before = read_lines(out)
        server.always = 401
        with pytest.raises(FatalError):
            run_draft([named(3), named(1), named(2)], out, server, concurrency=1)
    assert sorted(row["id"] for row in read_lines(out)) == sorted(row["id"] for row in before)


def test_what_failed_is_asked_anew_and_only_that(out: Path) -> None:
    writer = Writer({**UNITS, "knowledge": "Sorry."})
    with Server(script=writer) as server:
        run_draft([RECORD], out, server)
        writer.first = writer.again = UNITS
        report = run_draft([RECORD], out, server)
        # Three axes, two re-asks of one; then the first ask of that one again.
        assert server.ledger.requests == len(AXES) + 2 + 1
    assert (report.failed, len(report.drafted)) == (0, 1)
    assert not (out.with_name("units.jsonl.draft") / "failures.jsonl").exists()


def test_what_a_person_edited_stays(out: Path) -> None:
    with Server(script=Writer()) as server:
        run_draft([named(1), named(2)], out, server)
        edit(out, at=1)
        before = read_lines(out)
        report = run_draft([named(1), named(2), named(3)], out, server)
        assert server.ledger.requests == 3 * len(AXES)
        assert read_lines(out)[:2] == before
        assert (len(report.drafted), report.kept) == (2, 1)
        # Also where the input does not have its record any more; what nobody edited goes.
        run_draft([named(3)], out, server)
    assert [row["id"] for row in read_lines(out)] == ["r3", "r2"]


def test_overwrite_starts_afresh(out: Path) -> None:
    with Server(script=Writer()) as server:
        run_draft([RECORD], out, server)
        edit(out)
        run_draft([RECORD], out, server, overwrite=True)
        assert server.ledger.requests == 2 * len(AXES)
    assert read_lines(out)[0]["units"]["perception"][0]["claim"] == f"{DARK}."


def test_another_judge_is_refused(out: Path) -> None:
    with Server(script=Writer()) as server:
        first = run_draft([RECORD], out, server)
        with pytest.raises(
            ConfigError, match=r"was drafted by hosted_vllm/any#\w{8} for pkr@1\.0, and this is"
        ) as caught:
            run_draft([RECORD], out, server, params={"temperature": 1})
        assert server.ledger.requests == len(AXES)
    assert first.judge in str(caught.value) and "--overwrite" in caught.value.hint


def test_a_file_of_somebody_else_is_refused(out: Path) -> None:
    out.write_text('{"id": "mine"}\n')
    with Server(script=Writer()) as server:
        with pytest.raises(ConfigError, match="exists, and was not drafted by this command"):
            run_draft([RECORD], out, server)
        with pytest.raises(ConfigError, match="is the file that is read"):
            run_draft([RECORD], out.with_name("records.jsonl"), server, overwrite=True)
        assert server.ledger.requests == 0
    assert out.read_text() == '{"id": "mine"}\n'


@pytest.mark.parametrize("line", ["{half", "[]", '{"id": 3}', '{"id": "r1"}\n{"id": "r1"}'])
def test_a_line_that_was_broken_by_hand_is_told_of(line: str, out: Path) -> None:
    with Server(script=Writer()) as server:
        run_draft([RECORD], out, server)
        out.write_text(f"{line}\n")
        with pytest.raises(ConfigError, match=r"units\.jsonl: line [12] is no JSON object with an id of its own"):
            run_draft([RECORD], out, server)


def test_the_baseline_writes_nothing(out: Path) -> None:
    with pytest.raises(ConfigError, match="lexical compares words and writes none; a draft needs a model"):
        run_draft([RECORD], out, "http://127.0.0.1:9/v1", judge="lexical", api_base=None)
    assert not out.exists()


def test_an_empty_input_touches_nothing(out: Path) -> None:
    with Server(script=Writer()) as server:
        run_draft([RECORD], out, server)
        with pytest.raises(InputError, match="holds no records"):
            run_draft([], out, server, overwrite=True)
    assert out.exists()


def test_a_rubric_without_a_checklist_is_refused(out: Path) -> None:
    empty = load_rubric("prometheus")
    with Server(script=Writer()) as server:
        with pytest.raises(RubricError, match="has no checklist axis"):
            run_draft([RECORD], out, server, rubric=empty)
        assert server.ledger.requests == 0
    assert TRACHEA in REASONING
