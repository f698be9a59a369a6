"""Faithfulness: a trace is taken apart into claims that it makes, and each is checked against what the record says."""

from __future__ import annotations

import asyncio
import base64
import json
import re
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from image_kit import corners, encode

from judge import Judge
from judge.claim_prompt import portions, sources
from judge.claims import distinct, guess_claims
from judge.errors import ConfigError
from judge.estimate import estimate
from judge.preview import preview
from judge.record import build_record
from judge.rewards.rewarder import Rewarder
from judge.rubric import Rubric, load_rubric
from judge.settings import Settings
from judge.testing import Ask, Server
from judge.testing.claims import answer_claims
from judge.traces.reading import Traces

TRACE = "The left base is opaque. The heart is large. A rib is broken. The patient is tall."
RECORD = {
    "id": "r1",
    "question": "What does the film show?",
    "options": {"A": "An effusion.", "B": "A tumour."},
    "context": "67-year-old man.",
    "reference": {"reasoning": "The left base is opaque. The heart is large. All ribs are whole."},
    "trace": TRACE,
}
SAID = {
    "The left base is opaque.": ("SUPPORTED", "The left base is opaque."),
    "The heart is large.": ("SUPPORTED", "The heart is large."),
    "A rib is broken.": ("CONTRADICTED", "All ribs are whole."),
    "The patient is tall.": ("NOT_FOUND", None),
}
IMAGE = "data:image/png;base64," + base64.b64encode(encode(corners(), "PNG")).decode()
Reply = Mapping[str, object] | str


def is_split(ask: Ask) -> bool:
    return "List the claims of the trace above" in user(ask)


def user(ask: Ask) -> str:
    content = ask.body["messages"][-1]["content"]  # type: ignore[index]
    return content if isinstance(content, str) else " ".join(part.get("text", "") for part in content)


def claims(*texts: str, axis: str = "faithfulness") -> dict[str, Any]:
    return {"claims": [{"quote": text, "claim": text, "axis": axis} for text in texts]}


def checked(ask: Ask, said: Mapping[str, tuple[str, str | None]] = SAID) -> dict[str, Any]:
    return {
        unit.name: {"source": said[unit.claim][1], "reason": "So.", "verdict": said[unit.claim][0]}
        for unit in ask.units
    }


def honest(ask: Ask) -> Reply:
    return claims(*SAID) if is_split(ask) else checked(ask)


def score(
    script: Callable[[Ask], Reply], record: Mapping[str, Any] = RECORD, rubric: Any = "faithfulness", **how: Any
) -> tuple[Any, list[Ask]]:
    asked: list[Ask] = []

    def noted(ask: Ask) -> Reply:
        asked.append(ask)
        return script(ask)

    with Server(script=noted) as server:
        how = {"api_base": server.api_base, "rubric": rubric, "cache": None, **how}
        with Judge("hosted_vllm/m", **how) as judge:
            return judge.score([dict(record)]), asked


def row_of(run: Any) -> dict[str, Any]:
    return dict(run.scores.row(0, named=True))


# --- the score -----------------------------------------------------------------------------------------------------


def test_the_score_is_what_is_supported_of_what_is_claimed() -> None:
    run, asked = score(honest)
    row = row_of(run)
    assert (row["faithfulness_score"], row["faithfulness_contradicted"], row["trace_score"]) == (0.5, 0.25, 0.5)
    assert (row["faithfulness_coverage"], row["faithfulness_score_low"], row["faithfulness_score_high"]) == (
        1,
        0.5,
        0.5,
    )
    assert (row["units_asked"], row["units_judged"], row["failure"]) == (4, 4, None)
    assert len(asked) == 2
    verdicts = run.verdicts.rows(named=True)
    assert [one["unit_id"] for one in verdicts] == ["c1", "c2", "c3", "c4"]
    assert [one["verdict"] for one in verdicts] == ["SUPPORTED", "SUPPORTED", "CONTRADICTED", "NOT_FOUND"]
    assert [one["value"] for one in verdicts] == [1, 1, 0, 0]
    assert {one["kind"] for one in verdicts} == {"faithfulness"}
    for one in verdicts:
        assert TRACE[one["evidence_start"] : one["evidence_end"]] == one["evidence"] == one["claim"]
        assert (one["source"], one["source_found"]) == (SAID[one["claim"]][1], "exact" if one["source"] else None)


