"""`judge doctor --judge NAME`: whether this one judge can be asked, and with `--ask` what it answers."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace

import orjson
from pydantic import JsonValue

from judge.backend import Reply
from judge.backends.litellm_setup import missing_keys
from judge.backends.server import find_server
from judge.backends.vllm_engine import VLLMEngine
from judge.backends.vllm_setup import find_vllm
from judge.calls.deadline import Deadline
from judge.cli.diagnosis import Check
from judge.cli.served import list_models, some
from judge.connect import open_backend
from judge.errors import ConfigError, JudgeError
from judge.judge_name import SERVERS, litellm_model
from judge.probe import build_probes
from judge.prompt import Request
from judge.record import build_record
from judge.rubric import load_rubric
from judge.settings import Settings
from judge.strict_json import StrictJsonError, parse_json
from judge.usable import find_sight, refuse_unusable

__all__ = ["ask_once", "check_judge"]

_PATIENCE_S = 120.0
_RECORD = {
    "question": "What does the X-ray show?",
    "trace": "I see a fracture in the left wrist.",
    "units": {"perception": [{"unit_id": "P1", "claim": "The fracture is in the left wrist."}]},
}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Answered:
    reply: Reply
    notes: list[str]
    request: Request


def check_judge(name: str, api_base: str | None, *, to_be_asked: bool = False) -> Iterator[Check]:
    """Look at one judge; asks nothing that costs.

    Args:
        name: As `--judge` has it.
        api_base: As `--api-base` has it.
        to_be_asked: `ask_once` comes next, and tells more than a list of models: not every server has one.
    """
    try:
        settings = _settings(name, api_base)
        refuse_unusable(settings)
    except JudgeError as exc:
        yield Check(name="judge", fine=False, found=exc.message, fix=exc.hint)
        return
    yield _of(settings, to_be_asked=to_be_asked)
    yield _images(settings)


def _of(settings: Settings, *, to_be_asked: bool) -> Check:
    provider, _, model = settings.judge.partition("/")
    if settings.free:
        return Check(name="judge", fine=True, found=f"{settings.judge}, the embedded baseline; needs nothing")
    if provider in SERVERS:
        return replace(_served(settings, provider, model), needed=not to_be_asked)
    if settings.engine_model is not None:
        found = f"{settings.judge} runs in this process, with {' '.join(find_vllm() or ())}"
        return Check(name="judge", fine=True, found=found)
    if settings.plugin is not None:
        return Check(name="judge", fine=True, found=f"{settings.judge}, of {settings.plugin.source}")
    return _of_litellm(settings)


def _served(settings: Settings, provider: str, model: str) -> Check:
    server = find_server(settings.judge, settings.api_base)
    try:
        models = list_models(server, variable=f"{provider.upper()}_API_KEY")
    except ConfigError as exc:
        return Check(name="judge", fine=False, found=exc.message, fix=exc.hint)
    if model in models:
        return Check(name="judge", fine=True, found=f"{server.api_base} serves {model}")
    found = f"{server.api_base} does not serve {model!r}; it serves {some(models)}"
    return Check(name="judge", fine=False, found=found, fix=f"--judge {provider}/{models[0]}")


def _of_litellm(settings: Settings) -> Check:
    named = litellm_model(settings.judge) or settings.judge
    if missing := missing_keys(named, api_base=settings.api_base):
        fix = f"set {' and '.join(missing)}"
        return Check(name="judge", fine=False, found=f"litellm finds no key for {settings.judge}", fix=fix)
    return Check(name="judge", fine=True, found=f"{settings.judge}, asked through litellm")


def _images(settings: Settings) -> Check:
    """Not by showing it one: what is known of it decides whether a run sends images at all."""
    sight = find_sight(settings)
    word = {True: "sees them", False: "reads texts only", None: "not known"}[sight.sees]
    return Check(name="images", fine=sight.sees or None, found=f"{word}: {sight.why}")


def ask_once(name: str, api_base: str | None) -> tuple[list[Check], dict[str, JsonValue] | None]:
    """Send one small judgement, which may cost, and say what came of it.

    Returns:
        The checks, and the facts: `seconds`, `model`, `structured`, `prompt_tokens`, `completion_tokens`, `cost_usd`,
        and `sees_images`, null where that is not known; None where there was no answer.
    """
    try:
        settings = _settings(name, api_base)
        if settings.free:
            return [Check(name="answer", fine=True, found="computed here, at no cost")], None
        answered = asyncio.run(_ask(settings))
    except JudgeError as exc:
        return [Check(name="answer", fine=False, found=exc.message, fix=exc.hint)], None
    reply, structured = answered.reply, not answered.notes and _fits(answered.reply.text, answered.request.schema)
    price = "its price is not known" if reply.cost_usd is None else f"it cost ${reply.cost_usd:.6f}"
    checks = [
        Check(name="answer", fine=True, found=f"in {reply.latency_s:.2f} s from {reply.model or name}; {price}"),
        _structure(answered, structured=structured),
        _tokens(reply),
    ]
    return checks, {
        "seconds": round(reply.latency_s, 3),
        "model": reply.model,
        "structured": structured,
        "prompt_tokens": reply.prompt_tokens,
        "completion_tokens": reply.completion_tokens,
        "cost_usd": reply.cost_usd,
        "sees_images": find_sight(settings).sees,
    }


async def _ask(settings: Settings) -> _Answered:
    record = build_record(_RECORD, number=1)
    groups = build_probes(record, settings.rubric, "axis")
    (request,) = settings.prompt.build_requests(groups, settings.model)
    async with AsyncExitStack() as stack:
        backend = await open_backend(settings, stack)
        if isinstance(backend, VLLMEngine):
            await backend.ready()  # no part of the answer's time
        before = list(backend.notes)
        reply = await Deadline(backend, timeout_s=_PATIENCE_S).complete(request)
        return _Answered(reply=reply, notes=backend.notes[len(before) :], request=request)


def _settings(name: str, api_base: str | None) -> Settings:
    return Settings(judge=name, rubric=load_rubric("pkr"), api_base=api_base)


def _structure(answered: _Answered, *, structured: bool) -> Check:
    if structured:
        return Check(name="structured output", fine=True, found="honoured: the reply is JSON of the form asked for")
    why = " ".join(answered.notes) or f"the reply is not of the form asked for: {answered.reply.text[:80]!r}."
    fix = "judge reads such replies where it can, and asks again where it cannot"
    return Check(name="structured output", fine=None, found=why.rstrip("."), fix=fix)


def _tokens(reply: Reply) -> Check:
    if reply.prompt_tokens is None or reply.completion_tokens is None:
        return Check(name="tokens", fine=None, found="not counted by the server: their number and price stay unknown")
    return Check(name="tokens", fine=True, found=f"{reply.prompt_tokens} + {reply.completion_tokens} counted")


def _fits(text: str, schema: str) -> bool:
    """Whether a text is bare JSON with the keys of a reply schema, without what a lenient reader would forgive."""
    try:
        value = parse_json(text)
    except StrictJsonError:
        return False
    wanted = orjson.loads(schema)["properties"]
    return _keys(value) == set(wanted) and all(_keys(value[name]) == set(wanted[name]["properties"]) for name in wanted)


def _keys(value: object) -> set[str] | None:
    return set(value) if isinstance(value, dict) else None
