"""Every caution: what raises it, what does not, and its numbers by hand. Tables are files, as a run leaves them."""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from run_kit import make_records, score, settings_for

from judge.caution import Caution, percent, some
from judge.cautions import sway
from judge.cautions.doubt import ORDER, find_cautions
from judge.table import table_schemas
from judge.testing import Server

SCHEMAS = table_schemas({"perception": "checklist", "knowledge": "checklist"})
JUDGE = "hosted_vllm/Qwen/Qwen3-32B"
Rows = Sequence[dict[str, Any]]


def doubt(
    out: Path,
    *,
    scores: Rows = (),
    verdicts: Rows = (),
    calls: Rows = (),
    failures: Rows = (),
    judge: str = JUDGE,
) -> dict[str, Caution]:
    """What is doubted of these tables, by code; `few_records` aside, which small tables all have."""
    for name, rows in (("scores", scores), ("verdicts", verdicts), ("calls", calls)):
        whole = [{column: row.get(column) for column in SCHEMAS[name]} for row in rows]
        pl.DataFrame(whole, schema=SCHEMAS[name], orient="row").write_parquet(out / f"{name}.parquet")
    (out / "failures.jsonl").write_text("".join(json.dumps(row) + "\n" for row in failures))
    found = find_cautions(out, judge)
    assert [one.code for one in found] == [code for code in ORDER if code in {one.code for one in found}]
    for one in found:
        assert "\n" not in one.message and one.message.endswith((".", "?"))
        json.dumps(one.numbers)  # run.json holds them
    return {one.code: one for one in found if one.code != "few_records"}


def scored(number: int, score: float | None = 0.5, **fields: Any) -> dict[str, Any]:
    record = {"line": number, "record_id": f"r{number}", "record_key": f"k{number}", "model": "m"}
    return {**record, "trace_score": score, "failure": None if score is not None else "timeout"} | fields


def verdict(number: int, presence: int | None = 2, **fields: Any) -> dict[str, Any]:
    unit = {"line": number, "record_id": f"r{number}", "axis": "knowledge", "unit_id": "K1", "sample": 0}
    return {**unit, "presence": presence, "correctness": 1 if presence else None, "call_id": f"{number}-0"} | fields


def call(number: int, ask: int = 0, **fields: Any) -> dict[str, Any]:
    return {"line": number, "call_id": f"{number}-{ask}", "answered_by": "qwen3-32b", "attempts": 1} | fields


def test_of_nothing_nothing_is_doubted(tmp_path: Path) -> None:
    assert doubt(tmp_path) == {}
    assert find_cautions(tmp_path, JUDGE) == ()


# Who judged


def test_a_judge_of_itself(tmp_path: Path) -> None:
    models = ("qwen3-32b", "Qwen3-8B", "gpt-5")
    found = doubt(tmp_path, scores=[scored(n, model=model) for n, model in enumerate(models)])
    assert set(found) == {"self_judged"}
    assert found["self_judged"].numbers == {"models": ["qwen3-32b"]}
    assert "judges its own traces (qwen3-32b)" in found["self_judged"].message


def test_a_judge_of_its_kind(tmp_path: Path) -> None:
    models = ("Qwen3-8B", "qwq-32b", "gpt-5", None)
    found = doubt(tmp_path, scores=[scored(n, model=model) for n, model in enumerate(models)])
    assert set(found) == {"same_family"}
    assert found["same_family"].numbers == {"models": ["Qwen3-8B", "qwq-32b"], "families": ["qwen"]}


def test_who_answered_counts_as_the_judge_too(tmp_path: Path) -> None:
    found = doubt(
        tmp_path,
        scores=[scored(1, model="gpt-4o-mini")],
        calls=[call(1, answered_by="gpt-4o-2024-08-06")],
        judge="azure/my-deployment",
    )
    assert set(found) == {"same_family"}  # the name of a deployment is its owner's: no other answered