def test_a_shotgun_trace_loses_here_what_it_wins_on_recall() -> None:
    """The judge gives every unit full marks, and believes a claim as soon as the sources speak of the like."""
    units = {
        "perception": [{"unit_id": "P1", "claim": "The left lung base is opaque."}],
        "knowledge": [{"unit_id": "K1", "claim": "An effusion blunts the costophrenic angle."}],
        "rationale": [{"unit_id": "R1", "claim": "The blunted angle points to an effusion."}],
    }
    honest_trace = (
        "The left lung base is opaque. An effusion blunts the costophrenic angle. "
        "The blunted angle points to an effusion."
    )
    others = (
        "A rib is fractured. Tuberculosis cavitates. So malaria is proven. The aorta is torn. Iron is low. It is gout."
    )
    traces = {"honest": honest_trace, "shotgun": f"{honest_trace} {others}"}
    records = [{"id": "r", "model": model, "units": units, "trace": trace} for model, trace in traces.items()]

    def scores(rubric: str) -> dict[str, float]:
        with Server(script="gullible") as server:
            how = {"api_base": server.api_base, "rubric": rubric, "cache": None, "evidence": "flag"}
            with Judge("hosted_vllm/m", **how) as judge:
                return dict(judge.score(records).scores.select("model", "trace_score").rows())

    assert scores("pkr") == {"honest": 1.0, "shotgun": 1.0}
    strict = scores("pkr-strict")
    # Recall is 1 on all three axes; of three claims an axis one is supported.
    assert strict == {"honest": 1.0, "shotgun": pytest.approx((3 * 1 + 3 * 1 / 3) / 6)}
    assert scores("faithfulness") == {"honest": 1.0, "shotgun": pytest.approx(1 / 3)}


def test_what_is_said_ten_times_counts_once() -> None:
    trace = "The left base is opaque. A rib is broken. the left base  is opaque"

    def script(ask: Ask) -> Reply:
        if is_split(ask):
            return claims("The left base is opaque.", "A rib is broken.", "the left base  is opaque")
        return checked(ask)

    run, _ = score(script, {**RECORD, "trace": trace})
    assert row_of(run)["trace_score"] == 0.5
    assert run.verdicts["claim"].to_list() == ["The left base is opaque.", "A rib is broken."]


def test_on_two_axes_the_same_words_are_two_claims() -> None:
    told = guess_claims("It is so. It is so! it is  so.", ["one"])
    assert [claim.text for claim in distinct(told)] == ["It is so.", "It is so!"]
    apart = [claim for axis in ("one", "two") for claim in guess_claims("It is so.", [axis])]
    assert [claim.axis for claim in distinct(apart)] == ["one", "two"]


# --- who sees what -------------------------------------------------------------------------------------------------


def test_who_takes_apart_sees_no_sources_and_who_checks_sees_no_trace() -> None:
    secret = "Only the trace says this word: xylophone."
    record = {**RECORD, "trace": f"{TRACE} {secret}", "image": IMAGE}
    _, (split, check) = score(honest, record)
    assert "xylophone" in user(split)
    assert "67-year-old" not in user(split)
    assert "All ribs are whole" not in user(split)
    assert split.images == ()
    assert "xylophone" not in user(check)
    assert "<trace" not in user(check)
    assert all(part in user(check) for part in ("67-year-old", "All ribs are whole", "What does the film show?"))
    assert len(check.images) == 1


def test_a_view_is_what_claims_are_checked_by_and_what_is_taken_apart() -> None:
    rubric = Rubric.model_validate(
        {
            "name": "r",
            "version": "1",
            "description": "d",
            "axes": {
                "f": {"kind": "faithfulness", "description": "All.", "view": ("question", "context", "trace.answer")}
            },
        }
    )
    trace = "<think>A rib is broken.</think>The left base is opaque."

    def script(ask: Ask) -> Reply:
        return claims("The left base is opaque.", axis="f") if is_split(ask) else checked(ask, sure)

    sure = {"The left base is opaque.": ("NOT_FOUND", None)}
    run, (split, check) = score(script, {**RECORD, "trace": trace}, rubric)
    assert "A rib is broken" not in user(split)
    assert "All ribs are whole" not in user(check)
    assert "67-year-old" in user(check)
    (verdict,) = run.verdicts.rows(named=True)
    assert trace[verdict["evidence_start"] : verdict["evidence_end"]] == "The left base is opaque."


