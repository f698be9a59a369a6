"""What is shown is what is sent: compared with what a server hears, byte for byte."""

from __future__ import annotations

import asyncio
import base64
import hashlib
import json
from pathlib import Path
from typing import Any

import pytest
from image_kit import corners, encode
from run_kit import NAME, RUBRIC, Heard, completion, http, make_record, scripted

from judge import Judge
from judge.errors import RecordError
from judge.image import ImageRules
from judge.preview import Preview, preview
from judge.price import build_price
from judge.record import Record, build_record
from judge.rubric import Rubric
from judge.settings import Settings
from judge.traces.reading import Reader

RECORD = make_record(1, units=3)
WEIGHED = Rubric.model_validate(
    {
        "name": "weighed",
        "version": "1",
        "description": "d",
        "axes": {"seen": {"kind": "checklist", "description": "d", "importance": {"default": 0.0, "core": 2.0}}},
    }
)


def previewed(record: dict[str, Any] | Record, **changes: Any) -> Preview:
    read = record if isinstance(record, Record) else build_record(record, number=1)
    return preview(read, Settings(**{"judge": NAME, "rubric": RUBRIC, **changes}))


def answer(_: int, heard: Heard) -> bytes:
    """Every unit is raised and right, in whatever form it was asked."""
    form = heard.body.get("response_format")
    if form is None:
        tops = [{"token": label, "logprob": logprob} for label, logprob in (("2", -0.1), ("1", -3.0), ("0", -4.0))]
        said = completion("2")
        said["choices"][0]["logprobs"] = {"content": [{"token": "2", "logprob": -0.1, "top_logprobs": tops}]}
        return http(200, said)
    names = form["json_schema"]["schema"]["required"]
    if names == ["evidence"]:
        return http(200, completion(json.dumps({"evidence": "Case 1"})))
    unit = {"evidence": "Case 1", "reason": "r", "presence": 2, "correctness": 1, "verdict": "MET", "value": 9}
    wanted = form["json_schema"]["schema"]["properties"]["u1"]["required"]
    words = {key: unit[key] for key in wanted}
    return http(200, completion(json.dumps(dict.fromkeys(names, words))))


def heard_for(record: dict[str, Any], **how: Any) -> list[dict[str, Any]]:
    async def ask() -> list[Heard]:
        async with scripted(answer) as (base, heard):
            with Judge(NAME, api_base=base, **how) as judge:
                run = await judge.ascore([record])
            assert run.scores["failure"].to_list() == [None]
            return heard

    return [one.body for one in asyncio.run(ask())]


def sent(body: dict[str, Any]) -> tuple[str, ...]:
    """System, user, the images' hashes, and what the reply is held to, as a server hears them."""
    system, user = body["messages"]
    assert [system["role"], user["role"]] == ["system", "user"]
    parts = user["content"] if isinstance(user["content"], list) else [{"type": "text", "text": user["content"]}]
    urls = [part["image_url"]["url"] for part in parts[:-1]]
    hashes = [hashlib.sha256(base64.b64decode(url.partition(",")[2])).hexdigest() for url in urls]
    form = body.get("response_format")
    return system["content"], parts[-1]["text"], *hashes, json.dumps(form["json_schema"]["schema"] if form else None)


def shown(found: Preview) -> list[tuple[str, ...]]:
    return [
        (
            *(call.request.system, call.request.user, *(image.digest for image in call.request.images)),
            json.dumps(json.loads(call.request.schema or "null")),
        )
        for call in found.calls
    ]


@pytest.mark.parametrize("granularity", ["trace", "axis", "unit"])
@pytest.mark.parametrize("evidence", ["required", "none"])
def test_a_server_hears_what_is_shown(granularity: str, evidence: str) -> None:
    how = {"granularity": granularity, "evidence": evidence}
    found = previewed(RECORD, **how)
    assert sorted(shown(found)) == sorted(map(sent, heard_for(RECORD, **how)))
    assert len(found.calls) == (1 if granularity == "trace" else 3)


