"""Scales by probes: from probabilities on the wire to expectations in the tables, alone and beside checklists."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from run_kit import NAME, assert_same_tables, read_failures, score, settings_for, to_lines, traces_of

from judge import Judge
from judge.cases import ExpectedVerdict
from judge.errors import ConfigError
from judge.estimate import ASSUMED_RAISED, estimate
from judge.preview import preview
from judge.record import build_record
from judge.rubric import Rubric
from judge.testing import Ask, Server
from judge.testing.ask import last_user_text


def a_scale(levels: Mapping[int, str], description: str) -> dict[str, Any]:
    told = [{"level": level, "anchor": anchor} for level, anchor in levels.items()]
    return {"kind": "scale", "description": description, "levels": told}


def with_axes(**axes: object) -> Rubric:
    return Rubric.model_validate({"name": "r", "version": "1", "description": "d", "axes": axes})


QUALITY = a_scale({1: "Wrong.", 3: "Half right.", 5: "Right."}, "How good?")
STYLE = a_scale({0: "Unclear.", 2: "Clear."}, "How clear?")
SCALE = with_axes(quality=QUALITY)
# A scale between two checklists, and another at the end.
FACTS = {"kind": "checklist", "description": "Facts."}
MIXED = with_axes(knowledge=FACTS, quality=QUALITY, rationale=FACTS, style=STYLE)

RECORD = {"id": "r", "question": "Why?", "trace": "Air rises."}
UNITS = {axis: [{"unit_id": axis[:1], "claim": f"{axis} is so."}] for axis in ("knowledge", "rationale")}
LIKELY = {"1": 0.1, "3": 0.6, "5": 0.3}  # 0.1 + 1.8 + 1.5 = 3.4, which is 0.6 of the way from 1 to 5
TOLD: Mapping[tuple[str, str], Mapping[str, float]] = {
    ("level", "quality"): LIKELY,
    ("level", "style"): {"0": 0.25, "2": 0.75},  # 1.5 of 2
    ("presence", "knowledge"): {"0": 0.0, "1": 0.2, "2": 0.8},  # 0.9
    ("correctness", "knowledge"): {"0": 0.2, "1": 0.3, "2": 0.5},
    ("presence", "rationale"): {"0": 0.8, "1": 0.2, "2": 0.0},  # 0.1, and not raised
}


def told(ask: Ask) -> Mapping[str, object]:
    return TOLD[ask.question, ask.units[0].axis]


def verdicts(out: Path) -> pl.DataFrame:
    return pl.read_parquet(out / "verdicts.parquet")


def scored(out: Path) -> dict[str, Any]:
    (row,) = pl.read_parquet(out / "scores.parquet").to_dicts()
    return row


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "out"


# Numbers


def test_an_expectation_by_hand_from_the_wire_to_the_tables(out: Path) -> None:
    with Server(script=told) as server:
        score([RECORD], out, server, rubric=SCALE, probe=True)
        assert server.ledger.requests == 1
    (verdict,) = verdicts(out).to_dicts()
    assert (verdict["kind"], verdict["unit_id"], verdict["level"], verdict["estimator"]) == (
        *("scale", "level", 3, "expectation"),
    )
    assert verdict["value"] == pytest.approx(3.4)
    nothing = ("presence", "correctness", "verdict", "p_present", "p_correct", "evidence", "evidence_found", "reason")
    assert [verdict[column] for column in nothing] == [None] * 8
    row = scored(out)
    for column in ("quality_score", "quality_score_low", "quality_score_high", "trace_score"):
        assert row[column] == pytest.approx(0.6)
    assert ("quality_grounding" in row, row["quality_coverage"]) == (False, 1.0)
    (call,) = pl.read_parquet(out / "calls.parquet").to_dicts()
    assert (call["completion_tokens"], call["call_id"]) == (1, verdict["call_id"])


def test_checklists_and_scales_of_one_rubric(out: Path) -> None:
    with Server(script=told) as server:
        score([{**RECORD, "units": UNITS}], out, server, rubric=MIXED, probe=True)
        # Presence twice, correctness of the one that is raised, and two levels.
        assert server.ledger.requests == 5
    found = verdicts(out)
    assert found["axis"].to_list() == ["knowledge", "quality", "rationale", "style"]
    assert found["presence"].to_list() == [2, None, 0, None]
    assert found["level"].to_list() == [None, 3, None, 2]
    assert found["estimator"].to_list() == [None, "expectation", None, "expectation"]
    assert found["value"].to_list() == [None, pytest.approx(3.4), None, pytest.approx(1.5)]
    row = scored(out)
    # 0.9 · 0.5; not raised; (3.4 - 1) / 4; 1.5 / 2.
    by_axis = [row[f"{axis}_score"] for axis in ("knowledge", "rationale", "quality", "style")]
    assert by_axis == pytest.approx([0.45, 0.0, 0.6, 0.75])
    assert row["trace_score"] == pytest.approx((0.45 + 0.0 + 0.6 + 0.75) / 4)


def test_tokens_with_a_space_before_them_are_levels_too(out: Path) -> None:
    tokens = {" 5": 0.4, "5": 0.1, "▁3": 0.2, "Ġ3": 0.2, "1": 0.1}
    with Server(script=lambda _: tokens, constrains=False) as server:
        score([RECORD], out, server, rubric=SCALE, probe=True)
    # 0.5 · 5 + 0.4 · 3 + 0.1 · 1.
    assert verdicts(out)["value"].to_list() == pytest.approx([3.8])
    assert verdicts(out)["level"].to_list() == [5]


def test_what_is_on_no_level_is_left_out_down_to_a_half(out: Path) -> None:
    """A word has the rest; of levels that are none of the scale's, too."""
    tokens = {"The": 0.3, "4": 0.1, "1": 0.0, "3": 0.2, "5": 0.4}
    with Server(script=lambda ask: tokens, constrains=False) as server:
        score([RECORD], out, server, rubric=SCALE, probe=True)
        # (0.2 · 3 + 0.4 · 5) / 0.6.
        assert verdicts(out)["value"].to_list() == pytest.approx([2.6 / 0.6])
        tokens |= {"The": 0.32, "4": 0.19, "5": 0.33, "3": 0.16}  # 0.49 on levels
        score([RECORD], out, server, rubric=SCALE, probe=True, overwrite=True)
    (verdict,) = verdicts(out).to_dicts()
    assert (verdict["value"], verdict["level"], verdict["failure"]) == (None, None, "low_probability")
    assert verdict["estimator"] == "expectation"
    row = scored(out)
    assert [row[f"quality_{name}"] for name in ("score", "score_low", "score_high", "coverage")] == [None, 0, 1, 0]
    assert (row["trace_score"], row["failure"]) == (None, "low_probability")
    (failure,) = read_failures(out)
    assert (failure["axis"], failure["unit_ids"]) == ("quality", ["level"])
    assert failure["message"] == "only 49% of the probability is on the digits 1, 3, 5."