def test_units_are_a_part_of_the_reference_and_criteria_are_not() -> None:
    units = {"perception": [{"unit_id": "P1", "claim": "The spleen is whole."}]}
    criteria = {"criteria": [{"unit_id": "c1", "claim": "Names the spleen.", "points": 3}]}
    record = build_record({**RECORD, "units": {**units, **criteria}})
    assert "The spleen is whole." in sources(record, None)
    assert "Names the spleen." not in sources(record, None)
    assert "The spleen" not in sources(record, ("question", "context"))
    _, (_, check) = score(honest, {**RECORD, "units": units})
    assert '- "The spleen is whole."' in user(check)


def test_options_support_nothing() -> None:
    assert "A tumour." not in sources(build_record(RECORD), None)


# --- what breaks ---------------------------------------------------------------------------------------------------


def test_a_quote_that_no_trace_has_fails_alone_after_two_complaints() -> None:
    def script(ask: Ask) -> Reply:
        if is_split(ask):
            told = claims(*SAID)
            told["claims"][1]["quote"] = "The heart is small and round."
            return told
        return checked(ask)

    run, asked = score(script)
    assert [is_split(ask) for ask in asked] == [True, True, True, False]
    assert "claims[1].quote is not a passage of the trace" in asked[1].complaint
    assert "with every claim" in asked[1].complaint
    assert "small and round" not in user(asked[1])
    row = row_of(run)
    assert (row["trace_score"], row["faithfulness_coverage"]) == (None, 0.75)
    assert (row["faithfulness_score_low"], row["faithfulness_score_high"]) == (0.25, 0.5)
    assert run.failures.select("axis", "error", "unit_ids").rows() == [
        ("faithfulness", "evidence_not_found", ["c2"]),
    ]
    lenient, _ = score(script, min_coverage=0.7)
    assert row_of(lenient)["trace_score"] == pytest.approx(1 / 3)
    flagged, asked = score(script, evidence="flag")
    assert (len(asked), row_of(flagged)["trace_score"]) == (2, 0.5)
    assert flagged.verdicts["evidence_found"].to_list() == ["exact", "no", "exact", "exact"]


@pytest.mark.parametrize(
    ("quote", "failure"), [("All is well in there.", "source_not_found"), (None, "source_missing")]
)
def test_support_needs_a_passage_of_the_sources(quote: str | None, failure: str) -> None:
    said = {**SAID, "A rib is broken.": ("SUPPORTED", quote)}

    def script(ask: Ask) -> Reply:
        return claims(*SAID) if is_split(ask) else checked(ask, said)

    run, asked = score(script)
    assert len(asked) == 4
    assert "u3.source is not a passage of the question, the context or the reference" in asked[2].complaint
    assert run.verdicts["failure"].to_list() == [None, None, failure, None]
    assert row_of(run)["trace_score"] is None
    flagged, _ = score(script, evidence="flag")
    assert row_of(flagged)["trace_score"] == 0.75
    assert flagged.verdicts["source_found"].to_list()[2] == "no"
    plain, (_, check) = score(
        lambda ask: script(ask) if is_split(ask) else _without_sources(script(ask)), evidence="none"
    )
    assert "source" not in json.dumps(check.body["response_format"])
    assert row_of(plain)["trace_score"] == 0.75
    assert plain.verdicts["source_found"].to_list() == [None] * 4


def _without_sources(reply: Any) -> Any:
    return {name: {key: value for key, value in one.items() if key != "source"} for name, one in reply.items()}


def test_an_image_may_support_without_a_passage() -> None:
    said = {**SAID, "A rib is broken.": ("SUPPORTED", None)}
    run, _ = score(lambda ask: claims(*SAID) if is_split(ask) else checked(ask, said), {**RECORD, "image": IMAGE})
    assert row_of(run)["trace_score"] == 0.75


def test_an_option_is_no_passage_of_the_sources() -> None:
    said = {**SAID, "A rib is broken.": ("SUPPORTED", "A tumour.")}
    run, _ = score(lambda ask: claims(*SAID) if is_split(ask) else checked(ask, said))
    assert run.verdicts["failure"].to_list()[2] == "source_not_found"


