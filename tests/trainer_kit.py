"""What the tests of trainers' adapters share: a data set, the file that JUDGE_REWARD names, and ways to call."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

from judge.testing.scripts import obedient

CLAIM = "The fracture is in the left wrist."
UNITS = {"perception": [{"unit_id": "P1", "claim": CLAIM}]}
RIGHT = "I see a fracture in the left wrist."
QUESTION = "Where is the fracture?"
PROMPT = f"<|im_start|>user\n{QUESTION}<|im_end|>\n<|im_start|>assistant\n"
DOWN = {"max_retries": 0, "timeout_s": 5}
"""Options of a judge that gives up at once: `server.always = 500` makes every judgement fail then."""


def named(monkeypatch, folder, **options):
    """Let JUDGE_REWARD name a file with these options; its path."""
    path = folder / "reward.yaml"
    path.write_text(json.dumps({"judge": "lexical", **options}))  # JSON is YAML
    monkeypatch.setenv("JUDGE_REWARD", str(path))
    return path


def asked_of(server, **options):
    """Options of a judge that asks this server."""
    return {"judge": "hosted_vllm/m", "api_base": server.api_base, **options}


def in_threads(call, *, threads=8):
    """What threads without a loop get, each from the same call."""
    with ThreadPoolExecutor(threads) as pool:
        return list(pool.map(lambda _: call(), range(threads)))


def in_loops(call, *, times=3):
    """What a coroutine function gives in a new event loop each time, as ms-swift calls it, and in one of a thread."""
    found = [asyncio.run(call()) for _ in range(times)]
    thread = threading.Thread(target=lambda: found.append(asyncio.run(call())))
    thread.start()
    thread.join()
    return found


def noting(asks):
    """A script of a server that keeps what it is asked."""

    def script(ask):
        asks.append(ask)
        return obedient(ask)

    return script


async def _together(call, times):
    return await asyncio.gather(*(call() for _ in range(times)))


def in_one_loop(call, *, times=8):
    """What a coroutine function gives to callers of one running loop, all at once."""
    return asyncio.run(_together(call, times))
