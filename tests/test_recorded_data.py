"""Real recordings: what is read of them is compared with what was published, and every difference is accounted for."""

from __future__ import annotations

import ast
import json
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl
import pytest

from judge.recordings.declared import load_format
from judge.recordings.replay import ReplayReport, replay

DATA = Path(__file__).parents[2] / "shared" / "data"
SUBSETS = ("natural", "adv_neighbor")
LLMBAR = [DATA / "llmbar" / "replay" / f"{name}.jsonl" for name in SUBSETS]
AMEL = DATA / "amel_llmbar_pilot" / "pilot_responses.jsonl"
VICUNA = sorted((DATA / "vicuna_gpt4_reviews").glob("review_*.jsonl"))
MTBENCH = [DATA / "mtbench_gpt4_single" / f"gpt-4_single{name}.jsonl" for name in ("-origin", "_dontpanic")]
PANDALM = DATA / "pandalm" / "gpt-3.5-turbo.jsonl"
M42 = DATA / "healthbench" / "m42_judged.jsonl"

pytestmark = pytest.mark.skipif(not LLMBAR[0].exists(), reason="shared/data is not here")


def read(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]


def kappa(one: Sequence[object], other: Sequence[object]) -> float:
    """Cohen's: (observed - expected) / (1 - expected), where expected is Σ of the products of the shares."""
    total, mine, theirs = len(one), Counter(one), Counter(other)
    observed = sum(a == b for a, b in zip(one, other, strict=True)) / total
    expected = sum(mine[label] * theirs[label] for label in mine) / total**2
    return (observed - expected) / (1 - expected)


def replayed(name: str, paths: list[Path], out: Path) -> ReplayReport:
    return replay(paths, out, load_format(name))


# LLMBar.

UNREAD = "unparsed"
AS_RECORDED = {"1": "A", "2": "B", None: UNREAD}
EQUAL = ("GPT-4/CoT", "GPT-4/Vanilla", "ChatGPT/CoT", "PaLM2/Vanilla_NoRules", "LLaMA2/CoT")
"""Judges and strategies whose recorded winners are what their texts say, all of them."""


def said_by(rows: pl.DataFrame, subset: str, judge: str) -> dict[bool, list[str]]:
    """By order (swapped or not): what was preferred of each item, in their order."""
    own = rows.filter(pl.col("record_id").str.starts_with(f"{subset}-"), judge=judge)
    preferred = pl.col("preferred").fill_null(UNREAD)
    return {swapped: own.filter(swapped=swapped).select(preferred).to_series().to_list() for swapped in (False, True)}


def gold(subset: str, judge: str) -> list[str]:
    name, strategy = judge.split("/")
    rows = [row for row in read(DATA / "llmbar" / "replay" / f"{subset}.jsonl") if row["judge"] == name]
    return [
        AS_RECORDED[str(row["label"])] for row in rows if row["strategy"] == strategy and not row.get("swapped", False)
    ]


def statistics(plain: list[str], swapped: list[str], label: list[str]) -> dict[str, float]:
    """As `recomputed_statistics.json` has them: unparsed is a class of its own, and two unparsed are consistent."""
    items = list(zip(plain, swapped, label, strict=True))
    return {
        "n": len(items),
        "correct_unswapped": sum(a == c for a, _, c in items),
        "correct_swapped": sum(b == c for _, b, c in items),
        "correct_both": sum(a == b == c for a, b, c in items),
        "consistent": sum(a == b for a, b, _ in items),
        "unparsed": sum(one == UNREAD for one in (*plain, *swapped)),
        "kappa_unswapped": kappa(label, plain),
        "kappa_swapped": kappa(label, swapped),
        "kappa_orders": kappa(plain, swapped),
    }


@pytest.fixture(scope="module")
def llmbar(tmp_path_factory: pytest.TempPathFactory) -> ReplayReport:
    return replayed("llmbar", LLMBAR, tmp_path_factory.mktemp("llmbar") / "run")


@pytest.fixture(scope="module")
def published() -> dict[str, dict[str, float]]:
    found: dict[str, dict[str, float]] = json.loads((DATA / "llmbar" / "recomputed_statistics.json").read_text())
    return found


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("judge", EQUAL)
def test_llmbar_is_recomputed_from_the_texts(
    llmbar: ReplayReport, published: dict[str, dict[str, float]], subset: str, judge: str
) -> None:
    said = said_by(llmbar.rows, subset, judge)
    found = statistics(said[False], said[True], gold(subset, judge))
    assert found == pytest.approx(published[f"{subset}|{judge.replace('/', '|')}"], abs=1e-12)