@pytest.mark.parametrize(
    ("kind", "failure", "asks"),
    [("off_label", "off_menu", 3), ("null_logprobs", "bad_logprobs", 3), ("elsewhere", "low_probability", 1)],
)
def test_what_is_said_badly_is_asked_again_and_never_a_number(kind: str, failure: str, asks: int, out: Path) -> None:
    with Server(always=kind) as server:
        score([RECORD], out, server, rubric=SCALE, probe=True)
        assert server.ledger.requests == asks
    found = verdicts(out).row(0, named=True)
    assert (found["value"], found["level"], found["failure"]) == (None, None, failure)


def test_a_failed_scale_leaves_the_other_axes_as_they_are(out: Path) -> None:
    def script(ask: Ask) -> Mapping[str, object]:
        return {"The": 0.6, "5": 0.4} if ask.units[0].axis == "quality" else told(ask)

    with Server(script=script, constrains=False) as server:
        score([{**RECORD, "units": UNITS}], out, server, rubric=MIXED, probe=True)
    row = scored(out)
    assert row["quality_score"] is row["trace_score"] is None
    assert [row[f"{axis}_score"] for axis in ("knowledge", "style")] == pytest.approx([0.45, 0.75])


def test_a_trace_that_says_nothing_is_on_the_lowest_level_without_a_call(out: Path) -> None:
    with Server() as server:
        score([{**RECORD, "trace": "...", "units": UNITS}], out, server, rubric=MIXED, probe=True)
        assert server.ledger.requests == 0
    found = verdicts(out)
    assert found["value"].to_list() == [None, 1.0, None, 0.0]
    assert found["level"].to_list() == [None, 1, None, 0]
    assert found["p_present"].to_list() == [0.0, None, 0.0, None]
    assert found["estimator"].to_list() == [None, "expectation", None, "expectation"]
    assert scored(out)["trace_score"] == 0.0


