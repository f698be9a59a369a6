"""Where models stand: all of it together, a baseline, one axis; of people who compared five models, and the page."""

from __future__ import annotations

import io
from typing import Any

import numpy as np
import polars as pl
import pytest
from preference_kit import llmbar, pandalm, said, table
from rich.console import Console
from scipy.optimize import minimize

from judge.cli.standing_page import standing_page
from judge.errors import ConfigError
from judge.standing import as_json, find_standings

THREE = [
    *(said(f"r{n}", answers, a="m", b="n") for n, answers in enumerate(["AA", "AA", "BB", "tt", "AB"])),
    *(said(f"r{n}", answers, a="n", b="o") for n, answers in enumerate(["AA", "BB", "AA", "A-", "BA"])),
    *(said(f"r{n}", answers, a="o", b="m") for n, answers in enumerate(["AA", "BB", "BB"])),
]


def page(preferences: pl.DataFrame, *, width: int = 120, **more: Any) -> str:
    screen = Console(file=io.StringIO(), width=width, highlight=False, markup=False)
    for part in standing_page(preferences, **more):
        screen.print(part)
    assert isinstance(screen.file, io.StringIO)
    return screen.file.getvalue()


def words(shown: str) -> str:
    """However it is folded."""
    return " ".join(shown.split())


def share(told: dict[str, Any]) -> str:
    return "–".join(f"{told[name]:.2f}".removeprefix("0") for name in ("low", "high"))


def test_three_models_by_hand() -> None:
    (found,) = find_standings(table(*THREE))
    assert (found.judge, found.axis, found.models) == ("j", "overall", ("m", "n", "o"))
    # m : n (2 + ½ + ½)/5; m : o is o : m turned, 2 won of 3; n : o (2 + ½)/4, one failed.
    assert [(one.model, one.other, one.rate, one.judged) for one in found.rates] == [
        ("m", "n", 0.6, 5),
        ("m", "o", pytest.approx(2 / 3), 3),
        ("n", "o", 0.625, 4),
    ]
    assert found.cross[("n", "m")] == (0.4, 5)
    assert found.cross[("o", "m")] == (pytest.approx(1 / 3), 3)
    assert found.strengths is not None
    assert [one.model for one in found.strengths.ranked] == ["m", "n", "o"]
    assert [one.n for one in found.strengths.ranked] == [8, 9, 7]


def test_a_baseline_is_what_the_others_are_held_against() -> None:
    (found,) = find_standings(table(*THREE), baseline="n")
    assert found.models == ("m", "o", "n")
    assert [(one.model, one.other, one.rate) for one in found.shown] == [("m", "n", 0.6), ("o", "n", 0.375)]
    (other,) = find_standings(table(*THREE))
    assert found.strengths is not None and other.strengths is not None
    assert [one.strength for one in found.strengths.ranked] == pytest.approx(
        [one.strength for one in other.strengths.ranked]
    )
    with pytest.raises(ConfigError, match="--baseline 'x' is none of the models: m, n, o"):
        find_standings(table(*THREE), baseline="x")


def test_two_models_have_no_strengths() -> None:
    (found,) = find_standings(table(said("r", "AA")))
    assert found.strengths is None


def test_axes_and_judges_are_apart() -> None:
    rows = [said("r", "AA", axis=axis, judge=judge) for axis in ("tone", "overall") for judge in ("j", "k")]
    assert [(one.axis, one.judge) for one in find_standings(table(*rows))] == [
        *(("tone", "j"), ("tone", "k"), ("overall", "j"), ("overall", "k"))
    ]
    assert [one.axis for one in find_standings(table(*rows), axes=["tone"])] == ["tone", "tone"]
    with pytest.raises(ConfigError, match="--axis 'pkr' is none of the axes: tone, overall"):
        find_standings(table(*rows), axes=["pkr"])


def test_models_without_a_common_pair_have_no_strengths() -> None:
    rows = [said("r", "AA", a="a", b="b"), said("r", "tt", a="c", b="d")]
    assert "overall: no strengths: no judged pair joins these groups: {a, b} | {c, d}." in page(table(*rows))


def test_a_failed_pair_joins_nothing() -> None:
    rows = [said("r", "AA", a="a", b="b"), said("s", "BB", a="a", b="b"), said("r", "A-", a="b", b="c")]
    (found,) = find_standings(table(*rows))
    assert found.strengths is not None
    assert found.strengths.reason == "no judged pair joins these groups: {a, b} | {c}"
    shown = page(table(*rows))
    assert "b : c overall null 0 0 0 0 1 –" in words(shown)


