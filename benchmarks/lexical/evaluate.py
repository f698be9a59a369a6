"""Measure the lexical judge against people: `python -m benchmarks.lexical.evaluate [--data DIR] [--write]`.

Prints JSON and, with `--write`, leaves it in `results.json` here. kqa and the odd halves of medec and scifact_rte took
no part in the fit. realsumm_scu did, so it is cross-validated: five folds of whole articles, all numbers of presence
fitted anew on the other four.
"""

import argparse
import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from benchmarks.lexical import tasks
from benchmarks.lexical.fit import START, Cases, fit_presence, flagged, similarities
from benchmarks.lexical.measures import (
    Counts,
    auc,
    balanced_accuracy,
    balanced_f1,
    best_threshold,
    count,
    f1,
    fleiss_kappa,
    interval,
    kappa,
)
from judge.backends.lexical.judging import judge_claim
from judge.backends.lexical.parameters import PARAMETERS

RESULTS = Path(__file__).with_name("results.json")
FOLDS = 5

Measured = dict[str, Any]


def kqa_presence(data: Path) -> Measured:
    """Return the agreement with the physicians' majority on presence, and what stands beside it."""
    cases = tasks.read_kqa(data)
    plain = [tasks.word_overlap(case) for case in cases]
    return {
        "claims": len(cases),
        "records": len({case.group for case in cases}),
        "lexical": presence(cases, [s >= PARAMETERS.partly for s in similarities(cases, PARAMETERS)]),
        "majority_class": presence(cases, [False] * len(cases)),
        "word_overlap_at_its_best_threshold_here": presence(cases, _at_best(cases, plain)),
        "auc": {
            "lexical": round(auc(_answers(cases), similarities(cases, PARAMETERS)), 3),
            "word_overlap": round(auc(_answers(cases), plain), 3),
        },
        "physicians": physicians(data),
    }


def physicians(data: Path) -> dict[str, float]:
    """Return the physicians' own agreement: on presence, and on entailment, neutral, contradiction."""
    ratings = list(tasks.read_ratings(data / "kqa").values())
    return {
        "fleiss_kappa_presence": round(fleiss_kappa([[row["presence"] > 0 for row in rows] for rows in ratings]), 3),
        "fleiss_kappa_three_way": round(fleiss_kappa([[row["correctness"] for row in rows] for rows in ratings]), 3),
    }


def realsumm_presence(data: Path) -> Measured:
    """Return the agreement with the workers' majority on articles that took no part in the fit."""
    cases = tasks.read_realsumm(data)
    plain = [tasks.word_overlap(case) for case in cases]
    return {
        "claims": len(cases),
        "articles": len({case.group for case in cases}),
        "lexical_cross_validated": presence(cases, cross_validated(data, cases)),
        "lexical_in_sample": presence(cases, [s >= PARAMETERS.partly for s in similarities(cases, PARAMETERS)]),
        "majority_class": presence(cases, [False] * len(cases)),
        "word_overlap_at_its_best_threshold_here": presence(cases, _at_best(cases, plain)),
    }


def cross_validated(data: Path, cases: Cases) -> list[bool]:
    """Return, for every case, whether it is raised by parameters that never saw its article."""
    folds = {name: number % FOLDS for number, name in enumerate(sorted({case.group for case in cases}))}
    scifact = tasks.read_scifact_presence(data, tasks.FITTING)
    raised = [False] * len(cases)
    for fold in range(FOLDS):
        fitted = fit_presence([[case for case in cases if folds[case.group] != fold], scifact], START)
        for number, case in enumerate(cases):
            if folds[case.group] == fold:
                raised[number] = similarities([case], fitted)[0] >= fitted.partly
    return raised


def conflict(cases: Cases) -> Measured:
    """Return how well correctness finds contradicted claims: 0 and −1 flag, and −1 is surer than 0."""
    opinions = [judge_claim(case.claim, case.trace, question=case.question) for case in cases]
    scores = [float(1 - opinion.correctness) if opinion.correctness is not None else 0.0 for opinion in opinions]
    share = sum(_answers(cases)) / len(cases)
    return {
        "cases": len(cases),
        "contradicted": sum(_answers(cases)),
        "auc": _with_interval(cases, lambda drawn: auc(*_drawn(cases, scores, drawn))),
        "balanced_accuracy": _of_table(cases, flagged(cases, PARAMETERS), balanced_accuracy),
        "f1": _of_table(cases, flagged(cases, PARAMETERS), f1),
        "flagged_of_contradicted": _rate(cases, scores, answer=True),
        "flagged_of_others": _rate(cases, scores, answer=False),
        "chance": {"auc": 0.5, "balanced_accuracy": 0.5, "f1_flagging_all": 2 * share / (1 + share)},
    }


def presence(cases: Cases, raised: Sequence[bool]) -> Measured:
    """Return kappa and balanced F1 against the raters' majority, with intervals."""
    return {"kappa": _of_table(cases, raised, kappa), "balanced_f1": _of_table(cases, raised, balanced_f1)}


def measure(data: Path) -> Measured:
    """Return everything that `results.json` holds."""
    odd = tasks.EVALUATION
    return {
        "kqa_presence": kqa_presence(data),
        "realsumm_presence": realsumm_presence(data),
        "medec_conflict": conflict(tasks.read_medec(data, odd)),
        "scifact_conflict": conflict(tasks.read_scifact(data, odd)),
    }


def _of_table(cases: Cases, said: Sequence[bool], statistic: Callable[[Counts], float]) -> list[float]:
    return _with_interval(cases, lambda drawn: statistic(count(*_drawn(cases, said, drawn))))


def _with_interval(cases: Cases, statistic: Callable[[Sequence[int]], float]) -> list[float]:
    """Return value, low, high."""
    low, high = interval([case.group for case in cases], statistic)
    return [round(value, 3) for value in (statistic(range(len(cases))), low, high)]


def _drawn(cases: Cases, said: Sequence[Any], drawn: Sequence[int]) -> tuple[list[bool], list[Any]]:
    return [cases[number].answer for number in drawn], [said[number] for number in drawn]


def _answers(cases: Cases) -> list[bool]:
    return [case.answer for case in cases]


def _at_best(cases: Cases, scores: Sequence[float]) -> list[bool]:
    cut = best_threshold(_answers(cases), scores)[1]
    return [score >= cut for score in scores]


def _rate(cases: Cases, scores: Sequence[float], *, answer: bool) -> float:
    chosen = [score > 0 for case, score in zip(cases, scores, strict=True) if case.answer == answer]
    return round(sum(chosen) / len(chosen), 3)


def main() -> None:
    """Measure, print, and keep the results where asked."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=tasks.DEFAULT_DATA)
    options.add_argument("--write", action="store_true", help="write results.json")
    chosen = options.parse_args()
    text = json.dumps(measure(tasks.find_data(chosen.data, "kqa", "realsumm_scu", "medec", "scifact_rte")), indent=2)
    print(text)
    if chosen.write:
        RESULTS.write_text(text + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
