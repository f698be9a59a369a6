"""What an axis lets a judge see of a record, in the text that is sent and in the images."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from judge.errors import RubricError
from judge.image import Image
from judge.probe import build_probes
from judge.prompt import JudgeModel, Prompt, Request
from judge.record import Record, build_record, with_images
from judge.rubric import Rubric, load_rubric
from judge.view import record_values, shown_parts

FIELDS = {
    "id": "r1",
    "question": "QUESTION",
    "options": {"A": "OPTION"},
    "context": "CONTEXT",
    "reference": {"answer": "ANSWER", "reasoning": "REASONING"},
    "trace": "<think>THOUGHT</think> SAID",
    "units": {"a": [{"unit_id": "A1", "claim": "CLAIM"}], "b": [{"unit_id": "B1", "claim": "CLAIM"}]},
}
WORDS = ("QUESTION", "OPTION", "CONTEXT", "ANSWER", "REASONING", "THOUGHT", "SAID")


def record(**changes: Any) -> Record:
    return build_record({**FIELDS, **changes})


def shown(*view: Any) -> set[str]:
    values = str(record_values(record(), view or None))
    return {word for word in WORDS if word in values}


@pytest.mark.parametrize(
    ("view", "expected"),
    [
        ((), set(WORDS)),
        (("question", "reference"), {"QUESTION", "ANSWER", "REASONING", "THOUGHT", "SAID"}),
        (("options", "context", "trace"), {"OPTION", "CONTEXT", "THOUGHT", "SAID"}),
        (("trace.reasoning",), {"THOUGHT"}),
        (("trace.answer",), {"SAID"}),
        (("trace.answer", "trace.reasoning"), {"THOUGHT", "SAID"}),
        (("image",), {"THOUGHT", "SAID"}),
    ],
)
def test_a_view_shows_what_it_names_and_always_the_trace(view: Any, expected: set[str]) -> None:
    assert shown(*view) == expected


def test_a_trace_without_thinking_is_both_of_its_parts() -> None:
    plain = record(trace="SAID")
    assert record_values(plain, ("trace.reasoning",))["trace"] == "SAID"
    assert record_values(plain, ("trace.answer",))["trace"] == "SAID"


@pytest.mark.parametrize(
    ("trace", "parts"),
    [
        ("<think>\n A\n</think>\n\nB ", ["A", "B"]),
        (" x <think> y </think> z", ["x  y", "z"]),  # the tag between them is not shown
        ("<think> </think> B", ["", "B"]),
        ("<think>A</think>", ["A", ""]),
        ("<think>🫁 A</think>B</think><think>C", ["🫁 A</think>B", "<think>C"]),
        ("no thought", ["no thought"]),
    ],
)
def test_where_the_parts_of_a_trace_stand(trace: str, parts: list[str]) -> None:
    view: Any = ("trace.reasoning", "trace.answer")
    found = shown_parts(trace, view)
    assert all(trace[piece.start :].startswith(piece.text) for part in found for piece in part)
    assert record_values(record(trace=trace), view)["trace"] == "\n\n".join(parts)
    assert len(found) == len(parts)


def test_the_fence_is_of_what_is_shown() -> None:
    """A candidate that knows the hash of its whole trace cannot close the fence around a part of it."""
    whole, part = record_values(record()), record_values(record(), ("trace.answer",))
    assert whole["tag"] != part["tag"]
    assert record_values(record(trace="SAID"))["tag"] == part["tag"]


def rubric(a: str, b: str, tmp_path: Path) -> Rubric:
    path = tmp_path / "r.yaml"
    axes = "".join(f"  {name}: {{kind: checklist, description: d{view}}}\n" for name, view in (("a", a), ("b", b)))
    path.write_text(f'name: r\nversion: "1"\ndescription: d\naxes:\n{axes}')
    return load_rubric(path)


def requests(made: Rubric, granularity: Any, one: Record) -> list[Request]:
    groups = build_probes(one, made, granularity)
    return Prompt(made).build_requests(groups, JudgeModel(name="hosted_vllm/m"))


def test_axes_with_different_views_do_not_share_a_call(tmp_path: Path) -> None:
    picture = Image(media_type="image/png", data=b"x", width=1, height=1, digest="d")
    one = with_images(record(), (picture,))
    blind, seeing = ", view: [question]", ", view: [image, reference]"
    first, second = requests(rubric(blind, seeing, tmp_path), "trace", one)
    assert (first.images, second.images) == ((), (picture,))
    assert ("REASONING" in first.user, "QUESTION" in first.user, "image above" in first.user) == (False, True, False)
    assert ("REASONING" in second.user, "QUESTION" in second.user, "image above" in second.user) == (True, False, True)
    assert len(requests(rubric(blind, blind, tmp_path), "trace", one)) == 1
    assert len(requests(rubric("", "", tmp_path), "trace", one)) == 1


def test_a_view_is_part_of_what_a_rubric_means(tmp_path: Path) -> None:
    plain = rubric("", "", tmp_path).fingerprint
    assert rubric(", view: [question]", "", tmp_path).fingerprint != plain


def test_whether_images_are_looked_at(tmp_path: Path) -> None:
    assert rubric(", view: [question]", "", tmp_path).shows_images
    assert rubric(", view: [question]", ", view: [image]", tmp_path).shows_images
    assert not rubric(", view: [question]", ", view: [context]", tmp_path).shows_images


@pytest.mark.parametrize(
    ("view", "said"), [("[picture]", "view.0: Input should be 'image'"), ("question", "view: Input")]
)
def test_a_view_of_nothing_that_there_is(view: str, said: str, tmp_path: Path) -> None:
    with pytest.raises(RubricError, match=f"axes.a.{said}"):
        rubric(f", view: {view}", "", tmp_path)


def test_without_a_reference_perception_sees_the_image_and_the_others_do_not() -> None:
    free = load_rubric("pkr-free")
    assert {axis.kind for axis in free.axes.values()} == {"scale"}
    seeing = {name for name, axis in free.axes.items() if axis.view and "image" in axis.view}
    assert seeing == {"perception_grounding", "perception_correctness"}
    assert not any(axis.view is None or "reference" in axis.view for axis in free.axes.values())
    # Two views: perception's two scales in one call, and the four others in another.
    assert [len(request.probes.asked) for request in requests(free, "trace", record(units={}))] == [2, 4]
