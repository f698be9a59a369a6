"""The table of means has the columns of the kinds that a rubric has, fits a terminal, and its legend says the same."""

from __future__ import annotations

import io
import re
from typing import Any, get_args

import polars as pl
import pytest
from pydantic import TypeAdapter

from judge.axis import Axis, Kind
from judge.cli.legend import PARTS, SCORES, legend
from judge.cli.means import Means, asked_axes
from judge.cli.terminal import Screen
from judge.criterion import Scoring
from judge.score import MEASURES

CHECKLIST = {"kind": "checklist", "description": "d"}
LEVELS = [{"level": 0, "anchor": "Bad."}, {"level": 1, "anchor": "Good."}]
SCALE = {"kind": "scale", "description": "d", "levels": LEVELS}


def criteria(scoring: str) -> dict[str, Any]:
    return {"kind": "criteria", "description": "d", "scoring": scoring}


def axes(**given: dict[str, Any]) -> dict[str, Axis]:
    return {name: TypeAdapter(Axis).validate_python(axis) for name, axis in given.items()}


CLAIMS = {"kind": "faithfulness", "description": "d"}
LISTS = axes(perception=CHECKLIST, knowledge=CHECKLIST)
MET = axes(met=criteria("healthbench"))
MIXED = axes(facts=CHECKLIST, style=criteria("weighted"), whole=SCALE)


def row(model: str | None, measure: str, mean: float | None, n: int, **fields: Any) -> dict[str, Any]:
    bounds = {"low": 0.0, "high": 1.0} if n > 1 and mean is not None else {"low": None, "high": None}
    return {"model": model, "measure": measure, "mean": mean, **bounds, "n": n, "n_failed": 0, **fields}


def summary(*models: tuple[str | None, float | None, int], of: dict[str, Axis] = LISTS, **n: int) -> pl.DataFrame:
    """Rows as `summarise` makes them; a model is (name, mean of everything, records), `n` of a measure may differ."""
    of_axes = [f"{axis}_{part}" for axis, body in of.items() for part in MEASURES[body.kind]]
    of_trace = [f"trace_{part}" for part in ("grounding", "correctness", "score")]
    rows = [
        row(model, measure, mean, n.get(measure, records if mean is not None else 0))
        | {"n_failed": records if mean is None else 0}
        for model, mean, records in models
        for measure in (*of_axes, *of_trace)
    ]
    schema = {"model": pl.String, "measure": pl.String, "mean": pl.Float64, "low": pl.Float64, "high": pl.Float64}
    return pl.DataFrame(rows, schema={**schema, "n": pl.Int64, "n_failed": pl.Int64})


def printed(means: pl.DataFrame, of: dict[str, Axis] = LISTS, *, width: int = 80) -> list[str]:
    shown = io.StringIO()
    Screen(file=shown, width=width, soft_wrap=True).print(Means(means, of))
    return [line.rstrip() for line in shown.getvalue().splitlines()]


def cells(line: str) -> list[str]:
    """Without the model and the picture."""
    return re.sub("[·●─]{21}", "", line.removeprefix("m ")).split()


# Columns


def test_a_checklist_has_grounding_and_correctness() -> None:
    head, *lines = printed(summary(("m", 0.5, 3)))
    assert head.split() == ["model", "axis", "grounding", "correctness", "score", "n", "failed"]
    assert lines[-1].split() == ["trace", *["0.50", ".00–1.00"] * 3, "3", "0"]


@pytest.mark.parametrize("of", [MET, axes(whole=SCALE), axes(a=criteria("rar_explicit"), b=SCALE)])
def test_without_a_checklist_there_are_no_columns_of_one(of: dict[str, Axis]) -> None:
    head, *lines = printed(summary(("m", 0.5, 3), of=of), of)
    assert head.split() == ["model", "axis", "score", "0", "1", "n", "failed"]
    assert len(lines) == {1: 1, 2: 3}[len(of)]
    assert not any("–  " in line or "null" in line for line in lines)


def test_one_axis_has_one_line_as_the_trace_has_its_numbers() -> None:
    (line,) = printed(summary(("m", 0.5, 1), of=MET), MET)[1:]
    assert cells(line) == ["met", "0.50", "1", "0"]
    assert "trace" not in legend(MET)


def test_a_mixed_rubric_has_a_dash_only_where_a_number_is_not_of_that_kind() -> None:
    lines = printed(summary(("m", 0.5, 1), of=MIXED), MIXED)
    assert [cells(line) for line in lines[1:]] == [
        ["facts", "0.50", "0.50", "0.50", "1"],
        ["style", "–", "–", "0.50", "1"],
        ["whole", "–", "–", "0.50", "1"],
        ["trace", "0.50", "0.50", "0.50", "1", "0"],
    ]


