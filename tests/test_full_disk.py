"""Disks that are full or read-only: nothing more is paid, what is paid is safe, and the same command resumes.

The disk is a real one: a tmpfs of a few pages in a name space of our own.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from run_kit import arguments_for, assert_same_tables, environment, make_records, score, to_lines

from judge.testing import Server

_UNSHARE = ["unshare", "--user", "--map-root-user", "--mount"]
_WORKS = (
    shutil.which("unshare") and not subprocess.run([*_UNSHARE, "true"], capture_output=True, check=False).returncode
)
pytestmark = pytest.mark.skipif(not _WORKS, reason="no name spaces for this user here")

RECORDS = make_records(60, units=(1, 2, 3))
REQUESTS = 120  # 20 records of 1, 2 and 3 axes each
MORE, MORE_REQUESTS = make_records(240, units=(1, 2, 3)), 480
CONCURRENCY = 4
_SMALL_BLOCKS = "import judge.runs.block; judge.runs.block.BLOCK_RECORDS = 20"
_BEGIN = 'disk=$1; copy=$2; small=$3; shift 3; mount -t tmpfs -o "size=$small" none "$disk" || exit 9\n'
_END = '"$@"; echo "exit $?"\n'
# What is there is copied out, as the disk is gone with the name space.
_TWICE = _BEGIN + _END + 'mount -o remount,size=100m "$disk"; "$@"; echo "exit $?"; cp -r "$disk/out" "$copy"'
_ONCE = _BEGIN + _END
_READ_ONLY = (
    'disk=$1; shift 3; mount --bind -o ro "$disk" "$disk" && mount -o remount,bind,ro "$disk" || exit 9\n' + _END
)


class Result:
    """Exit codes, and what each run said."""

    def __init__(self, said: str) -> None:
        self.said = re.split(r"^exit \d+\n", said, flags=re.MULTILINE)
        self.codes = [int(code) for code in re.findall(r"^exit (\d+)$", said, re.MULTILINE)]
        assert "Traceback" not in said, said


def on_a_disk(
    script: str,
    tmp_path: Path,
    server: Server,
    *more: object,
    size: str = "",
    out: str = "disk/out",
    records: Sequence[dict[str, Any]] = RECORDS,
) -> Result:
    (tmp_path / "disk").mkdir(exist_ok=True)
    (tmp_path / "t.jsonl").write_bytes(to_lines(records))
    main = f"{_SMALL_BLOCKS}\nfrom judge.__main__ import main\nmain()"
    words = arguments_for(tmp_path / "t.jsonl", tmp_path / out, server, "--concurrency", CONCURRENCY, "--quiet", *more)
    command = [
        *_UNSHARE,
        "bash",
        "-c",
        script,
        "bash",
        tmp_path / "disk",
        tmp_path / "copy",
        size,
        sys.executable,
        "-c",
    ]
    done = subprocess.run(
        [*map(str, command), main, *map(str, words)],
        env=environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 9, done.stdout
    return Result(done.stdout)


# 20 KiB are not enough for the journal; 80 for its first commit, or not many; 300 and 500 end somewhere in the middle.
@pytest.mark.parametrize("kib", [20, 80, 100, 300, 500, 1024])
def test_a_disk_that_fills_up(kib: int, tmp_path: Path) -> None:
    records, requests = (MORE, MORE_REQUESTS) if kib == 1024 else (RECORDS, REQUESTS)
    with Server() as server:
        result = on_a_disk(_TWICE, tmp_path, server, size=f"{kib}k", records=records)
        rows = server.ledger.rows()
        score(records, tmp_path / "fresh", server)
    print(f"{kib} KiB: {result.codes}, re-paid {len(rows) - requests}: {result.said[0].splitlines()[0]}")
    assert result.codes[1] == 0, result.said[1]
    assert "o space left" in result.said[0]
    assert "safe" in result.said[0] or len(rows) == requests
    assert result.codes[0] == 75, result.said[0]
    assert "To resume: judge score" in result.said[0]
    assert len(rows) - requests <= CONCURRENCY  # paid and not kept: at most what was in flight
    assert_same_tables(tmp_path / "copy", tmp_path / "fresh")


def test_a_full_store_stops_no_run(tmp_path: Path) -> None:
    with Server() as server:
        # Enough to be opened; not for the replies.
        more = ("--cache", tmp_path / "disk" / "store", "--json")
        result = on_a_disk(_ONCE, tmp_path, server, *more, size="320k", records=MORE, out="out")
        assert result.codes == [0], result.said
        assert server.ledger.requests == MORE_REQUESTS
        assert result.said[0].count("It is not used any more in this run") == 1
        score(MORE, tmp_path / "fresh", server)
    assert_same_tables(tmp_path / "out", tmp_path / "fresh")


def test_a_store_that_is_full_from_the_start_is_said_before_anything_is_paid(tmp_path: Path) -> None:
    with Server() as server:
        result = on_a_disk(_ONCE, tmp_path, server, "--cache", tmp_path / "disk" / "store", size="8k", out="out")
        assert (result.codes, server.ledger.requests) == ([2], 0)
    assert "Give another --cache DIR, or --cache none." in result.said[0]


@pytest.mark.parametrize("where", ["out", "resumed out", "store", "new store"])
def test_a_read_only_folder_is_found_before_anything_is_paid(where: str, tmp_path: Path) -> None:
    with Server() as server:
        disk = tmp_path / "disk"
        if where == "resumed out":
            score(RECORDS[:5], disk / "out", server)
        if where == "store":
            score(RECORDS[:5], tmp_path / "first", server, cache=disk / "store")
        asked = server.ledger.requests
        more = ("--cache", disk / "store") if "store" in where else ()
        result = on_a_disk(_READ_ONLY, tmp_path, server, *more, out="out" if more else "disk/out")
        assert (result.codes, server.ledger.requests) == ([2], asked), result.said
    assert "--cache none" in result.said[0] if more else f"--out {disk / 'out'}" in result.said[0]
