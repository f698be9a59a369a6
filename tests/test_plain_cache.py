"""Many values in one statement: for diskcache they are as if it had written them itself."""

import sqlite3

import diskcache
import pytest

from judge.calls.plain_cache import PlainCache
from judge.calls.plain_disk import PlainDisk

LARGE = b"x" * 2**16


@pytest.fixture
def cache(tmp_path):
    with PlainCache(tmp_path / "cache") as cache:
        yield cache


def test_diskcache_reads_what_was_put_as_its_own(cache, tmp_path):
    cache.put_all({"a": b"1", "b": b"2", "large": LARGE})
    with diskcache.Cache(str(tmp_path / "cache"), disk=PlainDisk) as other:
        assert {key: other[key] for key in other} == {"a": b"1", "b": b"2", "large": LARGE}
        assert len(other) == 3  # its own count, which triggers keep
        assert other.check() == []


def test_a_row_is_the_one_that_diskcache_writes(cache):
    cache.put_all({"ours": b"value"})
    cache.set("theirs", b"value")
    columns = "raw, expire_time, access_count, tag, size, mode, filename, value"
    ours, theirs = cache.sql(f"SELECT {columns} FROM Cache ORDER BY rowid").fetchall()
    assert ours == theirs


def test_what_is_there_is_written_over(cache):
    cache.set("a", LARGE)
    cache.put_all({"a": b"new", "b": b"2"})
    assert (cache.find("a"), cache.find("b"), len(cache)) == (b"new", b"2", 2)
    assert cache.check() == []  # no file is left behind


@pytest.mark.parametrize("value", [b"small", LARGE])
def test_finding(cache, value):
    assert cache.find("a") is None
    cache.put_all({"a": value})
    assert cache.find("a") == value


def test_nothing_put_is_nothing_written(cache):
    cache.put_all({})
    assert len(cache) == 0


def test_a_transaction_takes_all_or_none(cache):
    def half():
        with cache.transact():
            cache.put_all({"a": b"1"})
            cache.sql("SELECT * FROM no_such_table")

    with pytest.raises(sqlite3.OperationalError):
        half()
    assert cache.find("a") is None
