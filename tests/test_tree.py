"""Trees: their arithmetic by hand, against all outcomes and a plain reference, and how their leaves are asked."""

from __future__ import annotations

import itertools
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from judge import Judge
from judge.arithmetic import number, work_axis
from judge.axis import Criteria
from judge.criterion import MAX_DEPTH
from judge.errors import RubricError
from judge.probe import build_probes
from judge.record import build_record
from judge.rubric import Rubric, load_rubric
from judge.score import AxisScore, score_axis
from judge.testing import Ask, Server
from judge.verdict import Verdict, about_unit, contentless_verdict

Node = dict[str, Any]


def leaf(name: str, weight: float = 1.0, **more: Any) -> Node:
    return {"id": name, "text": f"Says {name}.", "points": weight, **more}


def node(name: str, weight: float, *children: Node) -> Node:
    return leaf(name, weight, children=list(children))


def tree_of(*roots: Node) -> Criteria:
    return Criteria.model_validate({"kind": "criteria", "scoring": "tree", "description": "d", "criteria": list(roots)})


# root = (2·data + 1·training) / 3; data = (1·a + 3·b) / 4; training = (1·c + 1·d) / 2, where c is a gate.
PAPER = node(
    "root",
    1,
    node("data", 2, leaf("a", 1), leaf("b", 3)),
    node("training", 1, leaf("c", gate=True), leaf("d", polarity="negative")),
)


def verdicts(axis: Criteria, good: Mapping[str, float | None]) -> list[Verdict]:
    """As they come of what is asked; None is a leaf that is not judged."""
    rubric = Rubric(name="r", version="1", description="d", axes={"paper": axis})
    (probes,) = build_probes(build_record({"id": "r", "trace": "t u"}), rubric, "trace")
    return [_verdict(contentless_verdict(asked, sample=0), good[asked.unit.unit_id]) for asked in probes.asked]


def _verdict(bare: Verdict, value: float | None) -> Verdict:
    met = None if value is None else "MET" if (value == 1) == (bare.polarity == "positive") else "UNMET"
    return replace(bare, verdict=met, value=value, failure="off_menu" if value is None else None)  # type: ignore[arg-type]


def scored(axis: Criteria, min_coverage: float = 0.0, **good: float | None) -> AxisScore:
    return score_axis(verdicts(axis, good), min_coverage=min_coverage, axis=axis)


# By hand


@pytest.mark.parametrize(
    ("good", "expected"),
    [
        ({"a": 1, "b": 1, "c": 1, "d": 1}, 1.0),
        ({"a": 0, "b": 0, "c": 1, "d": 0}, 1 / 6),
        # data 3/4, training 1: (3/2 + 1) / 3.
        ({"a": 0, "b": 1, "c": 1, "d": 1}, 2.5 / 3),
        # data 1/4, training 1/2: (1/2 + 1/2) / 3.
        ({"a": 1, "b": 0, "c": 1, "d": 0}, 1 / 3),
        # The gate takes training with it, and not its parent: data 1, training 0: 2 / 3.
        ({"a": 1, "b": 1, "c": 0, "d": 1}, 2 / 3),
        ({"a": 0, "b": 0, "c": 0, "d": 1}, 0.0),
    ],
)
def test_the_weighted_mean_of_the_children_up_to_the_root(good: dict[str, float], expected: float) -> None:
    found = scored(tree_of(PAPER), **good)
    assert found.score == pytest.approx(expected, abs=1e-15)
    assert (found.coverage, found.score_low, found.score_high) == (1.0, found.score, found.score)
    assert (found.grounding, found.correctness) == (None, None)


def test_several_roots_have_one_more_mean_and_a_gate_among_them_is_the_axis_s() -> None:
    # (3·1/2 + 1·1) / 4: x has half of its leaves.
    axis = tree_of(node("x", 3, leaf("p"), leaf("q")), leaf("y", gate=True))
    assert scored(axis, p=1, q=0, y=1).score == 2.5 / 4
    assert scored(axis, p=1, q=1, y=0).score == 0.0


