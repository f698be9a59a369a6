"""The library's door, as trainers and notebooks use it: in loops, threads, forks, spawned workers, again and again."""

import asyncio
import copy
import gc
import multiprocessing
import pickle
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import polars as pl
import pytest

from judge import Judge, Record, Run
from judge.errors import ConfigError, FatalError, InputError, RubricError
from judge.image import ImageRules
from judge.line import Link
from judge.record import build_record
from judge.rubric import load_rubric
from judge.settings import Settings
from judge.testing import Server

UNITS = {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}


def record(number, **more):
    """Each with a trace of its own, so that no two requests are equal."""
    return {"id": f"r{number}", "trace": f"Film {number}: a fracture in the left wrist.", "units": UNITS, **more}


@pytest.fixture
def server():
    with Server() as running:
        yield running


@pytest.fixture
def judge(server):
    with Judge("hosted_vllm/m", api_base=server.api_base) as door:
        yield door


def ids(run):
    return run.scores["record_id"].to_list()


def test_a_judge_needs_a_name():
    with pytest.raises(TypeError, match="judge"):
        Judge()


def test_plain_code(judge):
    run = judge.score([record(1), record(2)])
    assert isinstance(run, Run)
    assert ids(run) == ["r1", "r2"]
    assert run.scores["perception_score"].to_list() == [1.0, 1.0]
    assert run.verdicts.height == run.calls.height == 2
    assert run.failures.is_empty()


def test_nothing_to_score(judge):
    run = judge.score([])
    assert run.scores.is_empty() and run.failures.is_empty()
    assert "perception_score" in run.scores.columns


def test_records_may_be_a_generator_or_records(judge):
    assert ids(judge.score(record(n) for n in range(3))) == ["r0", "r1", "r2"]
    built = build_record(record(7))
    assert isinstance(built, Record)
    assert ids(judge.score((record(1), built))) == ["r1", "r7"]


def test_a_generator_runs_in_the_callers_thread(judge):
    def records():
        assert threading.current_thread() is threading.main_thread()
        yield record(1)

    judge.score(records())


def test_an_error_of_the_callers_generator_is_the_callers(judge):
    def records():
        yield record(1)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        judge.score(records())


@pytest.mark.parametrize("given", [record(1), "traces.jsonl", Path("traces.jsonl"), build_record(record(1))])
def test_one_record_or_a_path_is_no_list_of_records(judge, given):
    with pytest.raises(InputError, match=r"not a list\. Give a list of records; a file is scored by"):
        judge.score(given)


BAD = [
    None,
    5,
    "a trace",
    [record(1)],
    {},
    {"trace": "x"},
    {"trace": object(), "units": UNITS},
    {1: "x"},
    {"trace": "\ud800", "units": UNITS},
    {"trace": "x", "units": {"perception": [{}]}},
    {"trace": "x", "units": {"perception": UNITS["perception"] * 2}},
    {"trace": "x", "units": UNITS, "number": 2**70},
]


def test_bad_records_are_failures_in_their_places(judge):
    run = judge.score([record(1), *BAD, record(2)])
    assert run.scores.filter(pl.col("failure").is_null())["record_id"].to_list() == ["r1", "r2"]
    assert sorted(run.failures["line"].to_list()) == list(range(2, 2 + len(BAD)))
    assert all(run.failures["message"])


def test_order_is_kept_over_shuffled_delays(server, judge):
    server.latency_ms, server.latency_sigma = 20, 1.5
    run = judge.score(record(n) for n in range(60))
    assert ids(run) == [f"r{n}" for n in range(60)]
    assert run.scores["line"].to_list() == list(range(1, 61))


def test_inside_a_running_loop(judge):
    async def main():
        waited = await judge.ascore([record(1)])
        blocked = judge.score([record(2)])  # as a notebook does
        in_a_thread = await asyncio.to_thread(judge.score, [record(3)])
        return [*ids(waited), *ids(blocked), *ids(in_a_thread)]

    assert asyncio.run(main()) == ["r1", "r2", "r3"]


def test_a_running_loop_is_not_held_up(server, judge):
    server.latency_ms = 200

    async def main():
        ticks, scoring = 0, asyncio.ensure_future(judge.ascore([record(1)]))
        while not scoring.done():
            await asyncio.sleep(0.01)
            ticks += 1
        return ticks

    assert asyncio.run(main()) >= 5


def test_many_scores_at_once_in_one_loop(judge):
    async def main():
        return await asyncio.gather(*(judge.ascore([record(n)]) for n in range(20)))

    assert [ids(run) for run in asyncio.run(main())] == [[f"r{n}"] for n in range(20)]


def test_eight_threads_at_once(judge):
    with ThreadPoolExecutor(8) as threads:
        runs = list(threads.map(lambda n: judge.score([record(n, thread=i) for i in range(5)]), range(8)))
    assert [ids(run) for run in runs] == [[f"r{n}"] * 5 for n in range(8)]


def test_one_hundred_and_fifty_loops_in_a_row(judge):
    for n in range(150):
        assert ids(asyncio.run(judge.ascore([record(n)]))) == [f"r{n}"]


