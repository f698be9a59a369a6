"""Which judges can be used here: the checks of a plain `judge doctor`."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterator

from judge.backends.plugged import load_factory
from judge.backends.server import find_server
from judge.cli.diagnosis import Check
from judge.cli.extras import check_extra, check_vllm, check_zstandard
from judge.cli.machine import check_machine
from judge.cli.served import list_models, some
from judge.errors import ConfigError
from judge.judge_name import BASELINE, OURS
from judge.plugin import Plugin, find_plugin, list_plugins
from judge.rubric import load_rubric
from judge.settings import package_version

__all__ = ["check_all"]

_KEYS = {
    "OPENAI_API_KEY": "openai",
    "HOSTED_VLLM_API_KEY": "hosted_vllm",
    "ANTHROPIC_API_KEY": "anthropic",
    "GEMINI_API_KEY": "gemini",
    "MISTRAL_API_KEY": "mistral",
    "GROQ_API_KEY": "groq",
    "DEEPSEEK_API_KEY": "deepseek",
    "TOGETHERAI_API_KEY": "together_ai",
    "OPENROUTER_API_KEY": "openrouter",
    "XAI_API_KEY": "xai",
    "AZURE_API_KEY": "azure",
    "AWS_ACCESS_KEY_ID": "bedrock",
    "HF_TOKEN": "huggingface",
}


def check_all(api_base: str | None) -> Iterator[Check]:
    """Look at everything; asks nothing that costs.

    Args:
        api_base: Of a server that is asked for its models; that of the environment where none is given.
    """
    api_base = api_base or os.environ.get("HOSTED_VLLM_API_BASE")
    yield Check(name="judge", fine=True, found=f"{package_version()} on Python {platform.python_version()}")
    rubric = load_rubric("pkr")
    yield Check(name="rubric pkr", fine=True, found=f"{rubric.name}@{rubric.version}, axes {', '.join(rubric.axes)}")
    yield Check(name=BASELINE, fine=True, found="embedded baseline; needs nothing")
    yield _openai()
    yield _server(api_base)
    given = "a key is read from the provider's own variable"
    yield check_extra("remote", name="PROVIDER/MODEL", gives=given)
    yield from map(_plugin, list_plugins())
    yield _keys()
    yield check_vllm()
    yield check_extra("serve", name="extra serve", gives="judge label and judge serve can run here")
    yield check_zstandard()
    yield from check_machine(api_base)


def _openai() -> Check:
    if os.environ.get("OPENAI_API_KEY"):
        return Check(name="openai/MODEL", fine=True, found="OPENAI_API_KEY is set; not tried, as that may cost")
    return Check(name="openai/MODEL", fine=None, found="set OPENAI_API_KEY to use it")


def _server(base: str | None) -> Check:
    name = "hosted_vllm/MODEL"
    if not base:
        fix = "start a server (vllm serve MODEL), then: judge doctor --api-base http://127.0.0.1:8000/v1"
        return Check(name=name, fine=None, found="no address given", fix=fix)
    try:
        models = list_models(find_server("hosted_vllm/any", base), variable="HOSTED_VLLM_API_KEY")
    except ConfigError as exc:
        return Check(name=name, fine=False, found=exc.message, fix=exc.hint)
    fix = f"use --judge hosted_vllm/{models[0]}"
    return Check(name=name, fine=True, found=f"{base} serves {some(models)}", fix=fix)


def _plugin(plugin: Plugin) -> Check:
    """One that is broken is somebody else's fault, and no reason to fail while nobody asks for it."""
    name = f"{plugin.name}/MODEL"
    if plugin.name in OURS or "/" in plugin.name:
        found = f"{plugin.source} cannot have this name: it is taken, or holds a slash"
        return Check(name=name, fine=False, found=found, needed=False)
    try:
        find_plugin(plugin.name)
        load_factory(plugin)
    except ConfigError as exc:
        return Check(name=name, fine=False, found=exc.message, fix=exc.hint, needed=False)
    return Check(name=name, fine=True, found=plugin.source)


def _keys() -> Check:
    """Names and never values; one that is only spaces is none."""
    there = [name for name in _KEYS if os.environ.get(name, "").strip()]
    if not there:
        return Check(name="keys", fine=None, found=f"none of {', '.join(_KEYS)} is set")
    return Check(name="keys", fine=True, found="set: " + ", ".join(f"{name} ({_KEYS[name]}/)" for name in there))
