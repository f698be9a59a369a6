"""Keywords, or a file of them -> a Rewarder: the options of the judge, of the shape and of failures, side by side.

    judge: hosted_vllm/Qwen3-32B
    api_base: http://127.0.0.1:8000/v1
    rubric: pkr-strict
    weights: {perception: 2, rationale: 2, answer: 1}
    gates: [answer]
    on_failure: group_mean
    deadline_s: 120

A trainer that imports a function by its name cannot be given a judge: it reads the file that `JUDGE_REWARD` names.
"""

from __future__ import annotations

import inspect
import json
import os
from collections.abc import Mapping, Sequence
from dataclasses import fields
from functools import lru_cache
from pathlib import Path
from typing import Any, Final, get_type_hints

from pydantic import ConfigDict, TypeAdapter, ValidationError, create_model

from judge.client import Judge
from judge.errors import ConfigError, InputError
from judge.reward import RewardShape
from judge.rewards.failing import FailureRule, OnFailure
from judge.rewards.rewarder import Rewarder
from judge.rewards.rows import plain
from judge.strict_yaml import StrictYamlError, parse_yaml

__all__ = ["FILE_VARIABLE", "build_rewarder", "kept_rewarder", "read_rewarder"]

FILE_VARIABLE: Final = "JUDGE_REWARD"
_OF_JUDGE: Final = tuple(inspect.signature(Judge).parameters)
_OF_SHAPE: Final = tuple(field.name for field in fields(RewardShape))
_OF_RULE: Final = tuple(field.name for field in fields(FailureRule))
_PATHS: Final = ("cache", "image_root", "key_file")
_KEPT: dict[str, Rewarder] = {}


def build_rewarder(judge: Judge | str, *, deadline_s: float | None = 300.0, **options: Any) -> Rewarder:
    """A rewarder of keywords.

    Args:
        judge: A judge, or its name; with a name, the other arguments of `Judge` may be among the options.
        deadline_s: Seconds that a batch may take.
        options: Attributes of `RewardShape` and `FailureRule`, and arguments of `Judge`.

    Raises:
        ConfigError: One is unknown or out of its range.
    """
    allowed = {*_OF_SHAPE, *_OF_RULE, *(_OF_JUDGE if isinstance(judge, str) else ())}
    for name in options:
        if name not in allowed:
            raise ConfigError(f"{name!r} is no option of a reward.", hint=f"There are: {', '.join(sorted(allowed))}.")
    if isinstance(judge, str):
        judge = Judge(judge, **_checked(_form_of_judge(), _some(options, _OF_JUDGE)))
    shape: RewardShape = _checked(TypeAdapter(RewardShape), _some(options, _OF_SHAPE))
    rule: FailureRule = _checked(TypeAdapter(FailureRule), _some(options, _OF_RULE))
    return Rewarder(judge, shape, failures=rule, deadline_s=deadline_s)


def read_rewarder(path: str | Path, **defaults: Any) -> Rewarder:
    """The rewarder that a file describes; paths in it are relative to its folder.

    Args:
        path: Of the file.
        defaults: Options, as of `build_rewarder`, where the file says nothing of them.

    Raises:
        ConfigError: It cannot be read, or says something that cannot be.
    """
    path = Path(path)
    try:
        given = parse_yaml(path.read_text(encoding="utf-8")).value
    except (OSError, UnicodeDecodeError) as exc:
        raise ConfigError(f"{path}: cannot be read: {exc}.") from exc
    except StrictYamlError as exc:
        raise ConfigError(f"{path}:{exc.place}: {exc.problem}.") from exc
    if not isinstance(given, dict) or not isinstance(given.get("judge"), str):
        raise ConfigError(f"{path}: it must be a mapping that names a judge.", hint="judge: hosted_vllm/MODEL")
    options = defaults | {name: _beside(path.parent, name, value) for name, value in given.items()}
    try:
        return build_rewarder(**options)
    except InputError as exc:
        raise ConfigError(f"{path}: {exc}") from exc


def kept_rewarder(options: Mapping[str, Any], *, policies: Sequence[OnFailure]) -> Rewarder:
    """The rewarder of keywords, or of the file that `JUDGE_REWARD` names where there are none; made once a process.

    Args:
        options: As of `build_rewarder`, and `judge` among them.
        policies: What a trainer can do with a failure; the first where nothing is said.

    Raises:
        ConfigError: An option cannot be used, or `on_failure` is none of the policies.
    """
    options = plain(options)
    kept_as = json.dumps([options, None if options else _named_file(), *policies], sort_keys=True, default=repr)
    if (kept := _KEPT.get(kept_as)) is not None:
        return kept
    return _KEPT.setdefault(kept_as, _made(options, policies))  # of two threads that made one, all use the same


def _made(options: Mapping[str, Any], policies: Sequence[OnFailure]) -> Rewarder:
    default = {"on_failure": policies[0]}
    if options and "judge" not in options:
        raise ConfigError("the options of the reward name no judge.", hint="judge: hosted_vllm/MODEL")
    rewarder = build_rewarder(**{**default, **options}) if options else read_rewarder(_named_file(), **default)
    if (given := rewarder.rule.on_failure) not in policies:
        raise ConfigError(f"on_failure is {given!r}; this trainer allows: {', '.join(policies)}.")
    return rewarder


def _named_file() -> str:
    path = os.environ.get(FILE_VARIABLE)
    if not path:
        hint = "Name a file with the judge and the shape of the reward; docs/training.md shows one."
        raise ConfigError(f"the environment variable {FILE_VARIABLE} is not set.", hint=hint)
    return path


def _some(options: Mapping[str, Any], names: tuple[str, ...]) -> dict[str, Any]:
    return {name: value for name, value in options.items() if name in names}


def _beside(folder: Path, name: str, value: Any) -> Any:
    is_path = name in _PATHS or (name == "rubric" and str(value).endswith((".yaml", ".yml")))
    return str(folder / value) if is_path and isinstance(value, str) else value


@lru_cache(maxsize=1)
def _form_of_judge() -> TypeAdapter[Any]:
    hints = get_type_hints(Judge.__init__)
    known = {name: (hints[name], None) for name in _OF_JUDGE if name != "judge"}
    given: dict[str, Any] = known
    return TypeAdapter(create_model("Options", __config__=ConfigDict(extra="forbid"), **given))


def _checked(form: TypeAdapter[Any], given: dict[str, Any]) -> Any:
    try:
        checked = form.validate_python(given)
    except ValidationError as exc:
        error = exc.errors(include_url=False)[0]
        where = ".".join(map(str, error["loc"])) or "the options"
        raise ConfigError(f"{where}: {error['msg'].removeprefix('Value error, ')}. It is {error['input']!r}.") from exc
    return {name: getattr(checked, name) for name in given} if hasattr(checked, "model_fields_set") else checked