def in_a_fork(work):
    """Exit status of a forked child that does this and then ends as a program does."""
    return f"""
import os, sys
from judge import Judge
from tests.test_client import record, ids
judge = Judge("hosted_vllm/m", api_base=sys.argv[1])
judge.score([record(1)])
child = os.fork()
if not child:
    assert ids(judge.score([record(2), record(3)])) == ["r2", "r3"]
    {work}
    sys.exit(0)
assert os.waitpid(child, 0)[1] == 0
assert ids(judge.score([record(4)])) == ["r4"]
"""


@pytest.mark.parametrize("work", ["pass", "judge.close()", "del judge; import gc; gc.collect()"])
def test_after_a_fork_child_and_parent_score(server, work):
    """A child that cleaned up the parent's connection would take its sockets out of its loop, and it would hang."""
    command = [sys.executable, "-X", "dev", "-c", in_a_fork(work), server.api_base]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=30, check=False
    )
    quiet = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]  # of asyncio's debug mode
    assert (done.returncode, quiet) == (0, [])


def score_in_child(pickled, results):
    results.put(ids(pickled.score([record(5)])))


def test_a_pickled_judge_in_a_spawned_process(judge):
    judge.score([record(1)])  # what is open does not travel
    context = multiprocessing.get_context("spawn")
    results = context.Queue()
    child = context.Process(target=score_in_child, args=(judge, results))
    child.start()
    assert results.get(timeout=30) == ["r5"]
    child.join()
    assert child.exitcode == 0
    results.close()
    results.join_thread()


def test_a_copy_is_the_same_judge():
    judge = Judge("lexical", params={"top_p": 0.9}, samples=2, min_coverage=0.5)
    judge.score([record(1)])
    for copied in (pickle.loads(pickle.dumps(judge)), copy.deepcopy(judge)):
        assert copied._settings.identity == judge._settings.identity
        assert copied.score([record(1)]).scores.equals(judge.score([record(1)]).scores)


def test_a_bad_key_is_met_once_and_raised(monkeypatch):
    monkeypatch.setenv("HOSTED_VLLM_API_KEY", "wrong")
    with Server(api_key="right") as server, Judge("hosted_vllm/m", api_base=server.api_base) as judge:
        with pytest.raises(FatalError, match="401"):
            judge.score(record(n) for n in range(30))
        assert server.ledger.requests == 1


def test_a_provider_that_was_down_is_tried_again(server):
    server.always = 500
    with Judge("hosted_vllm/m", api_base=server.api_base, max_retries=0) as judge:
        with pytest.raises(FatalError, match="the provider is down"):
            judge.score(record(n) for n in range(30))
        server.always = None
        assert ids(judge.score([record(1)])) == ["r1"]


def test_a_fatal_error_in_one_thread_leaves_no_other_hanging(server):
    server.always = 401
    with Judge("hosted_vllm/m", api_base=server.api_base) as judge, ThreadPoolExecutor(8) as threads:
        scoring = [threads.submit(judge.score, [record(n)]) for n in range(8)]
        assert all(isinstance(score.exception(20), FatalError) for score in scoring)


def test_a_store_that_cannot_be_opened_is_an_error_of_its_own(server, tmp_path):
    (tmp_path / "file").write_text("")
    judge = Judge("hosted_vllm/m", api_base=server.api_base, cache=tmp_path / "file" / "store")
    for _ in range(2):
        with pytest.raises(Exception, match="Give another --cache DIR"):
            judge.score([record(1)])


def test_the_shared_store_is_used(server, tmp_path):
    for paid in (1, 1):
        with Judge("hosted_vllm/m", api_base=server.api_base, cache=tmp_path) as judge:
            judge.score([record(1)])
        assert server.ledger.requests == paid


@pytest.mark.parametrize(
    ("settings", "error"),
    [
        ({"judge": "nope"}, ConfigError),
        ({"judge": "hosted_vllm/m"}, ConfigError),
        ({"judge": "lexical", "samples": 0}, ConfigError),
        ({"judge": "lexical", "rubric": "nope"}, RubricError),
    ],
)
def test_what_cannot_work_is_refused_at_once(monkeypatch, settings, error):
    monkeypatch.delenv("HOSTED_VLLM_API_BASE", raising=False)
    with pytest.raises(error):
        Judge(**settings)


def test_settings_that_are_there_will_do(server, tmp_path):
    settings = Settings(judge="hosted_vllm/m", rubric=load_rubric("pkr"), api_base=server.api_base, samples=2)
    with Judge.of(settings, images=ImageRules(root=tmp_path)) as made:
        run = made.score([record(1), record(2, image="gone.png")])
    assert run.scores["samples"].to_list() == [2]
    assert run.failures["error"].to_list() == ["image_not_found"]
    with pytest.raises(ConfigError, match="no judge is called 'nobody'"):
        Judge.of(Settings(judge="nobody", rubric=load_rubric("pkr")))


def test_a_loaded_rubric_will_do():
    assert repr(Judge("lexical", rubric=load_rubric("pkr"))) == "Judge('lexical', rubric='pkr@1.0')"


