"""Rows -> the labels of people that they bring, as `judge agree` reads them.

{"record_id": "natural-0", "axis": "overall", "model_a": "output_1", "model_b": "output_2", "rater": "LLMBar",
"verdict": "A"}
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Any

from judge.errors import InputError, RecordError
from judge.recordings.recording import Human, RecordedFormat
from judge.recordings.said import Recording, as_shown
from judge.recordings.template import fill_text

__all__ = ["collect_labels"]


def collect_labels(recordings: Iterable[Recording], declared: RecordedFormat) -> list[dict[str, str]]:
    """One label for each rater and each pair or unit, in the order of the recordings.

    Raises:
        InputError: A rater says two things of the same.
    """
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for recording in recordings:
        for label in _labels(recording, declared):
            key = tuple(value for name, value in label.items() if name != "verdict")
            if found.setdefault(key, label) != label:
                place = f"{recording.path}, line {recording.line}"
                message = (
                    f"{place}: {label['rater']!r} says {label['verdict']!r} of what an earlier row says otherwise."
                )
                raise InputError(message, hint="Correct `people` in the format, or the ids.")
    return list(found.values())


def _labels(recording: Recording, declared: RecordedFormat) -> Iterator[dict[str, str]]:
    if recording.record_id is None or not recording.fields:
        return
    for person in declared.people:
        said = _said(person, recording)
        if said is not None:
            yield {**_about(recording), "rater": fill_text(person.rater, recording.fields), "verdict": said}


def _about(recording: Recording) -> dict[str, str]:
    about: dict[str, Any] = {"record_id": recording.record_id, "axis": recording.axis}
    return about | {"model_a": recording.model_a, "model_b": recording.model_b}


def _said(person: Human, recording: Recording) -> str | None:
    """What a value means; None where there is none, or one that the format does not list."""
    try:
        written = fill_text(person.value, recording.fields)
    except RecordError:
        return None
    meant = person.labels.get(written)
    return None if meant is None else as_shown(meant, recording.swapped)
