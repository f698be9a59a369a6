"""Agreement of judges with people and of people with each other: worked by hand, and K-QA by plain formulas."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from itertools import combinations
from pathlib import Path
from typing import Any

import polars as pl
import pytest
from trust_kit import DATA, JUDGE, people, units, write_labels, write_preferences, write_run

from judge.preference import Preference
from judge.rubric import load_rubric
from judge.run import score_file
from judge.settings import Settings
from judge.traces.reading import Traces
from judge.trust.agreement import Agreement, measure_agreement
from judge.trust.compared import Compared
from judge.trust.labels import read_labels
from judge.trust.matching import match
from judge.trust.numbers import NUMBER_COLUMNS, build_numbers
from judge.trust.sheet import MAJORITY, UNRATED, majority

R, A, W = (2, 1), (0, None), (2, -1)  # right, absent, wrong


def measured(tmp_path: Path, run: Path, labels: Sequence[Mapping[str, Any]], **options: Any) -> list[Agreement]:
    ratings = match([run], read_labels(write_labels(tmp_path / "l.jsonl", *labels)))
    return list(measure_agreement(ratings, **options))


def one(agreements: Sequence[Agreement], probe: str, axis: str | None = "k") -> Agreement:
    (found,) = [each for each in agreements if (each.probe, each.axis, each.unit_id) == (probe, axis, None)]
    return found


def against(agreement: Agreement, whom: str = MAJORITY, judge: str = JUDGE) -> Compared:
    found = agreement.of(judge, whom)
    assert found is not None
    return found


def test_the_judge_the_people_and_what_one_person_reaches(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, A, R, A, (None, None), W))
    said = {"ann": [R, A, A, A, R, R], "bob": [R, A, R, A, R, R], "cat": [R, A, A, R, A, None]}
    found = one(measured(tmp_path, run, people(said)), "outcome")
    assert (found.units, found.judges, found.raters) == (6, (JUDGE,), ("ann", "bob", "cat"))
    # Majorities: right, absent, absent, absent, right, right. The judge failed on the fifth, and calls the sixth wrong.
    mine = against(found)
    assert (mine.labelled, mine.n, mine.unparsed, mine.unasked, mine.records) == (6, 5, 1, 0, 5)
    assert mine.classes == ("absent", "wrong", "unclear", "right")
    assert mine.table == ((2, 0, 0, 0), (0, 0, 0, 1), (0, 0, 0, 0), (1, 0, 0, 1))
    assert mine.numbers["agreement"].value == pytest.approx(3 / 5)
    # p_e: the judge has 2 absent, 1 wrong, 2 right; they 3 absent and 2 right: (2·3 + 2·2)/25 = 0.4.
    assert mine.numbers["kappa"].value == pytest.approx((0.6 - 0.4) / 0.6)
    # The failure as a class of its own: 3 of 6 agree; p_e = (2·3 + 2·3)/36.
    assert mine.numbers["kappa_with_unparsed"].value == pytest.approx((1 / 2 - 1 / 3) / (2 / 3))
    assert (mine.coverage, mine.unparsed_share) == (5 / 6, 1 / 6)
    assert mine.baseline is not None and (mine.commonest, mine.baseline.value) == ("absent", 0.6)
    # ann–bob 5 of 6, ann–cat 3 of 5, bob–cat 2 of 5.
    assert found.people is not None and found.people.units == 6
    assert found.people.numbers["agreement"].value == pytest.approx((5 / 6 + 3 / 5 + 2 / 5) / 3)


def test_who_is_left_out_is_held_against_the_others_on_the_judges_units(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, A, A, R, (None, None)))
    said = {"ann": [R, A, R, A, R], "bob": [R, A, R, R, R], "cat": [R, A, A, R, A]}
    (ceiling,) = one(measured(tmp_path, run, people(said)), "outcome").ceilings
    left_out = {each.rater: each for each in ceiling.left_out}
    # bob and cat agree on units 1, 2 and 4 (R, A, R); ann says R, A, A there, and the judge R, A, R.
    assert left_out["ann"].n == 3
    assert left_out["ann"].judge.value == 1
    assert left_out["ann"].person.value == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))
    # ann and bob agree on 1, 2, 3 and 5 (R, A, R, R); the judge failed on 5. cat and the judge say R, A, A of the rest.
    assert left_out["cat"].n == 3
    assert left_out["cat"].judge.value == left_out["cat"].person.value == pytest.approx((2 / 3 - 4 / 9) / (5 / 9))
    # ann and cat agree on 1 and 2 only, where bob and the judge do too.
    assert (left_out["bob"].n, left_out["bob"].person.value, left_out["bob"].judge.value) == (2, 1, 1)
    assert ceiling.person.value == pytest.approx((0.4 + 1 + 0.4) / 3)
    assert ceiling.reached.value == pytest.approx((1 + 1 + 0.4) / 3)
    assert ceiling.difference.value == pytest.approx(0.6 / 3)


def test_an_even_split_is_no_majority(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, A, R))
    found = one(measured(tmp_path, run, people({"ann": [R, A, R], "bob": [A, A, R]})), "outcome")
    assert (found.splits, against(found).labelled, against(found, "ann").labelled) == (1, 2, 3)
    codes, splits = majority([pl.Series([0, 0, -1, -2]), pl.Series([0, 1, 1, -1]), pl.Series([1, 2, -2, -1])])
    assert (codes.to_list(), splits) == ([0, UNRATED, 1, UNRATED], 1)


def test_correctness_is_compared_where_both_say_that_it_was_raised(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, W, A, R))
    found = against(one(measured(tmp_path, run, people({"ann": [R, R, R, A]})), "correctness"))
    assert (found.labelled, found.n, found.unasked, found.unparsed) == (3, 2, 1, 0)
    assert found.table == ((0, 0, 1), (0, 0, 0), (0, 0, 1))


def test_one_person_has_no_fellows(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, A))
    found = one(measured(tmp_path, run, people({"ann": [R, A]})), "outcome")
    assert found.people is None and found.ceilings == () and found.splits == 0
    assert against(found).numbers["kappa"].value == 1
    assert [(cell.rater, cell.other, cell.n) for cell in found.cells] == [(JUDGE, "ann", 2)]


def test_nothing_usable_is_null_and_no_number(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units((None, None), (None, None)))
    found = against(one(measured(tmp_path, run, people({"ann": [R, A]})), "outcome"))
    assert (found.n, found.unparsed, found.unparsed_share) == (0, 2, 1)
    assert all(each.value is None and each.reason for name, each in found.numbers.items() if name != _WITH)
    assert found.numbers[_WITH].value == 0


_WITH = "kappa_with_unparsed"


def test_axes_are_told_apart_and_together(tmp_path: Path) -> None:
    verdicts = [{**each, "axis": axis} for axis in ("k", "j") for each in units(R, A)]
    labels = [{**each, "axis": axis} for axis in ("k", "j") for each in people({"ann": [R, R]})]
    found = measured(tmp_path, write_run(tmp_path / "run", verdicts), labels)
    assert [(each.axis, each.units) for each in found if each.probe == "outcome"] == [(None, 4), ("k", 2), ("j", 2)]
    # Units of a record go together, on whatever axis they are.
    assert against(one(found, "outcome", axis=None)).records == 2
    only = measured(tmp_path, tmp_path / "run", labels, axes=["j"], probes=["raised"])
    assert [(each.axis, each.probe) for each in only] == [("j", "raised")]


def test_each_criterion_is_told_apart_by_unit(tmp_path: Path) -> None:
    say = {"kind": "criteria", "value": 1.0}
    verdicts = [
        {**say, "record_id": record, "line": line, "unit_id": unit, "verdict": verdict}
        for line, (record, *pair) in enumerate([("r1", "MET", "UNMET"), ("r2", "MET", "MET")], start=1)
        for unit, verdict in zip(("c1", "c2"), pair, strict=True)
    ]
    verdicts.append({**say, "record_id": "r3", "line": 3, "unit_id": "c1", "verdict": "CANNOT_ASSESS"})
    labels = [
        {"record_id": record, "unit_id": unit, "verdict": verdict}
        for record, unit, verdict in [
            *(("r1", "c1", "MET"), ("r2", "c1", "UNMET"), ("r3", "c1", "MET")),
            *(("r1", "c2", "UNMET"), ("r2", "c2", "MET")),
        ]
    ]
    found = measured(tmp_path, write_run(tmp_path / "run", verdicts), labels, by_unit=True)
    assert [(each.unit_id, each.units) for each in found] == [(None, 5), ("c1", 3), ("c2", 2)]
    # A judge that cannot assess gave no verdict, where no person says so either.
    assert against(found[0]).classes == ("UNMET", "MET")
    assert (against(found[1]).n, against(found[1]).unparsed) == (2, 1)
    # UNMET: never of c1 by the judge, once by ann, F1 0. MET: 1 of 2 and 1 of 1, F1 2/3.
    assert against(found[1]).numbers["balanced_f1"].value == pytest.approx((0 + 2 / 3) / 2)
    assert against(found[2]).numbers["balanced_f1"].value == 1


def test_levels_have_an_order(tmp_path: Path) -> None:
    values = [1, 2, 3, 4, 5, 5]
    run = write_run(
        tmp_path / "run",
        [
            {"kind": "scale", "unit_id": "level", "record_id": f"r{n}", "line": n, "value": float(value)}
            for n, value in enumerate(values, start=1)
        ],
    )
    labels = [
        {"record_id": f"r{n}", "unit_id": "level", "rater": rater, "value": value}
        for rater, row in {"ann": [1, 2, 3, 4, 5, 4], "bob": [1, 2, 3, 4, 5, 5]}.items()
        for n, value in enumerate(row, start=1)
    ]
    found = one(measured(tmp_path, run, labels), "value")
    assert against(found, "bob").numbers["kappa_quadratic"].value == 1
    assert against(found, "ann").classes == ("1", "2", "3", "4", "5")
    # Off by one level once: Σ v n = 1; rows (1, 1, 1, 1, 2), columns (1, 1, 1, 2, 1): Σ v r c / n.
    rows, columns = (1, 1, 1, 1, 2), (1, 1, 1, 2, 1)
    chance = sum((i - j) ** 2 * r * c for i, r in enumerate(rows) for j, c in enumerate(columns)) / 6
    assert against(found, "ann").numbers["kappa_quadratic"].value == pytest.approx(1 - 1 / chance)
    mean = against(found, "mean")
    assert (mean.n, mean.classes) == (6, ())
    # The means are 1, 2, 3, 4, 5 and 4.5; ranks 1, 2, 3, 4, 6, 5 beside 1, 2, 3, 4, 5.5, 5.5.
    ranks, others = [1, 2, 3, 4, 6, 5], [1, 2, 3, 4, 5.5, 5.5]
    assert mean.numbers["spearman"].value == pytest.approx(_pearson(ranks, others))
    assert found.people is not None and found.people.numbers["alpha_interval"].value is not None
    assert found.splits == 1  # 4 and 5 for the last


def _pearson(x: Sequence[float], y: Sequence[float]) -> float:
    mx, my = sum(x) / len(x), sum(y) / len(y)
    covered = sum((a - mx) * (b - my) for a, b in zip(x, y, strict=True))
    return covered / (sum((a - mx) ** 2 for a in x) * sum((b - my) ** 2 for b in y)) ** 0.5


def test_scores_of_traces_are_numbers_and_no_classes(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, R, R))
    scores = pl.read_parquet(run / "scores.parquet").with_columns(trace_score=pl.Series([0.0, 1.0, None]))
    scores.write_parquet(run / "scores.parquet")
    labels = [{"record_id": f"r{n}", "axis": "trace_score", "unit_id": None, "value": n % 2} for n in (1, 2, 3)]
    (found,) = measured(tmp_path, run, labels)
    mine = against(found, "ann")
    assert (found.axis, found.probe, mine.classes, mine.n, mine.unparsed) == ("trace_score", "value", (), 2, 1)
    assert found.of(JUDGE, MAJORITY) is None and found.cells == ()
    # Labels 1 and 0 beside scores 0 and 1: every pair the wrong way round.
    assert (mine.numbers["auc"].value, mine.numbers["spearman"].value) == (0, pytest.approx(-1))


def test_an_inconsistent_preference_agrees_with_nobody(tmp_path: Path) -> None:
    pair = {"model_a": "m", "model_b": "n", "axis": "overall", "judge": JUDGE}
    outcomes = ("A", "B", "tie", "inconsistent", None)
    run = write_preferences(
        tmp_path / "run",
        *(Preference(record_id=f"r{n}", outcome=outcome, **pair) for n, outcome in enumerate(outcomes, start=1)),
    )
    labels = [
        {**pair, "record_id": f"r{n}", "unit_id": None, "verdict": verdict}
        for n, verdict in enumerate(["A", "A", "tie", "B", "A"], start=1)
    ]
    mine = against(one(measured(tmp_path, run, labels), "preference", axis="overall"))
    assert mine.classes == ("A", "tie", "B", "inconsistent")
    assert mine.table == ((1, 0, 0, 0), (0, 1, 0, 0), (1, 0, 0, 0), (0, 0, 1, 0))
    assert (mine.n, mine.unparsed, mine.numbers["agreement"].value) == (4, 1, 0.5)


def test_a_crowd_is_not_compared_two_by_two(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, A, R))
    said = {f"worker {n}": [R, A, A if n % 3 else R] for n in range(21)}
    found = one(measured(tmp_path, run, people(said)), "outcome")
    assert found.people is not None
    assert "more than 20 raters" in str(found.people.numbers["kappa"].reason)
    assert found.people.numbers["fleiss"].value is not None
    assert found.ceilings == () and found.cells == ()


def test_every_number_is_in_the_frame(tmp_path: Path) -> None:
    run = write_run(tmp_path / "run", units(R, A, R, A))
    agreements = measured(tmp_path, run, people({"ann": [R, A, A, A], "bob": [R, A, R, R]}))
    frame = build_numbers(agreements)
    assert dict(frame.schema) == {name: pl.Schema(NUMBER_COLUMNS)[name] for name in NUMBER_COLUMNS}
    outcome = one(agreements, "outcome")
    told = frame.filter(probe="outcome", rater=JUDGE, against=MAJORITY)
    numbers = dict(told.select("measure", "value").rows())
    for name, estimate in against(outcome).numbers.items():
        assert numbers[name] == estimate.value
    assert (numbers["cell:absent:absent"], numbers["cell:right:right"]) == (1, 1)  # two units are split
    assert not frame.select("probe", "axis", "unit_id", "rater", "against", "measure").is_duplicated().any()
    assert frame.filter(pl.col("value").is_null() & pl.col("reason").is_null()).is_empty()


# --- K-QA: three physicians, and the embedded baseline ----------------------------------------------------


@pytest.fixture(scope="module")
def kqa(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """A run of the baseline, and the file of labels."""
    if not (DATA / "kqa").is_dir():
        pytest.skip("no ../shared/data/kqa: the agreement of the physicians cannot be recomputed")
    out = tmp_path_factory.mktemp("kqa") / "run"
    settings = Settings(judge="lexical", rubric=load_rubric("pkr"))
    asyncio.run(score_file(Traces(path=str(DATA / "kqa/records.jsonl")), out, settings))
    return out, DATA / "kqa/labels.jsonl"


def _outcome(row: Mapping[str, Any]) -> str:
    return {None: "absent", -1: "wrong", 0: "unclear", 1: "right"}[row["correctness"]]


def _kappa(pairs: Sequence[tuple[str, str]]) -> float:
    n, (first, second) = len(pairs), (Counter(side) for side in zip(*pairs, strict=True))
    chance = sum(first[name] * second[name] for name in first) / n**2
    return (sum(a == b for a, b in pairs) / n - chance) / (1 - chance)


def test_kqa_by_plain_formulas(kqa: tuple[Path, Path]) -> None:
    out, path = kqa
    by_unit: dict[tuple[str, str], dict[str, str]] = defaultdict(dict)
    for row in map(json.loads, path.read_bytes().splitlines()):
        by_unit[row["record_id"], row["unit_id"]][row["rater"]] = _outcome(row)
    assert len(by_unit) == 171 and {len(said) for said in by_unit.values()} == {3}
    ratings = match([out], read_labels(path))
    found = one(measure_agreement(ratings, probes=["outcome"]), "outcome", axis="knowledge")
    assert found.people is not None

    # Fleiss: P_u = (Σ n_uk² − n) / (n (n − 1)) of n = 3 raters; P_e = Σ π_k².
    counts = [Counter(said.values()) for said in by_unit.values()]
    p = sum((sum(c**2 for c in count.values()) - 3) / 6 for count in counts) / 171
    shares = Counter(label for said in by_unit.values() for label in said.values())
    p_e = sum((count / 513) ** 2 for count in shares.values())
    fleiss = found.people.numbers["fleiss"]
    assert fleiss.value == pytest.approx((p - p_e) / (1 - p_e), abs=1e-12)
    assert fleiss.value == pytest.approx(0.726, abs=5e-4)
    kappas = [
        _kappa([(said[one_], said[other]) for said in by_unit.values()])
        for one_, other in combinations(("physician_0", "physician_1", "physician_2"), 2)
    ]
    assert found.people.numbers["kappa"].value == pytest.approx(sum(kappas) / 3, abs=1e-12)

    # The baseline against their majority, and one who always says the commonest class.
    verdicts = pl.read_parquet(out / "verdicts.parquet")
    lexical = {(row["record_id"], row["unit_id"]): _outcome(row) for row in verdicts.iter_rows(named=True)}
    tops = {unit: Counter(said.values()).most_common(2) for unit, said in by_unit.items()}
    most = {unit: top[0][0] for unit, top in tops.items() if len(top) < 2 or top[0][1] > top[1][1]}
    pairs = [(lexical[unit], label) for unit, label in most.items()]
    mine = against(found, judge=ratings.judges[0])
    assert (mine.n, found.splits) == (len(pairs), 171 - len(pairs))
    assert mine.numbers["kappa"].value == pytest.approx(_kappa(pairs), abs=1e-12)
    assert mine.numbers["agreement"].value == pytest.approx(sum(a == b for a, b in pairs) / len(pairs), abs=1e-12)
    commonest, count = Counter(label for _, label in pairs).most_common(1)[0]
    assert mine.baseline is not None
    assert (mine.commonest, mine.baseline.value) == (commonest, pytest.approx(count / len(pairs), abs=1e-12))
    low, high = mine.numbers["kappa"].low, mine.numbers["kappa"].high
    assert low is not None and high is not None and 0 < low < _kappa(pairs) < high < fleiss.value  # type: ignore[operator]
