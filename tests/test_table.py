"""The tables of a run: the columns of contract §5, offsets that hold, and scores that meet their own rows."""

from __future__ import annotations

import asyncio
import io
from collections.abc import Sequence
from typing import Any, get_args

import polars as pl
import pytest
from msgspec.structs import replace
from test_asking import Scripted, as_reply, in_turn, judge, make_asker, make_record, words

from judge.axis import Kind
from judge.backend import Reply
from judge.errors import ConfigError, RecordError
from judge.outcome import Call, Outcome, failed_record
from judge.record import Record, build_record
from judge.score import MEASURES, AxisScore, TraceScore, columns_of
from judge.table import Labels, Run, Tables, build_tables, table_schemas

AXES = dict.fromkeys(("perception", "knowledge", "rationale"), "checklist")
AXIS_COLUMNS = columns_of("checklist")
LABELS = Labels(judge="j-1", rubric="pkr/1.0", prompt_fp="p-fp", rubric_fp="r-fp", axes=AXES)
# Contract §5, word for word; `{axis}` stands for each axis of the rubric.
CONTRACT = {
    "scores": "line, record_id, record_key, model, judge, rubric, {axis}_grounding, {axis}_correctness, {axis}_score, "
    "{axis}_coverage, trace_grounding, trace_correctness, trace_score, answer, answer_correct, units_asked, "
    "units_judged, failure",
    "verdicts": "line, record_id, record_key, model, judge, prompt_fp, rubric_fp, kind, axis, unit_id, claim, "
    "importance, sample, presence, correctness, verdict, value, points, p_present, p_correct, evidence, "
    "evidence_start, evidence_end, evidence_found, reason, failure, call_id",
    "calls": "call_id, judge, attempts, cached, prompt_tokens, completion_tokens, cached_tokens, cost_usd, latency_s, "
    "queued_s, finish_reason, failure",
    "failures": "line, record_id, stage, error, message",
}
WHOLE_NUMBERS = {
    *("line", "presence", "level", "correctness", "sample", "samples", "attempts", "evidence_start", "evidence_end"),
    *("prompt_tokens", "completion_tokens", "cached_tokens", "units_asked", "units_judged", "trace_chars"),
}
FLOATS = {"weight", "value", "points", "p_present", "p_correct", "cost_usd", "latency_s", "queued_s"}
FLOATS |= {"trace_grounding", "trace_correctness", "trace_score", "trace_score_sd"}
FLOATS |= {f"{axis}_{column}" for axis in AXES for column in AXIS_COLUMNS}


def tables(outcomes: Sequence[Outcome]) -> Tables:
    return build_tables(outcomes, LABELS)


def run(*outcomes: Outcome) -> Run:
    made = tables(outcomes)
    return Run(scores=made.scores, verdicts=made.verdicts, calls=made.calls, failures=made.failures)


def scored(record_id: str, model: str | None, presence: int, **fields: Any) -> Outcome:
    """One unit of perception, so that the trace score is presence/2."""
    record = make_record({"perception": ["a"]}, id=record_id, model=model, **fields)
    told = as_reply(words(presence, 1 if presence else None, "left base" if presence else None))
    return judge(in_turn(told), record)


# Schemas


@pytest.mark.parametrize("name", CONTRACT)
def test_the_columns_of_the_contract_are_there(name: str) -> None:
    wanted = [
        column.replace("{axis}", axis)
        for column in CONTRACT[name].split(", ")
        for axis in (AXES if "{axis}" in column else ("",))
    ]
    schema = table_schemas(AXES)[name]
    assert not set(wanted) - set(schema)
    for column, dtype in schema.items():
        assert dtype == _dtype(column) or (column in WHOLE_NUMBERS and dtype.is_signed_integer()), column


def _dtype(column: str) -> Any:
    if column in WHOLE_NUMBERS:
        return pl.Int64
    if column in FLOATS:
        return pl.Float64
    return {**dict.fromkeys(("answer_correct", "cached", "gate"), pl.Boolean), "unit_ids": pl.List(pl.String)}.get(
        column, pl.String
    )


@pytest.mark.parametrize("name", CONTRACT)
def test_a_table_has_the_same_columns_whatever_is_in_it(name: str) -> None:
    """Parts of a run are concatenated: a column that is all null in one of them must not change its type."""
    empty, full = tables([]), tables([scored("r1", None, 2), scored("r2", "m", 0), _unreadable(), _refused()])
    schema = pl.Schema(table_schemas(AXES)[name])
    for made in (empty, full, tables([_unreadable()])):
        frame: pl.DataFrame = getattr(made, name)
        assert frame.schema == schema
    assert getattr(full, name).height > 0
    assert through_a_file(getattr(empty, name)).schema == schema


