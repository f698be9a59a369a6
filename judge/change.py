"""Two Rubrics -> Changes: what differs in meaning, and whether a judge has to be asked anew because of it.

    safety.c1  points   5 -> 3                        scores: verdicts stay, and count otherwise
    safety.c2  text     Names a dose. -> Names one.   asks: the judge is told something else
    safety     order    c1, c2 -> c2, c1              calls: only what is asked in one call with others changes

White space that no prompt shows is no difference, and neither are comments or the order of keys.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final, Literal, TypeAlias, get_args

from pydantic import JsonValue

from judge.axis import AskedKind, Axis, Criteria, Preference, Scale, asked_kind
from judge.criterion import Criterion, each_criterion, each_family, polarity_of
from judge.prompt import one_line
from judge.rubric import Rubric
from judge.view import Part, View

__all__ = ["Change", "Comparison", "Effect", "compare_rubrics"]

Effect: TypeAlias = Literal["asks", "calls", "scores", "nothing"]
_OF_THE_TRACE: Final = {"trace", "trace.reasoning", "trace.answer"}
_EVERYTHING: Final = {"image", "question", "options", "context", "reference", "trace"}
_ARITHMETIC: Final = ("points", "importance", "gate", "scoring", "cannot_assess")
"""What a judge is never shown. Whatever else an axis may have is taken to be shown."""
_Fields: TypeAlias = dict[str, JsonValue]


@dataclass(frozen=True, slots=True, kw_only=True)
class Change:
    """One difference.

    Attributes:
        axis: Its name in the new version, or in the old one where it is gone; None for the rubric itself.
        unit: Id of the criterion, likewise; None for the axis itself.
        what: The field, such as `text` or `importance.core`; `axis` and `criterion` for one that came or went.
        old, new: Its values; None where there is none.
        effect: `asks`: the judge has to be asked anew. `calls`: only calls that ask several things at once change.
            `scores`: verdicts stay as they are, and count otherwise. `nothing`: neither, as of preferences, which are
            no part of a score.
    """

    axis: str | None = None
    unit: str | None = None
    what: str
    old: JsonValue
    new: JsonValue
    effect: Effect


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Two versions of a rubric.

    Attributes:
        changes: Those of the rubric first, then by axis, in the order of the new version; what is gone comes last.
        axes: Name of an axis in the old version -> in the new one, for those that both have.
        units: Axis of the new version -> id of a criterion in the old one -> in the new one, for those that both have.
    """

    changes: tuple[Change, ...]
    axes: Mapping[str, str]
    units: Mapping[str, Mapping[str, str]]

    @property
    def asking(self) -> tuple[Change, ...]:
        """Those because of which the judge has to be asked anew."""
        return tuple(one for one in self.changes if one.effect == "asks")


def compare_rubrics(old: Rubric, new: Rubric) -> Comparison:
    """Say what differs between two versions.

    An axis of another name with the same kind and description, and a criterion of another id with the same text, is the
    same under a new name.
    """
    axes = _paired(_topics(old), _topics(new))
    units: dict[str, Mapping[str, str]] = {}
    changes = list(_of_rubric(old, new, axes))
    for mine, name in axes.items():
        before, after = old.axes[mine], new.axes[name]
        units[name] = _paired(_texts(before), _texts(after)) if before.kind == after.kind else {}
        changes += _differing({"name": mine}, {"name": name}, axis=name)
        changes += _of_axis(name, before, after, units[name])
    changes += _came_and_went(_topics(old, kind=False), _topics(new, kind=False), axes)
    apart = {name for name, axis in (old.axes | new.axes).items() if isinstance(axis, Preference)}
    told = [replace(one, effect="nothing") if one.axis in apart else one for one in changes]
    return Comparison(changes=tuple(told), axes=axes, units=units)


def _topics(rubric: Rubric, *, kind: bool = True) -> dict[str, str]:
    """What each axis is about."""
    return {name: f"{axis.kind} " * kind + one_line(axis.description) for name, axis in rubric.axes.items()}


def _texts(axis: Axis) -> dict[str, str]:
    return {one.id: one.text for one in _criteria(axis)}


def _criteria(axis: Axis) -> tuple[Criterion, ...]:
    """Those of a tree too: what has children is told with each of them."""
    return tuple(each_criterion(axis.criteria)) if isinstance(axis, Criteria) else ()


def _paired(old: Mapping[str, str], new: Mapping[str, str]) -> dict[str, str]:
    """Old name -> new name of what is the same: by its name, else by what it says."""
    added = {said: name for name, said in new.items() if name not in old}
    pairs = {name: name if name in new else added.pop(said, None) for name, said in old.items()}
    return {mine: name for mine, name in pairs.items() if name is not None}


