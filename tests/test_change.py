"""What differs between two rubrics by meaning; and that the effect that is told is that on what is really sent."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest

from judge.change import Change, compare_rubrics
from judge.image import Image
from judge.probe import Granularity, build_probes
from judge.prompt import JudgeModel, Prompt, Request
from judge.record import build_record, with_images
from judge.rubric import Rubric

OLD: dict[str, Any] = {
    "name": "triage",
    "version": "1",
    "description": "Triage of a child with fever.",
    "guidelines": "Judge what is said.\nBe strict.\n",
    "axes": {
        "seen": {"kind": "checklist", "description": "What is seen.", "importance": {"default": 1, "core": 2}},
        "safety": {
            "kind": "criteria",
            "description": "What keeps the child safe.",
            "importance": {"default": 1, "must": 3},
            "criteria": [
                {"id": "c1", "text": "Names a dose.", "points": 5},
                {"id": "c2", "text": "Recommends aspirin.", "polarity": "negative", "points": -5},
                {"id": "c3", "text": "Says when to come back.", "importance": "must"},
            ],
        },
        "tone": {
            "kind": "scale",
            "description": "How it speaks.",
            "levels": [{"level": 1, "anchor": "Rude."}, {"level": 2, "anchor": "Kind."}],
        },
    },
}
JUDGE = JudgeModel(name="hosted_vllm/any", params={"temperature": 0})
RECORD: dict[str, Any] = {
    "id": "r",
    "question": "What now?",
    "options": {"A": "Wait"},
    "context": "A child.",
    "reference": {"answer": "A", "reasoning": "Wait."},
    "units": {"seen": [{"unit_id": "S1", "claim": "A rash.", "importance": "core"}]},
    "trace": "<think>There is a rash.</think>Wait.",
}


def rubric(edit: str = "", **values: Any) -> Rubric:
    """The rubric with a value put at a path such as `axes.safety.criteria.0.points`; `...` takes it out."""
    body = deepcopy(OLD)
    for path, value in {edit: values["to"]}.items() if edit else ():
        *before, last = path.split(".")
        place: Any = body
        for key in before:
            place = place[int(key) if isinstance(place, list) else key]
        if value is ...:
            del place[int(last) if isinstance(place, list) else last]
        elif isinstance(place, list):
            place[int(last) : int(last) + 1] = [value]
        else:
            place[last] = value
    return Rubric.model_validate(body)


def sent(of: Rubric, granularity: Granularity) -> dict[tuple[str, ...], str]:
    """Units of a call -> the key of its request, for a record that has everything that a view may show."""
    units = {axis: given for axis, given in RECORD["units"].items() if axis in of.axes}
    image = Image(media_type="image/png", data=b"png", width=8, height=8, digest="d")
    record = with_images(build_record({**RECORD, "units": units}, number=1), (image,))
    requests: list[Request] = Prompt(of).build_requests(build_probes(record, of, granularity), JUDGE)
    return {tuple(f"{one.axis}.{one.unit.unit_id}" for one in ask.probes.asked): ask.key for ask in requests}


C = "axes.safety.criteria"
EDITS: dict[str, tuple[str, Any, list[tuple[str | None, str | None, str, str]]]] = {
    "name": ("name", "fever", [(None, None, "name", "nothing")]),
    "version": ("version", "2", [(None, None, "version", "nothing")]),
    "description": ("description", "Other.", [(None, None, "description", "nothing")]),
    "guidelines": ("guidelines", "Be strict.", [(None, None, "guidelines", "asks")]),
    "space around guidelines": ("guidelines", "\nJudge what is said.\nBe strict.", []),
    "axis description": ("axes.safety.description", "Safe?", [("safety", None, "description", "asks")]),
    "space in a description": ("axes.safety.description", "What keeps\n  the child safe.", []),
    "view": ("axes.seen.view", ["question", "trace"], [("seen", None, "view", "asks")]),
    "view without image": (
        "axes.seen.view",
        ["question", "options", "context", "reference", "trace"],
        [("seen", None, "view", "asks")],
    ),
    "view of everything": (
        "axes.seen.view",
        ["trace", "reference", "context", "options", "question", "image", "trace.answer"],
        [],
    ),
    "weight": ("axes.seen.importance.core", 3, [("seen", None, "importance.core", "scores")]),
    "scoring": ("axes.safety.scoring", "healthbench", [("safety", None, "scoring", "scores")]),
    "cannot assess": ("axes.safety.cannot_assess", "unmet", [("safety", None, "cannot_assess", "scores")]),
    "points": (f"{C}.0.points", 3, [("safety", "c1", "points", "scores")]),
    # Where no polarity is stated the points say which side is good, and the judge is told.
    "sign": (f"{C}.0.points", -5, [("safety", "c1", "polarity", "asks"), ("safety", "c1", "points", "scores")]),
    "stated polarity": (f"{C}.0.polarity", "positive", []),
    "polarity": (f"{C}.1.polarity", "positive", [("safety", "c2", "polarity", "asks")]),
    "gate": (f"{C}.2.gate", True, [("safety", "c3", "gate", "scores")]),
    "importance": (f"{C}.2.importance", "default", [("safety", "c3", "importance", "scores")]),
    "text": (f"{C}.2.text", "Says when.", [("safety", "c3", "text", "asks")]),
    "id": (f"{C}.2.id", "back", [("safety", "back", "id", "nothing")]),
    "new criterion": (f"{C}.3", {"id": "c4", "text": "Is kind."}, [("safety", "c4", "criterion", "asks")]),
    "criterion gone": (f"{C}.1", ..., [("safety", "c2", "criterion", "calls")]),
    "anchor": ("axes.tone.levels.1.anchor", "Warm.", [("tone", None, "levels.2", "asks")]),
    "level": ("axes.tone.levels.2", {"level": 3, "anchor": "Warm."}, [("tone", None, "levels.3", "asks")]),
    "axis gone": ("axes.tone", ..., [("tone", None, "axis", "calls")]),
    "new axis": ("axes.known", OLD["axes"]["tone"], [("known", None, "axis", "asks")]),
    "kind": ("axes.tone", {"kind": "criteria", "description": "How."}, [("tone", None, "kind", "asks")]),
}


def told(changes: tuple[Change, ...]) -> list[tuple[str | None, str | None, str, str]]:
    return [(one.axis, one.unit, one.what, one.effect) for one in changes]


@pytest.mark.parametrize("edit", EDITS)
def test_each_difference_is_told_by_meaning(edit: str) -> None:
    path, value, expected = EDITS[edit]
    assert told(compare_rubrics(rubric(), rubric(path, to=value)).changes) == expected


@pytest.mark.parametrize("edit", EDITS)
def test_asked_anew_is_what_another_request_is_sent_for(edit: str) -> None:
    """By itself, unit by unit; and where no effect is on calls, no call of several changes either."""
    path, value, _ = EDITS[edit]
    old, new = rubric(), rubric(path, to=value)
    comparison = compare_rubrics(old, new)
    known = {*sent(old, "unit").values()}
    for (name,), key in sent(new, "unit").items():
        axis, unit = name.split(".")
        asks = any(one.axis in (None, axis) and one.unit in (None, unit) for one in comparison.asking)
        assert asks == (key not in known), name
    if not {one.effect for one in comparison.changes} & {"asks", "calls"}:
        for granularity in ("axis", "trace"):
            assert {*sent(new, granularity).values()} == {*sent(old, granularity).values()}  # type: ignore[arg-type]


PAPER: dict[str, Any] = {
    "name": "paper",
    "version": "1",
    "description": "d",
    "axes": {
        "paper": {
            "kind": "criteria",
            "scoring": "tree",
            "description": "d",
            "criteria": [
                {
                    "id": "data",
                    "text": "The data are ready.",
                    "children": [{"id": "a", "text": "Names them."}, {"id": "b", "text": "Loads them."}],
                },
                {"id": "loss", "text": "Names the loss."},
            ],
        }
    },
}


@pytest.mark.parametrize(
    ("change", "expected", "anew"),
    [
        ({"id": "data", "points": 3}, [("paper", "data", "points", "scores")], set()),
        # A parent's text is told with each of its children.
        ({"id": "data", "text": "The data are there."}, [("paper", "data", "text", "asks")], {"paper.a", "paper.b"}),
        ({"id": "a", "points": 3}, [("paper", "a", "points", "scores")], set()),
        ({"id": "b", "gate": True}, [("paper", "b", "gate", "scores")], set()),
        ({"id": "b", "text": "Reads them."}, [("paper", "b", "text", "asks")], {"paper.b"}),
    ],
)
def test_of_a_tree_every_node_is_held_against_its_own(change: dict[str, Any], expected: Any, anew: set[str]) -> None:
    old, body = Rubric.model_validate(PAPER), deepcopy(PAPER)
    (data, _) = body["axes"]["paper"]["criteria"]
    next(one for one in (data, *data["children"]) if one["id"] == change["id"]).update(change)
    new = Rubric.model_validate(body)
    assert told(compare_rubrics(old, new).changes) == expected
    before, after = sent(old, "unit"), sent(new, "unit")
    assert {name for (name,), key in after.items() if key != before[name,]} == anew


def test_a_leaf_that_moves_is_told_with_another_parent() -> None:
    body = deepcopy(PAPER)
    body["axes"]["paper"]["criteria"].append(body["axes"]["paper"]["criteria"][0]["children"].pop())
    changes = compare_rubrics(Rubric.model_validate(PAPER), Rubric.model_validate(body)).changes
    assert ("paper", "b", "parent", "asks") in told(changes)


@pytest.mark.parametrize(
    ("old", "new", "effect"),
    [
        ({"scoring": "weighted"}, {"scoring": "rar_implicit"}, "asks"),
        ({"scoring": "rar_implicit"}, {"scoring": "rar_explicit"}, "asks"),
        (
            {"scoring": "rar_implicit"},
            {"scoring": "rar_implicit", "criteria": [{"id": "c", "text": "t", "points": 2}]},
            "asks",
        ),
    ],
)
def test_who_rates_all_criteria_together_is_shown_what_they_are_worth(old: Any, new: Any, effect: str) -> None:
    axis = {"kind": "criteria", "description": "d", "criteria": [{"id": "c", "text": "t", "points": 1}]}
    rubrics = [Rubric.model_validate({**PAPER, "axes": {"a": {**axis, **of}}}) for of in (old, new)]
    assert {one.effect for one in compare_rubrics(*rubrics).changes} == {effect}
    assert {*sent(rubrics[0], "axis").values()}.isdisjoint(sent(rubrics[1], "axis").values())


def test_what_differs_in_a_preference_is_no_part_of_a_score() -> None:
    def with_preference(description: str) -> Rubric:
        axes = {**OLD["axes"], "better": {"kind": "preference", "description": description}}
        return Rubric.model_validate({**OLD, "axes": axes})

    changes = compare_rubrics(with_preference("Which?"), with_preference("Which one?")).changes
    assert told(changes) == [("better", None, "description", "nothing")]
    assert {one.effect for one in compare_rubrics(rubric(), with_preference("Which?")).changes} == {"nothing"}


def test_another_order_changes_only_calls_that_ask_several() -> None:
    old, body = rubric(), deepcopy(OLD)
    body["axes"]["safety"]["criteria"].reverse()
    new = Rubric.model_validate(body)
    (change,) = compare_rubrics(old, new).changes
    assert (change.axis, change.what, change.old, change.new) == ("safety", "order", "c1, c2, c3", "c3, c2, c1")
    assert change.effect == "calls"
    assert {*sent(new, "unit").values()} == {*sent(old, "unit").values()}
    assert {*sent(new, "axis").values()} != {*sent(old, "axis").values()}


def test_an_axis_under_another_name_is_known_by_what_it_is_about() -> None:
    """Its name is in the prompt, so it is asked anew; what else differs in it is told too."""
    body = deepcopy(OLD)
    body["axes"] = {{"safety": "safe"}.get(name, name): axis for name, axis in body["axes"].items()}
    body["axes"]["safe"]["criteria"][0]["points"] = 1
    comparison = compare_rubrics(rubric(), Rubric.model_validate(body))
    assert told(comparison.changes) == [("safe", None, "name", "asks"), ("safe", "c1", "points", "scores")]
    assert comparison.axes == {"seen": "seen", "safety": "safe", "tone": "tone"}
    assert comparison.units["safe"] == {"c1": "c1", "c2": "c2", "c3": "c3"}


def test_of_another_kind_nothing_is_held_against_each_other() -> None:
    kind = {"kind": "criteria", "description": "How.", "criteria": [{"id": "level", "text": "Kind."}]}
    comparison = compare_rubrics(rubric(), rubric("axes.tone", to=kind))
    assert comparison.axes["tone"] == "tone" and comparison.units["tone"] == {}


def test_a_rubric_is_like_itself() -> None:
    comparison = compare_rubrics(rubric(), rubric())
    assert comparison.changes == () and comparison.asking == ()