BROKEN = {
    "another key": ({"claim": []}, "off_menu"),
    "no list": ({"claims": {}}, "off_menu"),
    "a text": ({"claims": ["The heart is large."]}, "off_menu"),
    "no quote": ({"claims": [{"claim": "x", "axis": "faithfulness"}]}, "off_menu"),
    "an empty claim": ({"claims": [{"quote": "The heart", "claim": " ", "axis": "faithfulness"}]}, "off_menu"),
    "one key more": (
        {"claims": [{"quote": "The heart", "claim": "x", "axis": "faithfulness", "score": 1}]},
        "off_menu",
    ),
    "another axis": (claims("The heart is large.", axis="elsewhere"), "off_menu"),
    "prose": ("It claims a lot.", "not_json"),
}


@pytest.mark.parametrize("name", BROKEN)
def test_where_nobody_knows_the_claims_nothing_is_checked_and_nothing_scored(name: str) -> None:
    told, _ = BROKEN[name]
    run, asked = score(lambda ask: told)
    assert [is_split(ask) for ask in asked] == [True] * 3
    row = row_of(run)
    assert (row["trace_score"], row["faithfulness_score_low"], row["faithfulness_score_high"]) == (None, 0.0, 1.0)
    assert run.verdicts.select("unit_id", "verdict", "value").rows() == [("claims", None, None)]
    assert run.failures["unit_ids"].to_list() == [["claims"]]
    assert row["failure"] == run.failures["error"][0] == run.verdicts["failure"][0]


def test_a_check_that_cannot_be_read_fails_its_claims_only() -> None:
    trace = " ".join(f"Finding {number} is there." for number in range(20))
    texts = [f"Finding {number} is there." for number in range(20)]

    def script(ask: Ask) -> Reply:
        if is_split(ask):
            return claims(*texts)
        return "no" if len(ask.units) == 4 else checked(ask, dict.fromkeys(texts, ("NOT_FOUND", None)))

    run, asked = score(script, {**RECORD, "trace": trace})
    assert sorted(len(ask.units) for ask in asked if not is_split(ask)) == [4, 4, 4, 16]
    assert run.verdicts["failure"].null_count() == 16
    assert row_of(run)["faithfulness_coverage"] == pytest.approx(16 / 20)
    assert run.failures["unit_ids"].to_list() == [["c17", "c18", "c19", "c20"]]


def test_the_other_axes_stand_where_claims_fail() -> None:
    record = {**RECORD, "units": {"perception": [{"unit_id": "P1", "claim": "The heart is large."}]}}

    def script(ask: Ask) -> Reply:
        if is_split(ask):
            return "no"
        return {"u1": {"evidence": "The heart is large.", "reason": "So.", "presence": 2, "correctness": 1}}

    run, _ = score(script, record, "pkr-strict")
    row = row_of(run)
    assert (row["perception_score"], row["trace_score"]) == (1.0, None)
    assert run.failures["axis"].to_list() == [
        f"{axis}_faithfulness" for axis in ("perception", "knowledge", "rationale")
    ]


# --- nothing to check ----------------------------------------------------------------------------------------------


def test_a_trace_that_claims_nothing_has_no_score() -> None:
    run, asked = score(lambda _: {"claims": []})
    assert len(asked) == 1
    assert (row_of(run)["trace_score"], row_of(run)["failure"]) == (None, "no_claims")
    assert run.verdicts.height == 0


def test_an_axis_without_claims_is_skipped() -> None:
    record = {**RECORD, "units": {"perception": [{"unit_id": "P1", "claim": "The heart is large."}]}}

    def script(ask: Ask) -> Reply:
        if is_split(ask):
            return claims("A rib is broken.", axis="knowledge_faithfulness")
        if "# Claims" in user(ask):
            return checked(ask)
        return {"u1": {"evidence": "The heart is large.", "reason": "So.", "presence": 2, "correctness": 1}}

    row = row_of(score(script, record, "pkr-strict")[0])
    assert (row["knowledge_faithfulness_score"], row["perception_faithfulness_score"]) == (0.0, None)
    assert row["trace_score"] == 0.5


