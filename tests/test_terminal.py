import asyncio
import io
import os
import re
from dataclasses import dataclass

import pytest

from judge.cli import terminal
from judge.cli.terminal import Screen, clean, clean_lines, report_progress
from judge.run import Progress


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


def test_lines_and_tabs_of_a_text_stay_and_nothing_else_that_forges():
    assert clean_lines("a\n\tb\x1b[2J\r\n\n") == "a\n\tb\ufffd[2J\ufffd\n\n"
    assert clean_lines("") == ""


def progress_shown(counts, total, *, terminal, monkeypatch, width=100):
    monkeypatch.setattr("judge.cli.terminal._REFRESH_S", 0.02)
    monkeypatch.setattr("judge.cli.terminal._PLAIN_LINE_S", 0.02)
    shown = io.StringIO()
    console = Screen(file=shown, width=width, force_terminal=terminal, highlight=False)

    async def main():
        counted = asyncio.get_running_loop().create_future()
        if total != "not yet":
            counted.set_result(total)
        task = asyncio.ensure_future(report_progress(lambda: counts, counted, console))
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