def test_a_number_that_is_not_known_is_null() -> None:
    lines = printed(summary(("m", None, 7), of=MIXED), MIXED)
    assert cells(lines[2]) == ["style", "–", "–", "null", "0"]
    assert cells(lines[-1]) == ["trace", "null", "null", "null", "0", "7"]


def test_a_measure_that_traces_have_not_is_no_number_of_theirs(monkeypatch: pytest.MonkeyPatch) -> None:
    """As a further kind may measure something of which there is no mean over axes."""
    monkeypatch.setitem(MEASURES, "scale", ("score", "contradicted"))  # type: ignore[misc]
    of = axes(part=SCALE, whole=SCALE)
    lines = printed(summary(("m", 0.5, 1), of=of), of, width=60)
    assert lines[0].split() == ["model", "axis", "score", "contradicted", "n", "failed"]
    assert [cells(line) for line in lines[2:]] == [
        ["whole", "0.50", "0.50", "1"],
        ["trace", "0.50", "–", "1", "0"],
    ]
    assert "–  " in legend(of)


def test_an_axis_that_no_record_has_is_not_shown_and_one_that_failed_is() -> None:
    told = summary(("m", 0.5, 3), knowledge_score=0)
    assert [*asked_axes(told, LISTS)] == ["perception"]
    assert [*asked_axes(summary(("m", None, 3)), LISTS)] == ["perception", "knowledge"]


# Rows


def test_models_are_ordered_by_their_trace_score_with_gaps_last() -> None:
    lines = printed(summary(("low", 0.1, 3), ("gap", None, 3), ("high", 0.9, 3)))
    assert re.findall(r"^(low|gap|high)", "\n".join(lines), re.MULTILINE) == ["high", "low", "gap"]


def test_failed_records_are_shown_once_per_model() -> None:
    lines = printed(summary(("m", None, 7)))
    assert [line.split()[-1] for line in lines[1:]] == ["0", "0", "7"]  # n of both axes; then what failed


def test_the_model_without_a_name_is_kept_apart_from_the_empty_name() -> None:
    table = "\n".join(printed(summary((None, 0.5, 3), ("", 0.25, 3))))
    assert table.count("(no model)") == 1
    assert "0.25" in table


def test_markup_in_a_name_is_text() -> None:
    assert "[red]x[/]" in "\n".join(printed(summary(("[red]x[/]", 0.5, 3))))


@pytest.mark.parametrize("records", [9, 99_999])
def test_a_correctness_of_fewer_records_says_so(records: int) -> None:
    """One record of nine raised anything: its 1.00 is not the mean of nine."""
    lines = printed(summary(("a-model-with-a-long-name-" * 3, 1.0, records), perception_correctness=records - 8))
    (perception,) = (line for line in lines if "perception" in line)
    (trace,) = (line for line in lines if "trace" in line)
    assert perception.endswith(f" {records - 8}/{records}")
    assert re.search(rf" {records} +0$", trace)
    assert max(map(len, lines)) <= 80


def test_a_rubric_without_checklists_counts_no_correctness() -> None:
    """Its `trace_correctness` is null in every record."""
    lines = printed(summary(("m", 0.5, 5), of=MET, trace_correctness=0, trace_grounding=0), MET)
    assert lines[-1].split()[-2:] == ["5", "0"]


# Pictures


def test_a_picture_shows_mean_and_interval_between_0_and_1() -> None:
    two = axes(met=criteria("weighted"), level=SCALE)
    narrow = pl.col("measure") == "met_score"
    told = summary(("m", 0.5, 3), of=two).with_columns(
        low=pl.when(narrow).then(0.1).otherwise(0.0), high=pl.when(narrow).then(0.7).otherwise(1.0)
    )
    head, met, _, trace = printed(told, two)
    # Twenty steps: 0.1 is the third mark, 0.5 the eleventh, 0.7 the fifteenth; 0 and 1 stand over the ends.
    assert re.search(r"··────────●────······", met)[0] == "··" + "─" * 8 + "●" + "─" * 4 + "······"
    start = met.index("·")
    assert (head[start], head[start + 20]) == ("0", "1")
    assert trace[start : start + 21] == "─" * 10 + "●" + "─" * 10


@pytest.mark.parametrize(("mean", "place"), [(0.0, 0), (1.0, 20), (0.976, 20), (0.974, 19)])
def test_one_record_has_no_interval(mean: float, place: int) -> None:
    line = printed(summary(("m", mean, 1), of=MET), MET)[-1]
    assert re.search(r"[·●─]{21}", line)[0] == "·" * place + "●" + "·" * (20 - place)
    assert not re.search("[·●─]", printed(summary(("m", None, 1), of=MET), MET)[-1])