@pytest.mark.parametrize("trace", ["", "…", "Thought process:"])
def test_a_trace_without_content_asks_nobody(trace: str) -> None:
    run, asked = score(honest, {**RECORD, "trace": trace})
    assert (asked, row_of(run)["failure"]) == ([], "no_claims")
    record = {**RECORD, "trace": trace, "units": {"perception": [{"unit_id": "P1", "claim": "It is so."}]}}
    run, asked = score(honest, record, "pkr-strict")
    assert (asked, row_of(run)["trace_score"]) == ([], 0.0)


def test_a_record_without_units_is_no_record_of_pkr_strict() -> None:
    run, asked = score(honest, RECORD, "pkr-strict")
    assert (asked, row_of(run)["failure"]) == ([], "no_units")


# --- calls ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("granularity", "sizes"), [("axis", [1, 16]), ("trace", [1, 16]), ("unit", [1] * 17)])
def test_claims_are_checked_16_a_call_or_one_by_one(granularity: str, sizes: list[int]) -> None:
    texts = [f"Finding {number} is there." for number in range(17)]

    def script(ask: Ask) -> Reply:
        told = dict.fromkeys(texts, ("NOT_FOUND", None))
        return claims(*texts) if is_split(ask) else checked(ask, told)

    run, asked = score(script, {**RECORD, "trace": " ".join(texts)}, granularity=granularity)
    assert sorted(len(ask.units) for ask in asked if not is_split(ask)) == sizes
    assert sum(map(is_split, asked)) == 1
    assert run.verdicts["unit_id"].to_list() == [f"c{number}" for number in range(1, 18)]


def test_three_axes_share_one_split() -> None:
    record = {**RECORD, "units": {"perception": [{"unit_id": "P1", "claim": "The heart is large."}]}}
    with Server(script="obedient") as server:
        how = {"api_base": server.api_base, "rubric": "pkr-strict", "cache": None, "granularity": "unit"}
        with Judge("hosted_vllm/m", **how) as judge:
            run = judge.score([record])
        assert server.ledger.requests == 1 + 1 + 4
    assert run.verdicts["axis"].unique().len() == 4


def test_samples_are_repeats_of_the_check() -> None:
    seen: list[Any] = []

    def script(ask: Ask) -> Reply:
        seen.append(ask.body.get("seed"))
        if is_split(ask):
            return claims(*SAID)
        turned = {**SAID, "The heart is large.": ("NOT_FOUND", None)}
        return checked(ask, turned if ask.body.get("seed") else SAID)

    run, asked = score(script, samples=2)
    assert [is_split(ask) for ask in asked].count(True) == 1
    assert run.verdicts.group_by("sample", maintain_order=True).agg(pl.col("unit_id")).rows() == [
        (0, ["c1", "c2", "c3", "c4"]),
        (1, ["c1", "c2", "c3", "c4"]),
    ]
    assert row_of(run)["trace_score"] == pytest.approx((0.5 + 0.25) / 2)


def test_a_long_trace_is_taken_apart_in_portions_and_no_claim_counts_twice() -> None:
    filler = "This paragraph is long and says a little of the film in many words. " * 60
    trace = f"The left base is opaque. {filler}\n\n{filler}\n\nA rib is broken. The left base is opaque."
    splits: list[str] = []

    def script(ask: Ask) -> Reply:
        if not is_split(ask):
            return checked(ask)
        splits.append(ask.trace)
        return claims(*[text for text in ("The left base is opaque.", "A rib is broken.") if text in ask.trace])

    run, _ = score(script, {**RECORD, "trace": trace})
    assert len(splits) == 2
    assert max(map(len, splits)) <= 6000
    assert run.verdicts["claim"].to_list() == ["The left base is opaque.", "A rib is broken."]
    assert row_of(run)["trace_score"] == 0.5
    (first, second) = run.verdicts.rows(named=True)
    assert trace[second["evidence_start"] : second["evidence_end"]] == "A rib is broken."
    assert first["evidence_start"] == 0


@given(st.text(alphabet="ab .\n", max_size=20_000))
def test_portions_lose_nothing(text: str) -> None:
    pieces = portions(text)
    assert "".join("".join(pieces).split()) == "".join(text.split())
    assert all(0 < len(piece) <= 6000 for piece in pieces)


