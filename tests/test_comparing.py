"""`Judge.compare`: two lists of records, and nothing written."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from image_kit import BLUE, RED, encode
from pair_kit import AXES, RIGHT, WEAK, compare, make_models, preferences, with_trace
from PIL import Image as PilImage

from judge import Judge
from judge.errors import ConfigError, InputError
from judge.pairs.asking import PairOutcome
from judge.pairs.grouping import PairFailure
from judge.preference import PREFERENCES
from judge.record import build_record
from judge.rubric import load_rubric
from judge.testing import Server

NAME = "hosted_vllm/any"


@pytest.fixture
def server() -> Iterator[Server]:
    with Server() as running:
        yield running


def judge_of(server: Server, **how: Any) -> Judge:
    return Judge(NAME, **{"rubric": "pkr-preference", "api_base": server.api_base, **how})


def test_it_says_what_the_command_says(server: Server, tmp_path: Any) -> None:
    files = make_models(9)
    with judge_of(server, timeout_s=10.0) as judge:
        found = judge.compare(*files.values())
    compare(files, tmp_path / "out", server)
    assert found.preferences.equals(preferences(tmp_path / "out"), null_equal=True)
    assert (len(found.calls), found.failures.height) == (9 * 8, 0)


def test_order_is_kept_and_a_bad_record_is_a_failure(server: Server) -> None:
    ones: list[Any] = [with_trace(RIGHT, id="b"), {"id": "x"}, with_trace(RIGHT, id="a"), with_trace(RIGHT, id="c")]
    others: list[Any] = [with_trace(WEAK, id="a"), build_record(with_trace(WEAK, id="b")), with_trace(WEAK, id="d")]
    with judge_of(server) as judge:
        found = judge.compare(iter(ones), others, models=("mine", "theirs"))
    assert found.preferences.schema == PREFERENCES
    assert found.preferences["record_id"].to_list() == ["b"] * len(AXES) + ["a"] * len(AXES)
    assert found.preferences.select("model_a", "model_b").unique().rows() == [("mine", "theirs")]
    told = found.failures.select("line", "record_id", "error", "source").rows()
    assert told == [(2, "x", "missing", "mine"), (4, "c", "one_trace", "mine"), (3, "d", "one_trace", "theirs")]


def test_nothing_to_compare_is_an_empty_table(server: Server) -> None:
    with judge_of(server) as judge:
        found = judge.compare([with_trace(RIGHT)], [])
    assert (found.preferences.height, found.calls.height, found.failures["error"].to_list()) == (0, 0, ["one_trace"])


def test_records_that_name_their_models_keep_them_and_may_be_of_more_than_two(server: Server) -> None:
    records = [with_trace(RIGHT, model="m"), with_trace(WEAK, model="n")]
    with judge_of(server) as judge:
        found = judge.compare(records, [with_trace("It is left.")])
    pairs = found.preferences.select("model_a", "model_b").unique(maintain_order=True).rows()
    assert pairs == [("m", "n"), ("m", "b"), ("n", "b")]


def test_in_a_running_loop(server: Server) -> None:
    async def both() -> list[Any]:
        with judge_of(server) as judge:
            asking = [judge.acompare([with_trace(RIGHT)], [with_trace(WEAK)]) for _ in range(2)]
            return [*await asyncio.gather(*asking), judge.compare([with_trace(RIGHT)], [with_trace(WEAK)])]

    assert all(found.preferences["outcome"].to_list() == ["A"] * len(AXES) for found in asyncio.run(both()))


def test_what_is_not_done_at_the_deadline_is_a_timeout(server: Server) -> None:
    server.always = "black_hole"
    ones, others = [with_trace(RIGHT, id="a"), with_trace("...", id="b")], [with_trace(WEAK, id=key) for key in "abc"]
    with judge_of(server) as judge:
        found = judge.compare(ones, others, deadline_s=0.5)
    rows = found.preferences.select("record_id", "outcome", "failure").rows()
    assert rows == [("a", None, "timeout")] * len(AXES) + [("b", "B", None)] * len(AXES)
    told = found.failures.select("record_id", "error", "message").rows()
    assert told[1] == ("a", "timeout", "not done within the 0.5 s that the batch had.")
    assert [row[:2] for row in told] == [("c", "one_trace"), ("a", "timeout")]


def test_a_deadline_before_anything_was_read_leaves_every_pair_a_timeout(server: Server) -> None:
    with judge_of(server) as judge:
        found = judge.compare([with_trace(RIGHT)], [with_trace(WEAK)], deadline_s=0)
        pairs = asyncio.run(judge.apairs([(with_trace(RIGHT), {"trace": WEAK})], deadline_s=0))
    assert found.preferences["failure"].to_list() == ["timeout"] * len(AXES)
    assert [one.failure for one in pairs if isinstance(one, PairOutcome)] == ["timeout"]
    assert server.ledger.requests == 0


def test_pairs_by_their_place_keep_their_order_and_may_be_of_one_model(server: Server) -> None:
    read = build_record(with_trace(RIGHT, id="x", model="m"), number=9)
    pairs: list[Any] = [
        (with_trace(WEAK, model="m"), with_trace(RIGHT, model="m")),
        (read, {"trace": WEAK}),
        ({"trace": WEAK}, read),
        (read, with_trace(WEAK)),
    ]
    with judge_of(server) as judge:
        found = asyncio.run(judge.apairs(iter(pairs)))
    assert [isinstance(one, PairOutcome) for one in found] == [True, True, True, False]
    judged = [one for one in found if isinstance(one, PairOutcome)]
    assert [{row.outcome for row in one.preferences} for one in judged] == [{"B"}, {"A"}, {"B"}]
    assert [(one.pair.record_id, one.pair.a.model, one.pair.b.model) for one in judged] == [
        ("r1", "m", "m"),
        ("x", "m", "b"),
        ("x", "a", "m"),
    ]
    failed = found[3]
    assert isinstance(failed, PairFailure) and (failed.source, failed.failure.error) == ("pair", "other_question")


def test_images_are_opened_and_have_to_be_those_of_one_question(server: Server) -> None:
    red, blue = ({"bytes": encode(PilImage.new("RGB", (8, 8), colour))} for colour in (RED, BLUE))
    ones = [with_trace(RIGHT, image=red), with_trace(RIGHT, id="r2", image=red)]
    others = [with_trace(WEAK, image=red), with_trace(WEAK, id="r2", image=blue)]
    with judge_of(server) as judge:
        found = judge.compare(ones, others)
    failed = found.preferences.filter(found.preferences["outcome"].is_null())
    assert failed.select("record_id", "failure").unique().rows() == [("r2", "other_question")]
    assert found.failures["error"].to_list() == ["other_question"]


def test_a_judge_scores_and_compares_with_one_rubric(server: Server) -> None:
    pkr = load_rubric("pkr")
    better = {"better": load_rubric("pkr-preference").axes["rationale"]}
    both = pkr.model_copy(update={"axes": pkr.axes | better})
    unit = {"perception": [{"unit_id": "P1", "claim": "The left base is opaque."}]}
    with judge_of(server, rubric=both) as judge:
        found, run = (
            judge.compare([with_trace(RIGHT)], [with_trace(WEAK)]),
            judge.score([with_trace(RIGHT, units=unit)]),
        )
    assert found.preferences["axis"].to_list() == ["better", "overall"]
    assert run.scores["perception_score"].to_list() == [1.0]
    assert found.preferences["judge"][0] != run.scores["judge"][0]


def test_what_cannot_compare_says_so(server: Server) -> None:
    with judge_of(server, rubric="pkr") as judge, pytest.raises(ConfigError, match="has no axis of `kind: preference`"):
        judge.compare([with_trace(RIGHT)], [with_trace(WEAK)])
    with pytest.raises(ConfigError, match="cannot say which of two traces is better"):
        Judge("lexical").compare([with_trace(RIGHT)], [with_trace(WEAK)])
    with judge_of(server) as judge, pytest.raises(InputError, match="they must be two"):
        judge.compare([with_trace(RIGHT)], [with_trace(WEAK)], models=("m", "m"))
    with judge_of(server) as judge, pytest.raises(InputError, match="is one dict, not a list"):
        judge.compare(with_trace(RIGHT), [with_trace(WEAK)])  # type: ignore[arg-type]
