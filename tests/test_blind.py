"""`judge score --blind-check`: does a judge look at the images, and what it costs to know."""

from __future__ import annotations

import base64
import io
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner, Result
from image_kit import encode
from PIL import Image as PilImage
from run_kit import NAME, asked_after_commit, to_lines

from judge.cli import cli
from judge.testing import Server

COLOURS = {"red": (255, 0, 0), "green": (0, 255, 0), "blue": (0, 0, 255), "white": (255, 255, 255)}


@pytest.fixture(autouse=True)
def _plain_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.startswith(("JUDGE_", "OPENAI_", "HOSTED_VLLM_"))]:
        monkeypatch.delenv(name)


def picture(colour: str) -> str:
    data = encode(PilImage.new("RGB", (8, 8), COLOURS[colour]))
    return "data:image/png;base64," + base64.b64encode(data).decode()


def record(number: int, colour: str | None) -> dict[str, Any]:
    """A trace that says its picture's colour, and a unit of knowledge that has nothing to do with it."""
    units = {
        "perception": [{"unit_id": "P1", "claim": f"The picture is {colour}."}],
        "knowledge": [{"unit_id": "K1", "claim": "Colours have names."}],
    }
    shown = {"image": picture(colour)} if colour else {}
    return {"id": f"r{number}", "model": "m", "units": units, "trace": f"Case {number}: it is {colour}.", **shown}


def write(path: Path, *colours: str | None) -> Path:
    path.write_bytes(to_lines(record(number, colour) for number, colour in enumerate(colours, start=1)))
    return path


@pytest.fixture
def traces(tmp_path: Path) -> Path:
    """Records 3, 6 and 9 have no image; the next with an image of another colour is not always the next one."""
    colours = ("red", "red", None, "green", "blue", None, "white", "green", None, "blue")
    return write(tmp_path / "t.jsonl", *colours)


def seen(url: str) -> str:
    pixel = PilImage.open(io.BytesIO(base64.b64decode(url.partition(",")[2]))).convert("RGB").getpixel((0, 0))
    return next(name for name, colour in COLOURS.items() if colour == pixel)


def said(ask: Any, *, raised: bool) -> dict[str, object]:
    marks = {"presence": 2, "correctness": 1} if raised else {"presence": 0, "correctness": None}
    return {"evidence": ask.trace if raised else None, "reason": "So.", **marks}


def looking(ask: Any) -> Mapping[str, object]:
    """What is seen is right only where the first image has the colour of the claim; knowledge is always right."""
    colours = [seen(url) for url in ask.images]
    return {
        unit.name: said(ask, raised=unit.axis != "perception" or any(f"is {c}." in unit.claim for c in colours))
        for unit in ask.units
    }


def ignoring(ask: Any) -> Mapping[str, object]:
    return {unit.name: said(ask, raised=True) for unit in ask.units}


def run(traces: Path, out: Path, server: Server | None, *more: object) -> Result:
    asked = ["--judge", NAME, "--api-base", server.api_base, "--cache", "none"] if server else []
    given = ["score", str(traces), "--out", str(out), *asked, *map(str, more)]
    return CliRunner().invoke(cli, given, catch_exceptions=False, env={"COLUMNS": "160"})


def told_of(done: Result, code: int = 0) -> dict[str, Any]:
    assert done.exit_code == code, done.output
    told: dict[str, Any] = json.loads(done.stdout)
    return told


def moves(told: dict[str, Any]) -> dict[tuple[str, str], dict[str, Any]]:
    return {(one["axis"], one["arm"]): one for one in told["blind_check"]["moves"]}


