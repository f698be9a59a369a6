"""What `judge rubric diff` prints: changes of a rubric, and moves of scores and verdicts."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Final

from pydantic import JsonValue
from rich.table import Table
from rich.text import Text

from judge.change import Change, Comparison, Effect
from judge.cli.terminal import Screen, clean, clean_lines
from judge.move import Moves, OneSided, RecordMove, ScoreMove, VerdictMove
from judge.rubric import Rubric

__all__ = ["print_changes", "print_moves"]

_EFFECTS: Final[Mapping[Effect, str]] = {
    "asks": "asked anew",
    "calls": "shared calls change",
    "scores": "arithmetic only",
    "nothing": "nothing",
}
_SHOWN: Final = 10
_NEAR: Final = 5e-4  # of what is shown with three digits


def print_changes(screen: Screen, old: Rubric, new: Rubric, comparison: Comparison) -> None:
    """Print what differs between two versions, and what has to be asked anew."""
    called = " -> ".join(f"{one.name} {one.version} ({one.fingerprint})" for one in (old, new))
    screen.print(clean(called), style="bold", soft_wrap=True)
    if comparison.changes:
        screen.print()
        screen.print(_change_table(comparison.changes))
        screen.print()
    screen.print(clean(_to_ask(comparison)), soft_wrap=True)


def _change_table(changes: Sequence[Change]) -> Table:
    table = _table("", "where", "what", "old", "new", "effect")
    for one in changes:
        where = ".".join(part for part in (one.axis, one.unit) if part is not None) or "rubric"
        cells = (clean(where), clean(one.what), *_values(one), _EFFECTS[one.effect])
        table.add_row(_sign(one), *map(Text, cells))
    return table


def _table(*names: str) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in names:
        table.add_column(name, overflow="fold")
    return table


def _sign(change: Change) -> Text:
    came_or_went = change.what in ("axis", "criterion")
    sign, style = ("+", "green") if change.old is None else ("-", "red")
    return Text(sign, style=style) if came_or_went else Text("~", style="yellow")


def _values(change: Change) -> tuple[str, str]:
    """Both values; of texts with several lines, the lines that the other one does not have."""
    if isinstance(change.old, str) and isinstance(change.new, str):
        old, new = change.old.splitlines(), change.new.splitlines()
        told = ([line for line in mine if line not in other] for mine, other in ((old, new), (new, old)))
        before, after = ("\n".join(lines) for lines in told)
        return clean_lines(before), clean_lines(after)
    return _value(change.old), _value(change.new)


def _value(value: JsonValue) -> str:
    if value is None:
        return "–"
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, float):
        return f"{value:g}"
    return clean(", ".join(map(str, value)) if isinstance(value, list) else value)


def _to_ask(comparison: Comparison) -> str:
    effects = {one.effect for one in comparison.changes}
    if comparison.asking:
        alone = "What shares a call with these is asked again too, but not with --granularity unit."
        return f"Asked anew: {', '.join(_asked(comparison.asking))}. {alone}"
    if "calls" in effects:
        return "The judge is told nothing else, but calls that ask several things change; with --granularity unit none."
    if "scores" in effects:
        return "Nothing has to be asked anew: verdicts stay as they are, and count otherwise."
    return "Nothing has to be asked anew, and nothing counts otherwise." if effects else "They mean the same."


def _asked(asking: Sequence[Change]) -> Iterator[str]:
    """Everything, or axes, with those of their criteria if it is not all of them."""
    if any(one.axis is None for one in asking):
        yield "everything"
        return
    for axis in dict.fromkeys(one.axis for one in asking):
        units = dict.fromkeys(one.unit for one in asking if one.axis == axis)
        yield str(axis) if None in units else f"{axis} ({', '.join(map(str, units))})"


def print_moves(screen: Screen, moves: Moves, *, paid: tuple[int, int] | None) -> None:
    """Print what moved.

    Args:
        screen: Where.
        moves: Of `find_moves`.
        paid: Replies paid for under the old and the new version; None for a judge that is free.
    """
    screen.print(f"\n{_calls(moves, paid)}", soft_wrap=True)
    screen.print(_verdicts(moves), soft_wrap=True)
    if any(one.moved for one in moves.scores):
        screen.print()
        screen.print(_score_table(moves.scores))
    for table, more in _lists(moves):
        screen.print()
        screen.print(table)
        if more > 0:
            screen.print(f"… and {more:,} more in --json", style="dim")
    screen.print()


def _calls(moves: Moves, paid: tuple[int, int] | None) -> str:
    said = f"{moves.calls:,} calls under the new version, {moves.shared:,} of them the same under the old one"
    if paid is None:
        return f"{said}; all computed here at no cost"
    return f"{said}; paid for: {paid[0]:,} under the old version, {paid[1]:,} under the new one"


def _verdicts(moves: Moves) -> str:
    counts = moves.counts
    said = f"{counts.moved:,} of {counts.both:,} verdicts moved"
    if counts.noise:
        said += f", {counts.noise:,} of them noise"
    if counts.again:
        noise = "the judge's noise" if counts.noise else "so no noise was seen"
        said += (
            f". {counts.again:,} were asked again although nothing changed for them, as their call asks something "
            f"else too: {counts.noise:,} of these moved, {noise}"
        )
    if counts.one:
        said += f". {counts.one:,} more are missing under one version, which is no move"
    return f"{said}."


def _score_table(scores: Sequence[ScoreMove]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("score", "old", "new", "", "difference", "n", "moved"):
        table.add_column(name, justify="left" if name in ("score", "") else "right", no_wrap=name != "score")
    for one in scores:
        cells = (_mean(one.old), _mean(one.new), _arrow(one.mean), _difference(one), str(one.n), str(one.moved))
        table.add_row(Text(clean(one.measure)), *cells)
    return table


def _mean(value: float | None) -> str:
    return "–" if value is None else f"{value:.3f}"


def _arrow(change: float | None) -> Text:
    if change is None or abs(change) < _NEAR:
        return Text("=", style="dim")
    return Text("↑", style="green") if change > 0 else Text("↓", style="red")


def _difference(one: ScoreMove) -> str:
    if one.mean is None or one.low is None or one.high is None:
        return "–" if one.mean is None else f"{one.mean:+.3f}"
    return f"{one.mean:+.3f} [{one.low:+.3f}, {one.high:+.3f}]"


def _lists(moves: Moves) -> Iterator[tuple[Table, int]]:
    """Tables of the first few, and how many more there are; nothing where there are none."""
    if moves.verdicts:
        yield _verdict_table(moves.verdicts[:_SHOWN]), len(moves.verdicts) - _SHOWN
    if moves.records:
        yield _record_table(moves.records[:_SHOWN]), len(moves.records) - _SHOWN
    if moves.one_sided:
        yield _failure_table(moves.one_sided[:_SHOWN]), len(moves.one_sided) - _SHOWN


def _verdict_table(verdicts: Sequence[VerdictMove]) -> Table:
    table = _table("record", "verdict", "old", "new", "reason")
    for one in verdicts:
        reason = f"{'(noise) ' * one.noise}{one.new_reason or ''}"
        named = f"{one.axis}.{one.unit_id}{f' sample {one.sample}' * bool(one.sample)}"
        table.add_row(*map(Text, map(clean, (_record(one), named, one.old, one.new, reason))))
    return table


def _record_table(records: Sequence[RecordMove]) -> Table:
    table = _table("record", "", "trace score")
    for one in records:
        table.add_row(Text(clean(_record(one))), _arrow(one.new - one.old), f"{one.old:.3f} -> {one.new:.3f}")
    return table


def _failure_table(records: Sequence[OneSided]) -> Table:
    table = _table("record", "failed under", "because of")
    for one in records:
        version, why = ("the new version", one.new) if one.old is None else ("the old version", one.old)
        table.add_row(*map(Text, map(clean, (_record(one), version, why))))
    return table


def _record(one: VerdictMove | RecordMove | OneSided) -> str:
    """By its line too, as several traces may have one id."""
    return f"{one.record_id} (line {one.line})"