def _of_rubric(old: Rubric, new: Rubric, axes: Mapping[str, str]) -> Iterator[Change]:
    for name in ("name", "version", "description"):
        if getattr(old, name) != getattr(new, name):
            yield Change(what=name, old=getattr(old, name), new=getattr(new, name), effect="nothing")
    yield from _differing({"guidelines": old.guidelines.strip()}, {"guidelines": new.guidelines.strip()})
    yield from _reordered(list(old.axes), list(new.axes), axes)


def _of_axis(name: str, old: Axis, new: Axis, units: Mapping[str, str]) -> Iterator[Change]:
    if old.kind != new.kind:  # what else differs cannot be held against each other
        yield Change(axis=name, what="kind", old=old.kind, new=new.kind, effect="asks")
        return
    yield from _differing(_axis_fields(old), _axis_fields(new), axis=name, shown="rating" in _asked(old, new))
    before, after = _by_id(old), _by_id(new)
    for mine, unit in units.items():
        if mine != unit:
            yield Change(axis=name, unit=unit, what="id", old=mine, new=unit, effect="nothing")
        yield from _differing(before[mine], after[unit], axis=name, unit=unit, shown="rating" in _asked(old, new))
    yield from _reordered(list(before), list(after), units, axis=name)
    yield from _came_and_went(_texts(old), _texts(new), units, axis=name)


def _axis_fields(axis: Axis) -> _Fields:
    fields: _Fields = axis.model_dump(exclude={"criteria", "importance", "levels"})
    fields |= {"description": one_line(axis.description), "view": _shown(axis.view)}
    weights = {} if isinstance(axis, Preference) else axis.weights
    fields |= {f"importance.{name}": weight for name, weight in weights.items()}
    if isinstance(axis, Scale):
        fields |= {f"levels.{level}": one_line(anchor) for level, anchor in axis.anchors.items()}
    return fields


def _shown(view: View) -> JsonValue:
    """The parts that a view shows, each once: none is all of them, and the trace is whole unless a part is named."""
    parts = {*_EVERYTHING} if view is None else {*view}
    if "trace" in parts or not parts & _OF_THE_TRACE:
        parts = {"trace", *(parts - _OF_THE_TRACE)}
    return [part for part in get_args(Part) if part in parts]


def _by_id(axis: Axis) -> dict[str, _Fields]:
    parents = _parents(axis)
    return {one.id: _criterion_fields(one) | {"parent": parents[one.id]} for one in _criteria(axis)}


def _criterion_fields(one: Criterion) -> _Fields:
    return {**one.model_dump(exclude={"id", "children"}), "polarity": polarity_of(one)}


def _parents(axis: Axis) -> dict[str, str | None]:
    """Criterion -> what it is a part of, in a tree."""
    families = each_family(axis.criteria) if isinstance(axis, Criteria) else ()
    return {one.id: parent.id if parent else None for parent, children in families for one in children}


def _asked(*axes: Axis) -> tuple[AskedKind, ...]:
    """As what axes are asked about. Who rates all criteria together is shown what each is worth."""
    return tuple(map(asked_kind, axes))


def _differing(
    old: _Fields, new: _Fields, *, axis: str | None = None, unit: str | None = None, shown: bool = False
) -> Iterator[Change]:
    for what in {**old, **new}:
        before, after = old.get(what), new.get(what)
        if before != after:
            effect: Effect = "scores" if what.partition(".")[0] in _ARITHMETIC and not shown else "asks"
            yield Change(axis=axis, unit=unit, what=what, old=before, new=after, effect=effect)


def _reordered(
    old: Sequence[str], new: Sequence[str], pairs: Mapping[str, str], *, axis: str | None = None
) -> Iterator[Change]:
    """The order of what both have; it is that of the asking."""
    before, after = [pairs[name] for name in old if name in pairs], [name for name in new if name in pairs.values()]
    if before != after:
        yield Change(axis=axis, what="order", old=", ".join(before), new=", ".join(after), effect="calls")


def _came_and_went(
    old: Mapping[str, str], new: Mapping[str, str], pairs: Mapping[str, str], *, axis: str | None = None
) -> Iterator[Change]:
    """Axes, or the criteria of an axis, that only one version has."""
    for name, said in new.items():
        if name not in pairs.values():
            yield _whole(axis, name, old=None, new=said, effect="asks")
    for name, said in old.items():
        if name not in pairs:
            yield _whole(axis, name, old=said, new=None, effect="calls")


def _whole(axis: str | None, name: str, *, old: str | None, new: str | None, effect: Effect) -> Change:
    if axis is None:
        return Change(axis=name, what="axis", old=old, new=new, effect=effect)
    return Change(axis=axis, unit=name, what="criterion", old=old, new=new, effect=effect)
