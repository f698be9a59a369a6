"""More calls at once than there may be open files (NP-19)."""

import json
import resource
from pathlib import Path

import pytest
from run_kit import arguments_for, check_conservation, make_records, run_judge, to_lines

from judge.backends import open_files
from judge.backends.open_files import RESERVED, fit_concurrency
from judge.testing import Server

ROOT = Path(__file__).parents[1]
FEW = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, ({soft}, {hard}))"


def run(tmp_path, server, *, soft, hard):
    """256 calls at once, each of which the server takes a while for."""
    traces, out = tmp_path / "t.jsonl", tmp_path / "run"
    traces.write_bytes(to_lines(make_records(400)))
    words = arguments_for(traces, out, server, "--concurrency", 256, "--max-retries", 0)
    words[words.index("none")] = tmp_path / "store"  # the shared store opens files too
    code, said = run_judge(*words, script=FEW.format(soft=soft, hard=hard), env={"PYTHONPATH": str(ROOT)})
    check_conservation(out, 400)
    return code, said, json.loads((out / "run.json").read_bytes())["notes"]


def test_64_open_files_and_256_calls_at_once_fail_nothing(tmp_path):
    with Server(script="obedient", latency_ms=50) as server:
        code, said, notes = run(tmp_path, server, soft=64, hard=64)
    assert code == 0, said
    assert "400 records read = 400 scored + 0 failed" in said
    assert "Note: file-descriptor limit 64: " in said and "calls in flight at most, and not 256" in said
    (note,) = notes
    # 64 less 32 in reserve and what is open: the three standard streams at least.
    assert 8 <= int(note.split(": ")[1].split()[0]) <= 64 - RESERVED - 3
    assert server.ledger.requests == server.ledger.necessary() == 400  # with no retry: no connection failed


def test_a_soft_limit_is_raised_and_nothing_is_said(tmp_path):
    with Server(script="obedient", latency_ms=50) as server:
        code, said, notes = run(tmp_path, server, soft=64, hard=4096)
    assert (code, notes) == (0, []), said


@pytest.mark.parametrize(
    ("limits", "fitting", "raised"),
    [
        ((1024, 4096), 100, None),  # 100 + 10 open + 32 = 142 fit
        ((64, 4096), 100, 142),
        ((64, resource.RLIM_INFINITY), 100, 142),
        ((64, 100), 58, 100),  # 142 − 100 = 42 too many
        ((20, 20), 1, None),  # not even one by this count: one is tried
    ],
)
def test_what_fits(monkeypatch, limits, fitting, raised):
    asked = []
    monkeypatch.setattr(open_files, "_open_now", lambda: 10)
    monkeypatch.setattr(open_files.resource, "getrlimit", lambda _: limits)
    monkeypatch.setattr(open_files.resource, "setrlimit", lambda _, pair: asked.append(pair))
    found, note = fit_concurrency(100)
    assert found == fitting
    assert asked == ([] if raised is None else [(raised, limits[1])])
    assert bool(note) == (fitting < 100)


def test_a_limit_that_cannot_be_raised_is_lived_with(monkeypatch):
    def refuse(*_):
        raise ValueError("not allowed to raise maximum limit")

    monkeypatch.setattr(open_files, "_open_now", lambda: 10)
    monkeypatch.setattr(open_files.resource, "getrlimit", lambda _: (64, 4096))
    monkeypatch.setattr(open_files.resource, "setrlimit", refuse)
    said = "file-descriptor limit 64: 22 calls in flight at most, and not 100; raise it: ulimit -n 142"
    assert fit_concurrency(100) == (22, said)