def test_the_kappa_of_gpt_4_is_not_the_one_that_was_published(llmbar: ReplayReport) -> None:
    """Upstream put every verdict `2` into class 0, and printed 0.264."""
    said, label = said_by(llmbar.rows, "natural", "GPT-4/CoT"), gold("natural", "GPT-4/CoT")
    assert kappa(label, said[False]) == pytest.approx(0.8776508972, abs=1e-9)
    in_class_0 = {"A": 1, "B": 0}
    wrong = kappa([{"A": 1, "B": 2}[one] for one in label], [in_class_0[one] for one in said[False]])
    assert wrong == pytest.approx(0.264, abs=5e-4)


def test_where_the_recorded_winner_is_not_what_the_text_says(llmbar: ReplayReport) -> None:
    """Upstream looked for (a) first: for PaLM2 at the beginning of any line, for Falcon anywhere in the text."""
    rows = [row for path in LLMBAR for row in read(path) if row["kind"] == "pairwise"]
    differ = [
        (one, row)
        for one, row in zip(llmbar.rows.iter_rows(named=True), rows, strict=True)
        if (one["preferred"] or UNREAD) != AS_RECORDED[row["winner"]]
    ]
    assert Counter(one["judge"] for one, _ in differ) == {"PaLM2/CoT": 52, "Falcon/CoT": 4}
    for one, row in differ:
        text = row["raw"].strip()
        if one["judge"] == "PaLM2/CoT":
            final = "(b)" if one["said"] == "second" else "(a)"
            sentences = [part for part in ("(a)", "(b)") if f"Output {part} is better" in text]
            assert sentences == [final] or text.endswith(f"Therefore, Output {final} is better.")
            assert (text.startswith("Output (a)") or "\nOutput (a)" in text) == (final == "(b)")
        elif one["failure"] == "two_verdicts":
            assert "Output (b) is better in terms of helpfulness, but" in text
        else:
            assert text.endswith("Therefore, Output (b) is better.") and "Output (a) is better" in text


def test_what_the_texts_of_palm2_say(llmbar: ReplayReport, published: dict[str, dict[str, float]]) -> None:
    """Its accuracy and consistency are higher than what was recorded."""
    for subset, correct, consistent in (("natural", (76, 84), 82), ("adv_neighbor", (70, 72), 84)):
        said = said_by(llmbar.rows, subset, "PaLM2/CoT")
        found = statistics(said[False], said[True], gold(subset, "PaLM2/CoT"))
        assert ((found["correct_unswapped"], found["correct_swapped"]), found["consistent"]) == (correct, consistent)
        assert found["consistent"] > published[f"{subset}|PaLM2|CoT"]["consistent"]


def test_what_is_unparsed_was_unparsed_upstream(llmbar: ReplayReport) -> None:
    """All but the text of Falcon that calls both better: 17 of 3,276."""
    assert (llmbar.read, llmbar.passed_over) == (3276, 468)
    assert llmbar.unparsed == {"empty": 11, "no_verdict": 4, "truncated": 1, "two_verdicts": 1}
    assert sum(row.get("winner", "") is None for path in LLMBAR for row in read(path)) == 16


def test_the_other_unparsed_texts_have_no_verdict_either(tmp_path: Path) -> None:
    """`# Output (a) is better.` is a heading and no sentence of the form."""
    rows = [row for row in read(DATA / "llmbar" / "replay" / "unparsed.jsonl") if row["kind"] == "pairwise"]
    path = tmp_path / "unparsed.jsonl"
    path.write_text("".join(json.dumps({**row, "judge": f"{row['judge']}-{row['strategy']}"}) + "\n" for row in rows))
    report = replayed("llmbar-final", [path], tmp_path / "run")
    assert (report.read, report.parsed) == (len(rows), 0)


