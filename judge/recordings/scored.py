"""Recordings of criteria and of scales -> Outcomes: the same arithmetic as of a run that asks."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Final, cast

from judge.criterion import polarity_of
from judge.errors import ConfigError, RecordError
from judge.outcome import Failure, Outcome
from judge.probe import AskedUnit, build_probes
from judge.record import Record, build_record
from judge.recordings.recording import RecordedFormat
from judge.recordings.said import Recording
from judge.recordings.template import fill, fill_text
from judge.rubric import Rubric, load_rubric
from judge.score import score_trace
from judge.verdict import Verdict, about_unit
from judge.words import Met

__all__ = ["as_failure", "rubric_of", "score_recordings"]

_SHOWN: Final = 4_000  # code points of a recorded text, as the reason


def rubric_of(declared: RecordedFormat) -> Rubric:
    """What the verdicts are scored by: the rubric that a format names, or the scale that its numbers are.

    Raises:
        ConfigError, RubricError: There is no such rubric, or it has no such axis of criteria from records.
    """
    if declared.numbers is not None:
        ends = ((declared.numbers.lowest, "the lowest"), (declared.numbers.highest, "the highest"))
        levels = [
            {"level": round(level), "anchor": f"{anchor} that the recorded judge could give"} for level, anchor in ends
        ]
        axis = {"kind": "scale", "description": declared.about, "levels": levels}
        about = {"name": declared.name, "version": "recorded", "description": declared.about}
        return Rubric.model_validate({**about, "axes": {declared.axis: axis}})
    rubric = load_rubric(str(declared.rubric))
    axis_of = rubric.axes.get(str(declared.axis))
    if axis_of is None or axis_of.kind != "criteria":
        named = ", ".join(name for name, one in rubric.axes.items() if one.kind == "criteria") or "none"
        message = f"the rubric {rubric.name!r} has no axis of criteria {declared.axis!r}; it has: {named}."
        raise ConfigError(message, hint="Change `axis` or `rubric` in the format.")
    return rubric


def score_recordings(
    recordings: Iterable[Recording], declared: RecordedFormat, rubric: Rubric
) -> list[tuple[str, Outcome]]:
    """The outcome of each record, with its judge, in the order of their first recordings."""
    together: dict[tuple[str, str | None, str], list[Recording]] = {}
    for one in recordings:
        if one.record_id is not None and one.judge is not None:
            together.setdefault((one.record_id, one.model, one.judge), []).append(one)
    return [(key[2], _outcome(those, declared, rubric)) for key, those in together.items()]


def _outcome(those: Sequence[Recording], declared: RecordedFormat, rubric: Rubric) -> Outcome:
    line = those[0].line
    try:
        record = _record(those, declared)
        asked = [unit for probes in build_probes(record, rubric, "trace") for unit in probes.asked]
    except RecordError as exc:
        failure = Failure(
            line=line,
            record_id=those[0].record_id,
            stage="record",
            error=exc.code,
            message=str(exc),
            axis=declared.axis,
        )
        return Outcome(line=line, record=None, failures=(failure,))
    verdicts = tuple(_verdicts(those, asked, declared))
    failures = tuple(
        as_failure(one, (unit,)) for one, unit in zip(those, _units(those, asked, declared), strict=True) if one.failure
    )
    scores = score_trace(verdicts, axes=rubric.axes)
    return Outcome(line=line, record=record, scores=scores, verdicts=verdicts, failures=failures)


def _record(those: Sequence[Recording], declared: RecordedFormat) -> Record:
    first = those[0]
    trace = "" if declared.trace is None or not first.fields else fill_text(declared.trace, first.fields)
    fields: dict[str, Any] = {"id": first.record_id, "model": first.model, "trace": trace}
    if declared.kind == "criteria":
        units = {
            unit["unit_id"]: unit for unit in (_unit(one, declared, number) for number, one in enumerate(those, 1))
        }
        fields["units"] = {declared.axis: list(units.values())}
    return build_record(fields, number=first.line)


def _unit(one: Recording, declared: RecordedFormat, number: int) -> dict[str, Any]:
    given = {name: fill(template, one.fields) for name, template in declared.unit.items()}
    return {"unit_id": f"c{number}", "claim": f"c{number}", **given}


def _units(those: Sequence[Recording], asked: Sequence[AskedUnit], declared: RecordedFormat) -> list[str]:
    if declared.kind == "scale":
        return [asked[0].unit.unit_id] * len(those)
    return [str(_unit(one, declared, number)["unit_id"]) for number, one in enumerate(those, 1)]


def _verdicts(those: Sequence[Recording], asked: Sequence[AskedUnit], declared: RecordedFormat) -> Iterable[Verdict]:
    known, seen = {one.unit.unit_id: one for one in asked}, dict.fromkeys((one.unit.unit_id for one in asked), 0)
    for one, unit_id in zip(those, _units(those, asked, declared), strict=True):
        sample = seen[unit_id]
        seen[unit_id] += 1
        yield _verdict(one, known[unit_id], sample)


def _verdict(one: Recording, asked: AskedUnit, sample: int) -> Verdict:
    about = about_unit(asked, sample) | {"reason": one.text[:_SHOWN]}
    if one.failure is not None:
        return Verdict(**about, failure=one.failure)
    if isinstance(one.heard, float):
        return Verdict(**about, value=one.heard, level=int(one.heard) if one.heard.is_integer() else None)
    met = cast("Met", one.heard)  # a format of criteria has no other labels
    if met == "CANNOT_ASSESS" and not asked.unmet_if_unclear:
        return Verdict(**about, verdict=met, failure="cannot_assess")
    good = (met == "MET") == (polarity_of(asked.unit) == "positive")
    return Verdict(**about, verdict=met, value=float(good))


def as_failure(one: Recording, unit_ids: tuple[str, ...] = ()) -> Failure:
    """A recording without a verdict as a row of `failures.jsonl`."""
    return Failure(
        line=one.line,
        record_id=one.record_id,
        stage=one.stage,
        error=str(one.failure),
        message=f"{one.path.name}, line {one.line}: {one.message}",
        axis=one.axis,
        unit_ids=unit_ids,
        raw=one.text[:_SHOWN] or None,
    )