def test_people_rank_five_models() -> None:
    """PandaLM: the strengths that each annotator gives, against an independent maximum of the likelihood."""
    standings = find_standings(pandalm())
    assert [one.judge for one in standings] == ["annotator1", "annotator2", "annotator3"]
    for one in standings:
        points = {"A": 1.0, "B": 0.0, "tie": 0.5}
        places = {name: place for place, name in enumerate(one.models)}
        wins = np.zeros((5, 5))
        for row in pandalm().filter(judge=one.judge).iter_rows(named=True):
            a, b = places[row["model_a"]], places[row["model_b"]]
            wins[a, b] += points[row["outcome"]]
            wins[b, a] += 1 - points[row["outcome"]]
        assert one.strengths is not None and one.strengths.interval == "bootstrap"
        expected = minimize(
            lambda s, w=wins: float((w * np.logaddexp(0, s[None, :] - s[:, None])).sum()), np.zeros(5), tol=1e-12
        )
        centred = dict(zip(one.models, expected.x - expected.x.mean(), strict=True))
        for strength in one.strengths.ranked:
            assert strength.strength == pytest.approx(centred[strength.model], abs=1e-5)
            assert strength.low is not None and strength.high is not None
            assert strength.low < strength.strength < strength.high
        assert sum(strength.n for strength in one.strengths.ranked) == 2 * 506


def test_the_page_and_the_json_tell_the_same() -> None:
    preferences = llmbar("natural").filter(judge="GPT-4|CoT")
    (told,) = as_json(find_standings(preferences, baseline="wrong"))
    (rate,) = told["rates"]
    shown = words(page(preferences, baseline="wrong"))
    assert f"right : wrong overall 0.94 {share(rate)} 100 90 1 0 9 0 <.001" in shown
    assert f"right : wrong overall 0.91 {share(rate['order'])} 100 {rate['order']['first']} " in shown
    bounds = f"[{rate['low']:.0%}, {rate['high']:.0%}]".replace("%", " %")
    assert f"right wins 94 % {bounds} of 100 judged pairs against wrong, overall; 9 % of 100 changed" in shown


def test_the_page_says_what_failed_and_what_the_order_did() -> None:
    rows = [said(f"r{n}", answers) for n, answers in enumerate(["AA", "AB", "AB", "BA", "tA", "A-"])]
    shown = words(page(table(*rows)))
    assert (
        "of 5 judged pairs against n, overall; 80 % of 5 changed with the order "
        "(shown first won both times in 2, shown second in 1, one tie in 1); 1 of 6 pairs failed (truncated 1)."
    ) in shown


def test_foreign_text_forges_nothing() -> None:
    evil = "m\x1b[2J[bold]\u202e"
    three = [said("r", "tt", a=a, b=b, judge="j\x1b]0;x\x07") for a, b in ((evil, "n"), ("n", "o"), ("o", evil))]
    apart = [said("r", "tt", a=evil, b="n", axis="\x1b[0m"), said("r", "tt", a="o", b="p", axis="\x1b[0m")]
    failed = [said("r", "--", a=evil, axis="tone", failure=evil)]
    shown = "".join(page(table(*rows)) for rows in (three, apart, failed))
    assert "\x1b" not in shown and "\u202e" not in shown and "[bold]" in shown


@pytest.mark.parametrize("width", [60, 80, 120])
def test_long_names_fold_beside_their_numbers(width: int) -> None:
    rows = [said("r", "AA", a="organisation/a-very-long-name-of-a-model", axis=axis) for axis in ("tone", "overall")]
    shown = page(table(*rows), width=width)
    assert shown.split("same twice")[0].count("1.00  1") == 2


def test_of_many_pairs_the_first_are_shown() -> None:
    names = [f"m{n}" for n in range(7)]
    rows = [said("r", "tt", a=a, b=b) for place, a in enumerate(names) for b in names[place + 1 :]]
    shown = page(table(*rows))
    assert "… and 11 more in --json" in shown
    # Seven columns are two tables, and no number is cut to fit.
    assert shown.count("row against column") == 2
    assert shown.count("0.50 (1)") == 7 * 6
    assert "…" not in page(table(*rows), width=80).replace("… and 11 more", "")
    assert shown.count(" wins ") == 3