@pytest.mark.parametrize("judge", ["lexical", "hosted_vllm/dolphin-2.9", "openai/my-model"])
def test_a_judge_of_no_known_family_is_not_doubted(tmp_path: Path, judge: str) -> None:
    assert doubt(tmp_path, scores=[scored(1, model="gpt-5"), scored(2, model="m")], judge=judge) == {}


def test_another_model_answered(tmp_path: Path) -> None:
    found = doubt(tmp_path, calls=[call(n, answered_by="llama-3.1-8b") for n in range(3)])
    assert found["answered_by_other"].numbers == {"asked": JUDGE, "answered": {"llama-3.1-8b": 3}}
    assert f"{JUDGE} was asked, and llama-3.1-8b answered." in found["answered_by_other"].message


def test_several_models_answered(tmp_path: Path) -> None:
    """Two snapshots under one name: the scores are of two judges."""
    names = ["gpt-4o-2024-08-06"] * 3 + ["gpt-4o-2024-05-13"]
    calls = [call(n, answered_by=name) for n, name in enumerate(names)]
    for judge in ("openai/gpt-4o", "azure/my-deployment"):
        found = doubt(tmp_path, calls=calls, judge=judge)
        assert found["answered_by_other"].numbers["answered"] == {"gpt-4o-2024-08-06": 3, "gpt-4o-2024-05-13": 1}
        assert "gpt-4o-2024-08-06 (75 %), gpt-4o-2024-05-13 (25 %)" in found["answered_by_other"].message


@pytest.mark.parametrize("name", ["Qwen3-32B", "Qwen/Qwen3-32B", "qwen3-32b", None])
def test_the_model_that_was_asked_by_another_spelling(tmp_path: Path, name: str | None) -> None:
    assert doubt(tmp_path, calls=[call(1, answered_by=name)]) == {}


# What is missing


def test_failures_with_the_leading_reason(tmp_path: Path) -> None:
    found = doubt(
        tmp_path,
        scores=[scored(n) for n in range(6)] + [scored(7, None), scored(8, None), scored(9, None, failure="off_menu")],
        failures=[
            {"stage": "read", "error": "bad_json"},
            {"stage": "ask", "error": "timeout"},  # of a record that is in `scores`
        ],
    )
    numbers = {"read": 10, "failed": 4, "reasons": {"bad_json": 1, "timeout": 2, "off_menu": 1}}
    assert found["failures"].numbers == numbers
    assert found["failures"].message.startswith("4 of 10 records have no score (40 %), 2 of them for 'timeout': ")


@pytest.mark.parametrize(("missing", "doubted"), [(2, False), (3, True)])
def test_units_without_a_verdict_above_two_in_a_hundred(tmp_path: Path, missing: int, doubted: bool) -> None:
    verdicts = [verdict(n, axis="perception" if n % 2 else "knowledge") for n in range(100 - missing)]
    verdicts += [verdict(n, None, failure="timeout", axis="knowledge") for n in range(missing)]
    found = doubt(tmp_path, verdicts=verdicts)
    assert ("low_coverage" in found) is doubted
    if doubted:  # of 97 the odd ones are 48, the even ones 49
        axes = {"knowledge": 3 / 52, "perception": 0.0}
        assert found["low_coverage"].numbers == {"asked": 100, "missing": 3, "axes": axes}
        assert "3 of 100 units have no verdict (3 %; knowledge 6 %, perception 0 %)" in found["low_coverage"].message


@pytest.mark.parametrize(("loose", "doubted"), [(["near"], False), (["near", "no"], True), (["no"] * 3, True)])
def test_quotes_that_were_found_nearly_or_not(tmp_path: Path, loose: list[str], doubted: bool) -> None:
    looks = [*loose, *(["exact", "normalised"] * 20)[: 20 - len(loose)]]
    verdicts = [verdict(n, evidence_found=look) for n, look in enumerate(looks)]
    # Neither a unit that was not raised, nor one that failed for its quote, is among the raised ones.
    verdicts += [verdict(n, 0) for n in range(5)] + [verdict(1, None, evidence_found="no", failure="evidence_missing")]
    found = doubt(tmp_path, verdicts=verdicts * 10)
    assert ("low_evidence" in found) is doubted
    if doubted:
        numbers = {"quotes": 200, "near": 10 * loose.count("near"), "not_found": 10 * loose.count("no")}
        assert found["low_evidence"].numbers == numbers