@pytest.mark.parametrize("how", [{"probe": True}, {"probe_evidence": True}])
def test_a_server_hears_the_probes_that_are_shown(how: dict[str, bool]) -> None:
    found = previewed(RECORD, **how)
    assert sorted(shown(found)) == sorted(map(sent, heard_for(RECORD, **how)))
    # Presence of three units, and of each what hangs on it: correctness, and a quote where one is asked for.
    assert [call.if_raised for call in found.calls] == [False, *[True] * (1 + ("probe_evidence" in how))] * 3
    assert {call.request.labels for call in found.calls} <= {("0", "1", "2"), ()}


def test_a_server_hears_the_image_that_is_shown(tmp_path: Path) -> None:
    (tmp_path / "scan.png").write_bytes(encode(corners()))
    record = {**RECORD, "image": "scan.png"}
    read = asyncio.run(Reader(images=ImageRules(root=tmp_path)).record(record, 1))
    found = previewed(read)
    assert sorted(shown(found)) == sorted(map(sent, heard_for(record, image_root=tmp_path)))
    assert [(image.width, image.height) for image in found.calls[0].request.images] == [(48, 32)]
    with pytest.raises(RecordError, match="is an image, and this judge reads texts only"):
        previewed(read, judge="azure/eu/o3-mini")


def test_the_examples_are_scored() -> None:
    right, wrong, silent = previewed(RECORD).examples
    # Three axes of one unit each: all right; one of them wrong, or not raised, scores 0.
    assert [example.scores.score for example in (right, wrong, silent)] == [
        1,
        pytest.approx(2 / 3),
        pytest.approx(2 / 3),
    ]
    assert right.said == "Every unit is raised and right (presence 2, correctness 1)."
    assert wrong.said.startswith(
        "U0 of perception is raised and wrong (presence 2, correctness -1); all others are as above."
    )
    assert silent.said == "U0 of perception is not raised (presence 0); all others are as above."
    assert len(right.lines) == 10 and wrong.lines == (
        "perception_grounding = 2/2 = 1",
        "perception_correctness = 0",
        "perception_score = 1 × 0 = 0",
        "trace_score = (0 + 1 + 1) / 3 = 0.6667",
    )


def test_the_examples_of_probes_are_soft() -> None:
    right, wrong, silent = previewed(
        {**RECORD, "units": {"knowledge": RECORD["units"]["knowledge"]}}, probe=True
    ).examples
    # 0.95 · 0.9, 0.95 · 0.1, and nothing raised.
    assert [round(example.scores.score or 0, 4) for example in (right, wrong, silent)] == [0.855, 0.095, 0]


def test_an_example_changes_a_unit_that_weighs_something() -> None:
    units = [{"unit_id": "A", "claim": "a"}, {"unit_id": "B", "claim": "b", "importance": "core"}]
    right, wrong, _ = previewed({"id": "r", "trace": "t u v", "units": {"seen": units}}, rubric=WEIGHED).examples
    assert wrong.said.startswith("B of seen is raised and wrong")
    assert (right.scores.score, wrong.scores.score) == (1, 0)
    assert wrong.lines[1] == "seen_correctness = (0·1 + 2·0) / (0 + 2) = 0"


SAFE = Rubric.model_validate(
    {
        "name": "safe",
        "version": "1",
        "description": "d",
        "axes": {
            "safety": {
                "kind": "criteria",
                "description": "d",
                "criteria": [
                    {"id": "c1", "text": "Says when to call.", "points": 3},
                    {"id": "c2", "text": "Stops a drug.", "polarity": "negative", "points": -1},
                ],
            },
            "knowledge": {"kind": "checklist", "description": "d"},
        },
    }
)


def test_criteria_turn_out_well_or_not() -> None:
    record = {**RECORD, "units": {"knowledge": RECORD["units"]["knowledge"]}}
    found = previewed(record, rubric=SAFE)
    assert [example.said.split(" (")[0].split(";")[0] for example in found.examples] == [
        "Every criterion turns out well: MET where that is good, UNMET where it is bad. Every unit is raised and right",
        *("c1 of safety does not hold", "c2 of safety holds, which is bad"),
        *("U1 of knowledge is raised and wrong", "U1 of knowledge is not raised"),
    ]
    # 3 of 3 points; none; 3 - 1 of 3. And the mean with a checklist of one unit.
    scores = [example.scores.score for example in found.examples]
    assert scores == [1, 0.5, pytest.approx((2 / 3 + 1) / 2), 0.5, 0.5]
    assert found.examples[2].lines == (
        "safety_score = (3 - 1) / 3 = 0.6667",
        "trace_score = (0.6667 + 1) / 2 = 0.8333",
    )
    assert [call.request.probes.kind for call in found.calls] == ["criteria", "checklist"]


