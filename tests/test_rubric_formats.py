"""Rubrics of others: each format is read as it is published, and comes back from its export the same."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from formats_kit import (
    AUTORUBRIC,
    DOCUMENTS,
    HEALTHBENCH,
    PAPERBENCH,
    RAR,
    RUBRIC,
    SECTIONS,
    VERIFIERS,
    read,
    text,
    write,
)
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from judge.axis import Criteria, Scale
from judge.formats import FORMATS
from judge.formats.given import read_documents
from judge.formats.loss import find_losses
from judge.lint.rubric_file import lint_rubric
from judge.probe import build_probes
from judge.record import build_record
from judge.rubric import Rubric, load_rubric
from judge.traces.shape import shape_fields

EACH = [(named, document) for named, documents in DOCUMENTS.items() for document in documents]
DATA = Path(__file__).parents[2] / "shared" / "data" / "healthbench"


def criteria(rubric: Rubric, name: str = "criteria") -> Criteria:
    axis = rubric.axes[name]
    assert isinstance(axis, Criteria)
    return axis


@pytest.mark.parametrize(("named", "document"), EACH)
def test_an_export_is_imported_as_the_same_rubric(named: str, document: Any) -> None:
    rubric = read(named, document)
    written = write(named, rubric)
    assert FORMATS[named].fits(written)
    assert read(named, written) == rubric
    assert write(named, read(named, written)) == written


@pytest.mark.parametrize(("named", "document"), [*EACH, ("verifiers", {"criteria": [{"name": "a", "text": "b"}]})])
def test_a_format_is_known_by_what_it_holds(named: str, document: Any) -> None:
    fits = [known for known, one in FORMATS.items() if one.fits(document)]
    if named == "autorubric" and document == [{"requirement": "Is short."}]:
        assert fits == ["autorubric"]
    assert fits[0] == named


@pytest.mark.parametrize(
    "other",
    [None, 7, "x", [], {}, [1], {"rubric": {}}, {"rubrics": []}, {**RAR, "rubric": []}, {"criteria": [{"text": "t"}]}],
)
def test_nothing_else_is(other: Any) -> None:
    assert not any(one.fits(other) for one in FORMATS.values())


@pytest.mark.parametrize(("named", "row"), [("healthbench", HEALTHBENCH), ("rar", RAR)])
def test_a_row_and_its_import_ask_the_same(named: str, row: dict[str, Any]) -> None:
    """By the built-in rubric for such rows, and by the imported one."""
    record = build_record({**shape_fields(row), "trace": "t"})
    asked = build_probes(record, load_rubric(named), granularity="axis")
    bare = replace(record, units={})
    imported = build_probes(bare, read(named, row), granularity="axis")
    assert [_what(probes) for probes in imported] == [_what(probes) for probes in asked]


def _what(probes: Any) -> Any:
    return [(one.axis, one.unit.unit_id, one.unit.claim, one.polarity, one.weight, one.points) for one in probes.asked]


def test_what_a_healthbench_row_says() -> None:
    rubric = read("healthbench", HEALTHBENCH)
    first, aspirin, lines = criteria(rubric).criteria
    assert (rubric.name, criteria(rubric).scoring) == ("00aa-11bb", "healthbench")
    assert (first.id, first.text, first.points, first.polarity) == ("c1", "Asks how old the child is.", 7, None)
    assert (aspirin.points, aspirin.polarity) == (-8, None)  # as it is written: the sign says it
    assert (lines.text, lines.meta) == ("Names what to watch:\n- breathing\n- drinking", {"tags": []})
    assert rubric.meta == {name: value for name, value in HEALTHBENCH.items() if name != "rubrics"}
    assert write("healthbench", rubric) == HEALTHBENCH


def test_what_a_rar_row_says() -> None:
    rubric = read("rar", RAR)
    told = [(one.text, one.importance, one.points, one.polarity, one.meta) for one in criteria(rubric).criteria]
    assert told[0] == ("Names the right lower lobe.", "Essential", None, None, {"title": "Names it", "weight": 5})
    assert told[3] == ("Does not mention the side.", "Pitfall", None, None, {"title": "Side", "weight": -1})
    assert told[4] == ("Names a next step.", None, 2, None, {"title": "Bare"})
    assert set(rubric.meta) == {"question", "reference_answer", "question_source"}
    assert write("rar", rubric) == RAR


def test_what_repeats_the_criteria_is_kept_where_it_says_something_else() -> None:
    row = {**RAR, "rubric_list": ["Essential Criteria: Names the left lobe."]}
    rubric = read("rar", row)
    assert rubric.meta["rubric_list"] == row["rubric_list"]
    assert write("rar", rubric) == row


def test_what_a_tree_says() -> None:
    axis = criteria(read("paperbench", PAPERBENCH), "tree")
    (root,) = axis.criteria
    data, table = root.children
    loaded, split = data.children
    assert (axis.scoring, root.id, root.text, root.meta) == ("tree", "40ff-root", "The paper is reproduced.", {})
    assert [one.points for one in (root, data, table, loaded, split)] == [1, 2, 0, 1, 3]
    assert (split.id, split.meta) == ("1b", {"task_category": "Code Execution", "result": "Pass"})
    assert axis.leaves["1b"].share == pytest.approx(3 / 4)


def test_a_tree_is_written_as_the_published_code_reads_it() -> None:
    """`TaskNode.from_dict` needs id, requirements, weight and sub_tasks of every node; `to_dict` writes six fields."""
    nodes = [write("paperbench", read("paperbench", PAPERBENCH))]
    for node in nodes:
        nodes += node["sub_tasks"]
        assert [*node][:4] == ["id", "requirements", "weight", "sub_tasks"]
        assert {"task_category", "finegrained_task_category"} <= {*node}
    assert [node["weight"] for node in nodes] == [1, 2, 0, 1, 3]


def test_a_list_of_requirements() -> None:
    rubric = read("rubric", RUBRIC)
    assert [(one.id, one.text, one.points) for one in criteria(rubric).criteria] == [
        ("c1", "Names the fever.", 5.5),
        ("c2", "Recommends aspirin.", -2),
    ]
    assert (rubric.name, criteria(rubric).scoring, write("rubric", rubric)) == ("made", "weighted", RUBRIC)


def test_sections_stay_beside_their_criteria() -> None:
    rubric = read("rubric", SECTIONS)
    age, dose = criteria(rubric).criteria
    assert (age.id, age.meta, dose.id, dose.meta) == ("age", {"section": {"id": "s1", "title": "History"}}, "c2", {})
    assert rubric.meta == {"id": "triage-1"}
    assert write("rubric", rubric) == {"id": "triage-1", "rubric": SECTIONS["rubric"]["sections"]}


def test_a_word_for_a_section_is_no_section(tmp_path: Path) -> None:
    items = [{"weight": 1, "requirement": "a", "section": "x"}, {"weight": 2, "requirement": "b", "section": {"t": 1}}]
    rubric = read("rubric", items)
    assert read("rubric", write("rubric", rubric)) == rubric


def test_what_is_beside_a_rubric_is_not_taken_for_its_criteria() -> None:
    rubric = read("rubric", {"criteria": RUBRIC, "note": 1})
    rubric = rubric.model_copy(update={"meta": {"note": 1, "rubric": [], "sections": 7, "criteria": "x"}})
    assert read("autorubric", write("autorubric", rubric)).meta == {"note": 1}


def test_what_stands_twice_around_a_list_is_told() -> None:
    read_twice = FORMATS["rubric"].read({"id": "outer", "rubric": {"id": "inner", "sections": RUBRIC}}, "made")
    assert read_twice.rubric["meta"] == {"id": "inner"}
    assert read_twice.lost == ("id 'outer', as another stands further in",)


def test_options_in_even_steps_are_a_scale_and_others_are_kept() -> None:
    rubric = read("autorubric", AUTORUBRIC)
    fever, reason, length = criteria(rubric).criteria
    tone = rubric.axes["tone"]
    assert [(one.id, one.points) for one in (fever, reason, length)] == [("fever", 10), ("c2", 10), ("length", 1)]
    assert isinstance(tone, Scale) and tone.description == "How kind is it?"
    assert tone.anchors == {0: "Rude", 1: "Neither", 2: "Kind"}
    assert length.meta["options"] == AUTORUBRIC["rubric"]["criteria"][3]["options"]
    assert (rubric.guidelines, rubric.meta["prompt"]) == ("Judge what is written.", "What should the parents do?")
    assert FORMATS["autorubric"].read(AUTORUBRIC, "made").lost == (
        "weight 5.0 of 'tone': it has levels, so it is an axis of its own, and axes count alike",
        "items (1 to grade): they are traces, for judge score",
        "options of 'length', which are no even steps from 0 to 1: kept in its meta, and not asked",
    )


@pytest.mark.parametrize(
    "change",
    [
        {"scale_type": "nominal"},
        {"weight": -5.0},
        {"options": [{"label": "a", "value": 0}, {"label": "b", "value": 0.4}, {"label": "c", "value": 1}]},
        {"options": [{"label": "a", "value": 0}, {"label": "b", "value": 1}, {"label": "c", "value": 0.5, "na": True}]},
        {"options": [{"label": "a", "value": 0.0}]},
        {"options": [{"label": "a", "value": "0"}, {"label": "b", "value": "1"}]},
    ],
)
def test_options_that_a_scale_cannot_say_are_no_scale(change: dict[str, Any]) -> None:
    one = {**AUTORUBRIC["rubric"]["criteria"][2], **change}
    rubric = read("autorubric", [one])
    assert [*rubric.axes] == ["criteria"] and criteria(rubric).criteria[0].meta["options"] == one["options"]
    assert read("autorubric", write("autorubric", rubric)) == rubric


def test_thirds_are_written_as_33_hundredths() -> None:
    options = [{"label": label, "value": value} for label, value in zip("abcd", (0.0, 0.33, 0.67, 1.0), strict=True)]
    axis = read("autorubric", [{"name": "x", "requirement": "How?", "options": options}]).axes["x"]
    assert isinstance(axis, Scale) and [*axis.anchors.values()] == [*"abcd"]


def test_verifiers_toml(tmp_path: Path) -> None:
    (tmp_path / "r.toml").write_text(VERIFIERS)
    ((_, document),) = read_documents(tmp_path / "r.toml")
    rubric = read("verifiers", document)
    fever, polite = criteria(rubric).criteria
    assert (fever.id, fever.text, fever.points, polite.points) == ("fever", "The response names the fever.", 3, None)
    assert criteria(rubric).worth(polite) == 1
    depth = rubric.axes["depth_of_it"]
    assert isinstance(depth, Scale) and depth.anchors == {0: "none", 1: "partial", 2: "good"}
    assert rubric.meta == {"title": "Triage"}


@pytest.mark.parametrize("name", ["trace", "criteria", "7 Ä", "!", "depth"])
def test_the_axis_of_a_scale_has_a_name_that_an_axis_may_have(name: str) -> None:
    choices = {"text": "How?", "choices": ["bad", "good"]}
    document = [{"name": "a", "text": "b"}, {"name": "depth", **choices}, {"name": name, **choices}]
    assert len(read("verifiers", document).axes) == 3


NAMES = st.text(st.characters(codec="utf-8"), min_size=1, max_size=12)
TEXTS = st.text(st.characters(codec="utf-8"), min_size=1, max_size=40)
POINTS = st.integers(-100, 100) | st.floats(-1e9, 1e9)
MEANT = st.integers(1, 100)  # one criterion has to count
EXTRA = st.dictionaries(st.sampled_from(["tags", "note", "é"]), st.none() | TEXTS | st.lists(TEXTS, max_size=2))


@st.composite
def flat(draw: st.DrawFn, weight: str, text: str, **more: st.SearchStrategy[Any]) -> list[dict[str, Any]]:
    weights = [draw(MEANT), *draw(st.lists(POINTS, max_size=4))]
    given = st.fixed_dictionaries({text: TEXTS, **more})
    return [{**draw(EXTRA), **draw(given), weight: one} for one in weights]


@given(flat("points", "criterion", tags=st.lists(TEXTS, max_size=2)), EXTRA)
def test_any_healthbench_row_comes_back(items: list[dict[str, Any]], extra: dict[str, Any]) -> None:
    row = {**extra, "prompt": [], "prompt_id": "p", "example_tags": [], "rubrics": items}
    assert write("healthbench", read("healthbench", row)) == row


@given(flat("weight", "description", title=TEXTS))
def test_any_rar_row_comes_back(items: list[dict[str, Any]]) -> None:
    row = {"question": "q", "reference_answer": "a", "rubric": items}
    rubric = read("rar", row)
    assert read("rar", write("rar", rubric)) == rubric


@given(flat("weight", "requirement"), EXTRA)
def test_any_list_of_requirements_comes_back(items: list[dict[str, Any]], extra: dict[str, Any]) -> None:
    document = {**extra, "rubric": items} if extra else items
    for named in ("rubric", "autorubric"):
        assert write(named, read(named, document)) == ({**extra, **_under(named, items)} if extra else items)


def _under(named: str, items: Any) -> dict[str, Any]:
    return {"rubric" if named == "rubric" else "criteria": items}


@st.composite
def trees(draw: st.DrawFn) -> dict[str, Any]:
    numbers = iter(range(1000))

    def node(depth: int) -> dict[str, Any]:
        width = draw(st.integers(0, 3)) if depth else 0
        fields = {"id": f"n{next(numbers)}", "requirements": draw(TEXTS), "weight": draw(MEANT)}
        parts = {"sub_tasks": [node(depth - 1) for _ in range(width)]}
        category = draw(st.sampled_from([None, "Code Development"]))
        return {**fields, **parts, "task_category": category, "finegrained_task_category": None}

    return node(4)


@given(trees())
def test_any_tree_comes_back(tree: dict[str, Any]) -> None:
    assert write("paperbench", read("paperbench", tree)) == tree


# What is lost is found by reading again.


def lost(axes: str, named: str, tmp_path: Path, axis: str = "a") -> list[str]:
    path = tmp_path / "r.yaml"
    path.write_text(f'name: made\nversion: "1.0"\ndescription: d\naxes:\n{axes}')
    rubric = load_rubric(path)
    body = rubric.axes[axis]
    assert isinstance(body, Criteria)
    write = FORMATS[named].write
    assert write is not None
    return find_losses(rubric, axis, read(named, json.loads(json.dumps(write(rubric, body)))))


SAFETY = """\
  a:
    kind: criteria
    description: What keeps a patient safe.
    importance: {must: 3, default: 1}
    criteria:
      - {id: when, text: Says when., importance: must, gate: true}
      - {id: drug, text: Advises to stop., polarity: negative, points: -5, meta: {by: me}}
      - {id: c3, text: Is short.}
  b: {kind: checklist, description: What is seen.}
