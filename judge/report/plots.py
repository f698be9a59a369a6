"""Numbers -> drawings. Every one has a table of the same numbers beside it on the page."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TypeAlias

import matplotlib as mpl
from matplotlib.axes import Axes

from judge.report.svg import ACCENT, INK, LINE, SETTINGS, axis_colour, new_drawing, printable, to_svg

__all__ = [
    "Curve",
    "Mean",
    "draw_calibration",
    "draw_distributions",
    "draw_latencies",
    "draw_matrix",
    "draw_profile",
    "draw_strengths",
]

Mean: TypeAlias = tuple[float | None, float | None, float | None]
"""Mean, low, high; the bounds are None where there is no interval."""

_WIDTH = 7.0
_STRONGEST = 0.55
"""Of a cell's colour, so that its number stays readable."""
_TICKS = (0, 0.5, 1)
_PANELS_ACROSS = 3
_LONGEST_BELOW = 14
_FEW_POINTS = 4
"""That have room for their numbers beside them."""


@mpl.rc_context(SETTINGS)
def draw_profile(
    name: str, label: str, models: Sequence[str], axes: Sequence[str], means: Mapping[tuple[str, str], Mean]
) -> str:
    """Means with intervals: a panel an axis, a line a model.

    Args:
        name: As of `to_svg`.
        label: The same.
        models: From top to bottom.
        axes: From left to right; the last is the trace score.
        means: By model and axis; a model that has none there has no mark.
    """
    drawing = new_drawing(_WIDTH, 0.75 + 0.28 * len(models))
    panels = drawing.subplots(1, len(axes), sharey=True, squeeze=False)[0]
    for number, (axis, panel) in enumerate(zip(axes, panels, strict=True)):
        colour = INK if number == len(axes) - 1 else axis_colour(number)
        for place, model in enumerate(models):
            _mark(panel, place, means.get((model, axis)), colour)
        _unit_range(panel, printable(axis, 14))
    panels[0].set_yticks(range(len(models)), [printable(model, 22) for model in models])
    panels[0].set_ylim(len(models) - 0.5, -0.5)
    return to_svg(drawing, name, label)


def _mark(panel: Axes, place: int, mean: Mean | None, colour: str) -> None:
    value, low, high = (None, None, None) if mean is None else mean
    if value is None:
        return
    if low is not None and high is not None:
        panel.plot([low, high], [place, place], color=colour, linewidth=2, solid_capstyle="round")
    panel.plot([value], [place], marker="o", markersize=6, color=colour)


def _unit_range(panel: Axes, title: str) -> None:
    panel.set_title(title)
    panel.set_xlim(-0.04, 1.04)
    panel.set_xticks(_TICKS, ["0", "½", "1"])
    panel.grid(axis="x")
    panel.tick_params(length=0)
    panel.set_axisbelow(True)


@mpl.rc_context(SETTINGS)
def draw_distributions(
    name: str, label: str, models: Sequence[str], axes: Sequence[str], counts: Mapping[tuple[str, str], Sequence[int]]
) -> str:
    """How scores spread from 0 to 1: a row a model, a panel an axis, bars of as many records.

    Args:
        name: As of `to_svg`.
        label: The same.
        models: From top to bottom.
        axes: From left to right; the last is the trace score.
        counts: By model and axis: records in steps of equal width.
    """
    drawing = new_drawing(_WIDTH, 0.5 + 0.72 * len(models))
    panels = drawing.subplots(len(models), len(axes), sharex=True, sharey="row", squeeze=False)
    for row, model in enumerate(models):
        for number, axis in enumerate(axes):
            colour = INK if number == len(axes) - 1 else axis_colour(number)
            _bars(panels[row][number], counts.get((model, axis), ()), colour)
            _unit_range(panels[row][number], printable(axis, 14) if row == 0 else "")
        panels[row][0].set_ylabel(
            printable(model, 16), rotation=0, horizontalalignment="right", verticalalignment="center"
        )
    return to_svg(drawing, name, label)


def _bars(panel: Axes, counts: Sequence[int], colour: str) -> None:
    width = 1 / max(1, len(counts))
    panel.bar([width * (place + 0.5) for place in range(len(counts))], counts, width * 0.86, color=colour)
    panel.set_yticks([])
    panel.spines["left"].set_visible(False)


@mpl.rc_context(SETTINGS)
def draw_latencies(name: str, label: str, edges: Sequence[float], counts: Sequence[int]) -> str:
    """How long calls took: bars over seconds, in steps that grow.

    Args:
        name: As of `to_svg`.
        label: The same.
        edges: Seconds, ascending, one more than counts.
        counts: Calls between two edges.
    """
    drawing = new_drawing(_WIDTH, 1.9)
    panel = drawing.subplots()
    lefts, rights = edges[:-1], edges[1:]
    panel.bar(
        lefts,
        counts,
        [right - left for left, right in zip(lefts, rights, strict=True)],
        align="edge",
        color=ACCENT,
        edgecolor=LINE,
    )
    panel.set_xscale("log")
    panel.xaxis.set_major_formatter(lambda value, _: f"{value:g} s")
    panel.xaxis.set_minor_formatter("")
    panel.set_ylabel("calls")
    return to_svg(drawing, name, label)


