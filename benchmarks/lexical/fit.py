"""Fit the numbers of `judge/backends/lexical/parameters.py`: `python -m benchmarks.lexical.fit [--data DIR]`.

Presence: coordinate search for the highest mean of two kappas: realsumm_scu (majority of the workers) and the even half
of scifact_rte (own evidence against the closest foreign one). News summaries alone would set the threshold for
near-copies; scientific evidence raises its claim in other words, which is nearer to what a reasoning trace does.
`clearly` is the cut that brings presence / 2 closest to the share of workers who saw the unit. Conflict: the mean
balanced accuracy on the even halves of medec and scifact_rte. Nothing is fitted on kqa.
"""

import argparse
from collections.abc import Callable, Iterable, Sequence
from dataclasses import asdict, replace
from pathlib import Path

from benchmarks.lexical import tasks
from benchmarks.lexical.measures import balanced_accuracy, count, kappa
from judge.backends.lexical.judging import judge_claim
from judge.backends.lexical.overlap import measure_overlap
from judge.backends.lexical.parameters import PARAMETERS, Parameters

ROUNDS = 2
CUTS = [cut / 100 for cut in range(20, 80, 2)]
GRID: dict[str, Sequence[float]] = {
    "light_weight": (0.2, 0.3, 0.4, 0.6, 0.8, 1.0),
    "number_weight": (1.0, 1.5, 2.0, 2.5),
    "question_weight": (0.1, 0.2, 0.3, 0.4, 0.6, 1.0),
    "beside_credit": (0.3, 0.4, 0.5, 0.6, 0.8),
    "trace_credit": (0.0, 0.1, 0.2, 0.3, 0.4, 0.5),
    "phrase_share": (0.0, 0.1, 0.2, 0.3, 0.4),
}
SHARES = (0.0, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7)
LEAST_GAIN = 0.004  # a number leaves the middle only for more than this: the optimum is flat, its edges are noise
# The search starts in the middle of the grid, which is what one would have guessed.
START = Parameters(
    light_weight=0.4, number_weight=1.5, question_weight=0.4, beside_credit=0.5, trace_credit=0.3,
    phrase_share=0.2, partly=0.5, clearly=0.75, conflict_share=0.4,
)  # fmt: skip

Cases = Sequence[tasks.Case]


def similarities(cases: Cases, parameters: Parameters) -> list[float]:
    """Return the similarity of every case."""
    return [measure_overlap(case.claim, case.trace, parameters, question=case.question).similarity for case in cases]


def flagged(cases: Cases, parameters: Parameters) -> list[bool]:
    """Return, for every case, whether the judge doubts or denies the claim that it finds raised."""
    opinions = (judge_claim(case.claim, case.trace, question=case.question, parameters=parameters) for case in cases)
    return [opinion.correctness in (0, -1) for opinion in opinions]


def fit_presence(sets: Sequence[Cases], start: Parameters) -> Parameters:
    """Return the numbers of presence, `partly` among them, with the highest mean kappa over the sets."""

    def best_cut(parameters: Parameters) -> tuple[float, float]:
        measured = [([case.answer for case in cases], similarities(cases, parameters)) for cases in sets]
        return max((_mean(_agreement(*pair, cut) for pair in measured), cut) for cut in CUTS)

    parameters = climb(start, GRID, lambda tried: best_cut(tried)[0])
    return replace(parameters, partly=best_cut(parameters)[1])


def climb(start: Parameters, grid: dict[str, Sequence[float]], fitness: Callable[[Parameters], float]) -> Parameters:
    """Return the best parameters that a coordinate search over a grid finds."""
    best, reached = start, fitness(start)
    for name, values in list(grid.items()) * ROUNDS:
        fits = {value: fitness(replace(best, **{name: value})) for value in values}
        highest = max(fits, key=lambda value: fits[value])
        if fits[highest] > reached + LEAST_GAIN:
            best, reached = replace(best, **{name: highest}), fits[highest]
    return best


def fit_clearly(cases: Cases, parameters: Parameters) -> Parameters:
    """Return the parameters with the `clearly` that brings presence / 2 closest to the share of the raters."""
    measured = [
        (case.share, similarity) for case, similarity in zip(cases, similarities(cases, parameters), strict=True)
    ]

    def error(cut: float) -> float:
        return sum((((s >= parameters.partly) + (s >= cut)) / 2 - share) ** 2 for share, s in measured)

    return replace(parameters, clearly=min((c for c in CUTS if c >= parameters.partly), key=error))


def fit_conflict(sets: Sequence[Cases], parameters: Parameters) -> Parameters:
    """Return the parameters with the shares of conflict that have the highest mean balanced accuracy."""

    def fitness(tried: Parameters) -> float:
        return _mean(balanced_accuracy(count([c.answer for c in cases], flagged(cases, tried))) for cases in sets)

    return climb(parameters, {"conflict_share": SHARES}, fitness)


def fit(data: Path) -> Parameters:
    """Return all numbers, fitted on the fitting halves."""
    realsumm, half = tasks.read_realsumm(data), tasks.FITTING
    fitted = fit_presence([realsumm, tasks.read_scifact_presence(data, half)], START)
    fitted = fit_clearly(realsumm, fitted)
    return fit_conflict([tasks.read_medec(data, half), tasks.read_scifact(data, half)], fitted)


def _agreement(answers: Iterable[bool], scores: Iterable[float], cut: float) -> float:
    return kappa(count(answers, (score >= cut for score in scores)))


def _mean(values: Iterable[float]) -> float:
    listed = list(values)
    return sum(listed) / len(listed)


def main() -> None:
    """Fit, print every number, and say where `parameters.py` holds another."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--data", type=Path, default=tasks.DEFAULT_DATA)
    data = tasks.find_data(options.parse_args().data, "realsumm_scu", "medec", "scifact_rte")
    held = asdict(PARAMETERS)
    for name, value in asdict(fit(data)).items():
        print(f"{name:20} {value:5.2f}" + ("" if value == held[name] else f"   parameters.py has {held[name]}"))


if __name__ == "__main__":
    main()