def test_a_server_hears_the_criteria_that_are_shown() -> None:
    record = {**RECORD, "units": {"knowledge": RECORD["units"]["knowledge"]}}
    assert sorted(shown(previewed(record, rubric=SAFE))) == sorted(map(sent, heard_for(record, rubric=SAFE)))


NESTED = Rubric.model_validate(
    {
        "name": "nested",
        "version": "1",
        "description": "d",
        "axes": {
            "paper": {
                "kind": "criteria",
                "scoring": "tree",
                "description": "d",
                "criteria": [
                    {"id": "data", "text": "Data.", "children": [{"id": "a", "text": "A."}, {"id": "b", "text": "B."}]},
                    {"id": "leak", "text": "Leaks.", "polarity": "negative", "points": 3},
                ],
            },
            "style": {"kind": "criteria", "scoring": "rar_implicit", "description": "d"},
        },
    }
)
NESTED_RECORD = {
    **RECORD,
    "units": {"style": [{"unit_id": "s1", "claim": "Short."}, {"unit_id": "s2", "claim": "Kind."}]},
}


def test_a_tree_and_a_rating_turn_out_well_or_not() -> None:
    found = previewed(NESTED_RECORD, rubric=NESTED)
    well, *turned = [example.said.split(" (")[0].split(";")[0] for example in found.examples]
    assert well.endswith("UNMET where it is bad. All criteria together are rated 10.")
    assert turned == [
        *("a of paper does not hold", "leak of paper holds, which is bad", "rating of style is at level 9"),
    ]
    assert [example.lines[:-1] for example in found.examples[1:]] == [
        ("data = (0 + 1) / 2 = 0.5", "paper_score = (0.5 + 3·1) / (1 + 3) = 0.875"),
        ("paper_score = (1 + 3·0) / (1 + 3) = 0.25",),
        ("style_score = (9 - 1) / (10 - 1) = 0.8889",),
    ]
    scores = [example.scores.score for example in found.examples]
    assert scores == pytest.approx([1, (0.875 + 1) / 2, (0.25 + 1) / 2, (1 + 8 / 9) / 2])


def test_what_counts_in_another_way_has_an_example_of_its_own() -> None:
    axes = {"safety": SAFE.axes["safety"], "paper": NESTED.axes["paper"]}
    both = Rubric(name="both", version="1", description="d", axes=axes)
    turned = [
        example.said.split(" (")[0].split(";")[0]
        for example in previewed({**RECORD, "units": {}}, rubric=both).examples[1:]
    ]
    assert turned == [
        *("c1 of safety does not hold", "c2 of safety holds, which is bad"),
        *("a of paper does not hold", "leak of paper holds, which is bad"),
    ]


def test_a_server_hears_the_tree_and_the_rating_that_are_shown() -> None:
    heard = heard_for(NESTED_RECORD, rubric=NESTED)
    assert len(heard) == 2
    assert sorted(shown(previewed(NESTED_RECORD, rubric=NESTED))) == sorted(map(sent, heard))


def test_a_trace_that_says_nothing_is_not_asked_about() -> None:
    found = previewed({**RECORD, "trace": "Thought process:"})
    assert found.calls == () and found.prompt_tokens == 0
    assert found.examples[0].scores.score == 1


def test_the_price_is_that_of_all_calls() -> None:
    found = previewed(RECORD, price=build_price([1.0, 2.0]))
    # USD 1 and 2 a million tokens; 80 tokens out for each of three units.
    assert found.completion_tokens == 240
    assert found.cost_usd == pytest.approx((found.prompt_tokens + 480) / 1e6)
    assert previewed(RECORD).cost_usd is None
    assert found.prompt_tokens == sum(round(call.request.guessed_tokens) for call in found.calls)
