"""How fast a real vLLM judges: probes against JSON, record order against shuffled, here and at a server, one or all.

Run it with the environment of `make test-vllm` (or with one that has a GPU, and a model of your own):

    .venv-vllm/bin/python benchmarks/vllm.py
    python benchmarks/vllm.py --model Qwen/Qwen3-8B --records 500

Without `--model` it makes a model of 15 million random weights, which writes nonsense at the speed of its size.
"""

from __future__ import annotations

import argparse
import asyncio
import random
import sys
import tempfile
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

HERE = Path(__file__).resolve().parent
# This file has the name of what it measures: where it stands must not be looked through for `vllm`.
sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != HERE]
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "tests" / "vllm")]

from make_models import make_text_model  # noqa: E402
from run_kit import RUBRIC  # noqa: E402
from vllm_kit import NAME, SMALL, ask_server, bounded, probe, serving, set_environment  # noqa: E402

from judge.backend import Reply  # noqa: E402
from judge.backends.messages import chat_messages  # noqa: E402
from judge.backends.reply_form import schema_for  # noqa: E402
from judge.backends.vllm_engine import VLLMEngine  # noqa: E402
from judge.backends.vllm_setup import import_vllm  # noqa: E402
from judge.probe import build_probes  # noqa: E402
from judge.prompt import JudgeModel, Prompt, Request  # noqa: E402
from judge.record import build_record  # noqa: E402

UNITS = 6
STRING = 200
"""Characters of a quote and of a reason, at most."""
_WORDS = (
    "the",
    "left",
    "right",
    "scan",
    "shows",
    "no",
    "fluid",
    "lesion",
    "lower",
    "upper",
    "lobe",
    "with",
    "contrast",
)


@dataclass(frozen=True, kw_only=True)
class Measured:
    """Units a second, the share of the prompt that was read before, and the tokens written a unit."""

    units_per_s: float
    cached: float
    written: float


def main() -> None:
    given = _arguments()
    set_environment()
    with tempfile.TemporaryDirectory() as folder:
        model = given.model or _make_model(Path(folder) / "model")
        engine_args = {"max_model_len": 4096, "block_size": 32}
        if given.model is None:
            engine_args |= {"enforce_eager": True, "kv_cache_memory_bytes": 1 << 30, "max_num_seqs": 64}
        print(f"model {given.model or '15 M random weights'}, {given.records} records of {UNITS} units\n")
        probes, texts = asyncio.run(_probes_and_texts(model, engine_args, given.records))
        _show("one-token probes", probes)
        _show(f"JSON, a unit a call, strings to {STRING}", texts)
        print(f"{'probes / JSON':44}{probes.units_per_s / texts.units_per_s:8.1f} ×\n")
        _cache_order(model, engine_args, given)
        asyncio.run(_engine_and_batch(model, engine_args, given))
        if given.model is None:
            _here_and_there(Path(folder))


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", help="Path or name; 15 million random weights where none is given.")
    parser.add_argument("--records", type=int, default=20)
    parser.add_argument("--rounds", type=int, default=5, help="Of the engine against vLLM's batch API.")
    parser.add_argument("--kv-bytes", type=int, default=32 << 20, help="A cache too small for all prefixes.")
    return parser.parse_args()


def _make_model(folder: Path) -> str:
    make_text_model(folder, hidden=512, layers=6, heads=8)
    return str(folder)


async def _probes_and_texts(model: str, engine_args: dict[str, Any], records: int) -> tuple[Measured, Measured]:
    engine = VLLMEngine(model, engine_args)
    try:
        await engine.complete(probe(_requests(1, seed=1)[0]))  # what a first request compiles is not measured
        probes = await _measure(engine, [probe(request) for request in _requests(records, seed=2)])
        texts = await _measure(engine, [bounded(request, most=STRING) for request in _requests(records, seed=3)])
        return probes, texts
    finally:
        await engine.aclose()


def _cache_order(model: str, engine_args: dict[str, Any], given: argparse.Namespace) -> None:
    small = {**engine_args, "kv_cache_memory_bytes": given.kv_bytes, "max_num_seqs": 4}
    ordered, shuffled = asyncio.run(_both_orders(model, small, given.records))
    print(f"a cache of {given.kv_bytes >> 20} MiB")
    _show("probes in record order", ordered)
    _show("the same, shuffled", shuffled)
    print(f"{'ordered / shuffled, cached tokens':44}{ordered.cached / max(shuffled.cached, 1e-9):8.1f} ×")
    print(f"{'ordered / shuffled, units a second':44}{ordered.units_per_s / shuffled.units_per_s:8.1f} ×\n")


async def _both_orders(model: str, engine_args: dict[str, Any], records: int) -> tuple[Measured, Measured]:
    engine = VLLMEngine(model, engine_args)
    try:
        await engine.complete(probe(_requests(1, seed=1)[0]))
        ordered = await _measure(engine, [probe(request) for request in _requests(records, seed=4)])
        mixed = [probe(request) for request in _requests(records, seed=5)]
        random.Random(0).shuffle(mixed)
        return ordered, await _measure(engine, mixed)
    finally:
        await engine.aclose()


