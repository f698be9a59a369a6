"""What a judge is and how it is asked: one value for the command line, the library and the run directory."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field, replace
from functools import cached_property
from importlib.metadata import version
from pathlib import Path
from typing import Any

import orjson
from pydantic import JsonValue

from judge.claim_prompt import ClaimPrompt
from judge.claiming import Claiming
from judge.errors import ConfigError
from judge.image import ImageRules
from judge.judge_name import BASELINE, IN_PROCESS, address_of, litellm_model, plugin_of
from judge.pairs.asking import PairWay
from judge.pairs.prompt import PairPrompt
from judge.plugin import Plugin
from judge.price import Price, find_price, has_cache_marks
from judge.probe import Granularity
from judge.probe_prompt import ProbePrompt, refuse_unprobed
from judge.probing import Probed
from judge.prompt import JudgeModel, Prompt
from judge.ranges import RANGES
from judge.rubric import Rubric
from judge.sampling import refuse_ours
from judge.table import Labels
from judge.variation import PLAIN, Variation
from judge.verdict import EvidenceRule
from judge.written import Written

__all__ = ["DEFAULT_PARAMS", "LEFT_OPEN", "Settings", "package_version"]

DEFAULT_PARAMS: Mapping[str, JsonValue] = {"temperature": 0, "max_tokens": 4096}
LEFT_OPEN: Any = None
"""Of a setting that depends on how units are asked about; `Settings` settles it."""
_HOW = ("concurrency", "rpm", "tpm", "timeout_s", "max_retries", "budget_usd")
_NO_OTHER_ANSWERS = frozenset(
    {
        "block_size",
        "cpu_offload_gb",
        "data_parallel_size",
        "enable_chunked_prefill",
        "enable_prefix_caching",
        "enforce_eager",
        "gpu_memory_utilization",
        "kv_cache_memory_bytes",
        "max_model_len",
        "max_num_batched_tokens",
        "max_num_seqs",
        "pipeline_parallel_size",
        "tensor_parallel_size",
    }
)
"""Arguments of an engine that are about memory, place and speed: a run goes on with others after "out of memory"."""


def package_version() -> str:
    """Version of the installed package."""
    return version("rationale-judge")


@dataclass(frozen=True, kw_only=True)
class Settings:
    """One judge, one rubric, and how they are asked.

    Attributes:
        judge: `lexical`, `hosted_vllm/MODEL`, `vllm/MODEL` (in this process), `openai/MODEL`, `PROVIDER/MODEL` of
            another package (`judge.plugin`), or as litellm names it; `litellm/PROVIDER/MODEL` asks through litellm
            whatever the provider.
        rubric: What is scored.
        api_base: Address of the server, up to and with `/v1`. Where none is given, that of `HOSTED_VLLM_API_BASE` or
            `OPENAI_API_BASE` (other providers likewise), or OpenAI's own for `openai/MODEL`. None for a
            judge that asks no server, and for a provider's usual address.
        params: Sampling and other request parameters, over `DEFAULT_PARAMS`.
        granularity: Which units share a call; `axis` where none is given, and `unit` where units are probed.
        evidence: What happens to a presence whose quote is not in the trace; `required` where nothing is given, and
            `none` where units are probed without `probe_evidence`.
        probe: Ask for one token on each unit's presence, one on its correctness, and one on each scale's level, and
            score their probabilities.
        probe_evidence: Probe, and ask for a quote of each unit that is raised.
        samples: Repeats of each judgement, at least 1.
        min_coverage: Share of judged weight, in [0, 1], below which an axis has no score.
        concurrency: Calls in flight, from 1 to 10,000.
        rpm, tpm: Requests and tokens that may be sent a minute, at least 1; None for no bound of our own.
        timeout_s: Seconds that one attempt may take.
        max_retries: Further attempts after a transport error, 0 or more.
        cache: Folder of the shared store; None for none.
        journals: Of other runs; what is paid for there is not asked for again.
        image_max_side: Pixels of the longer side that images are shrunk to before they are sent, from 16 to 16,384.
        price: What tokens cost, in place of what is known of the model; money does not make another judge.
        budget_usd: What the run may cost, above 0; None for no limit.
        key_file: Holds the key, in place of the environment's.
        headers: Further headers for the server: name -> `env:VARIABLE` or `file:PATH`, never the value.
        engine_args: Of vLLM's engine, for `vllm/MODEL`: as `vllm serve` has them, with underscores.
        variation: Of the plain ask, in what should change no verdict; `judge noise` sets it.
        pairs: Two traces are compared, on the rubric's axes of preference, in place of one that is scored.
    """

    judge: str
    rubric: Rubric
    api_base: str | None = None
    params: Mapping[str, JsonValue] = field(default_factory=dict)
    granularity: Granularity = LEFT_OPEN
    evidence: EvidenceRule = LEFT_OPEN
    probe: bool = False
    probe_evidence: bool = False
    samples: int = 1
    min_coverage: float = 1.0
    concurrency: int = 64
    rpm: int | None = None
    tpm: int | None = None
    timeout_s: float = 120.0
    max_retries: int = 4
    cache: Path | None = None
    journals: tuple[Path, ...] = ()
    image_max_side: int = 1568
    price: Price | None = None
    budget_usd: float | None = None
    key_file: Path | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    engine_args: Mapping[str, JsonValue] = field(default_factory=dict)
    variation: Variation = PLAIN
    pairs: bool = False

    def __post_init__(self) -> None:
        """Refuse what cannot work, before anything is paid.

        Raises:
            ConfigError: A value is outside its range.
        """
        # Resolved once: the address is part of the identity, wherever it was given.
        object.__setattr__(self, "api_base", address_of(self.judge, self.api_base))
        object.__setattr__(self, "probe", self.probe or self.probe_evidence)
        self._settle()
        if self.pairs:
            self._refuse_pairs()
        else:
            self._refuse_kinds()
        self._refuse_variation()
        for allowed in RANGES:
            allowed.refuse(getattr(self, allowed.field))
        if not _is_text([self.judge, self.api_base, self.params, self.engine_args]):
            raise ConfigError("the judge's name, address, parameters or engine arguments hold text that is not UTF-8.")
        refuse_ours(self.params)

    def _settle(self) -> None:
        """Choose what was left open, and refuse what does not go with probes."""
        if not self.probe:
            self._choose(granularity="axis", evidence="required")
            return
        if self.free:
            hint = "Name a server with --judge, or leave --probe out."
            raise ConfigError(f"{BASELINE} gives no probabilities, so it cannot be probed.", hint=hint)
        self._choose(granularity="unit", evidence="required" if self.probe_evidence else "none")
        if self.granularity != "unit":
            raise ConfigError(
                f"granularity is {self.granularity!r}; a probe asks about one unit.", hint="Leave it out."
            )
        if self.probe_evidence and self.evidence == "none":
            raise ConfigError("probe_evidence asks for quotes, and evidence is 'none'.", hint="Leave one of them out.")
        if not self.probe_evidence and self.evidence != "none":
            hint = "Add --probe-evidence, which asks for a quote of each raised unit, or leave --evidence out."
            raise ConfigError(
                f"evidence is {self.evidence!r}, and a probe gives none: its reply is one digit.", hint=hint
            )

    def _refuse_kinds(self) -> None:
        """Words can be compared with units only, one token answers little, and only units are raised."""
        self.refuse_unscored()
        others = [name for name, axis in self.rubric.scored.items() if axis.kind != "checklist"]
        if self.free and others:
            what = f"the rubric {self.rubric.name!r} has axes that are no checklists: {', '.join(others)}"
            hint = "Name a judge that reads, such as hosted_vllm/MODEL."
            raise ConfigError(f"{BASELINE} judges checklists only, and {what}.", hint=hint)
        if self.probe:
            refuse_unprobed(self.rubric)
        if self.probe_evidence and "checklist" not in self.rubric.kinds:
            message = f"probe_evidence asks for quotes of raised units, and the rubric {self.rubric.name!r} has none."
            raise ConfigError(message, hint="Use --probe.")

    def _refuse_variation(self) -> None:
        """Only where a judge reads, and writes verdicts on what is the same in every ask."""
        if self.variation == PLAIN:
            return
        if self.free:
            hint = "Name a judge that reads, such as hosted_vllm/MODEL."
            raise ConfigError(f"{BASELINE} compares words and says the same every time: it has no noise.", hint=hint)
        if self.probe:
            raise ConfigError("a probe asks about one unit, in words of its own.", hint="Leave --probe out.")
        claims = [name for name, axis in self.rubric.scored.items() if axis.kind == "faithfulness"]
        if claims:
            what = f"the rubric {self.rubric.name!r} asks about claims that the judge finds itself: {', '.join(claims)}"
            raise ConfigError(f"{what}; none is asked about twice.", hint="Leave these axes out of the rubric.")

    def refuse_unscored(self) -> None:
        """Raise where nothing scores one trace: a preference is between two.

        Raises:
            ConfigError: The rubric has no other axis.
        """
        if not self.rubric.scored:
            message = f"all axes of the rubric {self.rubric.name!r} compare two traces; none scores one."
            raise ConfigError(message, hint="Compare with it (judge compare), or add an axis of another kind.")

    def _refuse_pairs(self) -> None:
        """Only who reads can say which of two traces is better, and it has to be asked something."""
        if self.free:
            message = f"{BASELINE} compares words with units, and cannot say which of two traces is better."
            hint = "Name a judge that reads, or score both with it and compare the runs: judge compare RUN_A RUN_B"
            raise ConfigError(message, hint=hint)
        if not self.rubric.preferences:
            message = f"the rubric {self.rubric.name!r} has no axis of `kind: preference`, so it compares no traces."
            hint = (
                "Use --rubric pkr-preference, or score both and compare the runs, which asks nobody: "
                "judge compare RUN_A RUN_B"
            )
            raise ConfigError(message, hint=hint)
        if self.probe:
            raise ConfigError("two traces are compared in words, not by probes.", hint="Leave --probe out.")

    def _choose(self, **defaults: str) -> None:
        for name, default in defaults.items():
            if getattr(self, name) is LEFT_OPEN:
                object.__setattr__(self, name, default)

    def shared_by(self, processes: int) -> Settings:
        """The settings of each of several processes that ask one provider at the same time."""
        rpm, tpm = (None if quota is None else max(1, quota // processes) for quota in (self.rpm, self.tpm))
        return replace(self, concurrency=-(-self.concurrency // processes), rpm=rpm, tpm=tpm)

    def image_rules(self, *, root: Path | None, allow_urls: bool) -> ImageRules | None:
        """Where images may come from and how large they are sent; None for a judge that reads texts only.

        Raises:
            ConfigError: The longer side is outside its range.
        """
        return None if self.free else ImageRules(root=root, allow_urls=allow_urls, max_side=self.image_max_side)

    @property
    def free(self) -> bool:
        """Whether asking again costs nothing, so that nothing has to be stored."""
        return self.judge == BASELINE

    @property
    def token_price(self) -> Price | None:
        """What tokens cost: the price that was given, else that of the model; None where it is not known."""
        return self.price or (None if self.free else find_price(self.judge))

    @property
    def told(self) -> dict[str, JsonValue]:
        """What does not make another judge, for `run.json`; of secrets only where they come from."""
        price, paths = self.token_price, {"cache": self.cache, "key_file": self.key_file}
        return {
            **{name: getattr(self, name) for name in _HOW},
            **{name: None if path is None else str(path) for name, path in paths.items()},
            "headers": dict(self.headers),
            **({"engine_args": dict(self.engine_args)} if self.engine_args else {}),
            **({"journals": [str(path) for path in self.journals]} if self.journals else {}),
            "usd_per_token": None if price is None else asdict(price),
        }

    @cached_property
    def plugin(self) -> Plugin | None:
        """As `plugin_of`, looked up once."""
        return plugin_of(self.judge)

    @property
    def engine_model(self) -> str | None:
        """Name or path of the model that runs in this process; None for every other judge."""
        provider, slash, model = self.judge.partition("/")
        return model if slash and provider == IN_PROCESS else None

    @cached_property
    def prompt(self) -> Prompt:
        """The rubric's templates for verdicts in writing, compiled."""
        return Prompt(self.rubric, evidence=self.evidence != "none", wording=self.variation.wording)

    @cached_property
    def way(self) -> Written | Probed:
        """How units are asked about."""
        if self.probe:
            prompt = ProbePrompt(self.rubric)
            return Probed(prompt=prompt, model=self.model, evidence=self.evidence, samples=self.samples)
        return Written(
            prompt=self.prompt,
            model=self.model,
            granularity=self.granularity,
            evidence=self.evidence,
            samples=self.samples,
            cache_marks=self.cache_marks,
            claiming=self._claiming,
            variation=self.variation,
        )

    @cached_property
    def pair_way(self) -> PairWay:
        """How two traces are asked about."""
        return PairWay(
            judge=self.labels.judge,
            prompt=self._pair_prompt,
            model=self.model,
            granularity=self.granularity,
            evidence=self.evidence,
            cache_marks=self.cache_marks,
        )

    @cached_property
    def _pair_prompt(self) -> PairPrompt:
        return PairPrompt(self.rubric, evidence=self.evidence != "none")

    @property
    def _prompt_fp(self) -> str:
        return self._pair_prompt.fingerprint if self.pairs else self.way.fingerprint

    @property
    def _claiming(self) -> Claiming | None:
        """How claims of the trace are asked about, where any axis asks about them."""
        if "faithfulness" not in self.rubric.kinds:
            return None
        return Claiming(
            prompt=ClaimPrompt(self.rubric, evidence=self.evidence != "none"),
            model=self.model,
            granularity=self.granularity,
            evidence=self.evidence,
            samples=self.samples,
        )

    @property
    def cache_marks(self) -> bool:
        """Whether the judge's provider keeps the beginning of a prompt only where it is told to."""
        return self.plugin is None and litellm_model(self.judge) is not None and has_cache_marks(self.judge)

    @cached_property
    def model(self) -> JudgeModel:
        """Who is asked."""
        params = {**DEFAULT_PARAMS, **self.params}
        return JudgeModel(name=self.judge, api_base=self.api_base, params=params, code=self._code)

    @property
    def _code(self) -> dict[str, JsonValue]:
        """Of a judge that is code, or is asked by code that we do not know: another version is another judge.

        And how an engine of ours runs a model, where it can change what the model answers.
        """
        if self.free:
            return {"version": package_version()}
        if changing := {name: value for name, value in self.engine_args.items() if name not in _NO_OTHER_ANSWERS}:
            return {"engine_args": changing}
        return {"package": self.plugin.package, "version": self.plugin.version} if self.plugin else {}

    @cached_property
    def identity(self) -> dict[str, JsonValue]:
        """Everything that makes two runs comparable; a run directory holds one of these."""
        return {
            "judge": self.judge,
            "api_base": self.api_base,
            "params": dict(self.model.params),
            "prompt": self._prompt_fp,
            "rubric": self.rubric.fingerprint,
            "granularity": self.granularity,
            "evidence": self.evidence,
            "samples": self.samples,
            "min_coverage": self.min_coverage,
            "image_max_side": self.image_max_side,
            **self._code,
            # Only where it is on: judges of before keep their ids.
            **{name: True for name in ("probe", "probe_evidence", "pairs") if getattr(self, name)},
            **self.variation.told,
        }

    @cached_property
    def labels(self) -> Labels:
        """What every row says of this judge and rubric."""
        told = {key: value for key, value in self.identity.items() if key not in ("rubric", "min_coverage", "samples")}
        digest = hashlib.sha256(orjson.dumps(told, option=orjson.OPT_SORT_KEYS)).hexdigest()[:8]
        return Labels(
            judge=f"{self.judge}#{digest}",
            rubric=f"{self.rubric.name}@{self.rubric.version}",
            prompt_fp=self._prompt_fp,
            rubric_fp=self.rubric.fingerprint,
            axes={name: axis.kind for name, axis in self.rubric.scored.items()},
        )


def _is_text(value: object) -> bool:
    try:
        orjson.dumps(value)
    except TypeError:  # a surrogate, from a command line that was not UTF-8
        return False
    return True