def test_quotes_are_asked_of_raised_units_and_not_of_scales(out: Path) -> None:
    def script(ask: Ask) -> Mapping[str, object]:
        return told(ask) if ask.probed else {"evidence": "Air rises."}

    with Server(script=script) as server:
        score([{**RECORD, "units": UNITS}], out, server, rubric=MIXED, probe_evidence=True)
        assert server.ledger.requests == 6
    assert verdicts(out)["evidence"].to_list() == ["Air rises.", None, None, None]


# One estimator a run


def written(_: Ask) -> Mapping[str, object]:
    return {"u1": {"evidence": None, "reason": "So.", "value": 3}}


def either(ask: Ask) -> Mapping[str, object]:
    return told(ask) if ask.probed else written(ask)


@pytest.mark.parametrize("first", [True, False])
def test_a_run_has_one_estimator_and_is_not_gone_on_with_by_the_other(first: bool, out: Path, tmp_path: Path) -> None:
    records = [{**RECORD, "id": f"r{n}", "trace": f"Air rises {n}."} for n in range(4)]
    store = tmp_path / "store"
    with Server(script=either) as server:
        score(records[:2], out, server, rubric=SCALE, probe=first, cache=store)
        before = (out / "verdicts.parquet").read_bytes()
        asked = server.ledger.requests
        with pytest.raises(ConfigError, match=r"probe was .* and is"):
            score(records, out, server, rubric=SCALE, probe=not first, cache=store)
        assert server.ledger.requests == asked
        assert (out / "verdicts.parquet").read_bytes() == before
        score(records, out, server, rubric=SCALE, probe=first, cache=store)
        # What the store has of the one is nothing to the other.
        score(records, out.with_name("other"), server, rubric=SCALE, probe=not first, cache=store)
        assert server.ledger.requests == 8
    names = {True: "expectation", False: "level"}
    assert verdicts(out)["estimator"].to_list() == [names[first]] * 4
    assert verdicts(out.with_name("other"))["estimator"].to_list() == [names[not first]] * 4


def test_a_stated_level_is_its_own_value(out: Path) -> None:
    with Server(script=either) as server:
        score([RECORD, {**RECORD, "trace": "..."}], out, server, rubric=SCALE)
    found = verdicts(out).select("value", "level", "estimator").rows()
    assert found == [(3.0, 3, "level"), (1.0, 1, "level")]


def test_a_resume_keeps_what_is_paid_and_asks_the_rest(out: Path) -> None:
    records = [{**RECORD, "id": f"r{n}", "trace": f"Air rises {n}.", "units": UNITS} for n in range(6)]
    with Server(script=told) as server:
        score(records[:3], out, server, rubric=MIXED, probe=True)
        assert server.ledger.requests == 15
        score(records, out, server, rubric=MIXED, probe=True)
        assert server.ledger.requests == 30
        score(records, out, server, rubric=MIXED, probe=True)
        assert server.ledger.requests == 30
        score(records, out.with_name("alone"), server, rubric=MIXED, probe=True)
    assert_same_tables(out, out.with_name("alone"))


# Order


def test_each_beginning_is_read_once_before_the_others_share_it() -> None:
    """The first probe of units and the first of scales go out; the others find their prompt in the server's cache."""
    scales = {f"s{n}": a_scale({0: "No.", 1: "Yes."}, f"Is it {n}?") for n in range(4)}
    units = {"knowledge": [{"unit_id": f"U{n}", "claim": f"Claim {n}."} for n in range(4)]}
    record = {"id": "r", "trace": "It is so. " * 300, "units": units}
    with Server(script=lambda ask: {"0": 0.9, "1": 0.1}, latency_ms=50) as server:
        run = Judge(NAME, api_base=server.api_base, rubric=with_axes(knowledge=FACTS, **scales), probe=True).score(
            [record]
        )
    cached = run.calls["cached_tokens"].to_list()
    assert len(cached) == 8
    assert max(cached[0], cached[4]) < 300 < min(*cached[1:4], *cached[5:])