def through_a_file(frame: pl.DataFrame) -> pl.DataFrame:
    buffer = io.BytesIO()
    frame.write_parquet(buffer)
    buffer.seek(0)
    return pl.read_parquet(buffer)


def _unreadable() -> Outcome:
    return failed_record(RecordError("is bad.", line=9), record=None, line=9, raw=b"{\xff")


def _refused() -> Outcome:
    return judge(in_turn("never asked"), make_record({}, id="r0"))


def test_axis_columns_follow_the_rubric() -> None:
    columns = list(table_schemas({"b": "checklist", "a": "scale"})["scores"])
    assert [name for name in columns if name.endswith("_score")] == ["b_score", "a_score", "trace_score"]
    assert "perception_score" not in columns


def test_axis_columns_go_by_the_kind() -> None:
    """Contract §5: grounding and correctness for checklist axes, score and coverage for all."""
    columns = list(table_schemas({"list": "checklist", "met": "criteria", "level": "scale"})["scores"])
    of_all = ["score", "coverage", "score_low", "score_high", "score_sd"]
    assert [name for name in columns if name.startswith("list_")] == [
        f"list_{part}" for part in ("grounding", "correctness", *of_all)
    ]
    assert [name for name in columns if name.startswith(("met_", "level_"))] == [
        *(f"met_{part}" for part in of_all),
        *(f"level_{part}" for part in of_all),
    ]
    assert {"trace_grounding", "trace_correctness"} <= {*columns}  # null where no checklist is there


def test_every_kind_has_its_columns_and_every_number_of_an_axis_is_in_a_column() -> None:
    assert [*MEASURES] == [kind for kind in get_args(Kind) if kind != "preference"]
    assert {column for kind in MEASURES for column in columns_of(kind)} == {*AxisScore.__struct_fields__}


# Rows


def test_a_scored_record() -> None:
    record = make_record(
        {"knowledge": ["base", "heart"], "perception": ["film"]},
        options={"A": "x", "B": "y"},
        reference={"answer": "B"},
        trace="The left base is opaque. <answer>A</answer>",
    )
    reply = Reply(
        text=as_reply(words(2, 1, "LEFT base"), words(1, -1, "is opaque"), words(0, None)),
        model="served",
        finish_reason="stop",
        prompt_tokens=10,
        completion_tokens=20,
        cached_tokens=5,
        cost_usd=0,
        latency_s=1.5,
        attempts=2,
    )
    made = tables([judge(in_turn(reply), record, granularity="trace")])
    (row,) = made.scores.rows(named=True)
    assert (row["line"], row["record_id"], row["record_key"], row["model"]) == (3, "r1", record.key, "m")
    assert (row["judge"], row["rubric"], row["failure"]) == ("j-1", "pkr/1.0", None)
    # Asked in the rubric's order: u1 is the unit of perception, p = 2 and right; knowledge p = 1, 0 and wrong.
    assert (row["perception_score"], row["knowledge_grounding"], row["knowledge_correctness"]) == (1.0, 0.25, 0.0)
    assert (row["trace_score"], row["trace_grounding"], row["samples"]) == (0.5, 0.625, 1)
    # rationale has no units.
    assert {row[f"rationale_{column}"] for column in AXIS_COLUMNS} == {None}
    assert (row["answer"], row["answer_correct"], row["units_asked"], row["units_judged"]) == ("A", False, 3, 3)
    assert row["trace_chars"] == 43  # "The left base is opaque." 24, a space 1, the answer in its tags 18

    first, second, third = made.verdicts.rows(named=True)
    about = {"line": 3, "record_id": "r1", "record_key": record.key, "model": "m", "judge": "j-1"}
    about |= {"prompt_fp": "p-fp", "rubric_fp": "r-fp", "kind": "checklist", "axis": "perception", "unit_id": "K3"}
    found = {"evidence": "left base", "evidence_start": 4, "evidence_end": 13, "evidence_found": "normalised"}
    said = {"claim": "film", "weight": 1.0, "sample": 0, "presence": 2, "correctness": 1, "reason": "So it is."}
    said["call_id"] = made.calls["call_id"][0]
    nothing = dict.fromkeys(("importance", "verdict", "value", "points", "polarity", "gate", "failure"))
    nothing |= dict.fromkeys(("level", "estimator", "p_present", "p_correct", "source", "source_found"))
    assert first == about | found | said | nothing
    assert (second["unit_id"], second["presence"], second["correctness"]) == ("K1", 1, -1)
    assert (third["presence"], third["correctness"], third["evidence"], third["evidence_found"]) == (
        0,
        None,
        None,
        None,
    )

    (call,) = made.calls.rows(named=True)
    sent = {"line": 3, "record_id": "r1", "judge": "j-1", "answered_by": "served", "attempts": 2, "cached": False}
    sent |= {"prompt_tokens": 10, "completion_tokens": 20, "cached_tokens": 5, "cost_usd": 0.0}
    sent |= {"latency_s": 1.5, "queued_s": 0.0, "finish_reason": "stop", "failure": None}
    assert {name: call[name] for name in call if name != "call_id"} == sent
    assert made.failures.height == 0


