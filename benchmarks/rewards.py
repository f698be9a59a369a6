"""Rewards of whole batches: a call that hangs, places that must not be mixed up, and what is asked once.

    python benchmarks/rewards.py [hung places equal speed]

hung     512 completions of which one call never returns, rounds of five: over the deadline of the batch, in seconds
places   10,000 shuffled batches of 16 of `lexical`, half of them at once: rewards at a wrong place
equal    64 equal completions: calls
speed    512 completions, and the same again from the store: seconds
"""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from statistics import median
from typing import Any

from judge import Judge
from judge.rewards.rewarder import Rewarder

BATCH = 512
DEADLINE_S = 5.0
BATCHES = 10_000
AT_ONCE = 8
UNITS = {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]}
WORDS = ["axis", "bone", "cyst", "disc", "edge", "film", "graft", "hilum", "iris", "joint"]
HANGS = "It hangs."


def row(trace: str, units: dict[str, Any] = UNITS) -> dict[str, Any]:
    return {"question": "What does the film show?", "units": units, "trace": trace}


@contextmanager
def serving(*options: str) -> Iterator[str]:
    """The scripted judge in a process of its own; gives its address."""
    command = [sys.executable, "-m", "judge.testing", "--stop-on-eof", *options]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as server:
        assert server.stdout is not None
        yield server.stdout.readline().strip()
        server.communicate()


def hung() -> None:
    over, failed = [], []
    with serving("--always", "black_hole", "--only", HANGS) as base:
        rewarder = Rewarder(Judge("hosted_vllm/m", api_base=base), deadline_s=DEADLINE_S)
        for number in range(5):
            rows = [row(f"Film {number}.{n}: a fracture in the left wrist.") for n in range(BATCH)]
            rows[200] = row(f"{HANGS} {number}")
            begun = time.perf_counter()
            batch = rewarder.rewards(rows)
            over.append(time.perf_counter() - begun - DEADLINE_S)
            failed.append([reward.why for reward in batch.rewards if reward.value is None])
    print(f"hung: {BATCH - 1} scores and {failed[0]} in each of 5: {failed == [['timeout']] * 5}")
    print(f"      over the deadline of {DEADLINE_S:g} s: median {median(over):.3f} s, most {max(over):.3f} s (aim 0.5)")


def places() -> None:
    units = {"perception": [{"unit_id": f"P{n}", "claim": f"{word} {word}x"} for n, word in enumerate(WORDS)]}
    texts = [". ".join(f"{word} {word}x" for word in WORDS[:count]) or "Nothing." for count in range(11)]
    rewarder, dice = Rewarder(Judge("lexical")), random.Random(0)
    expected = dict(zip(texts, rewarder.rewards([row(text, units) for text in texts]).values, strict=True))
    assert len(set(expected.values())) == len(texts)

    async def shuffled(count: int) -> int:
        wrong = 0
        for _ in range(count):
            batch = [*texts, *dice.choices(texts, k=5)]
            dice.shuffle(batch)
            found = (await rewarder.arewards([row(text, units) for text in batch])).values
            wrong += sum(value != expected[text] for value, text in zip(found, batch, strict=True))
        return wrong

    async def at_once() -> int:
        return sum(await asyncio.gather(*(shuffled(BATCHES // 2 // AT_ONCE) for _ in range(AT_ONCE))))

    begun = time.perf_counter()
    wrong = asyncio.run(shuffled(BATCHES // 2)) + asyncio.run(at_once())
    print(f"places: {BATCHES:,} batches of 16, {wrong} rewards at a wrong place; {time.perf_counter() - begun:.0f} s")


def equal() -> None:
    import json
    import urllib.request

    with serving() as base:
        rows = [row("A fracture in the left wrist.") | {"request_id": str(n)} for n in range(64)]
        values = Rewarder(Judge("hosted_vllm/m", api_base=base)).rewards(rows).values
        with urllib.request.urlopen(base.removesuffix("/v1") + "/ledger") as ledger:
            told = json.loads(ledger.read())
    print(f"equal: 64 equal completions, {told['requests']} call; rewards {set(values)}")


def speed() -> None:
    rows = [row(f"Film {n}: a fracture in the left wrist.") for n in range(BATCH)]
    with tempfile.TemporaryDirectory() as store, serving() as base:
        judge = Judge("hosted_vllm/m", api_base=base, cache=store)
        rewarder = Rewarder(judge)
        rewarder.rewards(rows[:1])
        asked = seconds(lambda: rewarder.rewards(rows))
        again = [seconds(lambda: rewarder.rewards(rows)) for _ in range(5)]
        judge.close()
    print(f"speed: {BATCH} completions {asked:.2f} s; again from the store {median(again):.3f} s")


def seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun


PARTS = {"hung": hung, "places": places, "equal": equal, "speed": speed}

if __name__ == "__main__":
    for name in sys.argv[1:] or PARTS:
        PARTS[name]()