@pytest.mark.parametrize("subset", SUBSETS)
@pytest.mark.parametrize("judge", ["GPT-4/Rating", "ChatGPT/Rating"])
def test_ratings_are_recomputed_and_ties_stay_ties(
    tmp_path: Path, published: dict[str, dict[str, float]], subset: str, judge: str
) -> None:
    """Upstream breaks a tie by order: B in one and A in the other; and of a rating that is empty, the other way."""
    report = replayed("llmbar-rating", LLMBAR, tmp_path / "run")
    found = said_by(report.rows, subset, judge)[False]
    broken = [{"tie": "B", UNREAD: "A"}, {"tie": "A", UNREAD: "B"}]
    plain, swapped = ([one.get(said, said) for said in found] for one in broken)
    assert found.count(UNREAD) == ((subset, judge) == ("adv_neighbor", "GPT-4/Rating")) and "tie" in found
    expected = published[f"{subset}|{judge.replace('/', '|')}"]
    assert statistics(plain, swapped, gold(subset, judge)) == pytest.approx(expected, abs=1e-12)


def test_the_preferences_of_llmbar_settle_both_orders(llmbar: ReplayReport, tmp_path: Path) -> None:
    replayed("llmbar", LLMBAR, tmp_path / "run")
    found = pl.read_parquet(tmp_path / "run" / "preferences.parquet")
    own = found.filter(pl.col("record_id").str.starts_with("natural-"), judge="GPT-4/CoT")
    # 91 of 100 are consistent, as published; the others are kept apart.
    assert dict(own["outcome"].value_counts().iter_rows()) == {"A": 38, "B": 53, "inconsistent": 9}
    labels = read(tmp_path / "run" / "labels.jsonl")
    assert len(labels) == 234 and {label["rater"] for label in labels} == {"LLMBar"}
    items = json.loads((DATA / "llmbar" / "items" / "natural.json").read_text())
    assert [AS_RECORDED[str(item["label"])] for item in items] == [label["verdict"] for label in labels[:100]]


# AMEL.


def test_amel_has_no_verdict_where_there_is_an_error_or_none_of_the_labels(tmp_path: Path) -> None:
    rows = read(AMEL)
    report = replayed("amel", [AMEL], tmp_path / "run")
    assert report.unparsed == {"error_text": 432, "no_verdict": 101}
    failure = report.rows["failure"].to_list()
    errors = [row for row, why in zip(rows, failure, strict=True) if why == "error_text"]
    assert sum("429 Too Many Requests" in row["raw_response"] for row in errors) == 430  # of which upstream made `2`
    assert [row["raw_response"] for row in errors if "429" not in row["raw_response"]] == ["ERROR: "] * 2
    for row, said, why in zip(rows, report.rows["said"], failure, strict=True):
        label = {"first": "1", "second": "2"}.get(said)
        assert why == "error_text" or str(row["parsed_label"]) == str(label)


def test_the_label_of_amel_is_turned_back_to_the_outputs(tmp_path: Path) -> None:
    """Each row has the label as the pair was shown; by outputs it is LLMBar's own."""
    replayed("amel", [AMEL], tmp_path / "run")
    labels = {label["record_id"]: label["verdict"] for label in read(tmp_path / "run" / "labels.jsonl")}
    items = json.loads((DATA / "amel_llmbar_pilot" / "natural_items.json").read_text())
    ours = json.loads((DATA / "llmbar" / "items" / "natural.json").read_text())
    assert labels == {item["id"]: AS_RECORDED[str(own["label"])] for item, own in zip(items, ours, strict=True)}


# Scores in free text.

AT_THE_END = {"68", "69", "70"}


def test_vicuna_is_read_with_half_points_and_scores_at_the_end(tmp_path: Path) -> None:
    rows = [row for path in VICUNA for row in read(path)]
    report = replayed("vicuna", VICUNA, tmp_path / "run")
    assert (report.read, report.unparsed) == (320, {})
    found = [tuple(map(float, said.split())) for said in report.rows["said"]]
    last = [n for n, row in enumerate(rows) if not row["text"][0].isdigit()]
    assert (len(last), {str(rows[n]["question_id"]) for n in last}) == (12, AT_THE_END)
    differ = {n for n, row in enumerate(rows) if list(found[n]) != row["score"]}
    # Twice the recorded score was typed by hand and is not what the text says: Assistant 1: 10, Assistant 2: 4.
    assert [(rows[n]["question_id"], found[n], rows[n]["score"]) for n in sorted(differ)] == [
        (70, (10, 4), [10, 2])
    ] * 2
    assert all("Assistant 1: 10\nAssistant 2: 4\n" in rows[n]["text"] for n in differ)
    assert sum(number % 1 == 0.5 for pair in found for number in pair) == 31


