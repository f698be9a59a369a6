"""`judge rubric preview`: one record, all that would be sent of it, and nothing sent.

`JUDGE_WRITE_GOLDEN=1 pytest tests/test_rubric_preview.py` writes the golden file anew: read the diff.
"""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result
from image_kit import encode
from PIL import Image as PilImage
from run_kit import finish, make_record, start_judge, to_lines

from judge.cli import cli

HERE = Path(__file__).parent
TRACES = str(HERE.parent / "examples" / "traces.jsonl")


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        if name != "JUDGE_WRITE_GOLDEN":
            monkeypatch.delenv(name)


def preview(*words: object) -> Result:
    return CliRunner().invoke(cli, ["rubric", "preview", *map(str, words)], catch_exceptions=False)


def told(*words: object) -> dict[str, Any]:
    done = preview(*words, "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)


def written(folder: Path, *records: dict[str, Any] | str) -> Path:
    path = folder / "traces.jsonl"
    path.write_bytes(to_lines(records))
    return path


def test_the_text_that_is_shown() -> None:
    done = preview("pkr", TRACES, "--line", 2)
    assert done.exit_code == 0
    golden = HERE / "golden" / "preview.txt"
    if os.environ.get("JUDGE_WRITE_GOLDEN"):
        golden.write_text(done.stdout, encoding="utf-8")
    assert done.stdout == golden.read_text(encoding="utf-8")


def test_what_is_shown_adds_up_to_what_is_sent() -> None:
    """The parts of a page, joined, are the messages of each call."""
    page, calls = preview("pkr", TRACES, "--line", 2).stdout, told("pkr", TRACES, "--line", 2)["calls"]
    shared = page.split("----- user, beginning, the same in every call\n")[1].split("\n----- ")[0]
    asked = [part.split("\n----- ")[0] for part in page.split("----- user, rest\n")[1:]]
    system = page.split("----- system, the same in every call\n")[1].split("\n----- ")[0]
    assert [call["user"] for call in calls] == [shared + own for own in asked]
    assert {call["system"] for call in calls} == {system}
    schemas = [part.split("\n")[1] for part in page.split("----- reply schema")[1:] if part.startswith("\n")]
    # Three, two and three units: the third call has the schema of the first.
    assert [json.loads(text) for text in schemas] == [call["reply_schema"] for call in calls[:2]]
    assert "----- reply schema: as of call 1" in page


def test_as_json_for_programs() -> None:
    found = told("pkr", TRACES, "--line", 2, "--granularity", "unit", "--judge", "openai/m", "--price", "1,2")
    assert list(found) == [
        *("schema", "rubric", "rubric_fp", "prompt_fp", "judge", "record", "granularity", "evidence", "probe", "calls"),
        *("prompt_tokens", "completion_tokens", "cost_usd", "examples"),
    ]
    assert (found["schema"], found["judge"], found["granularity"]) == ("judge.rubric.preview/1", "openai/m", "unit")
    assert found["record"] == {"id": "ex-cxr-01", "line": 2, "model": "birch-13b"}
    assert [call["units"][0]["unit_id"] for call in found["calls"]] == ["P1", "P2", "P3", "K1", "K2", "R1", "R2", "R3"]
    assert found["cost_usd"] == pytest.approx((found["prompt_tokens"] + 2 * found["completion_tokens"]) / 1e6)
    assert [round(example["scores"]["score"], 4) for example in found["examples"]] == [1, 0.8889, 0.8889]
    assert found["examples"][1]["verdicts"][0] == {
        "axis": "perception",
        "unit_id": "P1",
        "weight": 1.0,
        "presence": 2,
        "correctness": -1,
        "points": None,
        "verdict": None,
        "value": None,
        "level": None,
        "p_present": None,
        "p_correct": None,
    }


def test_the_scores_of_an_example_are_those_of_the_kind(tmp_path: Path) -> None:
    criterion = {"unit_id": "c1", "claim": "Says so.", "points": 5}
    path = written(tmp_path, {"id": "r", "trace": "It is so.", "units": {"criteria": [criterion]}})
    found, of_units = told("healthbench", path), told("pkr", TRACES, "--line", 2)
    of_all = ["score", "coverage", "score_low", "score_high", "score_sd"]
    assert list(found["examples"][0]["scores"]["axes"]["criteria"]) == of_all
    assert list(of_units["examples"][0]["scores"]["axes"]["perception"]) == ["grounding", "correctness", *of_all]


def test_probes_show_what_is_asked_where_a_unit_is_raised() -> None:
    page = preview("pkr", TRACES, "--line", 2, "--probe").stdout
    assert "asked     by probes, evidence none" in page
    assert "calls     16 for 8 units where every unit is raised" in page
    assert page.count("----- reply: one token, of 0, 1, 2") == 16
    assert page.count("P1 (perception), only where it is raised;") == 1
    assert "perception_grounding = (0.95 + 0.95 + 0.95) / 3 = 0.95" in page
    calls = told("pkr", TRACES, "--line", 2, "--probe-evidence")["calls"]
    assert [call["labels"] for call in calls[:3]] == [["0", "1", "2"], ["0", "1", "2"], []]
    assert calls[2]["reply_schema"]["required"] == ["evidence"]


def test_a_record_is_found_by_its_id_or_its_line(tmp_path: Path) -> None:
    path = written(tmp_path, make_record(1), "", "{", make_record(2))
    assert told("pkr", path)["record"]["id"] == "r1"
    assert told("pkr", path, "--record", "r2")["record"] == {"id": "r2", "line": 4, "model": "m"}
    assert told("pkr", path, "--line", 4)["record"]["id"] == "r2"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--record", "r3"), "has no readable record with the id 'r3': it has 3 records."),
        (("--line", "2"), "has no line 2: it has 3 records."),  # a blank line
        (("--line", "3"), "line 3: ends in the middle of a JSON value"),
        (("--line", "5"), "line 5, trace: is missing or null."),
    ],
)
def test_a_record_that_is_not_there_is_told(words: tuple[str, ...], said: str, tmp_path: Path) -> None:
    path = written(tmp_path, make_record(1), "", "{", "", {"id": "r5"})
    done = preview("pkr", path, *words)
    assert done.exit_code == 2 and done.stdout == ""
    assert said in done.stderr