def test_what_a_leaf_weighs_is_its_share_of_the_root() -> None:
    """a: 2/3 · 1/4; b: 2/3 · 3/4; c and d: 1/3 · 1/2. Points are as they were written."""
    found = verdicts(tree_of(PAPER), dict.fromkeys("abcd", 1))
    assert [one.unit_id for one in found] == [*"abcd"]
    assert [one.weight for one in found] == pytest.approx([1 / 6, 1 / 2, 1 / 6, 1 / 6])
    assert [(one.points, one.polarity, one.gate) for one in found] == [
        *((1, "positive", False), (3, "positive", False)),
        *((1, "positive", True), (1, "negative", False)),
    ]


def test_a_weight_is_the_points_or_that_of_the_importance_or_1() -> None:
    leaves = [{"id": "a", "text": "t", "importance": "core"}, {"id": "b", "text": "t", "polarity": "negative"}]
    leaves.append({"id": "c", "text": "t", "importance": "core", "points": 5})
    plain = {"kind": "criteria", "scoring": "tree", "description": "d", "criteria": leaves}
    weights = [leaf.share for leaf in Criteria.model_validate({**plain, "importance": {"core": 2}}).leaves.values()]
    assert weights == [2 / 8, 1 / 8, 5 / 8]
    weights = [
        leaf.share
        for leaf in Criteria.model_validate({**plain, "importance": {"core": 2, "default": 3}}).leaves.values()
    ]
    assert weights == [2 / 10, 3 / 10, 5 / 10]  # the bad one too weighs 3, and nothing below 0


def test_what_is_not_judged_is_in_no_mean() -> None:
    """a and d are missing: data is b, training is c. Worst: a and d bad; best: both good."""
    found = scored(tree_of(PAPER), a=None, b=1, c=1, d=None)
    assert found.score == 1.0
    assert found.coverage == pytest.approx(4 / 6)
    # Low: (2 · 3/4 + 1/2) / 3.
    assert (found.score_low, found.score_high) == (pytest.approx(2 / 3), 1.0)
    # A node without a judged leaf is in no mean either: only training is left, with 1/2.
    found = scored(tree_of(PAPER), a=None, b=None, c=1, d=0)
    assert (found.score, found.coverage) == (0.5, pytest.approx(2 / 6))
    assert (found.score_low, found.score_high) == (pytest.approx(0.5 / 3), pytest.approx(2.5 / 3))


def test_below_the_wanted_coverage_there_is_no_score() -> None:
    good = {"a": 1, "b": None, "c": 1, "d": 1}  # b is half of all
    assert scored(tree_of(PAPER), 0.5, **good).score == 1.0
    found = scored(tree_of(PAPER), 0.51, **good)
    assert (found.score, found.coverage) == (None, pytest.approx(0.5))
    assert (found.score_low, found.score_high) == (pytest.approx((2 / 4 + 1) / 3), 1.0)


def test_an_unjudged_gate_leaves_no_score_however_deep_it_is() -> None:
    found = scored(tree_of(PAPER), a=1, b=1, c=None, d=1)
    assert (found.score, found.score_low, found.score_high) == (None, pytest.approx(2 / 3), 1.0)


def test_nothing_judged_is_no_score() -> None:
    found = scored(tree_of(PAPER), **dict.fromkeys("abcd"))
    assert (found.score, found.coverage, found.score_low, found.score_high) == (None, 0.0, 0.0, 1.0)


def test_a_failed_gate_decides_though_it_weighs_nothing_and_the_rest_is_not_judged() -> None:
    """Whatever q turns out to be, x is 0: so it is in the mean, which would be above its best without it."""
    axis = tree_of(node("x", 1, leaf("p", 0, gate=True), leaf("q")), leaf("y"))
    found = scored(axis, p=0, q=None, y=1)
    assert (found.score, found.score_low, found.score_high) == (0.5, 0.5, 0.5)


def test_what_weighs_nothing_counts_nowhere() -> None:
    axis = tree_of(leaf("a"), leaf("b", 0), node("x", 0, leaf("c"), leaf("d")))
    for others in itertools.product((0, 1, None), repeat=3):
        found = scored(axis, 1.0, a=1, **dict(zip("bcd", others, strict=True)))
        assert (found.score, found.coverage) == (1.0, 1.0)


# Every outcome, and every tree

_WEIGHT = st.sampled_from([0.0, 0.1, 0.5, 1.0, 2.0, 1 / 3, 1e6, 1e-6])
QUICK = settings(max_examples=150)