"""


def test_what_rubric_cannot_hold(tmp_path: Path) -> None:
    assert lost(SAFETY, "rubric", tmp_path) == [
        "description 'd'",
        "axis.name 'a'",
        "axis.description 'What keeps a patient safe.'",
        "axis.importance {'default': 1.0, 'must': 3.0}",
        "axis.criteria.importance 'must'",
        "axis.criteria.gate True",
        "axes.b.name 'b'",
        "axes.b.description 'What is seen.'",
        "axes.b.kind 'checklist'",
    ]


def test_a_tree_keeps_the_size_of_points_and_says_nothing_of_good_and_bad(tmp_path: Path) -> None:
    """Its criteria stand one level down, under the rubric itself; they are found by their ids."""
    found = [line for line in lost(SAFETY, "paperbench", tmp_path) if "criteria." in line]
    assert found == [
        "axis.criteria.importance 'must'",
        "axis.criteria.gate True",
        "axis.criteria.polarity 'negative'",
        "axis.criteria.points -5.0",
    ]


def test_ids_that_a_format_has_not_are_lost_and_nothing_else_of_their_criteria(tmp_path: Path) -> None:
    found = [line for line in lost(SAFETY, "healthbench", tmp_path) if "criteria." in line]
    gate = "axis.criteria.gate True"
    assert found == ["axis.criteria.id 'when' and 1 more", "axis.criteria.importance 'must'", gate]


def test_a_polarity_that_the_sign_says_is_not_lost(tmp_path: Path) -> None:
    axis = "  criteria:\n    kind: criteria\n    description: What is asked of the trace.\n    criteria:\n"
    good = f"{axis}      - {{id: x, text: t, polarity: positive, points: 2}}\n"
    assert lost(good, "rubric", tmp_path, "criteria") == ["description 'd'"]
    against = f"{axis}      - {{id: x, text: t, polarity: negative, points: 2}}\n"
    assert lost(against, "rubric", tmp_path, "criteria") == ["description 'd'", "axis.criteria.polarity 'negative'"]


def test_what_was_beside_and_means_something_there_is_lost(tmp_path: Path) -> None:
    axis = "  criteria:\n    kind: criteria\n    description: What is asked of the trace.\n    criteria:\n"
    found = lost(f"{axis}      - {{id: x, text: t, points: 2, meta: {{weight: 7}}}}\n", "rubric", tmp_path, "criteria")
    assert found == ["description 'd'", "axis.criteria.meta.weight 7"]


def test_guidelines_mean_nothing_in_rubric_and_are_read_by_autorubric(tmp_path: Path) -> None:
    axis = "  criteria:\n    kind: criteria\n    description: What is asked of the trace.\n    criteria:\n"
    text = f"{axis}      - {{id: x, text: t, points: 2}}\nguidelines: Judge.\n"
    assert lost(text, "rubric", tmp_path, "criteria") == ["description 'd'", "guidelines 'Judge.'"]
    assert lost(text, "autorubric", tmp_path, "criteria") == ["description 'd'"]


def test_leaves_of_a_tree_in_a_list_count_their_share(tmp_path: Path) -> None:
    rubric = read("paperbench", PAPERBENCH)
    axis = criteria(rubric, "tree")
    write = FORMATS["rubric"].write
    assert write is not None
    written = write(rubric, axis)
    assert [(one["id"], one["weight"]) for one in written] == [("1a", 0.25), ("1b", 0.75), ("2", 0)]
    told = [line for line in find_losses(rubric, "tree", read("rubric", written)) if "criteria" in line]
    assert told == [
        "axis.criteria.id '40ff-root' and 1 more",
        "axis.criteria.text 'The paper is reproduced.' and 1 more",
        "axis.criteria.points 1.0 and 3 more",
        "axis.criteria.within '40ff-root' and 3 more",
    ]


# Real rows.


@pytest.mark.skipif(not DATA.is_dir(), reason="shared/data/healthbench is not here")
@pytest.mark.parametrize(
    ("file", "rows", "items", "found"),
    [
        (
            "rubrics_60.jsonl",
            60,
            863,
            {"compound": 200, "vague-word": 94, "judge-instruction": 39, "sign-wording": 11, "unclear-polarity": 2},
        ),
        (
            "m42_judged.jsonl",
            50,
            541,
            {"compound": 148, "vague-word": 89, "judge-instruction": 20, "sign-wording": 5},
        ),
    ],
)
def test_published_rows_are_imported_linted_exported_and_imported_again(
    file: str, rows: int, items: int, found: dict[str, int], tmp_path: Path
) -> None:
    """Counts and rules only: the rows are not to be printed."""
    rules: Counter[str] = Counter()
    asked = 0
    documents = [document for _, document in read_documents(DATA / file)]
    for document in documents:
        rubric = read("healthbench", document)
        equal = read("healthbench", write("healthbench", rubric)) == rubric
        same = write("healthbench", rubric) == document
        assert equal and same, document["prompt_id"]
        (tmp_path / "r.yaml").write_text(text("healthbench", document), encoding="utf-8")
        asked += len(criteria(rubric).criteria)
        rules.update(finding.rule for finding in lint_rubric(str(tmp_path / "r.yaml")))
    assert (len(documents), asked, dict(rules)) == (rows, items, found)