def test_the_one_that_was_asked_for_says_what_is_wrong_with_it(tmp_path: Path) -> None:
    done = preview("pkr", written(tmp_path, make_record(1), {"id": "r5"}), "--record", "r5")
    assert done.exit_code == 2
    assert "line 2, trace: is missing or null." in done.stderr


def test_an_empty_file_is_told(tmp_path: Path) -> None:
    done = preview("pkr", written(tmp_path))
    assert done.exit_code == 2 and "traces.jsonl is empty." in done.stderr


def test_one_record_is_named_once() -> None:
    done = preview("pkr", TRACES, "--record", "x", "--line", 1)
    assert done.exit_code == 2
    assert "--record and --line name one record each; give one of them." in done.stderr


def test_a_rubric_or_record_that_cannot_be_used_is_told(tmp_path: Path) -> None:
    assert "no built-in rubric is called 'pkx'" in preview("pkx", TRACES).stderr
    done = preview("pkr", written(tmp_path, {"id": "r", "trace": "t"}))
    assert done.exit_code == 2 and "line 1, units: has no unit for the rubric 'pkr'" in done.stderr


def test_a_trace_without_content_is_not_asked_about() -> None:
    page = preview("pkr", TRACES).stdout
    assert "calls     none for 8 units: the trace says nothing, so no unit is raised and the score is 0" in page
    assert "===== call" not in page
    assert "trace_score = (1 + 1 + 1) / 3 = 1" in page
    assert told("pkr", TRACES)["calls"] == []


def test_images_are_named_by_their_size(tmp_path: Path) -> None:
    (tmp_path / "scan.png").write_bytes(encode(PilImage.new("RGB", (300, 200))))
    path = written(tmp_path, {**make_record(1), "image": "scan.png"})
    (image,) = told("pkr", path)["calls"][0]["images"]
    assert (image["media_type"], image["width"], image["height"], image["tokens"]) == ("image/png", 300, 200, 80)
    page = preview("pkr", path).stdout
    assert f"----- images\nimage/png, 300 × 200 pixels, {image['bytes']:,} bytes, about 80 tokens\n" in page
    assert "base64" not in page
    assert told("pkr", path, "--image-max-side", 30)["calls"][0]["images"][0]["width"] == 30


def test_what_score_reads_is_read(tmp_path: Path) -> None:
    record = make_record(1)
    units, trace = record.pop("units"), record.pop("trace")
    path = written(tmp_path, {**record, "response": trace})
    references = tmp_path / "references.jsonl"
    references.write_bytes(to_lines([{"id": "r1", "units": units}]))
    found = told("pkr", path, "--map", "trace=response", "--references", references)
    assert trace in found["calls"][0]["user"]
    with path.open("rb") as piped:
        words = ("rubric", "preview", "pkr", "-", "--map", "trace=response", "--references", references)
        process = start_judge(*words, stdin=piped)
        code, shown = finish(process)
    assert code == 0 and "record    r1, line 1, m" in shown


def test_a_trace_cannot_forge_what_is_shown(tmp_path: Path) -> None:
    path = written(tmp_path, {**make_record(1), "trace": "It is clear.\x1b[2J\tNothing else."})
    assert "It is clear.\N{REPLACEMENT CHARACTER}[2J        Nothing else." in preview("pkr", path).stdout
    assert "It is clear.\x1b[2J\tNothing else." in told("pkr", path)["calls"][0]["user"]


def test_a_run_file_says_what_the_command_line_leaves_out(tmp_path: Path) -> None:
    """The same file that `judge score` takes, with options of its own in it."""
    config = tmp_path / "judge.yaml"
    written(tmp_path, make_record(1, units=3))
    config.write_text("traces: traces.jsonl\nrubric: pkr\nout: run\ngranularity: trace\nworkers: 2\n", encoding="utf-8")
    found = told("--config", config)
    assert len(found["calls"]) == 1 and found["granularity"] == "trace"