def test_vicuna_knows_whose_answers_they_are(tmp_path: Path) -> None:
    replayed("vicuna", VICUNA, tmp_path / "run")
    found = pl.read_parquet(tmp_path / "run" / "preferences.parquet")
    assert found.group_by("model_a", "model_b").len()["len"].to_list() == [80] * 4
    assert (found["outcome"] == found["order_ab"].cast(pl.String)).all() and found["order_ba"].null_count() == 320


def test_mtbench_is_read_and_its_errors_are_no_scores(tmp_path: Path) -> None:
    rows = [row for path in MTBENCH for row in read(path)]
    report = replayed("mtbench-single", MTBENCH, tmp_path / "run")
    assert (report.read, report.unparsed, report.scored, report.failed) == (1130, {"error_text": 4}, 1120, 0)
    for row, said in zip(rows, report.rows["said"], strict=True):
        assert row["score"] == (-1 if said is None else float(said))
    verdicts = pl.read_parquet(tmp_path / "run" / "verdicts.parquet")
    halves = verdicts.filter(pl.col("value") == 8.5)
    assert halves.height == 8 and halves["level"].null_count() == 8
    scores = pl.read_parquet(tmp_path / "run" / "scores.parquet")
    ours = scores.filter(record_id="86-1", model="llama2_chat_7b").row(0, named=True)
    assert ours["quality_score"] == 1.0 and ours["samples"] == 1  # (10 - 1) / 9


# Three annotators.


def majority(said: list[str]) -> str | None:
    (first, count), *_ = Counter(said).most_common(1)
    return first if count > 1 else None


def test_pandalm_against_its_annotators(tmp_path: Path) -> None:
    report = replayed("pandalm", [PANDALM], tmp_path / "run")
    assert (report.read, report.unparsed, report.labels) == (506, {"error_text": 9}, 3 * 506)
    labels = pl.read_ndjson(tmp_path / "run" / "labels.jsonl").pivot("rater", index="record_id", values="verdict")
    people = [labels[f"annotator{n}"].to_list() for n in (1, 2, 3)]
    told = read(DATA / "pandalm" / "testset.jsonl")
    meant = {0: "tie", 1: "A", 2: "B"}
    assert people == [[meant[row[f"annotator{n}"]] for row in told] for n in (1, 2, 3)]
    kappas = [kappa(people[a], people[b]) for a, b in ((0, 1), (0, 2), (1, 2))]
    assert kappas == pytest.approx([0.851897, 0.858108, 0.859923], abs=1e-6)
    outcomes = pl.read_parquet(tmp_path / "run" / "preferences.parquet")["outcome"].cast(pl.String).to_list()
    most = list(map(majority, zip(*people, strict=True)))
    found = [said or UNREAD for said in outcomes]
    assert None not in most  # no item on which all three differ
    assert sum(one == other for one, other in zip(found, most, strict=True)) == 353  # of 497 with a verdict: 0.710
    assert kappa(found, most) == pytest.approx(0.470523, abs=1e-6)


# Criteria.


def test_the_scores_of_m42_are_recomputed_exactly(tmp_path: Path) -> None:
    rows = read(M42)
    report = replayed("healthbench-m42", [M42], tmp_path / "run")
    assert (report.read, report.unparsed, report.scored) == (sum(len(row["rubrics"]) for row in rows), {}, 50)
    scores = pl.read_parquet(tmp_path / "run" / "scores.parquet")
    for row, score in zip(rows, scores["criteria_score"], strict=True):
        told = ast.literal_eval(row["metrics"]) if isinstance(row["metrics"], str) else row["metrics"]
        assert score == pytest.approx(told["overall_score"], abs=1e-12)
    assert (scores["criteria_score"] < 0).sum() == 1  # a record may be negative; only the mean is cut


def test_the_lines_of_the_guide_give_kappa_of_each_order(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    replayed("llmbar", LLMBAR[:1], tmp_path / "runs" / "natural")
    page = (Path(__file__).parents[1] / "docs" / "replay.md").read_text(encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    exec(page.split("```python\n")[1].split("```")[0], {})
    assert capsys.readouterr().out == "order_ab 0.878\norder_ba 0.897\n"
