import asyncio
import os
import signal
import subprocess
import sys
import threading
import time

import pytest

from judge import loop


async def where():
    return threading.current_thread().name, asyncio.get_running_loop()


def test_one_loop_in_one_daemon_thread():
    first, second = loop.run(where()), loop.submit(where()).result()
    assert first == second
    assert first[0] == "judge-loop"
    assert [thread.daemon for thread in threading.enumerate() if thread.name == "judge-loop"] == [True]


def test_results_and_errors_come_back():
    async def fail():
        raise KeyError("x")

    with pytest.raises(KeyError):
        loop.run(fail())


def test_waiting_for_itself_is_refused():
    async def inside():
        loop.run(where())

    with pytest.raises(RuntimeError, match="await the async twin"):
        loop.run(inside())


def test_an_interrupt_cancels():
    import polars as pl  # noqa: F401 - its own handler of SIGINT makes a wait without end deaf

    interrupt = lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)  # noqa: E731
    cancelled = threading.Event()

    async def long():
        try:
            threading.Timer(0.1, interrupt).start()
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            cancelled.set()
            raise

    with pytest.raises(KeyboardInterrupt):
        loop.run(long())
    assert cancelled.wait(5)


def test_many_threads_start_one_loop():
    code = """
import asyncio, threading
from judge import loop
async def me(): return id(asyncio.get_running_loop())
found, gate = [], threading.Barrier(8)
def work(): gate.wait(); found.append(loop.run(me()))
threads = [threading.Thread(target=work) for _ in range(8)]
[t.start() for t in threads]; [t.join() for t in threads]
assert len(found) == 8 and len(set(found)) == 1, found
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=30)


async def hold_until_cancelled(ended):
    async def wait():
        try:
            await asyncio.Event().wait()
        finally:
            ended.set()

    return loop.hold(wait())


def test_a_held_task_lives_until_it_is_released():
    ended = threading.Event()
    task = loop.run(hold_until_cancelled(ended))
    time.sleep(0.05)
    assert not ended.is_set()
    loop.release(task)
    assert ended.wait(5)
    loop.release(task)  # again is no error


def test_a_child_has_a_loop_of_its_own_and_leaves_the_parents_alone():
    ended = threading.Event()
    task = loop.run(hold_until_cancelled(ended))
    parents = loop.run(where())[1]
    if not (child := os.fork()):
        try:
            loop.release(task)
            os._exit(0 if loop.run(where())[1] is not parents else 1)
        finally:
            os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    assert loop.run(where())[1] is parents
    assert not ended.wait(0.1)
    loop.release(task)


def test_a_fork_while_the_lock_is_held_does_not_hang():
    with loop._starting:
        if not (child := os.fork()):
            try:
                loop.run(where())
                os._exit(0)
            finally:
                os._exit(2)
    assert os.waitpid(child, 0)[1] == 0


EXIT = """
import asyncio, sys
from judge import loop
async def held():
    try:
        await asyncio.Event().wait()
    finally:
        await asyncio.sleep(0)
        print("closed")
async def start(): loop.hold(held())
loop.run(start())
"""


@pytest.mark.parametrize(
    "end", ["", "sys.exit(0)", "import os, threading; threading.Thread(target=loop.run, args=(start(),)).start()"]
)
def test_what_is_held_ends_at_the_exit_without_a_word(end):
    done = subprocess.run(
        [sys.executable, "-X", "dev", "-c", EXIT + end], capture_output=True, text=True, timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert set(done.stdout.split()) == {"closed"}


def test_what_will_not_end_does_not_keep_the_interpreter():
    stubborn = """
import asyncio
from judge import loop
loop._END_S = 0.2
async def held():
    while True:
        try: await asyncio.sleep(30)
        except asyncio.CancelledError: pass
async def start(): loop.hold(held()); await asyncio.sleep(0)
loop.run(start())
"""
    begun = time.monotonic()
    subprocess.run([sys.executable, "-c", stubborn], timeout=30, check=True)
    assert time.monotonic() - begun < 10