@st.composite
def trees(draw: st.DrawFn, most: int = 7) -> list[Node]:
    """Some roots, at most `most` leaves, up to five levels deep; every family can score."""
    names = iter(range(1000))

    def family(depth: int, budget: int) -> list[Node]:
        made = []
        for size in draw(st.sampled_from(_SPLITS[budget])):
            inner = depth < 4 and size > 0 and draw(st.booleans())
            name, weight = f"n{next(names)}", draw(_WEIGHT)
            if inner:
                made.append(node(name, weight, *family(depth + 1, size)))
            else:
                polarity = draw(st.sampled_from(["positive", "negative"]))
                made.append(leaf(name, weight, gate=draw(st.integers(0, 5)) == 0, polarity=polarity))
        if not any(one["points"] for one in made):
            made[0]["points"] = 1.0
        return made

    return family(0, draw(st.integers(1, most)))


def _splits(total: int) -> list[tuple[int, ...]]:
    """All ways to share so many leaves among siblings, in order."""
    if not total:
        return [()]
    return [(first, *rest) for first in range(1, total + 1) for rest in _splits(total - first)]


_SPLITS = {total: _splits(total) for total in range(1, 8)}


def leaves_of(roots: list[Node]) -> list[Node]:
    return [found for one in roots for found in (leaves_of(one["children"]) if "children" in one else [one])]


def naive(siblings: list[Node], good: Mapping[str, float | None]) -> float | None:
    """As the contract says it, on the plain YAML: weighted mean of the children, and min(0, ·) where a gate fails."""
    values = [naive(one["children"], good) if "children" in one else good[one["id"]] for one in siblings]
    if any(one.get("gate") and value == 0 for one, value in zip(siblings, values, strict=True)):
        return 0
    known = [(one["points"], value) for one, value in zip(siblings, values, strict=True) if value is not None]
    whole = sum(weight for weight, _ in known)
    return sum(weight * value for weight, value in known) / whole if whole else None


def shares(siblings: list[Node], share: float = 1.0) -> dict[str, float]:
    whole, found = sum(one["points"] for one in siblings), {}
    for one in siblings:
        part = share * one["points"] / whole
        found |= shares(one["children"], part) if "children" in one else {one["id"]: part}
    return found


OUTCOME = st.sampled_from([0, 1, None])


@QUICK
@given(st.data())
def test_any_tree_scores_as_the_contract_says(data: st.DataObject) -> None:
    roots = data.draw(trees())
    good = {one["id"]: data.draw(OUTCOME) for one in leaves_of(roots)}
    coverage = data.draw(st.sampled_from([0.0, 0.5, 1.0]))
    part = shares(roots)
    asked = sum(part.values())
    found = scored(tree_of(*roots), coverage, **good)
    assert asked == pytest.approx(1)
    assert found.coverage == pytest.approx(sum(part[name] for name, value in good.items() if value is not None))
    unsure = any(one["gate"] and good[one["id"]] is None for one in leaves_of(roots))
    expected = naive(roots, good)
    if expected is None or unsure or found.coverage is None or found.coverage < coverage - 1e-12:
        assert found.score is None
    else:
        assert found.score == pytest.approx(expected)


@QUICK
@given(st.data())
def test_low_and_high_are_the_extremes_over_all_outcomes(data: st.DataObject) -> None:
    roots = data.draw(trees(most=6))
    good = {one["id"]: data.draw(OUTCOME) for one in leaves_of(roots)}
    missing = [name for name, value in good.items() if value is None]
    possible = [
        naive(roots, {**good, **dict(zip(missing, chosen, strict=True))})
        for chosen in itertools.product((0, 1), repeat=len(missing))
    ]
    known = [value for value in possible if value is not None]
    found = scored(tree_of(*roots), **good)
    assert len(known) == 2 ** len(missing)
    assert found.score_low == pytest.approx(min(known))
    assert found.score_high == pytest.approx(max(known))
    if found.score is not None:
        assert min(known) - 1e-12 <= found.score <= max(known) + 1e-12