def test_quotes_of_criteria_and_scales_are_looked_at_too(tmp_path: Path) -> None:
    others = {"presence": None, "correctness": None}
    verdicts = [verdict(n, evidence_found="exact") for n in range(8)]
    verdicts += [verdict(8, **others, kind="criteria", verdict="UNMET", value=0.0)]  # it has no quote, and needs none
    verdicts += [verdict(9, **others, kind="criteria", verdict="MET", value=1.0, evidence_found="no")]
    verdicts += [verdict(10, **others, kind="scale", value=3.0, evidence_found="near")]
    found = doubt(tmp_path, verdicts=verdicts)
    assert found["low_evidence"].numbers == {"quotes": 10, "near": 1, "not_found": 1}


def test_where_no_quotes_are_asked_none_is_missing(tmp_path: Path) -> None:
    assert doubt(tmp_path, verdicts=[verdict(n) for n in range(9)]) == {}


@pytest.mark.parametrize(("empty", "doubted"), [(1, False), (2, True)])
def test_traces_without_content(tmp_path: Path, empty: int, doubted: bool) -> None:
    verdicts = [
        verdict(n, 0, reason="no_content", call_id=None, unit_id=unit) for n in range(empty) for unit in ("K1", "K2")
    ]
    verdicts += [verdict(9, 0, reason="no_content"), verdict(10, 0, reason="no_content")]  # a judge's own words
    found = doubt(tmp_path, scores=[scored(n) for n in range(20)], verdicts=verdicts)
    assert ("many_contentless" in found) is doubted
    assert not doubted or found["many_contentless"].numbers == {"traces": 20, "contentless": 2}


@pytest.mark.parametrize(("unread", "doubted"), [(1, False), (2, True)])
def test_answers_that_could_not_be_read(tmp_path: Path, unread: int, doubted: bool) -> None:
    read = [scored(n, answer="A", answer_correct=n % 2 == 0) for n in range(10 - unread)]
    lost = [scored(n, answer_correct=False) for n in range(unread)]
    unasked = [scored(n) for n in range(9)]  # no answer in the reference
    found = doubt(tmp_path, scores=[*read, *lost, *unasked])
    assert ("unanswered" in found) is doubted
    assert not doubted or found["unanswered"].numbers == {"answers": 10, "unread": 2}


def test_records_that_were_asked_again_beside_the_others(tmp_path: Path) -> None:
    """Only hard inputs are rolled again: their mean stands beside that of the others."""
    scores = [scored(n, 0.75) for n in range(8)] + [scored(8, 0.25), scored(9, 0.5), scored(10, None)]
    asked_again = [call(8, 1), call(9, 1), call(9, 2), call(10, 1)]
    found = doubt(tmp_path, scores=scores, calls=[call(n) for n in range(11)] + asked_again)
    # 4 of 15 calls; those records score (0.25 + 0.5)/2, and one has no score.
    numbers = {"calls": 15, "reasked": 4, "first_mean": 0.75, "first_n": 8, "reasked_mean": 0.375, "reasked_n": 2}
    assert found["reasked"].numbers == numbers
    assert "27 % of the calls were asked again" in found["reasked"].message
    assert "score 0.75 (n = 8), the others 0.38 (n = 2)." in found["reasked"].message


def test_one_in_ten_asked_again_is_not_many(tmp_path: Path) -> None:
    calls = [call(n) for n in range(9)] + [call(0, 1)]
    assert "reasked" not in doubt(tmp_path, scores=[scored(n) for n in range(9)], calls=calls)


