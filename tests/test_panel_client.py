"""`Panel` in the library: rows of every judge and the panel's own, whatever becomes of one of them."""

from __future__ import annotations

import asyncio
import base64
import pickle
from typing import Any

import pytest
from image_kit import corners, encode
from panel_kit import PANEL, record, saying, served

from judge import Judge, Panel
from judge.errors import ConfigError, FatalError, InputError
from judge.testing import Server

RECORDS = [record(1, "fog", "ice"), record(2, "fog")]


def judges(*servers: Server, **changes: Any) -> list[Judge]:
    return [
        Judge(f"hosted_vllm/j{place}", api_base=server.api_base, **changes)
        for place, server in enumerate(servers, start=1)
    ]


def test_what_each_says_and_what_they_say_together() -> None:
    """As in `test_panel_run`: of r1 the panel scores ½, of r2 1."""
    with served(saying(fog=(2, 1), ice=(2, 1)), saying(fog=(2, 1)), saying()) as servers:
        panel = Panel(judges(*servers))
        run = panel.score([*RECORDS, {"id": "no-trace"}])
        assert run.judge == panel.rule.labels.judge and run.judge.startswith("panel:majority#")
        assert run.scores["trace_score"].to_list() == [1.0, 0.5, 0.0, 0.5, 1.0, 1.0, 0.0, 1.0]
        assert run.panel.scores["trace_score"].to_list() == [0.5, 1.0]
        assert run.failures["line"].to_list() == [3, 3, 3, 3] and run.panel.failures["stage"].to_list() == ["read"]
        assert [row["why"] for row in run.doubtful] == ["judges_differ"] * 3
        assert run.accord.axes()[0].agreement == pytest.approx(1 / 3)
        again = asyncio.run(panel.ascore(RECORDS))
        assert again.panel.scores["trace_score"].to_list() == [0.5, 1.0]
        merged = run.panel.merge(run.panel.scores.select(id="record_id"), left_on="id")
        assert merged["trace_score"].to_list() == [0.5, 1.0]


def test_one_that_is_refused_has_failures_and_the_others_go_on() -> None:
    with served(saying(fog=(2, 1)), saying(fog=(2, 1)), saying()) as servers:
        servers[2].always = 401
        run = Panel(judges(*servers)).score(RECORDS)
        assert run.panel.scores["judges"].to_list() == [2, 2]
        assert run.panel.scores["trace_score"].to_list() == [0.5, 1.0]
        own = run.failures.filter(~PANEL)
        assert own["judge"].str.starts_with("hosted_vllm/j3#").all() and own["stage"].to_list() == ["ask", "ask"]
        servers[0].always = servers[1].always = 401
        with pytest.raises(FatalError):
            Panel(judges(*servers)).score(RECORDS)


def test_records_that_were_made_elsewhere_are_told_apart() -> None:
    """Both come from a list of one, and say that they are line 1."""
    with served(saying(fog=(2, 1)), saying(fog=(2, 1))) as servers:
        both = judges(*servers)
        made = [asyncio.run(both[0].arecords([row]))[0] for row in RECORDS]
        assert [one.line for one in made if not isinstance(one, Exception)] == [1, 1]
        run = Panel(both).score(made)  # type: ignore[arg-type]
    assert run.panel.scores["record_id"].to_list() == ["r1", "r2"] and run.panel.scores["line"].to_list() == [1, 2]


def test_a_judge_that_reads_texts_sees_no_image() -> None:
    picture = "data:image/png;base64," + base64.b64encode(encode(corners())).decode()
    with served(saying(fog=(2, 1))) as servers:
        run = Panel([Judge("lexical"), *judges(*servers)], reducer="mean").score([record(1, "fog", image=picture)])
    assert run.panel.scores["judges"].item() == 2 and run.scores["record_key"].n_unique() == 1


def test_the_same_numbers_as_one_judge_alone() -> None:
    with served("obedient", "obedient") as servers:
        alone = judges(servers[0])[0].score(RECORDS).scores
        run = Panel(judges(*servers)).score(RECORDS)
    for column in ("perception_grounding", "perception_correctness", "trace_score", "units_judged"):
        assert run.panel.scores[column].to_list() == alone[column].to_list()


def test_what_is_no_panel() -> None:
    one, other = Judge("lexical"), Judge("hosted_vllm/m", api_base="http://127.0.0.1:9/v1")
    for given, changes, told in (
        ([one], {}, "two judges or more, and this one has 1"),
        ([one, Judge("lexical")], {}, "more than once"),
        ([one, other], {"min_judges": 3}, "the panel has 2 judges"),
        ([one, other], {"min_judges": 0}, "from 1 to 2"),
        ([one, other], {"reducer": "mode"}, "there are: majority, mean, median"),
        ([one, Judge("hosted_vllm/m", api_base="http://127.0.0.1:9/v1", samples=2)], {}, "differ in samples: 1, 2"),
        (
            [one, Judge("hosted_vllm/m", api_base="http://127.0.0.1:9/v1", rubric="healthbench")],
            {},
            "different rubrics",
        ),
    ):
        with pytest.raises(ConfigError, match=told):
            Panel(given, **changes)  # type: ignore[arg-type]
    with pytest.raises(InputError, match="not a list"):
        Panel([one, other]).score(RECORDS[0])  # type: ignore[arg-type]
    assert repr(pickle.loads(pickle.dumps(Panel([one, other])))) == repr(Panel([one, other]))