def test_a_judge_that_looks_moves_and_what_needs_no_image_is_named(traces: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    with Server(script=looking) as server:
        done = run(traces, out, server, "--blind-check", 7, "--json", "--quiet")
        told = told_of(done, 3 if json.loads(done.stdout)["counts"]["failed"] else 0)
        asked = server.ledger.requests
    assert told["counts"] == {"read": 10, "scored": 10, "failed": 0}
    found = moves(told)
    for arm in ("without", "swapped"):
        one = found["perception", arm]
        # 1 with its image, and 0 without it or with one of another colour.
        assert (one["mean"], one["mean_absolute"], one["n"], one["moved"]) == (-1.0, 1.0, 7, True)
        other = found["knowledge", arm]
        assert (other["mean"], other["mean_absolute"], other["low"], other["moved"]) == (0.0, 0.0, 0.0, False)
    assert told["blind_check"]["lines"] == [1, 2, 4, 5, 7, 8, 10] and told["blind_check"]["finished"]
    assert [(one["axis"], one["arm"]) for one in told["blind_check"]["unmoved"]] == [
        *(("knowledge", "without"), ("knowledge", "swapped"))
    ]
    # Two calls a record, and two for each of seven in both arms; all of them are counted.
    assert asked == 20 + 28 and told["spent"]["replies"] == 48 and told["blind_check"]["spent"]["replies"] == 28
    story = json.loads((out / "run.json").read_bytes())
    assert story["blind_check"] == told["blind_check"] and story["spent"] == told["spent"]


def test_it_changes_no_score(traces: Path, tmp_path: Path) -> None:
    with Server(script=looking) as server:
        assert run(traces, tmp_path / "plain", server).exit_code == 0
        assert run(traces, tmp_path / "checked", server, "--blind-check", 4).exit_code == 0
    one, other = (pl.read_parquet(tmp_path / name / "scores.parquet") for name in ("plain", "checked"))
    assert one.equals(other)
    # Only the chosen records, and by their lines.
    lines = pl.read_parquet(tmp_path / "checked" / "blind" / "swapped" / "scores.parquet")["line"].to_list()
    assert len(lines) == 4 and set(lines) <= {1, 2, 4, 5, 7, 8, 10}


def test_a_judge_that_ignores_images_is_named(traces: Path, tmp_path: Path) -> None:
    with Server(script=ignoring) as server:
        done = run(traces, tmp_path / "run", server, "--blind-check", 50)
    assert done.exit_code == 0
    assert "perception did not move without its image: mean difference +0.000 [+0.000, +0.000]" in done.stdout
    assert "perception did not move with the image of another record" in done.stdout
    assert "7 records. No score changed at all: it is scored from the texts." in done.stdout
    rows = [
        line for line in done.stdout.splitlines() if line.startswith(("perception  none", "perception  of another"))
    ]
    assert len(rows) == 2 and all(len(line) <= 80 and line.split()[-2:] == ["7", "0"] for line in rows)
    assert "Blind check: 7 records asked about again" in done.stdout and "It took 28 calls paid for" in done.stdout


def test_up_as_much_as_down_is_no_move_and_not_called_still(tmp_path: Path) -> None:
    """Without an image odd cases go from 1 to 0 and even ones from 0 to 1: a mean of 0, and a mean size of 1."""

    def restless(ask: Any) -> Mapping[str, object]:
        odd = int(ask.trace.split(":")[0].removeprefix("Case ")) % 2 == 1
        return {unit.name: said(ask, raised=odd == bool(ask.images)) for unit in ask.units}

    traces = write(tmp_path / "t.jsonl", *("red", "blue") * 4)
    with Server(script=restless) as server:
        done = run(traces, tmp_path / "run", server, "--blind-check", 8)
    assert "perception did not move without its image: mean difference +0.000 [-" in done.stdout
    assert "8 records. Scores change by 1.000 on average, up as much as down" in done.stdout


def test_what_is_shown_is_none_or_that_of_another(traces: Path, tmp_path: Path) -> None:
    shown: list[tuple[str, list[str]]] = []

    def watching(ask: Any) -> Mapping[str, object]:
        shown.append((ask.trace, [seen(url) for url in ask.images]))
        return ignoring(ask)

    with Server(script=watching) as server:
        run(traces, tmp_path / "run", server, "--blind-check", 7, "--concurrency", 1)
    own = [(trace, colours) for trace, colours in shown[20:] if colours and f"is {colours[0]}." in trace]
    assert own == [] and len(shown) == 48
    assert [len(colours) for _, colours in shown[20:34]] == [0] * 14
    assert [len(colours) for _, colours in shown[34:]] == [1] * 14


def test_no_record_is_shown_its_own_picture_as_that_of_another(tmp_path: Path) -> None:
    """Three records share a picture: all of them are shown the fourth's, though each has others beside it."""
    traces = write(tmp_path / "t.jsonl", "red", "red", "red", "blue")
    with Server(script=looking) as server:
        told = told_of(run(traces, tmp_path / "run", server, "--blind-check", 4, "--json", "--quiet"))
    assert (moves(told)["perception", "swapped"]["mean"], moves(told)["perception", "swapped"]["n"]) == (-1.0, 4)


def test_a_record_that_failed_is_not_asked_again(traces: Path, tmp_path: Path) -> None:
    """And what the check spent is spent: a budget that has been used up by both leaves nothing for the record."""
    out, price = tmp_path / "run", ("--price", "100,100", "--param", "max_tokens=200", "--max-retries", 0, "--json")
    with Server(script=looking) as server:
        server.always, server.only = 503, "Case 5:"
        told = told_of(run(traces, out, server, "--blind-check", 7, *price), 3)
        assert told["blind_check"]["lines"] == [1, 2, 4, 7, 8, 10]
        assert moves(told)["perception", "swapped"]["n"] == 6 and told["spent"]["replies"] == 18 + 24
        server.always, asked = None, server.ledger.requests
        done = run(traces, out, server, "--blind-check", 7, *price, "--budget", told["cost_usd"])
        assert done.exit_code == 75 and server.ledger.requests == asked


def test_it_goes_on_where_it_stopped(traces: Path, tmp_path: Path) -> None:
    """The arms fail for one record, whose axes then count as failed; the next session asks for that one alone."""
    out = tmp_path / "run"
    with Server(script=looking) as server:
        assert run(traces, out, server).exit_code == 0
        before = (out / "scores.parquet").read_bytes()
        server.always, server.only = 503, "Case 5:"
        told = told_of(run(traces, out, server, "--blind-check", 7, "--max-retries", 0, "--json", "--quiet"))
        assert moves(told)["perception", "without"]["n"] == 6
        assert moves(told)["perception", "without"]["n_failed"] == 1
        server.always = None
        told = told_of(run(traces, out, server, "--blind-check", 7, "--json", "--quiet"))
        again = told_of(run(traces, out, server, "--blind-check", 7, "--json", "--quiet"))
        assert asked_after_commit(server) == 0 and sum(row.paid for row in server.ledger.rows()) == 48
    assert told["blind_check"] == again["blind_check"] and moves(told)["perception", "without"]["n"] == 7
    assert told["spent"]["replies"] == 48
    assert pl.read_parquet(out / "scores.parquet").equals(pl.read_parquet(before))


def test_a_budget_is_for_the_run_and_its_check(traces: Path, tmp_path: Path) -> None:
    price = ("--price", "100,100", "--param", "max_tokens=200", "--concurrency", 1)
    with Server(script=looking) as server:
        whole = told_of(run(traces, tmp_path / "whole", server, *price, "--blind-check", 7, "--json", "--quiet"))
        out, budget = tmp_path / "run", whole["cost_usd"] * 0.7
        done = run(traces, out, server, *price, "--blind-check", 7, "--budget", budget)
        assert done.exit_code == 75 and "To resume" in done.stderr
        done = run(traces, out, server, *price, "--blind-check", 7, "--budget", 2 * whole["cost_usd"], "--json")
    assert told_of(done)["spent"]["replies"] == 48


@pytest.mark.parametrize(
    ("colours", "words", "said"),
    [
        ((None, None), (), "no record has an image"),
        (("red", None), (), "all images are the same, so none can stand for another"),
        (("red", "red"), (), "all images are the same, so none can stand for another"),
        (("red", "blue"), ("--blind-check", 1), "1 is not in the range x>=2"),
    ],
)
def test_what_cannot_be_checked_is_refused(
    colours: tuple[str | None, ...], words: tuple[object, ...], said: str, tmp_path: Path
) -> None:
    traces = write(tmp_path / "t.jsonl", *colours)
    with Server(script=looking) as server:
        done = run(traces, tmp_path / "run", server, *(words or ("--blind-check", 5)))
        assert done.exit_code == 2 and said in done.stderr
        assert server.ledger.requests == 0


def test_lexical_opens_no_image(traces: Path, tmp_path: Path) -> None:
    done = run(traces, tmp_path / "run", None, "--blind-check", 5)
    assert done.exit_code == 2 and "lexical opens no image" in done.stderr
    assert not (tmp_path / "run").exists()


def test_an_axis_that_is_shown_no_image_is_not_checked(traces: Path, tmp_path: Path) -> None:
    view = {"view": ["question", "trace"]}
    axes = {
        "perception": {"kind": "checklist", "description": "Seen."},
        "knowledge": {"kind": "checklist", "description": "Known.", **view},
    }
    rubric = tmp_path / "own.yaml"
    rubric.write_text(json.dumps({"name": "own", "version": "1", "description": "d", "axes": axes}))
    with Server(script=looking) as server:
        done = run(traces, tmp_path / "run", server, "--rubric", rubric, "--blind-check", 7, "--json", "--quiet")
        told = told_of(done)
        # What is asked without any image is the same request, and is not asked again.
        assert server.ledger.requests == 20 + 14 and server.ledger.repaid == 0
    assert {axis for axis, _ in moves(told)} == {"perception"}
    axes["perception"] |= view
    rubric.write_text(json.dumps({"name": "own", "version": "1", "description": "d", "axes": axes}))
    with Server(script=looking) as server:
        done = run(traces, tmp_path / "other", server, "--rubric", rubric, "--blind-check", 7)
        assert done.exit_code == 2 and "shows the judge an image" in done.stderr and not server.ledger.requests


def test_standard_input_is_read_but_once(tmp_path: Path) -> None:
    with Server(script=looking) as server:
        done = run(Path("-"), tmp_path / "run", server, "--blind-check", 5)
        assert done.exit_code == 2 and "is read once more for --blind-check" in done.stderr


def test_a_dry_run_says_what_comes_on_top(traces: Path, tmp_path: Path) -> None:
    with Server(script=looking) as server:
        done = run(traces, tmp_path / "run", server, "--blind-check", 5, "--dry-run")
        assert done.exit_code == 0 and "5 of the records twice more" in done.stderr and not server.ledger.requests
