"""What a run comes to, as a reader sees it."""

import io
import re

import polars as pl
import pytest

from judge.caution import Caution
from judge.cli.summary import answer_lines, caution_lines, difference_table
from judge.cli.terminal import Screen
from judge.difference import Difference


def printed(what, width=80):
    shown = io.StringIO()
    Screen(file=shown, width=width, soft_wrap=True).print(what)
    return shown.getvalue()


def test_answers():
    right = {"mean": 0.25, "low": 0.0, "high": 1.0, "n": 4, "n_failed": 0}
    rows = [{"model": "m\x1b", "measure": name, **right} for name in ("trace_score", "answer_correct")]
    told = pl.DataFrame([*rows, {**rows[0], "measure": "answered", "mean": 0.5}])
    assert answer_lines(told) == ["Final answers of m\ufffd: 25% right, 50% gave one (n = 4)"]
    assert answer_lines(told.with_columns(n=0)) == []


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
