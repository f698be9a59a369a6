"""Which units a person should look at, in which order, and that a page asks about these and no others."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from label_kit import record, unit, write_traces
from msgspec.structs import replace
from test_panel import criterion, level
from test_panel import unit as verdict

from judge.cli import cli
from judge.errors import ConfigError
from judge.label.chosen import read_chosen
from judge.label.labels import Place
from judge.label.tasks import opened_tasks, read_tasks
from judge.panels.doubtful import About, Doubt, find_doubts, opened_doubts
from judge.rubric import load_rubric
from judge.traces.reading import Traces
from judge.verdict import Verdict

ABOUT = About(line=1, record_id="r1", model="m")


def found(*judges: list[Verdict], split: tuple[str, ...] = ()) -> list[Doubt]:
    named = {f"j{place}": said for place, said in enumerate(judges)}
    return [*find_doubts(ABOUT, named, split=[("perception", name) for name in split])]


def why(*judges: list[Verdict], **given: Any) -> str | None:
    doubts = found(*judges, **given)
    return doubts[0].why if doubts else None


def test_who_differs_from_whom() -> None:
    right, absent = verdict(2, 1), verdict(0)
    assert why([right], [right]) is None
    assert why([right], [verdict(1, 1)]) is None  # both say that it is right
    assert why([right], [verdict(2, -1)]) == "judges_differ"
    assert why([right, replace(absent, sample=1)]) == "samples_differ"
    assert why([right], [verdict(1, 1)], split=("P1",)) == "split"
    assert why([right], [verdict(None)]) is None
    assert why([verdict(None)], [verdict(None)]) is None
    assert why([criterion(True)], [criterion(False)]) == why([level(2)], [level(3)]) == "judges_differ"


def test_a_probability_near_one_half() -> None:
    """|2p - 1| is 0.2 of 0.6, and 0.8 of 0.9; of 0.9 and 0.5 together, |1.4 - 1| = 0.4 is enough."""
    assert why([verdict(2, 1, p_present=1.0, p_correct=0.6)]) == "unsure"
    assert why([verdict(2, 1, p_present=1.0, p_correct=0.9)]) is None
    assert why([verdict(2, 1, p_correct=0.9)], [verdict(2, 1, p_correct=0.49)]) == "unsure"


def test_claims_of_a_trace_are_no_units() -> None:
    claim = verdict(None, kind="faithfulness", failure=None, verdict="SUPPORTED", value=1.0)
    assert found([claim], [replace(claim, verdict="CONTRADICTED", value=0.0)]) == []


def test_the_most_doubtful_come_first(tmp_path: Path) -> None:
    """A split; then one half (2 of 4) before two thirds; of probes, the least certain first; else as found."""
    right, absent, wrong = verdict(2, 1), verdict(0), verdict(2, -1)

    def named(one: Verdict, name: str) -> Verdict:
        return replace(one, unit_id=name)

    rows = [
        ("two of three", [right, right, absent]),
        ("sure", [verdict(2, 1, p_correct=0.65)]),
        ("unsure", [verdict(2, 1, p_correct=0.55)]),
        ("half", [right, right, absent, wrong]),
        ("split", [right, right, right, absent]),
        ("also two of three", [absent, absent, right]),
    ]
    with opened_doubts() as file:
        for name, said in rows:
            judges = [[named(one, name)] for one in said]
            for doubt in found(*judges, split=("split",)):
                file.add(doubt)
        file.write(tmp_path / "doubtful.jsonl")
        assert file.told() == {"split": 1, "judges_differ": 3, "unsure": 2}
    names = [json.loads(line)["unit_id"] for line in (tmp_path / "doubtful.jsonl").read_bytes().splitlines()]
    assert names == ["split", "half", "two of three", "also two of three", "unsure", "sure"]


def chosen(path: Path, *places: tuple[str, str, str]) -> Path:
    lines = [{"record_id": r, "model": "m", "axis": a, "unit_id": u, "votes": ["…"]} for r, a, u in places]
    path.write_text("".join(f"{json.dumps(line)}\n" for line in lines), encoding="utf-8")
    return path


def test_a_person_is_asked_about_these_and_in_this_order(tmp_path: Path) -> None:
    traces = write_traces(tmp_path / "t.jsonl", record("r1"), record("r2"), record("r3"))
    only = read_chosen(
        chosen(tmp_path / "d.jsonl", ("r3", "perception", "P2"), ("r1", "rationale", "R1"), ("r3", "rationale", "R1"))
    )
    assert [*only.values()] == [0, 1, 2]
    with opened_tasks(load_rubric("pkr"), only) as tasks:
        asyncio.run(read_tasks(tasks, Traces(path=str(traces))))
        asked = [[question.place for question in task.questions] for task in tasks.tasks]
        sheets = [json.loads(tasks.sheet(number)) for number in range(len(asked))]
    assert asked == [
        [Place("r3", "m", "perception", "P2"), Place("r3", "m", "rationale", "R1")],
        [Place("r1", "m", "rationale", "R1")],
    ]
    assert [[one["unit_id"] for one in sheet["units"]] for sheet in sheets] == [["P2", "R1"], ["R1"]]
    assert "votes" not in json.dumps(sheets) and len(tasks) == 3


@pytest.mark.parametrize(
    ("content", "told"),
    [
        ("", "names no units"),
        ("{", "line 1: "),
        ('{"record_id": "r1", "axis": "a"}', "line 1: unit_id: Field required"),
        ('{"record_id": "r1", "axis": "a", "unit_id": "u"}\n[]', "line 2: "),
    ],
)
def test_a_file_that_names_none(content: str, told: str, tmp_path: Path) -> None:
    (tmp_path / "d.jsonl").write_text(content, encoding="utf-8")
    with pytest.raises(ConfigError, match=told):
        read_chosen(tmp_path / "d.jsonl")


def test_units_of_other_traces_are_an_error(tmp_path: Path) -> None:
    traces = write_traces(tmp_path / "t.jsonl", record("r1", units={"perception": [unit("P1")]}))
    only = chosen(tmp_path / "d.jsonl", ("r9", "perception", "P1"))
    words = ["label", traces, "--out", tmp_path / "l.jsonl", "--rater", "ann", "--only", only]
    done = CliRunner().invoke(cli, [str(word) for word in words], catch_exceptions=False)
    assert done.exit_code == 2 and f"holds no unit that {only} names" in done.stderr.replace("\n", "")