@pytest.mark.parametrize("records", [7, 99_999])
def test_pictures_are_there_where_a_line_has_room_for_them(records: int) -> None:
    told = summary(("model", 1.0, records))
    whole = max(map(len, printed(told, width=200)))
    assert "●" in "".join(printed(told, width=whole))
    narrow = printed(told, width=whole - 1)
    assert "●" not in "".join(narrow)
    assert max(map(len, narrow)) < whole - 20
    assert max(map(len, printed(summary(("a-model-with-a-long-name-" * 3, 1.0, records))))) <= 80


# Kinds


STRICT = axes(
    perception=CHECKLIST, knowledge=CHECKLIST, rationale=CHECKLIST,
    perception_faithfulness=CLAIMS, knowledge_faithfulness=CLAIMS, rationale_faithfulness=CLAIMS,
)  # fmt: skip


@pytest.mark.parametrize("records", [1, 5, 99_999])
def test_columns_of_many_kinds_are_tables_of_their_own_where_a_line_has_no_room_for_all(records: int) -> None:
    told = summary(("honest", 0.5, records), ("shotgun", None, records), of=STRICT)
    lines = printed(told, STRICT)
    assert max(map(len, lines)) <= 80
    assert "…" not in "".join(lines)
    heads = [line.split() for line in lines if line.startswith("model")]
    assert heads == [
        ["model", "axis", "grounding", "correctness", "score", "n"],
        ["model", "axis", "score", "contradicted", "n"],
        ["model", "axis", "grounding", "correctness", "score", "n", "failed"],
    ]
    of_trace = [line.split()[1:] for line in lines if " trace " in line]
    assert [(line[0], line[-2:]) for line in of_trace] == [
        ("trace", [str(records), "0"]),
        ("trace", ["0", str(records)]),
    ]
    whole = printed(told, STRICT, width=200)
    assert sum(line.startswith("model") for line in whole) == 1


def test_a_name_folds_before_a_table_is_parted() -> None:
    lines = printed(summary(("a-model-with-a-long-name-" * 3, 1.0, 3), of=MIXED), MIXED)
    assert sum(line.startswith("model") for line in lines) == 1
    assert max(map(len, lines)) <= 80


# Legends


@pytest.mark.parametrize("of", [LISTS, MET, MIXED, axes(whole=SCALE), axes(a=criteria("rar_explicit"), b=SCALE)])
def test_the_legend_explains_every_column_of_means_and_no_other(of: dict[str, Axis]) -> None:
    said = legend(of)
    head = printed(summary(("m", 0.5, 3), of=of), of, width=80)[0].split()
    assert re.findall(r"^(\w+)  ", said, re.MULTILINE) == [name for name in head[2:-1] if name not in ("0", "1")]
    assert max(map(len, said.splitlines())) <= 80
    assert ("\n–  " in said) == ("facts" in of)
    assert ("have a correctness" in said) == any(axis.kind == "checklist" for axis in of.values())


def test_the_legend_of_a_checklist() -> None:
    assert legend(LISTS).splitlines() == [
        "grounding    how much of the reference the trace raised",
        "correctness  how much of what it raised is right, where it raised anything",
        "score        grounding × correctness of each record; trace: mean of the axes",
        "n            records with a score; 3/5 where only 3 of 5 have a correctness",
    ]


def test_the_legend_of_healthbench_says_that_a_record_may_be_below_0() -> None:
    assert legend(MET).splitlines() == [
        "score        points met / all that can be gained; a record may be below 0, the",
        "             mean is cut at 0 and 1",
        "n            records with a score",
    ]


def test_the_legend_of_a_mixed_rubric_names_the_axes_of_each_meaning() -> None:
    assert legend(MIXED).splitlines()[2:] == [
        "score        facts: grounding × correctness of each record",
        "             style: points met / all that can be gained, cut at 0 and 1",
        "             whole: how far up from the lowest level, 0, to the highest, 1",
        "             trace: mean of the axes",
        "–            of this axis there is no such number",
        "n            records with a score; 3/5 where only 3 of 5 have a correctness",
    ]


def test_every_kind_scoring_and_measure_has_its_words() -> None:
    """A kind that is added says here what its numbers are."""
    assert {*SCORES} == {*get_args(Kind), *get_args(Scoring)} - {"criteria", "preference"}
    assert {*PARTS} == {part for parts in MEASURES.values() for part in parts} - {"score"}
