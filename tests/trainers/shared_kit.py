"""`trainer_kit` of the folder above. That is not put on the path: its folder `vllm` would be taken for the package."""

from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path

_FILE = Path(__file__).parents[1] / "trainer_kit.py"


def _load():
    spec = spec_from_file_location("trainer_kit", _FILE)
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


_kit = _load()
DOWN, PROMPT, QUESTION, RIGHT, UNITS = _kit.DOWN, _kit.PROMPT, _kit.QUESTION, _kit.RIGHT, _kit.UNITS
asked_of, named, noting = _kit.asked_of, _kit.named, _kit.noting
