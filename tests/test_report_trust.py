"""What a report says of preferences, people, calibration, panels, noise and attacks is what the commands print."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from click.testing import CliRunner
from panel_kit import record as panel_record
from panel_kit import saying, served, words, write
from preference_kit import said, table
from report_kit import make_run, read_block, read_details, record, report, write_lines
from trust_kit import DATA, people, units, write_labels, write_preferences, write_run

from judge.cli import cli
from judge.errors import ConfigError
from judge.trust.blind import BlindCheck, BlindMove

MODELS = ("a", "b", "c")


def invoke(*given: object, code: int = 0) -> Any:
    done = CliRunner().invoke(cli, [*map(str, given)], catch_exceptions=False)
    assert done.exit_code == code, done.output
    return json.loads(done.stdout)


def section(page: Path, name: str) -> Any:
    (found,) = [one for one in read_block(page)["sections"] if one["name"] == name]
    return found


def rows_of(page: Path, name: str, place: int = 0) -> list[dict[str, Any]]:
    shown = section(page, name)["tables"][place]
    return [dict(zip(shown["head"], row, strict=True)) for row in shown["rows"]]


def told(numbers: dict[str, Any], name: str = "value") -> dict[str, Any]:
    return {"value": numbers[name], "low": numbers["low"], "high": numbers["high"]}


# --- preferences


ANSWERS = ("AA", "AB", "tt", "AA", "At", "BB", "A-", "BA", "AA", "AB", "AA", "tt", "BB")


def preferred() -> list[Any]:
    """Every two of three models on 13 records, with the answers shifted from pair to pair and fewer of the last."""
    pairs = (("a", "b"), ("c", "a"), ("b", "c"))
    return [
        said(f"r{n}", ANSWERS[(n + 5 * turn) % len(ANSWERS)], a=one, b=other, axis=axis)
        for turn, (one, other) in enumerate(pairs)
        for axis in ("overall", "k")
        for n in range(len(ANSWERS) - 3 * turn - (axis == "k"))
    ]


def test_preferences_are_those_of_judge_compare(tmp_path):
    run = write_preferences(tmp_path / "pairs", *preferred())
    report(tmp_path / "out.html", run, seed=5)
    standings = invoke("compare", run, "--json", "--seed", 5, code=3)["standings"]
    rates = [rate for one in standings for rate in one["rates"]]
    shown = rows_of(tmp_path / "out.html", "preferences")
    assert len(shown) == len(rates) == 6
    for row, rate in zip(shown, rates, strict=True):
        assert (row["axis"], row["model"], row["other"], row["win rate"]) == (
            *(rate[name] for name in ("axis", "model", "other")),
            told(rate, "rate"),
        )
        counts = [rate[name] for name in ("judged", "wins", "losses", "ties", "inconsistent", "failed")]
        assert [row[name] for name in ("n", "won", "lost", "tie", "inconsistent", "failed")] == counts
        assert row["p"]["value"] == rate["p_value"]
    orders = rows_of(tmp_path / "out.html", "preferences", 1)
    assert [
        (row["same twice"], row["n"], row["first twice"], row["second twice"], row["tie once"]) for row in orders
    ] == [
        (told(one, "consistency"), *(one[name] for name in ("n", "first", "second", "half")))
        for one in (rate["order"] for rate in rates)
    ]
    ranked = [one for standing in standings for one in standing["strengths"]["ranked"]]
    strengths = rows_of(tmp_path / "out.html", "preferences", 2)
    assert [(row["rank"], row["model"], row["strength"], row["n"]) for row in strengths] == [
        (one["rank"], one["model"], told(one, "strength"), one["n"]) for one in ranked
    ]


def test_preferences_are_drawn_as_a_matrix_and_of_three_models_as_strengths(tmp_path):
    run = write_preferences(tmp_path / "pairs", *preferred())
    report(tmp_path / "out.html", run)
    figures = read_block(tmp_path / "out.html")["figures"]
    matrices = [one for one in figures if one["head"] == ["model", "other", "rate", "n"]]
    strengths = [one for one in figures if one["head"] == ["model", "strength", "low", "high", "n"]]
    assert (len(matrices), len(strengths)) == (2, 2)
    cells = {(one, other): rate for one, other, rate, _ in matrices[0]["rows"]}
    assert len(cells) == 6 and all(cells[one, other] == pytest.approx(1 - rate) for (other, one), rate in cells.items())


def test_a_pair_that_failed_is_no_loss(tmp_path):
    """One win, one tie, one inconsistent, one loss, one failed: (1 + ½ + ½) / 4 = ½."""
    run = write_preferences(
        tmp_path / "pairs", *(said(f"r{n}", answers) for n, answers in enumerate(["AA", "tt", "AB", "BB", "A-"]))
    )
    report(tmp_path / "out.html", run)
    (row,) = rows_of(tmp_path / "out.html", "preferences")
    assert (row["win rate"]["value"], row["n"], row["won"], row["failed"]) == (0.5, 4, 1, 1)
    assert {item["record"] for item in read_block(tmp_path / "out.html")["items"]} == {f"r{n}" for n in range(5)}
    assert read_details(tmp_path / "out.html")[0]["preferences"][0]["outcome"] == "A"


def test_runs_that_have_the_same_pairs_stand_by_themselves_and_say_why(tmp_path):
    runs = [write_preferences(tmp_path / name, said("r1", answers)) for name, answers in (("x", "AA"), ("y", "BB"))]
    report(tmp_path / "out.html", *runs)
    shown = section(tmp_path / "out.html", "preferences")
    assert [one["rows"][0][4]["value"] for one in shown["tables"][::2]] == [1.0, 0.0]
    assert "Each run by itself: j has two preferences between the same models" in shown["about"][0]
    report(tmp_path / "out.html", *runs, with_text=False)
    assert section(tmp_path / "out.html", "preferences")["about"] == []


def test_runs_of_different_pairs_stand_together(tmp_path):
    rows = preferred()
    runs = [write_preferences(tmp_path / str(n), *rows[n::2]) for n in range(2)]
    whole = write_preferences(tmp_path / "whole", *rows)
    report(tmp_path / "two.html", *runs)
    report(tmp_path / "one.html", whole)
    two, one = (
        {
            (row["axis"], row["model"], row["other"]): (row["win rate"]["value"], row["n"])
            for row in rows_of(tmp_path / f"{name}.html", "preferences")
        }
        for name in ("two", "one")
    )
    assert two == one and len(one) == 6


# --- people

SAID = {
    "ann": [(2, 1), (0, None), (2, 1), (1, 0), (0, None), (2, -1), (2, 1), (0, None)],
    "bob": [(2, 1), (0, None), (0, None), (2, 1), (2, 1), None, (2, 1), (2, 1)],
}
JUDGED = units((2, 1), (0, None), (2, -1), (2, 1), (0, None), (None, None), (0, None), (2, 1))


def test_agreement_is_that_of_judge_agree(tmp_path):
    run = write_run(tmp_path / "run", JUDGED)
    labels = write_labels(tmp_path / "labels.jsonl", *people(SAID))
    report(tmp_path / "out.html", run, labels=labels, seed=3)
    found = invoke("agree", run, labels, "--json", "--seed", 3, "--probe", "outcome")
    (one,) = found["agreements"]
    (row,) = rows_of(tmp_path / "out.html", "agreement")
    compared = next(each for each in one["compared"] if each["against"] == "majority")
    assert (row["n"], row["constant"]["value"]) == (compared["n"], compared["baseline"]["value"])
    for name in ("agreement", "kappa"):
        assert row[name] == told(compared["numbers"][name])
    assert row["raters"] == told(one["people"]["numbers"]["kappa"])
    (ceiling,) = one["ceilings"]
    assert [row[name] for name in ("one rater", "the judge there", "difference")] == [
        told(ceiling[name]) for name in ("person", "reached", "difference")
    ]
    asked = compared["n"] + compared["unparsed"]
    assert row["unused"]["value"] == compared["unparsed"] / asked == 1 / 4
    (drawn,) = [each for each in read_block(tmp_path / "out.html")["figures"] if each["head"][2:3] == ["kappa"]]
    assert drawn["rows"] == [
        [cell["rater"], cell["other"], cell["kappa"]["value"], cell["agreement"]["value"], cell["n"]]
        for cell in one["cells"]
    ]


@pytest.mark.skipif(
    not (DATA / "kqa").is_dir(), reason="no ../shared/data/kqa: what docs/report.md shows cannot be made"
)
def test_the_guide_shows_what_is_found_on_labels_of_physicians(tmp_path):
    invoke("score", DATA / "kqa/records.jsonl", "--out", tmp_path / "kqa", "--quiet", "--json")
    report(tmp_path / "out.html", tmp_path / "kqa", labels=DATA / "kqa/labels.jsonl")
    (row,) = rows_of(tmp_path / "out.html", "agreement")
    guide = " ".join((Path(__file__).parents[1] / "docs/report.md").read_text("utf-8").split())
    for name in ("agreement", "kappa", "raters"):
        assert f"{row[name]['value']:.3f} [{row[name]['low']:.3f}, {row[name]['high']:.3f}]" in guide
    one, judge, constant = (row[name]["value"] for name in ("one rater", "the judge there", "constant"))
    assert f"of {row['n']} units (constant {constant:.3f})" in guide
    assert f"one of them against the others reaches {one:.3f}, where the judge reaches {judge:.3f}" in guide


def test_labels_that_count_nowhere_are_told_of(tmp_path):
    run = write_run(tmp_path / "run", JUDGED)
    stale = {"presence": 2, "correctness": 1, "rater": "cem", "record_key": "another"}
    labels = write_labels(
        tmp_path / "labels.jsonl",
        *people(SAID),
        stale,
        {"record_id": "r99", "presence": 0},
        {**stale, "record_id": "r2"},
    )
    report(tmp_path / "out.html", run, labels=labels)
    counted = {one["why"]: one["count"] for one in read_block(tmp_path / "out.html")["labels"]["unmatched"]}
    assert counted == {"unknown": 1, "stale": 2}
    about = section(tmp_path / "out.html", "agreement")["about"]
    assert "Not counted: 2 of a record that has changed since: r1/k/u1 (line 16), r2/k/u1 (line 18)." in about


def test_units_on_which_a_judge_is_unlike_most_people_are_counted(tmp_path):
    """r1, r2: alike; r3, r4, r5, r8: people are split; r6: no verdict; r7: both say right, and the judge absent."""
    run = write_run(tmp_path / "run", JUDGED)
    labels = write_labels(tmp_path / "labels.jsonl", *people(SAID))
    report(tmp_path / "out.html", run, labels=labels)
    assert [item["disagreements"] for item in read_block(tmp_path / "out.html")["items"]] == [0, 0, 0, 0, 0, 0, 1, 0]


def test_labels_of_preferences_and_of_whole_traces_stand_in_their_records(tmp_path):
    run = write_run(tmp_path / "run", JUDGED, trace_score=0.5)
    pairs = write_preferences(tmp_path / "pairs", said("r1", "AA", a="a", b="b"), said("r2", "AA", a="a", b="b"))
    labels = write_labels(
        tmp_path / "labels.jsonl",
        {"axis": "overall", "unit_id": None, "model_a": "b", "model_b": "a", "verdict": "A"},
        {"record_id": "r2", "axis": "overall", "unit_id": None, "model_a": "b", "model_b": "a", "verdict": "B"},
        {"axis": "trace_score", "unit_id": None, "value": 4.0},
    )
    report(tmp_path / "out.html", run, pairs, labels=labels)
    items, details = read_block(tmp_path / "out.html")["items"], read_details(tmp_path / "out.html")
    first, second = (details[next(n for n, one in enumerate(items) if one["record"] == name)] for name in ("r1", "r2"))
    assert first["preferred"] == [{"axis": "overall", "model_a": "a", "model_b": "b", "rater": "ann", "said": "b"}]
    assert [one["said"] for one in second["preferred"]] == ["a"]
    assert first["labels"] == [{"axis": "trace_score", "unit": None, "rater": "ann", "said": "4"}]
    # The judge prefers a in both: of r1 it is unlike ann, which counts for both traces; 0.5 is not 4 either.
    unlike = {(one["record"], one["model"]): one["disagreements"] for one in items}
    assert (unlike["r1", "a"], unlike["r1", "b"], unlike["r2", "a"]) == (2, 1, 0)


def test_one_judge_in_two_folders_of_one_name_is_two_raters(tmp_path):
    runs = [write_run(tmp_path / part / "run", JUDGED) for part in ("x", "y")]
    labels = write_labels(tmp_path / "labels.jsonl", *people(SAID))
    report(tmp_path / "out.html", *runs, labels=labels)
    columns = [column["name"] for column in read_block(tmp_path / "out.html")["columns"]]
    assert [row["judge"] for row in rows_of(tmp_path / "out.html", "agreement")] == columns
    assert len(set(columns)) == 2


def test_labels_that_meet_nothing_are_refused(tmp_path):
    run = write_run(tmp_path / "run", JUDGED)
    labels = write_labels(tmp_path / "labels.jsonl", {"record_id": "r99", "presence": 0})
    with pytest.raises(
        ConfigError, match=r"No label meets a unit of .*: 1 of what the run did not ask, such as r99/k/u1"
    ):
        report(tmp_path / "out.html", run, labels=labels)


# --- calibration


@pytest.fixture(scope="module")
def calibrated(tmp_path_factory):
    """A run with a calibration from labels of the same traces: 24 records, of every other nobody says what is right."""
    folder = tmp_path_factory.mktemp("calibrated")
    rows = [record(f"r{n}", trace=("The left lung is dark." if n % 3 else "Nothing of note.")) for n in range(24)]
    traces = write_lines(folder / "run.jsonl", rows)
    invoke("score", traces, "--out", folder / "run", "--quiet", "--json")
    given = [
        {"record_id": f"r{n}", "axis": "perception", "unit_id": unit, "rater": rater, **what}
        for n in range(24)
        for unit in ("P1", "P2")
        for rater, what in (
            ("ann", {"presence": 2, "correctness": 1} if n % 2 else {"presence": 0}),
            ("bob", {"presence": 2, "correctness": -1 if n % 5 else 1}),
        )
    ]
    labels = write_lines(folder / "labels.jsonl", given)
    known = invoke("calibrate", folder / "run", labels, "--out", folder / "calibration.json", "--json")
    score = ("score", traces, "--out", folder / "run", "--quiet", "--json")
    summary = invoke(*score, "--calibration", folder / "calibration.json")
    return folder, labels, known, summary


def test_calibrated_means_are_those_of_judge_score(calibrated):
    folder, _, _, summary = calibrated
    report(folder / "out.html", folder / "run")
    shown = read_block(folder / "out.html")["calibrated"]
    assert [{**one, "column": None} for one in shown] == [{**one, "column": None} for one in summary["calibrated"]]
    assert {one["column"] for one in shown} == {0}


def test_sensitivity_and_specificity_are_those_of_judge_calibrate(calibrated):
    folder, _, known, _ = calibrated
    report(folder / "out.html", folder / "run")
    probes = known["axes"]["perception"]["probes"]
    rows = section(folder / "out.html", "calibration")["tables"][0]["rows"]
    assert [row[0] for row in rows] == ["perception is raised", "perception is right"]
    for row, probe in zip(rows, probes.values(), strict=True):
        assert row[1] == probe["n"]
        assert row[2:6] == [
            part for side in ("sensitivity", "specificity") for part in (told(probe[side]), probe[side]["n"])
        ]


def test_the_map_is_drawn_with_what_the_labels_say(calibrated):
    """Without labels only the map; with those it comes from, 24 · 2 answers on whether it is raised."""
    folder, labels, known, _ = calibrated
    line = known["axes"]["perception"]["probes"]["raised"]["map"]
    for given, kinds in ((None, {"map"}), (labels, {"map", "labels"})):
        report(folder / "out.html", folder / "run", labels=given)
        (drawn,) = [one for one in read_block(folder / "out.html")["figures"] if one["head"][:2] == ["asked", "by"]]
        assert {row[1] for row in drawn["rows"]} == kinds
        raised = [row for row in drawn["rows"] if row[0] == "perception is raised"]
        assert [row[2:4] for row in raised if row[1] == "map"] == [
            [*pair] for pair in zip(line["at"], line["to"], strict=True)
        ]
    points = [row for row in raised if row[1] == "labels"]
    assert sum(row[6] for row in points) == 48
    assert [row[3] for row in points] == pytest.approx(line["to"])  # means that rise by themselves stay as they are


# --- panels


@pytest.fixture(scope="module")
def panel(tmp_path_factory):
    """Three judges: of `sun` two say right and one absent; of `moon` all say absent; the last record has no units."""
    folder = tmp_path_factory.mktemp("panel")
    rows = [panel_record(1, "moon"), panel_record(2, "sun", "moon"), panel_record(3, "moon"), panel_record(4, units={})]
    traces = write(folder / "run.jsonl", rows)
    scripts = (saying(sun=(2, 1)), saying(sun=(2, 1)), saying(sun=(0, None)))
    with served(*scripts) as servers:
        done = CliRunner().invoke(cli, [*map(str, words(servers, traces, folder / "run", "--json", "--quiet"))])
    report(folder / "out.html", folder / "run")
    return folder / "out.html", json.loads(done.stdout), folder / "run"


def test_a_panel_says_how_far_its_judges_agree(panel):
    page, summary, _ = panel
    assert rows_of(page, "panel") == [
        {
            "axis": one["axis"],
            "share": told(one, "agreement"),
            "alpha": {"value": one["alpha"], "low": None, "high": None},
            "units": one["units"],
            "records": one["records"],
        }
        for one in summary["agreement"]["axes"]
    ]
    pairs = rows_of(page, "panel", 1)
    assert [(row["judge"], row["share"]["value"]) for row in pairs] == [
        (one["judge"], one["agreement"]) for one in summary["agreement"]["pairs"]
    ]
    assert section(page, "panel")["found"] == ["run: for people to look at: 1 units (1 judged differently)."]


def test_the_means_of_a_panel_are_those_of_its_judges_and_its_own(panel):
    page, summary, _ = panel
    expected = summary["summary"]
    assert [{name: row[name] for name in expected[0]} for row in read_block(page)["headline"]] == expected
    assert [column["panel"] for column in read_block(page)["columns"]] == [False, False, False, True]


def test_what_a_panel_lists_for_people_comes_first_and_says_why(panel):
    page, _, _ = panel
    items, details = read_block(page)["items"], read_details(page)
    assert [(one["record"], one.get("rank"), one.get("listed")) for one in items if one.get("listed")] == [("r2", 0, 1)]
    of_unit = {unit["unit"]: unit for detail in details for unit in detail.get("units", ()) if "why" in unit}
    assert {name: unit["why"] for name, unit in of_unit.items()} == {"U1": "judges_differ"}
    assert [unit["by"]["3"][0]["reason"] for unit in of_unit.values()] == ["2 right, 1 absent"]
    assert set(of_unit["U1"]["by"]) == {"0", "1", "2", "3"}


def test_a_failure_of_a_panel_stands_with_the_judge_that_it_is_of(panel):
    page, _, run = panel
    failed = next(
        detail for detail in read_details(page) if any("failures" in one for one in detail["columns"].values())
    )
    lines = [json.loads(line) for line in (run / "failures.jsonl").read_bytes().splitlines()]
    assert {place: len(one.get("failures", [])) for place, one in failed["columns"].items()} == {
        str(place): sum(line["judge"] == judge for line in lines)
        for place, judge in enumerate(pl.read_parquet(run / "scores.parquet")["judge"].unique(maintain_order=True))
    }


def test_a_panels_own_rows_give_no_doubt_of_their_own(tmp_path):
    """Its mean of one "right" and one "wrong" is ½, which is what its judges differ on, and no probability."""
    traces = write(tmp_path / "run.jsonl", [panel_record(1, "sun")])
    with served(saying(sun=(2, 1)), saying(sun=(2, -1))) as servers:
        given = words(servers, traces, tmp_path / "run", "--reducer", "mean", "--json", "--quiet")
        CliRunner().invoke(cli, [*map(str, given)])
    report(tmp_path / "out.html", tmp_path / "run")
    (item,) = read_block(tmp_path / "out.html")["items"]
    assert item["why"] == {"judges": 1.0}


def test_what_the_panel_scores_has_not_failed(tmp_path):
    """One of three judges is down: the panel has a score all the same."""
    traces = write(tmp_path / "run.jsonl", [panel_record(1, "sun")])
    with served(saying(sun=(2, 1)), saying(sun=(2, 1)), saying(sun=(2, 5))) as servers:
        given = words(servers, traces, tmp_path / "run", "--json", "--quiet")
        done = CliRunner().invoke(cli, [*map(str, given)])
    counts = json.loads(done.stdout)["counts"]
    made = report(tmp_path / "out.html", tmp_path / "run")
    assert (made.records, made.failed) == (counts["read"], counts["failed"]) == (1, 0)


# --- blind checks, noise, attacks


def test_a_blind_check_is_shown_with_its_words(tmp_path):
    run = make_run(tmp_path / "run", [record("r1")])
    numbers = {
        "mean_absolute": 0.0,
        "mean": 0.0,
        "low": 0.0,
        "high": 0.0,
        "interval": "bootstrap",
        "n": 8,
        "n_failed": 1,
    }
    move = BlindMove(arm="swapped", axis="perception", moved=False, **numbers)
    check = BlindCheck(asked=9, lines=(1, 2), finished=True, moves=(move,), spent={})
    story = json.loads((run / "run.json").read_bytes())
    (run / "run.json").write_text(json.dumps(story | {"blind_check": check.told}))
    report(tmp_path / "out.html", run)
    (words,) = section(tmp_path / "out.html", "blind-0")["found"]
    assert words.startswith("perception did not move with the image of another record: mean difference +0.000 ")
    assert words.endswith("8 records. No score changed at all: it is scored from the texts.")
    (row,) = rows_of(tmp_path / "out.html", "blind-0")
    assert (row["asked"], row["mean difference"]["value"], row["n"], row["failed"]) == (
        "with the image of another record",
        0.0,
        8,
        1,
    )


def test_a_noise_folder_has_the_rows_that_the_command_prints(tmp_path):
    traces = write_lines(tmp_path / "t.jsonl", [record(f"r{n}") for n in range(3)])
    given = ("noise", traces, "--out", tmp_path / "noise", "--judge", "hosted_vllm/any", "--cache", "none")
    with served("noisy") as (server,):
        found = invoke(*given, "--api-base", server.api_base, "--repeats", 2, "--orders", 1, "--json", "--quiet")
    report(tmp_path / "out.html", tmp_path / "noise")
    flips = [one for one in found["flips"] if one["told"] == "any"]
    assert [(row["arm"], row["any difference"], row["units"]) for row in rows_of(tmp_path / "out.html", "noise-0")] == [
        (one["arm"], told(one, "rate"), one["units"]) for one in flips
    ]
    splits = rows_of(tmp_path / "out.html", "noise-0", 1)
    assert [(row["score"], row["noise share"], row["asks enough"]) for row in splits] == [
        (one["measure"], told(one["variance"], "share"), one["variance"]["enough"]) for one in found["splits"]
    ]


def test_a_redteam_folder_has_the_rows_that_the_command_prints(tmp_path):
    with served("led") as (server,):
        found = invoke(
            *("redteam", "--out", tmp_path / "attacks", "--judge", "hosted_vllm/any", "--api-base", server.api_base),
            *("--cache", "none", "--json", "--quiet", "--per-family", 1),
        )
    report(tmp_path / "out.html", tmp_path / "attacks")
    shown = section(tmp_path / "out.html", "attacks-0")["tables"]
    mine = {one["family"]: one for one in found["families"] if one["measure"] == "trace_score"}
    rows = {row[0]: dict(zip(one["head"], row, strict=False)) for one in shown for row in one["rows"]}
    assert set(rows) == set(mine)
    for family, row in rows.items():
        one = mine[family]
        assert (row["tried"], row["failed"], row["attacked"]["value"]) == (one["tried"], one["failed"], one["attacked"])
        if one["aim"] != "nothing":
            assert row["inflation"] == told(one, "inflation")
            assert row["accepted"] == one["accepted"]["count"]


def test_a_damaged_study_is_refused(tmp_path):
    (tmp_path / "noise").mkdir()
    for content, why in (
        ("{", "unexpected end"),
        ("[]", "it is no object"),
        ('{"flips": [{}]}', r"0\.arm: Field required"),
    ):
        (tmp_path / "noise/noise.json").write_text(content)
        with pytest.raises(ConfigError, match=rf"noise\.json cannot be read: .*{why}"):
            report(tmp_path / "out.html", tmp_path / "noise")


def test_without_texts_sections_quote_nothing(tmp_path):
    run = write_run(
        tmp_path / "run", [{**one, "claim": "SECRET", "reason": "SECRET", "evidence": "SECRET"} for one in JUDGED]
    )
    pairs = table(said("r1", "AA", reason="SECRET"))
    pairs.write_parquet(run / "preferences.parquet")
    labels = write_labels(tmp_path / "labels.jsonl", *people(SAID))
    for with_text in (True, False):
        report(tmp_path / "out.html", run, labels=labels, with_text=with_text)
        assert (b"SECRET" in (tmp_path / "out.html").read_bytes()) is with_text
