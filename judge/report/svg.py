"""A drawing -> SVG that a page can hold: no address, no style of its own, and colours that go with the page's.

The page's policy allows no style within an element, so that what matplotlib writes there becomes attributes, and each
colour a variable of the page: it is dark where the page is.
"""

from __future__ import annotations

import io
import re
import unicodedata
import warnings
from typing import Any, Final
from xml.etree import ElementTree as ET

import matplotlib as mpl
from matplotlib.figure import Figure

__all__ = ["ACCENT", "INK", "LINE", "SETTINGS", "axis_colour", "new_drawing", "printable", "to_svg"]

INK: Final = "#010101"
"""Of text and ticks; what is drawn in it has the colour of the page's text."""
LINE: Final = "#020202"
ACCENT: Final = "#030303"
_AXES: Final = 8
"""Colours of axes; a ninth axis has the first one again."""
_COLOURS: Final = {
    INK: "currentColor",
    LINE: "var(--line)",
    ACCENT: "var(--accent)",
    **{f"#04040{number}": f"var(--axis-{number})" for number in range(_AXES)},
}
SETTINGS: Final[dict[Any, Any]] = {
    "svg.fonttype": "none",
    "svg.hashsalt": "judge",
    "text.parse_math": False,
    "font.size": 9,
    **dict.fromkeys(("text.color", "axes.labelcolor", "xtick.color", "ytick.color", "axes.titlecolor"), INK),
    **dict.fromkeys(("axes.edgecolor", "grid.color"), LINE),
    **dict.fromkeys(("axes.spines.top", "axes.spines.right"), False),
    "axes.titlesize": 9,
    "axes.titleweight": "bold",
    "axes.linewidth": 0.8,
    "grid.linewidth": 0.6,
}
"""How every drawing looks; a function that draws is decorated with `mpl.rc_context(SETTINGS)`."""
_SCALE: Final = 1.25
"""Of a drawing on the page, where there is room for it."""
_WIDE: Final = 500
"""Above this, a drawing is not shrunk to a phone's width: its text would be too small."""
_DROPPED: Final = ("metadata", "style")
_STYLED: Final = re.compile(r"\s*([a-z-]+)\s*:\s*([^;]+)")
_SIZE: Final = re.compile(r"([\d.]+)px")


def axis_colour(number: int) -> str:
    """Of the axis with this number."""
    return f"#04040{number % _AXES}"


def printable(text: str, longest: int = 28) -> str:
    """Text that a drawing can hold: without control characters, and not too long for its place."""
    plain = "".join("\N{REPLACEMENT CHARACTER}" if unicodedata.category(char)[0] == "C" else char for char in text)
    return plain if len(plain) <= longest else f"{plain[: longest - 1]}…"


def new_drawing(width: float, height: float) -> Figure:
    """Room for a drawing, in inches of 72 units; what is drawn in it is drawn within `mpl.rc_context`."""
    with mpl.rc_context(SETTINGS):
        return Figure(figsize=(width, height), layout="constrained")


def to_svg(drawing: Figure, name: str, label: str) -> str:
    """The drawing as an element of a page.

    Args:
        drawing: Made by `new_drawing`.
        name: Begins the ids within it; no two drawings of a page have the same.
        label: What a screen reader says of it.
    """
    written = io.BytesIO()
    with mpl.rc_context(SETTINGS), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph")  # the reader's fonts have it: text stays text
        drawing.savefig(
            written, format="svg", metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")), transparent=True
        )
    root = ET.fromstring(written.getvalue())  # noqa: S314 - written two lines above
    _simplify(root, name)
    title = ET.Element("title")
    title.text = printable(label, 500)
    root.insert(0, title)
    root.attrib |= {"role": "img", "aria-label": title.text}
    for gone in ("height", "version"):
        root.attrib.pop(gone, None)
    width = _SCALE * float(root.attrib["width"].removesuffix("pt"))
    root.attrib |= {"width": f"{width:.0f}"} | ({"class": "wide"} if width > _WIDE else {})
    return ET.tostring(root, encoding="unicode")


def _simplify(element: ET.Element, name: str) -> None:
    element.tag = _local(element.tag)
    element.attrib = {
        key: value for old, given in element.attrib.items() for key, value in _attributes(_local(old), given, name)
    }
    element.tail = None if not (element.tail or "").strip() else element.tail
    for child in list(element):
        if _local(child.tag) in _DROPPED:
            element.remove(child)
        else:
            _simplify(child, name)


def _local(tag: str) -> str:
    return tag.rpartition("}")[2]


def _attributes(key: str, value: str, name: str) -> list[tuple[str, str]]:
    if key == "style":
        return [pair for prop, given in _STYLED.findall(value) for pair in _attributes(prop, given.strip(), name)]
    if key == "font":  # "9px 'DejaVu Sans', …": the page has its own
        size = _SIZE.search(value)
        return ([("font-size", size[1])] if size else []) + ([("font-weight", "bold")] if "bold" in value else [])
    if key == "font-size":
        return [(key, value.removesuffix("px"))]
    if key in ("font-family", "white-space"):
        return []
    if key == "id":
        return [(key, f"{name}-{value}")]
    if "#" in value and key in ("href", "clip-path"):
        return [(key, value.replace("#", f"#{name}-"))]
    return [(key, _COLOURS.get(value.lower(), value))]