@QUICK
@given(st.data(), st.sampled_from([0.1, 3.0, 1e6]))
def test_weights_scale_out_in_each_family(data: st.DataObject, factor: float) -> None:
    roots = data.draw(trees())
    good = {one["id"]: data.draw(OUTCOME) for one in leaves_of(roots)}
    first = scored(tree_of(*roots), **good).score
    scaled = [{**one, "points": one["points"] * factor} for one in roots]
    again = scored(tree_of(*scaled), **good).score
    assert first == (None if again is None else pytest.approx(again))


@QUICK
@given(st.data())
def test_a_tree_of_one_level_is_the_share_of_the_weight_whose_good_side_holds(data: st.DataObject) -> None:
    roots = data.draw(trees())
    assume(not any("children" in one for one in roots))
    good = {one["id"]: data.draw(st.sampled_from([0, 1])) for one in roots}
    axis = tree_of(*roots)
    flat = Criteria(kind="criteria", scoring="rar_explicit", description="d")
    one, other = (score_axis(verdicts(axis, good), axis=each).score for each in (axis, flat))
    assert one == pytest.approx(other)


# The sums that are shown


def worked(axis: Criteria, **good: float) -> list[str]:
    given_verdicts = verdicts(axis, good)
    return work_axis("paper", given_verdicts, score_axis(given_verdicts, axis=axis), axis)


def test_the_sums_are_shown_from_below_where_there_is_something_to_add() -> None:
    assert worked(tree_of(PAPER), a=1, b=1, c=1, d=1) == ["paper_score = 1"]
    assert worked(tree_of(PAPER), a=1, b=0, c=1, d=1) == [
        "data = (1 + 3·0) / (1 + 3) = 0.25",
        "root = (2·0.25 + 1) / (2 + 1) = 0.5",
        "paper_score = 0.5",
    ]
    assert worked(tree_of(PAPER), a=1, b=1, c=0, d=1) == [
        "training = 0, as the gate c leaves no more",
        "root = (2·1 + 0) / (2 + 1) = 0.6667",
        "paper_score = 0.6667",
    ]


@QUICK
@given(st.data())
def test_every_line_comes_to_its_number_and_the_last_to_the_score(data: st.DataObject) -> None:
    roots = data.draw(trees())
    axis = tree_of(*roots)
    good = {one["id"]: data.draw(st.sampled_from([0, 1])) for one in leaves_of(roots)}
    lines = worked(axis, **good)
    for line in lines:
        _, *formula, last = line.split(", as ")[0].split(" = ")
        value = float(last)
        assert all(eval(one.replace("·", "*")) == pytest.approx(value, abs=1.6e-4) for one in formula)
    assert lines[-1].split(", as ")[0].split(" = ")[-1] == number(scored(axis, **good).score)


# The format


HEAD = 'name: r\nversion: "1"\ndescription: d\naxes:\n  a:\n    kind: criteria\n    description: d\n'


def load(text: str, tmp_path: Path) -> Rubric:
    path = tmp_path / "r.yaml"
    path.write_text(HEAD + text)
    return load_rubric(path)


LEAF = "{id: x, text: t}"


@pytest.mark.parametrize(
    ("text", "place", "said"),
    [
        (
            "criteria: [{id: p, text: t, children: [{id: x, text: t}]}]",
            "6:5",
            "'p' has children, and `scoring: weighted`",
        ),
        ("scoring: tree", "6:5", "`scoring: tree` needs criteria here, as records have no trees"),
        ("scoring: tree\n    criteria: []", "6:5", "`scoring: tree` needs criteria here"),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, gate: true, children: [{id: x, text: t}]}]",
            "6:5",
            "'p' is a gate and has children; a gate is asked, so it has none",
        ),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, polarity: negative, children: [{id: x, text: t}]}]",
            "6:5",
            "'p' has children and `polarity: negative`",
        ),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, points: -2, children: [{id: x, text: t}]}]",
            "6:5",
            "'p' has -2 points; in a tree, points are a weight of at least 0",
        ),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, children: [{id: x, text: t, points: -1}]}]",
            "6:5",
            "'x' has -1 points; in a tree, points are a weight of at least 0. Write them without the sign;",
        ),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, children: [{id: p, text: t}]}]",
            "9:15",
            "two criteria have the id 'p'; ids must be unique. Rename one of them.\n",
        ),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, children: [{id: x, text: t, points: 0}]}]",
            "6:5",
            "all children of 'p' are worth 0 points, so there is nothing to score",
        ),
        ("scoring: tree\n    criteria: [{id: p, text: t, points: 0}]", "6:5", "all criteria are worth 0 points"),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, children: [{id: x, text: t, importance: core}]}]",
            "6:5",
            "the importance of 'x' is 'core'; the axis lists: none",
        ),
        (
            "scoring: tree\n    criteria: [{id: p, text: t, children: [{id: x}]}]",
            "9:44",
            "axes.a.criteria.0.children.0.text: Field required.",
        ),
        ("scoring: tree\n    criteria: [{id: p, text: t, children: x}]", "9:43", "axes.a.criteria.0.children: Input"),
    ],
)
def test_a_tree_that_cannot_score_is_refused_with_its_place(text: str, place: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RubricError) as caught:
        load(f"    {text}\n", tmp_path)
    assert said in f"{caught.value}\n"
    assert f"r.yaml:{place}: " in str(caught.value)


