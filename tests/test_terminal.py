import asyncio
import io
import os
import re
from dataclasses import dataclass

import polars as pl
import pytest

from judge.cli import terminal
from judge.cli.terminal import LEGEND, Screen, answer_lines, clean, report_progress, summary_table
from judge.run import Progress

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


@pytest.mark.parametrize(
    "char",
    [
        "\x1b",
        "\x07",
        "\x00",
        "\x9b",
        "\n",
        "\r",
        "\t",
        "\u202e",
        "\u2066",
        "\u200b",
        "\ufeff",
        "\u2028",
        "\u2029",
        "\ud800",
    ],
)
def test_what_forges_is_replaced(char):
    assert clean(f"a{char}b") == "a\ufffdb"


def test_what_is_text_stays():
    text = "naïve 肺 – μ × [red] \N{LUNGS} e\u0301"
    assert clean(text) == text
    assert clean(7) == "7"


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


def progress_shown(counts, total, *, terminal, monkeypatch, width=100):
    monkeypatch.setattr("judge.cli.terminal._REFRESH_S", 0.02)
    monkeypatch.setattr("judge.cli.terminal._PLAIN_LINE_S", 0.02)
    shown = io.StringIO()
    console = Screen(file=shown, width=width, force_terminal=terminal, highlight=False)

    async def main():
        counted = asyncio.get_running_loop().create_future()
        if total != "not yet":
            counted.set_result(total)
        task = asyncio.ensure_future(report_progress(counts, counted, console))
        await asyncio.sleep(0.2)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

    asyncio.run(main())
    return shown.getvalue()


def plain_lines(shown):
    return re.sub(r"\x1b\[[0-9;?]*[A-Za-z]", "", shown).replace("\r", "\n").splitlines()


COUNTS = Progress(read=9, scored=5, failed=2, kept=3, calls=20, cached=4, tokens=12_345)


def test_progress_without_a_terminal_is_plain_lines(monkeypatch):
    shown = progress_shown(COUNTS, 4_000, terminal=False, monkeypatch=monkeypatch)
    assert len(shown.splitlines()) >= 2
    line = r"7 of 4000 records, 2 failed, \d+ calls/s, 0:0\d:\d\d left, 3 from before, 4 cached, 12,345 tokens"
    assert all(re.fullmatch(line, said) for said in shown.splitlines())


@pytest.mark.parametrize("total", [None, "not yet"])
def test_progress_says_nothing_of_what_is_none_or_unknown(total, monkeypatch):
    shown = progress_shown(Progress(), total, terminal=False, monkeypatch=monkeypatch)
    assert shown.splitlines()[0] == "0 records, 0 failed, 0 calls/s"


@pytest.mark.parametrize(
    ("counts", "total", "left"),
    [
        # 7 - 3 records in ten seconds, as those of an earlier session took no time; 40 - 7 left: 33 · 10 / 4 = 82.5 s.
        (COUNTS, 40, "0:01:22"),
        (Progress(scored=4, failed=1), 1_000_000, "23 days, 3:33:10"),  # 999,995 · 2 s
        (COUNTS, 7, None),
        (COUNTS, 5, None),  # the file was cut meanwhile
        (COUNTS, None, None),
        (Progress(scored=3, kept=3), 40, None),
    ],
)
def test_the_time_left_is_that_of_this_sessions_work(counts, total, left):
    told = terminal._told(counts, total, 10.0)
    assert (f", {left} left," in f"{told},") == (left is not None)
    assert ("left" in told) == (left is not None)


@pytest.mark.parametrize("is_terminal", [False, True])
def test_progress_says_that_we_are_throttled(is_terminal, monkeypatch):
    @dataclass
    class Throttled(Progress):
        throttled: int = 3

    shown = progress_shown(Throttled(), 5, terminal=is_terminal, monkeypatch=monkeypatch, width=80)
    assert "3 waiting: the server says 429" in " ".join(" ".join(plain_lines(shown)).split())


def test_progress_on_a_terminal_is_a_bar(monkeypatch):
    shown = progress_shown(COUNTS, 40, terminal=True, monkeypatch=monkeypatch)
    assert "7/40" in shown and "records, 2 failed" in shown
    assert shown.count("\x1b[2K") > shown.count("\n")  # it is drawn over itself


def test_a_narrow_bar_shows_all(monkeypatch):
    counts = Progress(scored=123_456, failed=1_234, kept=3, calls=500, cached=4, tokens=12_345)
    shown = progress_shown(counts, 99_999_999, terminal=True, monkeypatch=monkeypatch, width=80)
    lines = plain_lines(shown)
    assert max(map(len, lines)) <= 80
    for part in (
        "124690/99999999 records, 1234 failed,",
        "calls/s",
        "left",
        "3 from before",
        "4 cached",
        "12,345 tokens",
    ):
        assert part in " ".join(" ".join(lines).split())


def test_a_reader_that_went_away_is_no_error():
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w", encoding="utf-8") as pipe:
        screen = Screen(file=pipe)
        screen.print("one")
        screen.print("two")
        assert screen.quiet