def test_scales_that_are_shown_other_parts_keep_their_order(out: Path) -> None:
    seen = a_scale({0: "No.", 1: "Yes."}, "Is it so?")
    rubric = with_axes(a={**seen, "view": ["trace"]}, b=seen, c={**seen, "view": ["trace"]})
    answers = {"a": 0.1, "b": 0.2, "c": 0.3}
    with Server(script=lambda ask: {"1": (p := answers[ask.units[0].axis]), "0": 1 - p}) as server:
        score([RECORD], out, server, rubric=rubric, probe=True)
    assert verdicts(out)["axis"].to_list() == ["a", "b", "c"]
    assert verdicts(out)["value"].to_list() == pytest.approx([0.1, 0.2, 0.3])


# Beside a run


def test_an_estimate_counts_one_token_a_scale(out: Path) -> None:
    record = {**RECORD, "units": UNITS}
    with Server(script=told) as server:
        settings = settings_for(server, rubric=MIXED, probe=True)
        found = asyncio.run(estimate(traces_of(to_lines([record]), out), settings))
        # Two units, of which some are raised, and two scales.
        assert (found.units, found.calls) == (4, round(2 + 2 + 2 * ASSUMED_RAISED))
        assert found.completion_tokens == found.calls
        alone = settings_for(server, rubric=SCALE, probe=True)
        found = asyncio.run(estimate(traces_of(to_lines([RECORD]), out), alone))
        assert (found.calls, found.raised) == (1, None)
        score([record], out, server, rubric=MIXED, probe=True)
        whole = asyncio.run(estimate(traces_of(to_lines([record]), out), settings, out=out))
        assert whole.calls == whole.stored == 5


def test_a_preview_shows_what_is_sent_and_what_a_scale_may_come_to() -> None:
    record = build_record({**RECORD, "units": {"knowledge": UNITS["knowledge"]}})
    heard: list[str] = []

    def script(ask: Ask) -> Mapping[str, object]:
        heard.append(last_user_text(ask.body))
        return told(ask)

    with Server(script=script) as server:
        settings = settings_for(server, rubric=with_axes(knowledge=FACTS, quality=QUALITY), probe=True)
        found = preview(record, settings)
        Judge(NAME, api_base=server.api_base, rubric=settings.rubric, probe=True).score([record.given])
    assert sorted(call.request.user for call in found.calls) == sorted(heard)
    assert [call.if_raised for call in found.calls] == [False, True, False]
    assert [call.completion_tokens for call in found.calls] == [1, 1, 1]
    first, *_, last = found.examples
    assert first.said.endswith("Every scale is at its highest level with a probability of 0.9, else at the one below.")
    # 0.9 · 5 + 0.1 · 3, and 0.9 · 3 + 0.1 · 1.
    assert "quality_score = (4.8 - 1) / (5 - 1) = 0.95" in first.lines
    assert last.said.startswith("level of quality is at level 3 with a probability of 0.9, else at level 1;")
    assert last.lines[0] == "quality_score = (2.8 - 1) / (5 - 1) = 0.45"
    assert {(verdict.estimator, verdict.level) for verdict in last.verdicts} == {(None, None), ("expectation", 3)}


def test_the_preview_of_a_scale_of_two_levels() -> None:
    settings = settings_for("http://127.0.0.1:9/v1", rubric=with_axes(style=STYLE), probe=True)
    good, poor = preview(build_record(RECORD), settings).examples
    # 0.9 · 2; and 0.1 · 2 where the lowest is the likeliest.
    assert [example.verdicts[0].value for example in (good, poor)] == [1.8, 0.2]


def test_a_golden_case_may_expect_the_likeliest_level() -> None:
    assert ExpectedVerdict(level=3).model_dump(exclude_unset=True) == {"level": 3}


def test_a_scale_that_no_token_can_say_is_refused_before_anything_is_read() -> None:
    ten = with_axes(quality=a_scale(dict.fromkeys(range(1, 11), "x"), "d"))
    with pytest.raises(ConfigError, match=r"^a probe's answer is one digit, and the scale 'quality' has levels that"):
        Judge(NAME, api_base="http://127.0.0.1:9/v1", rubric=ten, probe=True)
    Judge(NAME, api_base="http://127.0.0.1:9/v1", rubric=ten)


def test_lexical_judges_no_scales() -> None:
    with pytest.raises(ConfigError, match=r"^lexical judges checklists only, and the rubric 'r' has axes that are no"):
        Judge("lexical", rubric=MIXED)
