"""The units of a trace file: what gives the answer away, quotes of nothing, and the wording of claims."""

import gzip
import json

import polars as pl
import pytest

from judge.errors import InputError
from judge.lint.records import RecordsLint
from judge.rubric import load_rubric

OPTIONS = {"A": "Asthma", "B": "Bronchitis", "C": "Pneumonia"}
REASONING = "The right base is opaque. An air bronchogram shows that the alveoli are filled."
REFERENCE = {"answer": "C", "reasoning": f"<think>{REASONING}</think><answer>C</answer>"}


def record(unit, **fields):
    units = {"perception": [{"unit_id": "P1", "claim": "The right base is opaque.", **unit}]}
    return {"id": "r1", "options": OPTIONS, "reference": REFERENCE, "units": units, **fields}


def found(folder, *rows, rubrics=(), name="t.jsonl"):
    file = folder / name
    file.write_text("".join(f"{row if isinstance(row, str) else json.dumps(row)}\n" for row in rows), encoding="utf-8")
    return list(RecordsLint(str(file), rubrics).findings())


def rules(folder, unit, **fields):
    return [finding.rule for finding in found(folder, record(unit, **fields))]


@pytest.mark.parametrize(
    "claim",
    [
        "The answer is C.",
        "Option C fits best.",
        "Therefore (C) is the correct answer.",
        "Choose C here.",
        "C is correct here.",
        "So the final answer: C",
        "<answer>C</answer>",
        r"The result is \boxed{C}",
    ],
)
def test_a_claim_that_gives_the_letter_away(claim, tmp_path):
    assert "answer-letter" in rules(tmp_path, {"claim": claim})
    assert "answer-letter" in rules(tmp_path, {"presence_question": claim})
    assert "answer-letter" in rules(tmp_path, {"correctness_question": claim})


@pytest.mark.parametrize(
    "claim",
    [
        "Option B is wrong.",
        "Vitamin C is low.",
        "Hepatitis C causes it.",
        "A patient is correct.",
        "The answer lies in the film.",
    ],
)
def test_other_letters_are_none(claim, tmp_path):
    assert "answer-letter" not in rules(tmp_path, {"claim": claim})


def test_without_a_known_answer_every_letter_may_be_it(tmp_path):
    assert "answer-letter" in rules(tmp_path, {"claim": "Option B fits best."}, reference={"reasoning": REASONING})
    assert "answer-letter" in rules(
        tmp_path, {"claim": "Option B fits best."}, options=None, reference={"answer": "cough"}
    )


@pytest.mark.parametrize(
    ("quote", "stands"),
    [
        ("The right base is opaque", True),
        ("the  RIGHT base is\nopaque", True),
        ("The left base is opaque", False),
        ("The right base is opaque. The alveoli are filled.", False),
        ("", True),
    ],
)
def test_a_source_quote_stands_in_the_reference(quote, stands, tmp_path):
    assert ("source-quote" not in rules(tmp_path, {"source_quote": quote})) is stands


def test_without_a_reference_no_quote_is_looked_for(tmp_path):
    assert rules(tmp_path, {"source_quote": "The left base is opaque."}, reference=None) == []


@pytest.mark.parametrize(
    ("question", "topic", "gives"),
    [
        ("Does the trace state that the right base is opaque?", None, True),
        ("Does the trace mention an opaque right base?", None, True),
        ("Does the trace say how the lung bases look?", None, False),
        ("Does the trace say whether the right base is opaque?", None, False),
        ("Does the trace say which base, right or left, is opaque?", None, False),
        # Of a claim about the right base, the topic may be said; one new word is left, which says too little to tell.
        ("Is the right base described as opaque?", "right base", False),
        ("Is anything said about the right base?", "right base", False),
    ],
)
def test_a_presence_question_that_says_the_claim(question, topic, gives, tmp_path):
    assert ("presence-claim" in rules(tmp_path, {"presence_question": question, "topic": topic})) is gives


def test_the_rules_of_wording_hold_for_claims(tmp_path):
    claim = "The base is opaque and is in adequate contrast to the other."
    assert rules(tmp_path, {"claim": claim}) == ["compound", "vague-word"]
    given = {"claim": "Fails to name the base.", "points": 5, "polarity": "negative"}
    assert rules(tmp_path, given) == ["sign-polarity"]
    assert rules(tmp_path, {"claim": "Fails to name the base.", "points": 5}) == ["sign-wording"]
    assert rules(tmp_path, {"claim": "Fails to name the base.", "points": -5}) == []
    assert rules(tmp_path, {"claim": "Fails to name the base.", "points": -5, "polarity": "negative"}) == []


def test_line_and_column_are_those_of_the_words(tmp_path):
    row = json.dumps(record({"claim": 'The "base" – is in adequate contrast.'}))
    first, second = found(tmp_path, row.replace("P1", "P0"), "", row)
    # In JSON the quotes are escaped and the dash is \u2013: the column is that of the file.
    assert (first.line, first.column) == (1, row.index("adequate") + 1)
    assert (second.line, second.column, second.what) == (3, row.index("adequate") + 1, "unit P1: 'adequate' is vague")


def test_units_of_many_traces_are_looked_at_once(tmp_path):
    rows = [record({"claim": "An adequate base."}, trace=f"Trace {n}.", model=f"m{n}") for n in range(5)]
    file = tmp_path / "t.jsonl"
    file.write_text("".join(json.dumps(row) + "\n" for row in rows))
    lint = RecordsLint(str(file), ())
    assert [finding.line for finding in lint.findings()] == [1]
    assert (lint.read, lint.units) == (5, 1)


def test_what_would_fail_is_an_error(tmp_path):
    pkr = load_rubric("pkr")
    twice = record({})
    twice["units"]["knowledge"] = twice["units"]["perception"]
    elsewhere = record({}, id="r2")
    elsewhere["units"]["manners"] = [{"unit_id": "M1", "claim": "It is polite."}]
    nothing = {"id": "r3", "units": {}}
    findings = found(tmp_path, "{", twice, elsewhere, nothing, record({}, id="r4"), rubrics=[pkr])
    assert [(finding.line, finding.rule) for finding in findings] == [(n, "record") for n in (1, 2, 3, 4)]
    assert "units.knowledge[0].unit_id is 'P1'" in findings[1].what
    assert "units.manners is not an axis of the rubric 'pkr'" in findings[2].what
    assert "has no unit for the rubric 'pkr'" in findings[3].what
    assert found(tmp_path, elsewhere, nothing) == []


def test_other_formats(tmp_path):
    row = record({"claim": "An adequate base."})
    (tmp_path / "t.jsonl.gz").write_bytes(gzip.compress(json.dumps(row).encode()))
    pl.DataFrame([{"units": json.dumps(row["units"]["perception"]), "trace": "T"}]).rename(
        {"units": "perception"}
    ).with_columns(question=pl.lit("Why?"), answer=pl.lit("C"), reasoning=pl.lit(REASONING)).write_parquet(
        tmp_path / "t.parquet"
    )
    for name, column in (("t.jsonl.gz", json.dumps(row).index("adequate") + 1), ("t.parquet", 1)):
        (finding,) = RecordsLint(str(tmp_path / name), ()).findings()
        assert (finding.rule, finding.line, finding.column) == ("vague-word", 1, column)
    (tmp_path / "t.zip").write_bytes(b"PK\x03\x04")
    with pytest.raises(InputError, match="ZIP"):
        list(RecordsLint(str(tmp_path / "t.zip"), ()).findings())