def test_a_portion_ends_where_a_paragraph_or_a_sentence_does() -> None:
    paragraph = "One sentence that is here. " * 180
    first, second = portions(f"{paragraph}\n\n{paragraph}")
    assert (first, second) == (paragraph.strip(), paragraph.strip())
    assert portions("One sentence that is here. " * 300)[0].endswith("here.")


def test_what_was_asked_is_not_asked_again(tmp_path: Path) -> None:
    with Server(script=honest) as server:
        how = {"api_base": server.api_base, "rubric": "faithfulness", "cache": tmp_path / "store"}
        runs = []
        for _ in range(2):
            with Judge("hosted_vllm/m", **how) as judge:
                runs.append(judge.score([RECORD]))
        assert server.ledger.requests == 2
    assert runs[0].scores.equals(runs[1].scores)
    assert runs[0].verdicts.equals(runs[1].verdicts)


def test_the_built_in_axes_tell_apart_what_claims_are_about() -> None:
    record = {**RECORD, "units": {"perception": [{"unit_id": "P1", "claim": "A rib is broken."}]}}
    with (
        Server(script="obedient") as server,
        Judge("hosted_vllm/m", api_base=server.api_base, rubric="pkr-strict", cache=None) as judge,
    ):
        run = judge.score([record])
    assert run.failures.height == 0
    assert set(run.verdicts.filter(pl.col("kind") == "faithfulness")["axis"]) == {
        "perception_faithfulness",
        "knowledge_faithfulness",
        "rationale_faithfulness",
    }


def test_words_and_probes_cannot_check_claims() -> None:
    for judge, how, said in (
        ("lexical", {}, "lexical judges checklists only"),
        ("hosted_vllm/m", {"api_base": "http://127.0.0.1:9/v1", "probe": True}, "checklists"),
    ):
        with pytest.raises(Exception, match=re.escape(said)):
            Judge(judge, rubric="faithfulness", **how)


def test_only_requests_about_claims_are_answered_as_such() -> None:
    record = {**RECORD, "units": {"perception": [{"unit_id": "P1", "claim": "x"}]}}
    _, asked = score(lambda _: {}, record, "pkr")
    assert answer_claims(asked[0]) is None


PREFERENCE = {"kind": "preference", "description": "Which is better?"}


def _rubric(axes: Mapping[str, Any]) -> Rubric:
    return Rubric.model_validate({"name": "r", "version": "1", "description": "d", "axes": axes})


def test_a_preference_is_no_part_of_a_score_of_one_trace() -> None:
    rubric = _rubric({"better": PREFERENCE, "perception": {"kind": "checklist", "description": "Seen."}})
    record = {**RECORD, "units": {"perception": [{"unit_id": "P1", "claim": "The heart is large."}]}}
    with Judge("lexical", rubric=rubric) as judge:
        run = judge.score([record])
    assert not [name for name in run.scores.columns if name.startswith("better")]
    assert row_of(run)["trace_score"] == 1.0


def test_a_rubric_of_preferences_only_scores_nothing() -> None:
    rubric, said = _rubric({"better": PREFERENCE}), "compare two traces; none scores one"
    with pytest.raises(ConfigError, match=said):
        Settings(judge="hosted_vllm/m", rubric=rubric)
    judge = Judge("hosted_vllm/m", rubric=rubric, api_base="http://127.0.0.1:9/v1")
    with judge, pytest.raises(ConfigError, match=said):
        judge.score([RECORD])
    with pytest.raises(ConfigError, match=said):
        Rewarder(judge)


def test_units_stand_aside_where_no_axis_asks_for_them() -> None:
    """The same records serve pkr and faithfulness; with a rubric that takes units, an unknown axis is still a slip."""
    units: Mapping[str, Sequence[Any]] = {"percepton": [{"unit_id": "P1", "claim": "The heart is large."}]}
    run, _ = score(honest, {**RECORD, "units": units})
    assert row_of(run)["failure"] is None
    run, _ = score(honest, {**RECORD, "units": units}, "pkr-strict")
    assert row_of(run)["failure"] == "unknown_axis"
    assert load_rubric("pkr-strict").takes_units


# --- before anything is paid ---------------------------------------------------------------------------------------


def _settings(server: Server, **how: Any) -> Settings:
    return Settings(judge="hosted_vllm/m", api_base=server.api_base, rubric=load_rubric("faithfulness"), **how)