def chain(levels: int) -> str:
    """One line a level, so that a fault's place is easy to see."""
    text = "{id: x, text: t}"
    for level in range(levels - 1):
        text = f"{{id: n{level}, text: t, children: [{text}]}}"
    return f"    scoring: tree\n    criteria: [{text}]\n"


def test_a_tree_is_as_deep_as_is_allowed_and_no_deeper(tmp_path: Path) -> None:
    axis = load(chain(MAX_DEPTH), tmp_path).axes["a"]
    assert isinstance(axis, Criteria)
    (found,) = axis.leaves.values()
    assert (found.share, len(found.within)) == (1.0, MAX_DEPTH - 1)
    assert scored(axis, x=1).score == 1.0
    with pytest.raises(RubricError, match=r"r\.yaml:9:15: axes\.a\.criteria: the tree has more than 32 levels\. Join "):
        load(chain(MAX_DEPTH + 1), tmp_path)
    # Far deeper than what reads it may call itself.
    deep = leaf("x")
    for level in range(5000):
        deep = node(f"n{level}", 1, deep)
    with pytest.raises(ValueError, match="the tree has more than 32 levels"):
        tree_of(deep)


def test_the_fingerprint_is_of_the_tree_and_that_of_a_rubric_without_one_is_as_before(tmp_path: Path) -> None:
    one = {"id": "x", "text": "t", "points": 2}
    axis = {"kind": "criteria", "description": "d", "criteria": [one]}
    rubric = {"name": "r", "version": "1", "description": "d", "axes": {"a": axis}}
    assert Rubric.model_validate(rubric).fingerprint == "a7358262513f"  # of the version before there were trees
    prints = {
        load(f"    scoring: tree\n    criteria: [{text}]\n", tmp_path).fingerprint
        for text in (
            LEAF,
            f"{{id: p, text: t, children: [{LEAF}]}}",
            f"{{id: q, text: t, children: [{LEAF}]}}",
            "{id: p, text: t, children: [{id: x, text: t, points: 3}]}",
        )
    }
    assert len(prints) == 4


# Asked about, over a real connection

RUBRIC = Rubric(name="paper", version="1", description="d", axes={"paper": tree_of(PAPER)})
RECORD = {"id": "r1", "question": "How was it done?", "trace": "We load a and b. We train with c."}


def by_text(ask: Ask) -> dict[str, Any]:
    """A leaf holds where the trace has its letter as a word of its own; d cannot be told."""
    said = {}
    for unit in ask.units:
        name = unit.claim.removeprefix("Says ").removesuffix(".")
        found = name in ask.trace.replace(".", "").split()
        verdict = "CANNOT_ASSESS" if name == "d" and "no d" not in ask.trace else "MET" if found else "UNMET"
        said[unit.name] = {"evidence": None, "reason": "So.", "verdict": verdict}
    return said


def asking(server: Server, **how: Any) -> Judge:
    return Judge("hosted_vllm/m", **{"api_base": server.api_base, "cache": None, "rubric": RUBRIC, **how})


