"""What a judge is and how it is asked: one value for the command line, the library and the run directory."""

from __future__ import annotations

import hashlib
import math
import os
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import get_args

import orjson
from pydantic import JsonValue

from judge.errors import ConfigError
from judge.probe import Granularity
from judge.prompt import JudgeModel, Prompt
from judge.rubric import Rubric
from judge.table import Labels
from judge.verdict import EvidenceRule

__all__ = ["BASELINE", "DEFAULT_PARAMS", "INSTALL_REMOTE", "SERVERS", "Settings", "package_version"]

BASELINE = "lexical"
SERVERS: Mapping[str, str | None] = {"hosted_vllm": None, "openai": "https://api.openai.com/v1"}
"""Providers that are asked straight over HTTP, with the address of those that have one. All others are litellm's."""
INSTALL_REMOTE = "pip install 'rationale-judge[remote]'"
DEFAULT_PARAMS: Mapping[str, JsonValue] = {"temperature": 0, "max_tokens": 4096}
_GRANULARITIES = get_args(Granularity)
_EVIDENCE_RULES = get_args(EvidenceRule)
_OURS = frozenset({"messages", "model", "n", "response_format", "stream"})
_COMMON = "temperature, top_p, max_tokens, seed, and what your server knows"
_TOLD = ("concurrency", "timeout_s", "max_retries")
_MOST_CALLS = 10_000  # a worker each, and a connection: more than a machine has open files for


def package_version() -> str:
    """Version of the installed package."""
    return version("rationale-judge")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One judge, one rubric, and how they are asked.

    Attributes:
        judge: `lexical`, `hosted_vllm/MODEL`, `openai/MODEL`, or `PROVIDER/MODEL` as litellm names it.
        rubric: What is scored.
        api_base: Address of the server, up to and with `/v1`. Where none is given, that of `HOSTED_VLLM_API_BASE` or
            `OPENAI_API_BASE` (other providers likewise), or OpenAI's own for `openai/MODEL`. None for a
            judge that asks no server, and for a provider's usual address.
        params: Sampling and other request parameters, over `DEFAULT_PARAMS`.
        granularity: Which units share a call.
        evidence: What happens to a presence whose quote is not in the trace.
        samples: Repeats of each judgement, at least 1.
        min_coverage: Share of judged weight, in [0, 1], below which an axis has no score.
        concurrency: Calls in flight, from 1 to 10,000.
        timeout_s: Seconds that one attempt may take.
        max_retries: Further attempts after a transport error, 0 or more.
        cache: Folder of the shared store; None for none.
    """

    judge: str
    rubric: Rubric
    api_base: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    granularity: Granularity = "axis"
    evidence: EvidenceRule = "required"
    samples: int = 1
    min_coverage: float = 1.0
    concurrency: int = 64
    timeout_s: float = 120.0
    max_retries: int = 4
    cache: Path | None = None

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is paid.

        Raises:
            ConfigError: A value is outside its range.
        """
        # Resolved once: the address is part of the identity, wherever it was given.
        object.__setattr__(self, "api_base", _address(self.judge, self.api_base))
        for name, value, holds, allowed in self._ranges():
            if not holds:
                raise ConfigError(f"{name} is {value!r}; it must be {allowed}.")
        if not _is_text([self.judge, self.api_base, self.params]):
            raise ConfigError("the judge's name, address or parameters hold text that is not UTF-8.")
        for name in _OURS.intersection(self.params):
            raise ConfigError(f"the parameter {name!r} is set by judge.", hint=f"There are others: {_COMMON}.")

    def _ranges(self) -> tuple[tuple[str, object, bool, str], ...]:
        """Name, value, whether it is in its range, and the range in words."""
        return (
            (
                "granularity",
                self.granularity,
                self.granularity in _GRANULARITIES,
                f"one of {', '.join(_GRANULARITIES)}",
            ),
            ("evidence", self.evidence, self.evidence in _EVIDENCE_RULES, f"one of {', '.join(_EVIDENCE_RULES)}"),
            ("samples", self.samples, self.samples >= 1, "at least 1"),
            ("concurrency", self.concurrency, 1 <= self.concurrency <= _MOST_CALLS, f"between 1 and {_MOST_CALLS:,}"),
            ("max_retries", self.max_retries, self.max_retries >= 0, "0 or more"),
            ("timeout", self.timeout_s, 0 < self.timeout_s < math.inf, "a number of seconds above 0"),
            ("min_coverage", self.min_coverage, 0 <= self.min_coverage <= 1, "between 0 and 1"),
        )

    def shared_by(self, processes: int) -> Settings:
        """The settings of each of several processes that ask one provider at the same time."""
        return replace(self, concurrency=-(-self.concurrency // processes))

    @property
    def free(self) -> bool:
        """Whether asking again costs nothing, so that nothing has to be stored."""
        return self.judge == BASELINE

    @cached_property
    def prompt(self) -> Prompt:
        """The rubric's templates, compiled."""
        return Prompt(self.rubric, evidence=self.evidence != "none")

    @cached_property
    def model(self) -> JudgeModel:
        """Who is asked."""
        return JudgeModel(name=self.judge, api_base=self.api_base, params={**DEFAULT_PARAMS, **self.params})

    @cached_property
    def identity(self) -> dict[str, JsonValue]:
        """Everything that makes two runs comparable; a run directory holds one of these."""
        return {
            "judge": self.judge,
            "api_base": self.api_base,
            "params": dict(self.model.params),
            "prompt": self.prompt.fingerprint,
            "rubric": self.rubric.fingerprint,
            "granularity": self.granularity,
            "evidence": self.evidence,
            "samples": self.samples,
            "min_coverage": self.min_coverage,
            # The baseline is code: another version is another judge.
            **({"version": package_version()} if self.free else {}),
        }

    @property
    def told(self) -> dict[str, JsonValue]:
        """How the judge is asked, as far as it changes no answer; for `run.json`, without secrets."""
        told: dict[str, JsonValue] = {name: getattr(self, name) for name in _TOLD}
        return told | {"cache": None if self.cache is None else str(self.cache)}

    @cached_property
    def labels(self) -> Labels:
        """What every row says of this judge and rubric."""
        told = {key: value for key, value in self.identity.items() if key not in ("rubric", "min_coverage", "samples")}
        digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
        return Labels(
            judge=f"{self.judge}#{digest}",
            rubric=f"{self.rubric.name}@{self.rubric.version}",
            prompt_fp=self.prompt.fingerprint,
            rubric_fp=self.rubric.fingerprint,
            axes=tuple(self.rubric.axes),
        )


def _address(judge: str, given: str | None) -> str | None:
    """The server's address, in one spelling."""
    provider, slash, _ = judge.partition("/")
    if not slash:
        return None
    named = os.environ.get(f"{provider.upper()}_API_BASE") if provider.isascii() else None
    found = given or named or SERVERS.get(provider)
    return found.rstrip("/") if found else None


def _is_text(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # a surrogate, from a command line that was not UTF-8
        return False
    return True