def open_files():
    return sum(1 for _ in Path("/proc/self/fd").iterdir())


def settled(holds):
    """Whether something holds within a few seconds: sockets are closed in another thread."""
    end = time.monotonic() + 5
    while not holds() and time.monotonic() < end:
        time.sleep(0.02)
    return holds()


@pytest.mark.parametrize("name", ["hosted_vllm/m", "litellm/hosted_vllm/m"])
def test_a_thousand_scores_leave_no_files_and_no_threads(name, server):
    """The issue allows 8 open files more in total, with either HTTP backend."""
    with Judge(name, api_base=server.api_base) as judge:
        judge.score([record(0)])
        files, threads = open_files(), threading.active_count()
        for n in range(1_000):
            judge.score([record(n)])
        assert open_files() - files <= 8
        assert threading.active_count() - threads <= 8


@pytest.mark.parametrize("end", ["close", "throw away"])
def test_forty_judges_leave_no_files(server, end):
    def use():
        judge = Judge("hosted_vllm/m", api_base=server.api_base)
        judge.score([record(1)])
        if end == "close":
            judge.close()

    use()
    files = open_files()
    for _ in range(40):
        use()
    gc.collect()
    assert settled(lambda: open_files() - files <= 8)


def test_close_and_reopen(judge):
    judge.close()  # nothing is open yet
    judge.score([record(1)])
    judge.close()
    judge.close()
    assert ids(judge.score([record(2)])) == ["r2"]


def test_closing_lets_scores_under_way_finish(server, judge):
    server.latency_ms = 300
    with ThreadPoolExecutor(1) as threads:
        scoring = threads.submit(judge.score, [record(n) for n in range(3)])
        assert settled(lambda: judge._line._link is not None and judge._line._link.users == 1)
        judge.close()
        assert ids(scoring.result(10)) == ["r0", "r1", "r2"]


EXIT = """
import sys
from judge import Judge
from tests.test_client import record
judge = Judge("hosted_vllm/m", api_base=sys.argv[1])
print(judge.score([record(1)]).scores.height)
"""


@pytest.mark.parametrize("end", ["", "sys.exit(0)", "judge.close()", "del judge"])
@pytest.mark.parametrize("mode", [(), ("-X", "dev")])
def test_the_interpreter_exits_without_a_word(server, end, mode):
    command = [sys.executable, *mode, "-c", EXIT + end, server.api_base]
    done = subprocess.run(
        command, cwd=Path(__file__).parents[1], capture_output=True, text=True, timeout=30, check=False
    )
    quiet = [line for line in done.stderr.splitlines() if not line.startswith("Executing <")]
    assert (done.returncode, done.stdout, quiet) == (0, "1\n", [])


def test_an_interrupt_ends_a_score_and_the_judge_goes_on(server, judge):
    server.latency_ms = 2_000  # the first call, which all others wait for, is not taken back
    interrupt = lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # noqa: E731
    threading.Timer(0.3, interrupt).start()
    begun = time.monotonic()
    with pytest.raises(KeyboardInterrupt):
        judge.score(record(n) for n in range(50))
    assert time.monotonic() - begun < 1.5
    server.latency_ms = 0
    assert settled(lambda: judge._line._link.users == 0)
    assert ids(judge.score([record(99)])) == ["r99"]


def test_a_cancelled_ascore_is_cancelled_inside_too(server, judge):
    server.latency_ms = 5_000

    async def main():
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(judge.ascore([record(1)]), 0.2)

    asyncio.run(main())
    assert settled(lambda: judge._line._link.users == 0)


def test_a_judge_that_nobody_can_reach_is_a_fatal_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # bound, not listening: refused
        base = f"http://127.0.0.1:{taken.getsockname()[1]}/v1"
        with Judge("hosted_vllm/m", api_base=base, max_retries=0) as judge, pytest.raises(FatalError, match="is down"):
            judge.score(record(n) for n in range(5))


def test_scores_beside_ones_own_columns(judge):
    frame = pl.DataFrame({"id": ["r2", "none", "r1"], "mine": [1, 2, 3]})
    merged = judge.score([record(1), record(2), {"id": "none"}]).merge(frame)
    assert merged["mine"].to_list() == [1, 2, 3]
    assert merged["trace_score"].to_list() == [1.0, None, 1.0]
    assert merged.columns[:2] == ["id", "mine"]


def test_merge_meets_on_the_model_too_where_ids_repeat(judge):
    records = [record(1, model="a"), record(1, model="b", trace="I see a chest film.")]
    run = judge.score(records)
    frame = pl.DataFrame({"key": ["r1", "r1"], "model": ["b", "a"]})
    assert run.merge(frame, left_on="key")["perception_score"].to_list() == [0.0, 1.0]
    with pytest.raises(ConfigError, match="cannot be matched to rows"):
        run.merge(frame.select("key"), left_on="key")


def test_what_is_open_belongs_to_its_loop():
    async def make():
        return Link(Judge("lexical")._settings)

    async def ours(link):
        return link.ours

    from judge import loop

    link = loop.run(make())
    assert loop.run(ours(link))
    assert not asyncio.run(ours(link))
    loop.run(link.close())