def test_each_axis_value_is_in_its_own_column() -> None:
    """Seven columns for each of three axes are filled by position; a shift by one would go unseen among ones."""
    outcome = scored("r1", "m", 2)
    assert outcome.scores is not None
    axes = {
        axis: replace(
            outcome.scores.axes["perception"], **{name: _code(row, column) for column, name in enumerate(AXIS_COLUMNS)}
        )
        for row, axis in enumerate(AXES)
    }
    whole = TraceScore(
        axes=axes,
        grounding=0.91,
        correctness=0.92,
        score=0.93,
        score_sd=0.94,
        samples=4,
        units_asked=6,
        units_judged=5,
    )
    (row,) = tables([replace(outcome, scores=whole)]).scores.rows(named=True)
    for index, axis in enumerate(AXES):
        assert [row[f"{axis}_{name}"] for name in AXIS_COLUMNS] == [_code(index, column) for column in range(7)]
    named = ("trace_grounding", "trace_correctness", "trace_score", "trace_score_sd")
    assert [row[name] for name in named] == [0.91, 0.92, 0.93, 0.94]
    assert (row["samples"], row["units_asked"], row["units_judged"]) == (4, 6, 5)


def _code(row: int, column: int) -> float:
    return (10 * row + column) / 100


def test_a_failed_record_has_a_row_and_its_reason() -> None:
    made = tables([judge(in_turn("prose"), make_record({"perception": ["a"], "knowledge": ["b"]}), samples=2)])
    (row,) = made.scores.rows(named=True)
    assert (row["trace_score"], row["perception_score"], row["failure"]) == (None, None, "not_json")
    assert (row["perception_score_low"], row["perception_score_high"]) == (0.0, 1.0)
    assert (row["units_asked"], row["units_judged"], row["samples"]) == (4, 0, 0)
    assert made.verdicts["failure"].to_list() == ["not_json"] * 4
    assert made.verdicts["presence"].null_count() == 4
    assert made.verdicts["sample"].to_list() == [0, 1, 0, 1]
    assert made.calls.height == 12
    assert made.calls["call_id"].n_unique() == 12
    assert made.failures["unit_ids"].to_list() == [["K1"], ["K1"], ["K2"], ["K2"]]


def test_records_read_are_scored_or_failed() -> None:
    """A line that cannot be read has a row in `failures` only; one that cannot be asked has one in `scores` too."""
    made = tables([scored("r1", "m", 2), _unreadable(), _refused()])
    assert made.scores["record_id"].to_list() == ["r1", "r0"]
    assert made.scores["failure"].to_list() == [None, "no_units"]
    assert made.scores["units_asked"].to_list() == [1, 0]
    assert made.failures.select("line", "record_id", "stage", "error", "raw").rows() == [
        (9, None, "read", "invalid_record", "{\\xff"),
        (3, "r0", "record", "no_units", None),
    ]


def test_rows_come_in_the_order_of_the_outcomes() -> None:
    made = tables([scored(name, "m", 2) for name in ("z", "a", "m")])
    for frame in (made.scores, made.verdicts, made.calls):
        assert frame["record_id"].to_list() == ["z", "a", "m"]


def test_a_call_without_a_reply() -> None:
    outcome = replace(scored("r1", "m", 2), calls=(Call(call_id="c-0", reply=None, attempts=5, failure="timeout"),))
    (call,) = tables([outcome]).calls.rows(named=True)
    assert (call["attempts"], call["cached"], call["failure"]) == (5, False, "timeout")
    assert (call["prompt_tokens"], call["cost_usd"], call["finish_reason"], call["answered_by"]) == (None,) * 4


