"""The journal of another run is read, and never changed."""

from __future__ import annotations

import asyncio
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from run_kit import make_request

from judge.backend import Reply
from judge.calls.cached import Cached
from judge.errors import CacheError
from judge.journal.journal import Journal
from judge.journal.other import OtherJournal
from judge.prompt import Request

REQUEST = make_request(1)
MINE, THEIRS, PAID = (Reply(text=text, cost_usd=0.5, model="m") for text in ("mine", "theirs", "paid"))


class Paid:
    """Answers what is stored nowhere."""

    async def complete(self, _: Request) -> Reply:
        return PAID


def journal_with(path: Path, *replies: Reply, retired: bool = False) -> Path:
    with closing(Journal(path)) as journal:
        for reply in replies:
            journal.commit(REQUEST.call_id, reply)
    if retired:
        with closing(Journal(path)) as journal:
            journal.retire([REQUEST.call_id])
    return path


def answer(*others: Path, own: Path | None = None) -> Reply:
    async def ask() -> Reply:
        journal = None if own is None else Journal(own)
        opened = [OtherJournal(path) for path in others]
        cached = Cached(Paid(), journal=journal, others=opened)
        reply = await cached.complete(REQUEST)
        await cached.drain(timeout_s=1)
        for one in (*opened, *([] if journal is None else [journal])):
            one.close()
        return reply

    return asyncio.run(ask())


def test_what_was_paid_elsewhere_costs_nothing_here(tmp_path: Path) -> None:
    theirs = journal_with(tmp_path / "a.sqlite", THEIRS)
    found = answer(theirs)
    assert (found.text, found.cached, found.cost_usd, found.attempts) == ("theirs", True, 0.0, 0)
    assert answer(journal_with(tmp_path / "b.sqlite"), theirs).text == "theirs"


def test_the_last_reply_counts_and_a_retired_one_does_not(tmp_path: Path) -> None:
    assert answer(journal_with(tmp_path / "a.sqlite", MINE, THEIRS)).text == "theirs"
    assert answer(journal_with(tmp_path / "b.sqlite", THEIRS, retired=True)).text == "paid"


def test_its_own_journal_comes_first_and_the_others_in_their_order(tmp_path: Path) -> None:
    own, theirs = journal_with(tmp_path / "a.sqlite", MINE), journal_with(tmp_path / "b.sqlite", THEIRS)
    assert answer(theirs, own=own).text == "mine"
    assert answer(own, theirs).text == "mine"
    assert answer(theirs, own).text == "theirs"


def test_nothing_is_written_to_it(tmp_path: Path) -> None:
    theirs, own = journal_with(tmp_path / "a.sqlite"), journal_with(tmp_path / "b.sqlite")
    before = theirs.read_bytes()
    assert answer(theirs, own=own).text == "paid"
    assert theirs.read_bytes() == before
    with closing(Journal(own)) as journal:
        assert journal.find(REQUEST.call_id) == PAID


def test_one_that_cannot_be_read_is_told_of_and_nothing_is_paid(tmp_path: Path) -> None:
    theirs = journal_with(tmp_path / "a.sqlite", THEIRS)
    with closing(sqlite3.connect(theirs)) as db:
        db.execute("UPDATE replies SET reply = x'00'")
        db.commit()
    with pytest.raises(CacheError, match=r"a\.sqlite cannot be read: a stored reply was changed"):
        answer(theirs)
    with pytest.raises(CacheError, match=r"nowhere\.sqlite cannot be read: unable to open"):
        answer(tmp_path / "nowhere.sqlite")
    (tmp_path / "empty.sqlite").touch()
    with pytest.raises(CacheError, match=r"empty\.sqlite cannot be read: no such table"):
        answer(tmp_path / "empty.sqlite")
