"""A script's name -> the script."""

from __future__ import annotations

from importlib import import_module
from typing import Literal, TypeAlias, get_args

from judge.testing.noisy import Noisy
from judge.testing.scripts import Script, Sloppy, biased, gullible, led, obedient, parrot, stubborn, undecided

__all__ = ["SCRIPT_NAMES", "ScriptName", "load_script"]

ScriptName: TypeAlias = Literal[
    "obedient", "sloppy", "gullible", "led", "parrot", "stubborn", "noisy", "biased", "undecided"
]
SCRIPT_NAMES: tuple[ScriptName, ...] = get_args(ScriptName)


def load_script(script: str | Script, *, seed: int = 0) -> Script:
    """A script by name, or your own as `module:function`; a callable is returned as it is.

    Raises:
        ValueError: Neither a known name nor `module:function`.
    """
    if callable(script):
        return script
    named: dict[str, Script] = {
        "obedient": obedient,
        "sloppy": Sloppy(seed=seed),
        "gullible": gullible,
        "led": led,
        "parrot": parrot,
        "stubborn": stubborn,
        "noisy": Noisy(seed=seed),
        "biased": biased,
        "undecided": undecided,
    }
    return named[script] if script in named else _imported(script)


def _imported(path: str) -> Script:
    module, colon, function = path.partition(":")
    if not colon:
        names = ", ".join(SCRIPT_NAMES)
        raise ValueError(f"script {path!r} is not one of {names}; your own is given as module:function")
    script: Script = getattr(import_module(module), function)
    return script
