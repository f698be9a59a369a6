"""What a run comes to, as a reader sees it."""

import io
import re

import polars as pl
import pytest

from judge.caution import Caution
from judge.cli.summary import LEGEND, answer_lines, caution_lines, difference_table, summary_table
from judge.cli.terminal import Screen
from judge.difference import Difference

AXES = ("perception", "knowledge")


def summary(*models):
    """Rows as `summarise` makes them; a model is (name, mean trace score, records)."""
    rows = []
    for name, mean, n in models:
        for axis in (*AXES, "trace"):
            asked = n if axis != "knowledge" else 0
            for part in ("grounding", "correctness", "score"):
                told = (mean, 0.0, 1.0) if asked and mean is not None else (None, None, None)
                rows.append(
                    (
                        name,
                        "j",
                        f"{axis}_{part}",
                        *told,
                        asked if mean is not None else 0,
                        0 if mean else n * (axis == "trace"),
                    )
                )
        rows += [(name, "j", "answer_correct", 0.25, 0.0, 1.0, n, 0), (name, "j", "answered", 0.5, 0.0, 1.0, n, 0)]
    columns = ["model", "judge", "measure", "mean", "low", "high", "n", "n_failed"]
    return pl.DataFrame(rows, schema=columns, orient="row", infer_schema_length=None)


def printed(what, width=80):
    shown = io.StringIO()
    Screen(file=shown, width=width, soft_wrap=True).print(what)
    return shown.getvalue()


def test_models_are_ordered_by_their_trace_score_with_gaps_last():
    table = printed(summary_table(summary(("low", 0.1, 3), ("gap", None, 3), ("high", 0.9, 3)), AXES))
    assert re.findall(r"^(low|gap|high)", table, re.MULTILINE) == ["high", "low", "gap"]
    assert "–  3" not in table and table.count("–") >= 3


def test_an_axis_that_no_record_has_is_not_shown():
    assert "knowledge" not in printed(summary_table(summary(("m", 0.5, 3)), AXES))


def test_failed_records_are_shown_once_per_model():
    table = printed(summary_table(summary(("m", None, 7)), AXES)).splitlines()
    assert [line.split()[-1] for line in table if "trace" in line] == ["7"]
    assert "perception" not in "".join(table)


def test_the_model_without_a_name_is_kept_apart_from_the_empty_name():
    table = printed(summary_table(summary((None, 0.5, 3), ("", 0.25, 3)), AXES))
    assert table.count("(no model)") == 1
    assert "0.25" in table


def test_markup_in_a_name_is_text():
    assert "[red]x[/]" in printed(summary_table(summary(("[red]x[/]", 0.5, 3)), AXES))


@pytest.mark.parametrize("records", [7, 99_999])
def test_the_widest_rows_fit_eighty_columns(records):
    table = printed(summary_table(summary(("a-model-with-a-long-name-" * 3, 1.0, records)), AXES))
    assert "1.00 .00–1.00" in table
    assert max(map(len, table.splitlines())) <= 80


def test_answers():
    (line,) = answer_lines(summary(("m\x1b", 0.5, 4)))
    assert line == "Final answers of m\ufffd: 25% right, 50% gave one (n = 4)"
    assert answer_lines(summary(("m", None, 0))) == []


def test_the_legend_explains_every_column_of_means():
    assert re.findall(r"^(\w+)  ", LEGEND, re.MULTILINE) == ["grounding", "correctness", "score", "n"]
    assert max(map(len, LEGEND.splitlines())) <= 80


@pytest.mark.parametrize("records", [9, 99_999])
def test_a_correctness_of_fewer_records_says_so(records):
    """One record of nine raised anything: its 1.00 is not the mean of nine."""
    told = summary(("a-model-with-a-long-name-" * 3, 1.0, records)).with_columns(
        n=pl.when(measure="perception_correctness").then(records - 8).otherwise("n")
    )
    table = printed(summary_table(told, AXES))
    assert re.search(rf"perception .* {records - 8}/{records} *$", table, re.MULTILINE)
    assert re.search(rf"trace .* {records} +0$", table, re.MULTILINE)
    assert max(map(len, table.splitlines())) <= 80


# Differences


def apart(model="a", other="b", **changes):
    values = {"mean": 0.166, "low": 0.02, "high": 0.33, "interval": "bootstrap", "n": 5, "needed": 23}
    return Difference(model=model, other=other, **(values | changes))


@pytest.mark.parametrize(
    ("one", "shown"),
    [
        (apart(), r"a − b +\+0\.17 \[\+0\.02, \+0\.33\] +5  yes"),
        (apart(low=-0.1), r"\+0\.17 \[-0\.10, \+0\.33\] +5  with about 23 records"),
        (apart(mean=-0.2, low=-0.3, high=-0.1), r"-0\.20 \[-0\.30, -0\.10\] +5  yes"),
        (apart(low=-0.1, needed=1_234), "with about 1,234 records"),
        # As many as there are and still not: an interval of drawn means is not exactly the normal one.
        (apart(low=-0.1, needed=5), r"5  no"),
        (apart(mean=0.0, low=-0.1, needed=None), r"5  no"),
        (apart(n=1, low=None, high=None, needed=None), r"\+0\.17 +1  no"),
    ],
)
def test_a_difference_says_whether_it_tells_apart_or_what_would(one, shown):
    assert re.search(rf"{shown} *$", printed(difference_table([one])), re.MULTILINE)


def test_differences_fit_eighty_columns_and_are_few():
    long = "a-model-with-a-long-name-" * 3
    many = [apart(long, f"{long}{n}", low=-0.1, needed=123_456) for n in range(12)]
    table = printed(difference_table(many))
    assert table.count("with about 123,456 records") == 10
    assert "and 2 more in --json" in " ".join(table.split())
    assert max(map(len, table.splitlines())) <= 80
    assert "more" not in printed(difference_table(many[:10]))


def test_names_in_differences_are_shown_harmless():
    assert "[red]\ufffd − b" in printed(difference_table([apart("[red]\x1b")]))


# Cautions


def test_cautions_are_a_line_each_and_few():
    cautions = [Caution(code=f"c{n}", message=f"message {n}\x1b\n.") for n in range(8)]
    assert caution_lines(cautions[:2]) == ["Caution: message 0\ufffd\ufffd.", "Caution: message 1\ufffd\ufffd."]
    assert len(caution_lines(cautions[:6])) == 6
    assert caution_lines(cautions)[5:] == ["Caution: message 5\ufffd\ufffd.", "2 more cautions are in run.json."]
    assert caution_lines([]) == []