def test_strange_characters_survive_a_file() -> None:
    """JO-15: NUL, escape sequences and direction marks are text like any other."""
    strange = "\x00 \x1b[31mred\x1b[0m \u202egnp.exe \u2028 🫁 =cmd()"
    record = make_record({"perception": ["a"]})
    made = tables([judge(in_turn(as_reply(words(2, 1, "left base", strange))), record)])
    assert through_a_file(made.verdicts)["reason"].to_list() == [strange]


# Offsets

TEXTS = [
    ("The left base is opaque.", ["left base", "LEFT  BASE", "the left base is opaque"]),
    ("🫁🫁 Die linke Basis ist trüb – 3 cm.", ["linke Basis", "ist trüb - 3 cm", "Die linke basis ist trüb"]),
    ("e\u0301tat de l’aorte\u00a0: 4,2 cm", ["état de l'aorte", "aorte : 4,2 cm"]),
    (
        "The heart is **markedly enlarged**;\r\n\r\nno\teffusion.",
        ["heart is markedly enlarged", "enlarged; no effusion"],
    ),
    ("½ tablet, ﬁbrosis of both ﬂanks", ["fibrosis of both flanks", "1⁄2 tablet"]),
    ("左下葉に浸潤影あり。心拡大なし。", ["浸潤影あり", "心拡大なし"]),
    ("a\u200bb\u00adc pneumo\u00adthorax\u0000 here", ["pneumothorax"]),
]


@pytest.mark.parametrize(("trace", "quotes"), TEXTS)
@pytest.mark.parametrize("rule", ["required", "flag"])
def test_offsets_are_code_points_of_the_trace(trace: str, quotes: list[str], rule: Any) -> None:
    record = make_record({"perception": [f"claim {index}" for index in range(len(quotes))]}, trace=trace)
    told = as_reply(*[words(2, 1, quote) for quote in quotes])
    verdicts = tables([judge(in_turn(told), record, evidence=rule)]).verdicts
    assert_offsets(verdicts, record)
    assert verdicts["evidence_start"].null_count() == 0


def assert_offsets(verdicts: pl.DataFrame, record: Record) -> None:
    for row in verdicts.rows(named=True):
        start, end = row["evidence_start"], row["evidence_end"]
        assert (start is None) == (end is None) == (row["evidence_found"] in (None, "no"))
        if start is not None:
            assert 0 <= start < end <= len(record.trace)
            assert record.trace[start:end] == row["evidence"]


def test_offsets_are_in_the_joined_text_of_messages() -> None:
    messages = [
        {"role": "user", "content": "The left base?"},
        {"role": "assistant", "reasoning_content": "Opaque, I think.", "content": "The left base is opaque."},
    ]
    record = build_record(
        {"id": "r", "units": {"perception": [{"unit_id": "P", "claim": "c"}]}, "trace": messages}, number=1
    )
    verdicts = tables([judge(in_turn(as_reply(words(2, 1, "left base"))), record)]).verdicts
    assert_offsets(verdicts, record)
    # "Opaque, I think." is 16, the blank line 2, "The " 4.
    assert verdicts["evidence_start"].to_list() == [22]


def test_quotes_that_are_not_there_have_no_offsets() -> None:
    record = make_record({"perception": ["a", "b", "c"]})
    told = as_reply(words(2, 1, "not in it"), words(1, 1, None), words(0, None, "left base"))
    for rule in ("required", "flag"):
        verdicts = tables([judge(in_turn(told), record, evidence=rule)]).verdicts
        assert_offsets(verdicts, record)
        assert verdicts["evidence"].to_list() == ["not in it", None, None]
        assert verdicts["evidence_found"].to_list() == ["no", "no", None]


# Merging with the user's own columns


def test_merge_keeps_the_users_rows_and_their_order() -> None:
    whole = run(*[scored(name, None, presence) for name, presence in (("a", 0), ("b", 1), ("c", 2))])
    frame = pl.DataFrame({"id": ["c", "x", "a", "b"], "mine": [1, 2, 3, 4]})
    merged = whole.merge(frame)
    assert merged["id"].to_list() == ["c", "x", "a", "b"]
    assert merged["mine"].to_list() == [1, 2, 3, 4]
    assert merged["trace_score"].to_list() == [1.0, None, 0.0, 0.5]
    assert merged.columns[:2] == ["id", "mine"]
    assert {"perception_score", "failure", "judge", "model"} <= set(merged.columns)
    renamed = whole.merge(frame.rename({"id": "case"}), left_on="case")
    assert renamed["trace_score"].to_list() == [1.0, None, 0.0, 0.5]