def test_asked_again_without_any_score(tmp_path: Path) -> None:
    found = doubt(tmp_path, scores=[scored(1, None)], calls=[call(1), call(1, 1)])
    assert "score – (n = 0), the others – (n = 0)." in found["reasked"].message


# What the scores hang on


def by_length(count: int, rule: Any, model: str = "m") -> list[dict[str, Any]]:
    return [scored(n, rule(n), trace_chars=10 * n, model=model, record_key=f"{model}{n}") for n in range(count)]


def test_scores_that_follow_length(tmp_path: Path) -> None:
    found = doubt(tmp_path, scores=by_length(30, lambda n: n / 64))["follows_length"]
    assert found.numbers["rho"] == pytest.approx(1)
    assert found.numbers["n"] == 30
    assert found.message.startswith("Longer traces score higher: rank correlation 1.00 [")
    back = doubt(tmp_path, scores=by_length(30, lambda n: 1 - n / 64))["follows_length"]
    assert back.message.startswith("Longer traces score lower: rank correlation -1.00 [")


@pytest.mark.parametrize(
    "scores",
    [
        by_length(29, lambda n: n / 64),  # too few
        by_length(100, lambda n: (n * 0.618033988749895) % 1),  # no order
        # Two models, the longer one better, and in each no order.
        [
            *by_length(40, lambda n: (n * 0.618033988749895) % 0.5),
            *(row | {"trace_chars": 900} for row in by_length(40, lambda n: 0.5 + (n * 0.618) % 0.5, "long")),
        ],
        by_length(40, lambda _: 0.5),
        by_length(40, lambda n: None if n < 20 else 0.1 * (n % 2)),
    ],
    ids=["few", "none", "between models", "constant", "failed"],
)
def test_scores_that_do_not_follow_length(tmp_path: Path, scores: Rows) -> None:
    assert "follows_length" not in doubt(tmp_path, scores=scores)


def test_a_weak_or_uncertain_correlation_is_not_doubted(tmp_path: Path) -> None:
    # Every fourth of 400 follows: weak, however sure. And 0.4 of 31 has z = 0.42·√(28/1.06) = 2.2: strong, but chance.
    weak = by_length(400, lambda n: n / 400 if n % 4 == 0 else (n * 0.618033988749895) % 1)
    unsure = by_length(31, lambda n: n / 31 if n % 3 == 0 else (n * 0.618033988749895) % 1)
    for rows, low, high in ((weak, 0.1, 0.3), (unsure, 0.3, 0.45)):
        rho = pl.DataFrame(rows).select(pl.corr("trace_score", "trace_chars", method="spearman")).item()
        assert low < rho < high
        assert "follows_length" not in doubt(tmp_path, scores=rows)


def traces(unit: str, marks: Sequence[tuple[int | None, int | None]], axis: str = "knowledge") -> list[dict[str, Any]]:
    rows = enumerate(marks)
    return [verdict(n, p, correctness=c, record_id="q", unit_id=unit, axis=axis, line=n) for n, (p, c) in rows]


def test_units_that_all_traces_meet_or_none(tmp_path: Path) -> None:
    found = doubt(
        tmp_path,
        verdicts=[
            *traces("met", [(2, 1), (1, 1), (2, 1), (2, 1), (1, 1)]),
            *traces("unmet", [(2, -1), (1, 0), (0, None), (0, None), (2, -1)]),
            *traces("mixed", [(2, 1), (2, 1), (2, 1), (2, 1), (2, -1)]),
            *traces("seen", [(0, None)] * 6, axis="perception"),
            *traces("four", [(2, 1)] * 4),
            *traces("failed", [(2, 1)] * 4 + [(None, None)]),
        ],
    )
    assert found["all_or_none"].numbers == {
        "units": 4,
        "same": 3,
        "axes": {"knowledge": {"all": 1, "none": 1}, "perception": {"all": 0, "none": 1}},
        "examples": ["q/knowledge/met", "q/knowledge/unmet", "q/perception/seen"],
    }