async def _engine_and_batch(model: str, engine_args: dict[str, Any], given: argparse.Namespace) -> None:
    """The engine that takes requests as they come, and vLLM's batch API, which is given all of them; in turns."""
    engine, batch = VLLMEngine(model, engine_args), Batch(model, engine_args)
    ratios: dict[str, list[float]] = {"one-token probes": [], "JSON": []}
    try:
        for number in range(-1, given.rounds):  # the first is not counted: it compiles
            for what, taken in ratios.items():
                one, all_ = (_asked(what, given.records, seed=f"{who}-{what}-{number}") for who in ("one", "all"))
                speeds = [(await _measure(engine, one)).units_per_s, batch.units_per_s(all_)]
                if number >= 0:
                    print(f"{what:44}{speeds[0]:8.1f} units/s, batch API {speeds[1]:8.1f}", flush=True)
                    taken.append(speeds[0] / speeds[1])
    finally:
        await engine.aclose()
    for what, taken in ratios.items():
        print(f"{f'engine / batch API, {what}, median':44}{median(taken):8.2f} ×")
    print()


class Batch:
    """vLLM's `LLM.chat`, set up as the engine is."""

    def __init__(self, model: str, engine_args: dict[str, Any]) -> None:
        structured = {"backend": "xgrammar", "disable_any_whitespace": True}
        self._llm: Any = import_vllm().LLM(
            model,
            enable_prefix_caching=True,
            generation_config="vllm",
            structured_outputs_config=structured,
            **engine_args,
        )

    def units_per_s(self, requests: Sequence[Request]) -> float:
        """Units a second of a call with all of these."""
        began = time.perf_counter()
        sampling = [self._sampling(request) for request in requests]
        self._llm.chat([chat_messages(request) for request in requests], sampling, use_tqdm=False)
        return len(requests) / (time.perf_counter() - began)

    def _sampling(self, request: Request) -> Any:
        vllm = import_vllm("vllm.sampling_params")
        if request.labels:
            choice = vllm.StructuredOutputsParams(choice=list(request.labels))
            return vllm.SamplingParams(temperature=0, max_tokens=1, logprobs=20, structured_outputs=choice)
        form = vllm.StructuredOutputsParams(json=schema_for(request, bounds=True))
        return vllm.SamplingParams(**request.params, structured_outputs=form)


def _asked(what: str, records: int, *, seed: str) -> list[Request]:
    requests = _requests(records, seed=seed)
    return [bounded(request, most=STRING) if what == "JSON" else probe(request) for request in requests]


def _here_and_there(folder: Path) -> None:
    """Alone in its batch, a request is computed the same way in both: equal texts, not only equal on average."""
    tiny = folder / "tiny"
    make_text_model(tiny)
    requests = [bounded(request) for request in _requests(4, seed=6)]
    with serving(tiny, folder / "log") as api_base:
        there = asyncio.run(ask_server(api_base, *requests))
    here = asyncio.run(_one_by_one(str(tiny), requests))
    same = sum(one.text == other.text for one, other in zip(here, there, strict=True))
    print(f"{f'replies of {NAME} that are equal here and there':44}{same:5} of {len(requests)}")


async def _one_by_one(model: str, requests: Sequence[Request]) -> list[Reply]:
    engine = VLLMEngine(model, SMALL)
    try:
        return [await engine.complete(request) for request in requests]
    finally:
        await engine.aclose()


async def _measure(engine: VLLMEngine, requests: Sequence[Request]) -> Measured:
    """All at once, as the engine queues them: first come, first served."""
    began = time.perf_counter()
    replies = await asyncio.gather(*map(engine.complete, requests))
    took = time.perf_counter() - began
    cached, prompt = (
        sum(getattr(reply, name) or 0 for reply in replies) for name in ("cached_tokens", "prompt_tokens")
    )
    written = sum(reply.completion_tokens or 0 for reply in replies) / len(replies)
    return Measured(units_per_s=len(requests) / took, cached=cached / prompt, written=written)


def _requests(records: int, *, seed: int | str) -> list[Request]:
    """A call a unit, record after record, each record with a prompt like no other's."""
    prompt, judge = (
        Prompt(RUBRIC),
        JudgeModel(name="vllm/any", params={"temperature": 0, "max_tokens": 512}),
    )
    made = [build_record(_record(f"{seed}-{number}"), number=number + 1) for number in range(records)]
    groups = [build_probes(record, RUBRIC, "unit") for record in made]
    return [request for group in groups for request in prompt.build_requests(group, judge)]


def _record(name: str) -> dict[str, Any]:
    dice = random.Random(name)

    def words(count: int) -> str:
        return " ".join(dice.choice(_WORDS) for _ in range(count))

    units = [{"unit_id": f"U{place}", "claim": words(8)} for place in range(UNITS)]
    return {
        "id": name,
        "question": words(20),
        "reference": {"answer": "A", "reasoning": words(60)},
        "units": {"perception": units},
        "trace": f"Case {name}. {words(250)} <answer>A</answer>",
    }


def _show(what: str, measured: Measured) -> None:
    told = f"{measured.cached:4.0%} of the prompt from the cache, {measured.written:.0f} tokens written a unit"
    print(f"{what:44}{measured.units_per_s:8.1f} units/s   {told}")


if __name__ == "__main__":
    main()