def test_merge_keeps_the_order_of_many_rows() -> None:
    order = [(index * 7919) % 2000 for index in range(2000)]
    row = tables([scored("a", None, 2)]).scores
    scores = pl.concat([row] * 2000).with_columns(
        record_id=pl.Series([str(n) for n in range(2000)]), trace_score=pl.Series([n / 2000 for n in range(2000)])
    )
    whole = Run(scores=scores, verdicts=pl.DataFrame(), calls=pl.DataFrame(), failures=pl.DataFrame())
    merged = whole.merge(pl.DataFrame({"id": [str(n) for n in order]}))
    assert merged["trace_score"].to_list() == [n / 2000 for n in order]


def test_ids_that_repeat_meet_by_model() -> None:
    outcomes = [scored(name, model, presence) for name, model, presence in ROWS]
    frame = pl.DataFrame({"id": ["a", "b", "a", "b"], "model": ["two", "two", "one", "one"]})
    merged = run(*outcomes).merge(frame)
    assert merged["trace_score"].to_list() == [0.5, 1.0, 0.0, 0.5]
    assert merged["model"].to_list() == frame["model"].to_list()
    with pytest.raises(ConfigError, match=r"several traces share one record_id, .* add a column `model`"):
        run(*outcomes).merge(frame.drop("model"))


ROWS = [("a", "one", 0), ("a", "two", 1), ("b", "one", 1), ("b", "two", 2)]


def test_another_models_trace_does_not_get_the_score() -> None:
    whole = run(scored("a", "one", 2), scored("b", None, 2))
    merged = whole.merge(pl.DataFrame({"id": ["a", "a", "b"], "model": ["two", "one", None]}))
    assert merged["trace_score"].to_list() == [None, 1.0, 1.0]


def test_a_run_that_knows_no_models_meets_by_id() -> None:
    whole = run(scored("a", None, 2), scored("b", None, 0))
    merged = whole.merge(pl.DataFrame({"id": ["b", "a"], "model": ["mine", "mine"]}))
    assert merged["trace_score"].to_list() == [0.0, 1.0]
    assert merged["model"].to_list() == ["mine", "mine"]


def test_traces_that_cannot_be_told_apart_are_refused() -> None:
    whole = run(scored("a", "m", 2), scored("a", "m", 0))
    for frame in (pl.DataFrame({"id": ["a"]}), pl.DataFrame({"id": ["a"], "model": ["m"]})):
        with pytest.raises(ConfigError, match="several traces share one record_id"):
            whole.merge(frame)


def test_merge_of_an_empty_run() -> None:
    merged = run().merge(pl.DataFrame({"id": ["a"], "model": ["m"]}))
    assert merged["trace_score"].to_list() == [None]


@pytest.mark.parametrize("dtype", [pl.Int64, pl.UInt8, pl.String])
def test_whole_numbers_meet_the_ids_that_they_were_read_as(dtype: Any) -> None:
    frame = pl.DataFrame({"id": [2, 7, 1]}).cast(dtype)
    merged = run(scored("1", None, 2), scored("2", None, 0)).merge(frame)
    assert merged["trace_score"].to_list() == [0.0, None, 1.0]
    assert merged["id"].equals(frame["id"])


@pytest.mark.parametrize("frame", [{"other": ["a"]}, {"id": [1.0]}, {"id": [True]}, {"id": [None]}])
def test_what_holds_no_ids_is_refused(frame: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match="needs a column 'id' with the record ids, text or whole numbers"):
        run(scored("1", None, 2)).merge(pl.DataFrame(frame))


def test_a_column_of_the_user_is_not_overwritten() -> None:
    merged = run(scored("a", None, 2)).merge(pl.DataFrame({"id": ["a"], "answer": ["mine"], "judge": ["me"]}))
    assert (merged["answer"][0], merged["judge"][0]) == ("mine", "me")
    assert merged["judge_judged"][0] == "j-1"


def test_tables_of_many_records_judged_at_once_equal_those_judged_in_turn() -> None:
    records = [make_record({"perception": ["a"], "knowledge": ["b", "c"]}, id=f"r{n}") for n in range(20)]

    def answer(request: Any) -> str:
        return as_reply(*[words(1 + index % 2, 1, "left base") for index in range(len(request.probes.asked))])

    async def at_once() -> list[Outcome]:
        asker = make_asker(Scripted(answer))
        return list(await asyncio.gather(*[asker.judge(record) for record in records]))

    together, alone = tables(asyncio.run(at_once())), tables([judge(Scripted(answer), record) for record in records])
    for name in ("scores", "verdicts", "calls", "failures"):
        assert getattr(together, name).equals(getattr(alone, name)), name