def test_criteria_that_all_or_no_traces_meet(tmp_path: Path) -> None:
    """Met is not good: both polarities tell nothing apart where all meet them. A level is nothing that is met."""

    def told(unit: str, *said: str, kind: str = "criteria", value: float = 1.0) -> list[dict[str, Any]]:
        of = {"presence": None, "correctness": None, "record_id": "q", "unit_id": unit, "kind": kind, "value": value}
        return [verdict(n, **of, verdict=word or None) for n, word in enumerate(said)]

    found = doubt(
        tmp_path,
        verdicts=[
            *told("all", *["MET"] * 5),
            *told("none", *["UNMET"] * 5, value=0.0),
            *told("some", "UNMET", *["MET"] * 4),
            *told("unclear", "CANNOT_ASSESS", *["MET"] * 4),
            *told("level", *[""] * 5, kind="scale"),
        ],
    )
    assert found["all_or_none"].numbers["examples"] == ["q/knowledge/all", "q/knowledge/none"]
    assert found["all_or_none"].numbers["units"] == 3


def test_samples_of_a_trace_are_no_traces(tmp_path: Path) -> None:
    verdicts = [verdict(n, sample=sample, record_id="q") for n in range(4) for sample in range(3)]
    assert "all_or_none" not in doubt(tmp_path, verdicts=verdicts)
    assert "all_or_none" in doubt(tmp_path, verdicts=[row | {"line": row["line"] + 10} for row in verdicts] + verdicts)


def test_few_records(tmp_path: Path) -> None:
    rows = [scored(n, n % 2, model="few") for n in range(29)] + [scored(n, model="many") for n in range(30)]
    rows += [scored(n, None, model=None) for n in range(40)]
    doubt(tmp_path, scores=rows)
    found = {one.code: one for one in find_cautions(tmp_path, JUDGE)}["few_records"]
    # 14 ones of 29: variance 14·15/29/28 = 0.25862; (1.96/0.05)² · 0.25862 = 397.4.
    assert found.numbers == {"models": [{"model": None, "n": 0}, {"model": "few", "n": 29}], "needed": 398}
    assert "((no model) 0, few 29): intervals are wide. For ± 0.05 a model needs about 398." in found.message


@pytest.mark.parametrize("most", [10, 100, 20_000])
def test_of_many_rows_a_part_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr(sway, "_MOST_LOOKED_AT", most)
    verdicts = [row | {"record_id": f"q{q}"} for q in range(60) for row in traces("K1", [(2, 1)] * 5)]
    found = doubt(tmp_path, scores=by_length(3000, lambda n: n / 4096), verdicts=verdicts)
    numbers = found["all_or_none"].numbers if "all_or_none" in found else {"units": 0, "same": 0}
    assert numbers["same"] == numbers["units"]
    assert (numbers["units"] == 60) is (most >= 300)
    assert "of a part of the records" in found["all_or_none"].message or most != 100
    assert most == 10 or 30 <= found["follows_length"].numbers["n"] <= 3000


# Words


def test_words() -> None:
    assert [percent(share) for share in (0, 0.001, 0.0099, 0.01, 0.125, 1)] == [
        "0 %",
        "0.1 %",
        "1.0 %",
        "1 %",
        "12 %",
        "100 %",
    ]
    assert some(["a", "b", "c"]) == "a, b, c"
    assert some(["a", "b", "c", "d", "e"]) == "a, b, c and 2 more"


# A whole run


def test_a_run_says_what_to_doubt_in_its_report_and_in_run_json(tmp_path: Path) -> None:
    records = [record | {"model": "any"} for record in make_records(12)]
    with Server(script="sloppy", seed=1) as server:
        report = score(records, tmp_path / "out", settings_for(server))
    codes = [caution.code for caution in report.cautions]
    assert codes[0] == "self_judged"
    assert "few_records" in codes
    told = json.loads((tmp_path / "out" / "run.json").read_bytes())["cautions"]
    assert [caution["code"] for caution in told] == codes
    assert re.search(r"hosted_vllm/any judges its own traces \(any\)", told[0]["message"])