def test_a_preview_is_what_is_sent_where_each_sentence_is_a_claim() -> None:
    asked: list[Ask] = []

    def noted(ask: Ask) -> Reply:
        asked.append(ask)
        return honest(ask)

    with Server(script=noted) as server:
        shown = preview(build_record(RECORD), _settings(server))
        with Judge("hosted_vllm/m", api_base=server.api_base, rubric="faithfulness", cache=None) as judge:
            judge.score([RECORD])
    assert [call.guessed for call in shown.calls] == [False, True]
    assert [call.request.user for call in shown.calls] == [user(ask) for ask in asked]
    assert shown.examples[0].lines[0] == "faithfulness_score = 4 / 4 = 1"
    assert shown.examples[1].lines[:2] == (
        "faithfulness_score = 3 / 4 = 0.75",
        "faithfulness_contradicted = 1 / 4 = 0.25",
    )


def test_an_estimate_guesses_claims_until_the_trace_is_taken_apart(tmp_path: Path) -> None:
    path = tmp_path / "traces.jsonl"
    path.write_text(json.dumps(RECORD), encoding="utf-8")

    def script(ask: Ask) -> Reply:
        return claims(*[*SAID][:2]) if is_split(ask) else checked(ask)

    with Server(script=script) as server:
        settings = _settings(server, cache=tmp_path / "store")
        before = asyncio.run(estimate(Traces(path=str(path)), settings))
        with Judge("hosted_vllm/m", api_base=server.api_base, rubric="faithfulness", cache=settings.cache) as judge:
            judge.score([RECORD])
        after = asyncio.run(estimate(Traces(path=str(path)), settings))
    assert (before.units, before.guessed_claims, before.calls, before.stored) == (4, 4, 2, 0)
    assert (after.units, after.guessed_claims, after.calls, after.stored) == (2, 0, 2, 2)


@pytest.mark.parametrize("script", ["obedient", "sloppy", "gullible", "stubborn"])
def test_every_scripted_judge_answers_about_claims(script: Any) -> None:
    with Server(script=script) as server:
        how = {"api_base": server.api_base, "rubric": "faithfulness", "cache": None}
        with Judge("hosted_vllm/m", **how) as judge:
            row = row_of(judge.score([RECORD]))
    expected = {"obedient": 0.5, "sloppy": 0.5, "gullible": 0.75, "stubborn": None}
    assert row["trace_score"] == expected[script]


@pytest.mark.parametrize("script", ["obedient", "sloppy", "gullible"])
@pytest.mark.parametrize("context", [{}, {"context": "A man of 67."}])
def test_no_scripted_judge_takes_an_option_for_a_source(script: Any, context: dict[str, str]) -> None:
    record = {"id": "r", "question": "What is it?", "options": {"A": "A torn aorta.", "B": "Gout."}, **context}
    with Server(script=script) as server:
        how = {"api_base": server.api_base, "rubric": "faithfulness", "cache": None}
        with Judge("hosted_vllm/m", **how) as judge:
            row = row_of(judge.score([{**record, "trace": "A torn aorta."}]))
    assert (row["trace_score"], row["failure"]) == (0, None)


def test_a_bare_answer_is_no_claim_and_a_sentence_is() -> None:
    splits: list[str] = []

    def script(ask: Ask) -> Reply:
        if is_split(ask):
            splits.append(ask.trace)
            return claims("The heart is large.")
        return checked(ask)

    trace = "<think>The heart is large.</think><answer>A</answer>"
    run, _ = score(script, {**RECORD, "trace": trace})
    assert "The heart is large." in splits[0] and "<answer>" not in splits[0]
    assert row_of(run)["trace_score"] == 1.0
    score(script, {**RECORD, "trace": "<answer>The heart is large, and A.</answer>The heart is large."})
    assert "and A." in splits[1]


def test_a_copy_of_a_rubric_has_its_own_axes() -> None:
    rubric = load_rubric("pkr-strict")
    assert len(rubric.scored) == 6
    copied = rubric.model_copy(update={"axes": {"perception": rubric.axes["perception"]}})
    assert [*copied.scored] == ["perception"]


def test_a_trace_that_is_a_bare_answer_claims_nothing() -> None:
    run, asked = score(honest, {**RECORD, "trace": "<answer>A</answer>"})
    assert (asked, row_of(run)["failure"]) == ([], "no_claims")