def test_leaves_are_asked_with_what_they_are_a_part_of_and_scored() -> None:
    asked = []
    with Server(script=lambda ask: asked.append(ask) or by_text(ask)) as server, asking(server) as judge:
        run = judge.score([{**RECORD, "trace": "We load b. We train with c and no d."}])
    (user,) = (ask.body["messages"][1]["content"] for ask in asked)
    assert 'u1 (paper): "Says a."\n  within: "Says root." > "Says data."\nu2 ' in user
    assert 'u4 (paper, bad): "Says d."\n  within: "Says root." > "Says training."\n' in user
    assert user.count("A line `within` says") == 1
    row = run.scores.row(0, named=True)
    # data 3/4, training (1 + 0) / 2 as d holds and is bad: (2 · 3/4 + 1/2) / 3.
    assert (row["paper_score"], row["trace_score"], row["paper_coverage"], row["units_asked"]) == (
        *(pytest.approx(2 / 3), pytest.approx(2 / 3)),
        *(1.0, 4),
    )
    columns = ("kind", "unit_id", "verdict", "value", "points", "gate")
    assert run.verdicts.select(columns).rows() == [
        ("criteria", "a", "UNMET", 0.0, 1.0, False),
        ("criteria", "b", "MET", 1.0, 3.0, False),
        ("criteria", "c", "MET", 1.0, 1.0, True),
        ("criteria", "d", "MET", 0.0, 1.0, False),
    ]
    assert run.verdicts["weight"].to_list() == pytest.approx([1 / 6, 1 / 2, 1 / 6, 1 / 6])


def test_what_cannot_be_assessed_lowers_the_coverage_by_its_share() -> None:
    with Server(script=by_text) as server, asking(server) as strict, asking(server, min_coverage=0.8) as mild:
        (one,), (other,) = (judge.score([RECORD]).scores.rows(named=True) for judge in (strict, mild))
    # d is a sixth. Worst: training 1/2, (2 + 1/2) / 3; best, and without it: 1.
    assert (one["paper_score"], one["paper_coverage"]) == (None, pytest.approx(5 / 6))
    assert (one["paper_score_low"], one["paper_score_high"]) == (pytest.approx(5 / 6), 1.0)
    assert (other["paper_score"], other["trace_score"]) == (1.0, 1.0)


def test_a_trace_that_says_nothing_scores_0_and_a_record_brings_no_tree() -> None:
    with Server(script=by_text) as server, asking(server) as judge:
        run = judge.score([{**RECORD, "trace": "Thought process:"}])
        assert run.scores["trace_score"].to_list() == [0.0]
        run = judge.score([{**RECORD, "units": {"paper": [{"unit_id": "x", "claim": "y"}]}}])
        assert run.failures["error"].to_list() == ["own_units"]
        assert not server.ledger.rows()


def test_calls_of_sixteen_leaves_each() -> None:
    axis = tree_of(node("root", 1, *(leaf(f"l{number}") for number in range(40))))
    rubric = Rubric(name="r", version="1", description="d", axes={"paper": axis})
    groups = build_probes(build_record({"id": "r", "trace": "t u"}), rubric, "axis")
    assert [len(group.asked) for group in groups] == [16, 16, 8]
    assert sum(about_unit(asked, 0)["weight"] for group in groups for asked in group.asked) == pytest.approx(1)


def test_the_template_of_a_tree_is_judged_and_scored(tmp_path: Path) -> None:
    text = (Path(__file__).parents[1] / "rubrics" / "new" / "tree.yaml").read_text(encoding="utf-8")
    (tmp_path / "t.yaml").write_text(text.replace("$name", "t"), encoding="utf-8")

    def only_the_gate(ask: Ask) -> dict[str, Any]:
        return {
            unit.name: {"evidence": None, "reason": "r", "verdict": "MET" if "loss" in unit.claim else "UNMET"}
            for unit in ask.units
        }

    with Server(script=only_the_gate) as server, asking(server, rubric=str(tmp_path / "t.yaml")) as judge:
        run = judge.score([RECORD])
    # data 0, training 1, as the loss is named and nothing leaks: 2 / 3.
    assert run.scores["method_score"].to_list() == [pytest.approx(2 / 3)]
    assert json.loads(run.verdicts.select("unit_id").write_json()) == [
        {"unit_id": name} for name in ("source", "split", "loss", "leak")
    ]
