"""Drawings: elements that a page can hold, whatever names are in them."""

from __future__ import annotations

import re
from xml.etree import ElementTree as ET

import pytest

from judge.report.plots import (
    Curve,
    draw_calibration,
    draw_distributions,
    draw_latencies,
    draw_matrix,
    draw_profile,
    draw_strengths,
)

NAMES = ["<b>&\"'", "$x^2$", "右肺🫁", "a\x00\x1b\u202eb", "long " * 40]


def drawn(names):
    means = {(name, "trace"): (0.5, 0.4, 0.6) for name in names} | {(names[0], "axis"): (1.0, None, None)}
    counts = {(name, axis): [1, 0, 2] for name in names for axis in ("axis", "trace")}
    size = len(names)
    matrix = [[None if row == place else 0.25 for place in range(size)] for row in range(size)]
    points = [(0.5, (0.4, 0.3, 0.5), 12), (1.0, (None, None, None), 0)]
    curve = Curve(title=names[0], points=points, line=[(0.0, 0.1), (1.0, 0.9)])
    return {
        "profile": draw_profile("one", "Means", names, ["axis", "trace"], means),
        "distributions": draw_distributions("two", "Scores", names, ["axis", "trace"], counts),
        "latencies": draw_latencies("three", names[0], [0.1, 1, 10], [3, 1]),
        "matrix": draw_matrix("four", names[0], names, matrix, [[7] * size] * size),
        "calibration": draw_calibration("five", "People", [curve, Curve(title="only a map", line=curve.line)]),
        "strengths": draw_strengths("six", names[0], [(name, (0.5, 0.4, 0.6)) for name in names]),
    }


@pytest.mark.parametrize("kind", ["profile", "distributions", "latencies", "matrix", "calibration", "strengths"])
def test_a_drawing_has_no_address_no_style_and_a_name(kind):
    svg = drawn(NAMES)[kind]
    root = ET.fromstring(svg)
    assert root.tag == "svg" and root.attrib["role"] == "img" and root.attrib["aria-label"]
    assert not re.search(r"http|xmlns|style|#0[1-4]0|font-family|DejaVu", svg)
    assert {element.tag for element in root.iter()} <= {
        "svg",
        "title",
        "g",
        "path",
        "text",
        "defs",
        "use",
        "clipPath",
        "rect",
        "tspan",
    }
    ids = [element.attrib["id"] for element in root.iter() if "id" in element.attrib]
    assert len(ids) == len(set(ids))
    used = {
        value.split("#")[1].rstrip(")") for element in root.iter() for value in element.attrib.values() if "#" in value
    }
    assert used <= set(ids)


def test_names_stay_text_and_are_no_formula():
    texts = [element.text for element in ET.fromstring(drawn(NAMES)["profile"]).iter("text")]
    assert {
        "$x^2$",
        "<b>&\"'",
        "右肺🫁",
        "a\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}\N{REPLACEMENT CHARACTER}b",
    } <= set(texts)
    assert any(text.endswith("…") for text in texts)


def test_colours_are_the_pages():
    svg = drawn(["a", "b"])["profile"]
    assert "var(--axis-0)" in svg and "currentColor" in svg and "var(--line)" in svg


def test_what_there_is_no_number_of_is_no_zero():
    texts = [element.text for element in ET.fromstring(drawn(["a", "b"])["matrix"]).iter("text")]
    assert texts.count("n/a") == 2 and texts.count("0.25") == 2 and texts.count("n = 7") == 4
    nothing = draw_matrix("one", "Wins", ["a", "b"], [[None, 1.0], [0.0, None]], [[0, 7], [7, 0]])
    assert [element.text for element in ET.fromstring(nothing).iter("text")].count("–") == 2
