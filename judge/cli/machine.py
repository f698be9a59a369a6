"""What of this machine bears on a run: disk, open files, encoding, proxies, GPU."""

from __future__ import annotations

import os
import shutil
import stat
import sys
from collections.abc import Iterator
from pathlib import Path
from urllib.request import getproxies

from judge.backends.open_files import RESERVED, file_limits
from judge.backends.transport import proxy_for
from judge.cli.diagnosis import Check
from judge.cli.options import cache_folder
from judge.errors import ConfigError

__all__ = ["check_machine"]

_LITTLE_DISK = 2**30
_USUAL_CALLS = 64
_GPUS = ("/dev/nvidia0", "/dev/kfd", "/dev/dxg")  # NVIDIA, AMD, either of them under Windows


def check_machine(api_base: str | None) -> Iterator[Check]:
    """Look at this machine.

    Args:
        api_base: Of a server, to say whether a proxy stands before it.
    """
    yield _store()
    yield _disk(Path.cwd())
    yield _open_files()
    yield _encoding()
    yield _proxies(api_base)
    yield _gpu()


def _store() -> Check:
    name = "shared store"
    try:
        path = cache_folder(os.environ.get("JUDGE_CACHE") or None)
    except ConfigError as exc:
        return Check(name=name, fine=False, found=exc.message, fix=exc.hint)
    if path is None:
        return Check(name=name, fine=None, found="none, as JUDGE_CACHE says")
    existing = next(folder for folder in (path, *path.absolute().parents) if folder.exists())
    if not (existing.is_dir() and os.access(existing, os.W_OK)):
        return Check(name=name, fine=False, found=f"{path} cannot be written", fix="give --cache DIR, or --cache none")
    if existing != path:
        return Check(name=name, fine=True, found=f"{path}, made at first use")
    mode = stat.S_IMODE(path.stat().st_mode)
    if mode & stat.S_IWOTH:
        return Check(
            name=name, fine=None, found=f"{path} can be written by everybody (mode {mode:o})", fix=f"chmod o-w {path}"
        )
    return Check(name=name, fine=True, found=f"{path} (mode {mode:o})")


def _disk(folder: Path) -> Check:
    free = shutil.disk_usage(folder).free
    found = f"{free / 2**30:.1f} GiB free here"
    if free >= _LITTLE_DISK:
        return Check(name="disk", fine=True, found=found)
    return Check(name="disk", fine=None, found=found, fix="give --out and --cache folders on another disk")


def _open_files() -> Check:
    soft, hard = file_limits()
    calls = max(1, hard - 2 * RESERVED)
    found = f"limit {soft}" + (f", raised up to {hard} where a run needs it" if hard > soft else "")
    if calls >= _USUAL_CALLS:
        return Check(name="open files", fine=True, found=found)
    found += f": about {calls} calls in flight, and not {_USUAL_CALLS}"
    return Check(name="open files", fine=None, found=found, fix="ulimit -n 1024")


def _encoding() -> Check:
    encoding = getattr(sys.stdout, "encoding", None) or "unknown"
    if encoding.lower().replace("-", "").replace("_", "") == "utf8":
        return Check(name="terminal", fine=True, found="UTF-8")
    found = f"{encoding}: characters that it lacks are shown as ?; files are UTF-8 all the same"
    return Check(name="terminal", fine=None, found=found, fix="export PYTHONUTF8=1")


def _proxies(api_base: str | None) -> Check:
    # Names only: a proxy's address may hold a password.
    names = sorted(name for name in getproxies() if name in ("http", "https"))
    if not names:
        return Check(name="proxies", fine=True, found="none in the environment")
    variables = " and ".join(f"{name.upper()}_PROXY" for name in names)
    if api_base and proxy_for(api_base):
        found = f"{variables}: before {api_base}"
        return Check(name="proxies", fine=None, found=found, fix="NO_PROXY=HOST asks it straight")
    return Check(name="proxies", fine=True, found=f"{variables}: for servers elsewhere, never for this machine")


def _gpu() -> Check:
    if any(Path(device).exists() for device in _GPUS):
        return Check(name="gpu", fine=True, found="there is one: vllm serve MODEL, then --api-base")
    fix = "on a machine with one: vllm serve MODEL --host 0.0.0.0, then here --api-base http://THAT-MACHINE:8000/v1"
    return Check(name="gpu", fine=None, found="none here; none is needed to ask a server", fix=fix)
