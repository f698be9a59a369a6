"""Recordings of pairs -> Preferences: the orders in which a pair was shown, put together."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Final

from judge.preference import Outcome, Preference, Preferred, settle
from judge.recordings.recording import RecordedFormat
from judge.recordings.said import Recording

__all__ = ["pair_up"]

_SHOWN: Final = 4_000  # code points of a recorded text, as the reason


@dataclass(frozen=True, slots=True, kw_only=True)
class _Order:
    """What was said of a pair in one order; several recordings of it are repeats."""

    preferred: Preferred | None
    failure: str | None
    text: str | None
    numbers: tuple[float, float] | None


def pair_up(recordings: Iterable[Recording], declared: RecordedFormat) -> list[Preference]:
    """A preference for each pair and judge, in the order of their first recording.

    Args:
        recordings: Of pairs; those without a record or judge are in none.
        declared: Says whether both orders were asked.
    """
    together: dict[tuple[str, ...], list[Recording]] = {}
    for one in recordings:
        if one.record_id is not None and one.judge is not None and one.model_a and one.model_b:
            key = (one.record_id, one.model_a, one.model_b, one.axis, one.judge)
            together.setdefault(key, []).append(one)
    return [_preference(key, those, declared) for key, those in together.items()]


def _preference(key: tuple[str, ...], those: Sequence[Recording], declared: RecordedFormat) -> Preference:
    record_id, model_a, model_b, axis, judge = key
    ab = _order([one for one in those if not one.swapped])
    ba = _order([one for one in those if one.swapped])
    apart = len(declared.raw) == 2  # each trace was scored alone: no order was shown
    outcome, failure = _settled(ab, ba, one_says_all=apart or declared.orders == 1)
    scored = ab.numbers or ba.numbers
    return Preference(
        record_id=record_id,
        model_a=model_a,
        model_b=model_b,
        axis=axis,
        judge=judge,
        order_ab=None if apart else ab.preferred,
        order_ba=None if apart else ba.preferred,
        outcome=outcome,
        failure=failure,
        reason=ab.text,
        reason_ba=ba.text,
        score_a=scored[0] if scored else None,
        score_b=scored[1] if scored else None,
    )


def _order(those: Sequence[Recording]) -> _Order:
    """A repeat that failed says nothing against one that did not; two that differ leave nothing to believe."""
    if not those:
        return _Order(preferred=None, failure="order_missing", text=None, numbers=None)
    said = [one for one in those if one.preferred is not None]
    text = (said or those)[0].text[:_SHOWN]
    if not said:
        return _Order(preferred=None, failure=those[0].failure, text=text, numbers=None)
    if len({one.preferred for one in said}) > 1:
        return _Order(preferred=None, failure="repeats_differ", text=text, numbers=None)
    return _Order(preferred=said[0].preferred, failure=None, text=text, numbers=said[0].numbers)


def _settled(ab: _Order, ba: _Order, *, one_says_all: bool) -> tuple[Outcome | None, str | None]:
    """What holds, and else why nothing does: of a pair that was asked in one order, what was said in it."""
    if one_says_all and "order_missing" in (ab.failure, ba.failure):
        shown = ba if ab.failure == "order_missing" else ab
        return shown.preferred, shown.failure
    outcome = settle(ab.preferred, ba.preferred)
    return outcome, None if outcome else ab.failure or ba.failure
