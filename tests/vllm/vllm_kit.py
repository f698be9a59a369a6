"""What the tests against a real vLLM share: models, a server of our own, an engine in this process."""

from __future__ import annotations

import asyncio
import json
import os
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from collections.abc import Coroutine, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

from msgspec.structs import replace
from run_kit import make_request

from judge.backend import Reply
from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import find_server
from judge.backends.session import open_session
from judge.backends.vllm_engine import VLLMEngine
from judge.prompt import Request

T = TypeVar("T")
NAME = "tiny"
CONTEXT = 4096
SMALL: dict[str, Any] = {
    "enforce_eager": True,
    "kv_cache_memory_bytes": 256 << 20,
    "max_model_len": CONTEXT,
    "max_num_seqs": 1,  # alone, a request is computed the same way wherever it is asked
    "block_size": 32,
}
"""Arguments of engine and server, so that both start fast, and answer alike."""
PARAMS: dict[str, Any] = {"temperature": 0, "max_tokens": 400}
_ENVIRONMENT = {
    "TORCH_COMPILE_DISABLE": "1",  # else the first request compiles for half a minute
    "HF_HUB_OFFLINE": "1",
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",
    "OMP_NUM_THREADS": "1",
}
_PATIENCE_S = 300.0
_END_S = 30.0


def set_environment() -> None:
    os.environ.update(_ENVIRONMENT)


def make_model(kind: str, folder: Path) -> Path:
    script = Path(__file__).with_name("make_models.py")
    done = subprocess.run([sys.executable, script, kind, folder], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return folder


@contextmanager
def serving(model: Path, log: Path, **engine_args: Any) -> Iterator[str]:
    """The real server of vLLM on loopback, until the block ends; gives its address."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    told = {**SMALL, "structured_outputs_config": '{"backend":"xgrammar","disable_any_whitespace":true}', **engine_args}
    command = [sys.executable, "-m", "vllm.entrypoints.openai.api_server", "--model", model]
    command += ["--served-model-name", NAME, "--host", "127.0.0.1", "--port", port, "--generation-config", "vllm"]
    command += ["--enable-prompt-tokens-details"]
    for name, value in told.items():
        flag = f"--{name.replace('_', '-')}"
        command += [flag] if value is True else [flag, value]
    with log.open("wb") as output:
        streams = {"stdin": subprocess.DEVNULL, "stdout": output, "stderr": subprocess.STDOUT}
        process = subprocess.Popen(list(map(str, command)), **streams)
        try:
            _wait_for(f"http://127.0.0.1:{port}/health", process, log)
            yield f"http://127.0.0.1:{port}/v1"
        finally:
            process.terminate()
            try:
                process.wait(_END_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def _wait_for(address: str, process: subprocess.Popen[bytes], log: Path) -> None:
    until = time.monotonic() + _PATIENCE_S
    while time.monotonic() < until:
        assert process.poll() is None, log.read_text()[-4000:]
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.5)
    raise AssertionError(f"no server after {_PATIENCE_S} s: {log.read_text()[-4000:]}")


class Loop:
    """An event loop in a thread: an engine belongs to one, and outlives the test that needs it first."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return asyncio.run_coroutine_threadsafe(work, self._loop).result(_PATIENCE_S)

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()


@contextmanager
def engine_here(model: Path, **engine_args: Any) -> Iterator[tuple[Loop, VLLMEngine]]:
    """An engine in this process, and the loop that it belongs to."""
    loop, engine = Loop(), VLLMEngine(str(model), {**SMALL, **engine_args})
    try:
        loop.run(engine.ready())
        yield loop, engine
    finally:
        loop.run(engine.aclose())
        loop.close()


def short_request(number: int = 1, **params: Any) -> Request:
    """A request that a random model can answer."""
    return bounded(make_request(number, params={**PARAMS, **params}))


def too_long_request() -> Request:
    short = short_request()
    return replace(short, shared=f"{'so long a word ' * CONTEXT}{short.shared}")


def bounded(request: Request, *, most: int = 40) -> Request:
    """The same request with short strings: a random model knows no end."""
    return replace(request, schema=json.dumps(_bound(json.loads(request.schema), most)))


def _bound(schema: Any, most: int) -> Any:
    if isinstance(schema, list):
        return [_bound(each, most) for each in schema]
    if not isinstance(schema, dict):
        return schema
    limit = {"maxLength": most} if schema.get("type") == "string" else {}
    return {**{name: _bound(each, most) for name, each in schema.items()}, **limit}


def probe(request: Request, labels: tuple[str, ...] = ("0", "1", "2")) -> Request:
    """A one-token probe over the same prompt."""
    return replace(request, labels=labels, schema="")


def check_form(text: str, request: Request) -> None:
    """A reply is one JSON object with the keys and the values of its schema."""
    # Not strict: to a string with a maxLength, xgrammar lets a bare tab and other control characters through.
    schema, value = json.loads(request.schema), json.loads(text, strict=False)
    assert list(value) == list(schema["properties"])
    for name, unit in schema["properties"].items():
        assert list(value[name]) == list(unit["properties"])
        assert isinstance(value[name]["reason"], str)
        assert value[name]["presence"] in (0, 1, 2)
        assert value[name]["correctness"] in (None, -1, 0, 1)


async def ask_server(api_base: str, *requests: Request) -> list[Reply]:
    """What the direct client gets, one request after the other."""
    server = find_server(f"hosted_vllm/{NAME}", api_base)
    async with open_session(server) as session:
        client = OpenAICompatible(server, session)
        return [await client.complete(request) for request in requests]