@mpl.rc_context(SETTINGS)
def draw_matrix(
    name: str, label: str, names: Sequence[str], values: Sequence[Sequence[float | None]], n: Sequence[Sequence[int]]
) -> str:
    """A value of at most 1 for each pair of names, the stronger the colour the larger it is above 0.

    Args:
        name: As of `to_svg`.
        label: The same.
        names: Of rows, and of columns.
        values: Row by row; None where there is none.
        n: What each value is of.
    """
    size = len(names)
    drawing = new_drawing(min(_WIDTH, 2.2 + 0.95 * size), 0.9 + 0.55 * size)
    panel = drawing.subplots()
    for row in range(size):
        for place in range(size):
            _cell(panel, row, place, values[row][place], n[row][place])
    # Names that would be cut below each other may be the same then: they go by number.
    numbered = max(map(len, names)) > _LONGEST_BELOW
    rows = [f"{place}. {name}" for place, name in enumerate(names, start=1)] if numbered else names
    panel.set_yticks(range(size), [printable(one) for one in rows])
    if numbered:
        panel.set_xticks(range(size), [str(place + 1) for place in range(size)])
    else:
        panel.set_xticks(range(size), list(map(printable, names)), rotation=30, ha="right", rotation_mode="anchor")
    panel.set_xlim(-0.5, size - 0.5)
    panel.set_ylim(size - 0.5, -0.5)
    _without_frame(panel)
    return to_svg(drawing, name, label)


def _cell(panel: Axes, row: int, place: int, value: float | None, n: int) -> None:
    if value is None:
        panel.text(place, row, f"n/a\nn = {n:,}" if n else "–", ha="center", va="center", size=7 if n else None)
        return
    strength = _STRONGEST * min(1.0, max(0.0, value))
    panel.bar([place], [0.94], 0.94, bottom=row - 0.47, color=ACCENT, alpha=strength)
    panel.text(place, row, f"{value:.2f}", ha="center", va="bottom", weight="bold")
    panel.text(place, row + 0.06, f"n = {n:,}", ha="center", va="top", size=7)


def _without_frame(panel: Axes) -> None:
    panel.tick_params(length=0)
    for spine in panel.spines.values():
        spine.set_visible(False)


@mpl.rc_context(SETTINGS)
def draw_strengths(name: str, label: str, strengths: Sequence[tuple[str, Mean]]) -> str:
    """A line a model, from weak on the left to strong on the right.

    Args:
        name: As of `to_svg`.
        label: The same.
        strengths: Models from top to bottom, each with its log-strength and the bounds of it.
    """
    drawing = new_drawing(_WIDTH, 0.7 + 0.28 * len(strengths))
    panel = drawing.subplots()
    panel.axvline(0, color=LINE, linewidth=1, linestyle="--")
    for place, (_, mean) in enumerate(strengths):
        _mark(panel, place, mean, ACCENT)
    panel.set_yticks(range(len(strengths)), [printable(model, 22) for model, _ in strengths])
    panel.set_ylim(len(strengths) - 0.5, -0.5)
    panel.set_xlabel("strength (log-odds)")
    panel.grid(axis="x")
    panel.set_axisbelow(True)
    return to_svg(drawing, name, label)


@dataclass(frozen=True, slots=True, kw_only=True)
class Curve:
    """What people say where the judge says something.

    Attributes:
        title: What was asked.
        points: What the judge says, the people's mean with its interval, and the answers behind it.
        line: Of a map: what the judge says, and what stands for it.
    """

    title: str
    points: Sequence[tuple[float, Mean, int]] = ()
    line: Sequence[tuple[float, float]] = ()


@mpl.rc_context(SETTINGS)
def draw_calibration(name: str, label: str, curves: Sequence[Curve]) -> str:
    """A panel a curve; on the dashed diagonal, judge and people say the same.

    Args:
        name: As of `to_svg`.
        label: The same.
        curves: At least one.
    """
    across = min(_PANELS_ACROSS, len(curves))
    down = -(-len(curves) // across)
    drawing = new_drawing(max(3.6, 2.5 * across), 2.5 * down + 0.3)
    panels = drawing.subplots(down, across, squeeze=False)
    for place in range(across * down):
        panel = panels[place // across][place % across]
        if place < len(curves):
            _curve(panel, curves[place])
        else:
            panel.set_visible(False)
    return to_svg(drawing, name, label)


def _curve(panel: Axes, curve: Curve) -> None:
    said = [0.0, 1.0, *(share for share, _, _ in curve.points), *(at for at, _ in curve.line)]
    panel.plot([min(said), max(said)], [min(said), max(said)], color=LINE, linestyle="--", linewidth=1)
    if curve.line:
        panel.plot(*zip(*curve.line, strict=True), color=INK, linewidth=1.2)
    for share, (mean, low, high), n in curve.points:
        if mean is None:
            continue
        if low is not None and high is not None:
            panel.plot([share, share], [low, high], color=ACCENT, linewidth=2)
        panel.plot([share], [mean], marker="o", markersize=5, color=ACCENT)
        if len(curve.points) <= _FEW_POINTS:
            panel.annotate(f"n = {n:,}", (share, mean), (5, 4), textcoords="offset points", size=7)
    panel.margins(0.08)
    panel.set_xmargin(0.2 if len(curve.points) <= _FEW_POINTS else 0.05)
    panel.set_title(printable(curve.title, 26))
    panel.set_xlabel("judge")
    panel.set_ylabel("people")
