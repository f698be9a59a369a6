"""How a server behaves: every knob in one place, with a default that does no harm."""

from __future__ import annotations

from dataclasses import dataclass

from judge.testing.faults import RETRYABLE, check_kinds
from judge.testing.scripts import Script


# Not frozen: a test may break a running server (`server.always = 500`) and mend it (`server.always = None`).
@dataclass(kw_only=True)
class Behaviour:
    """What a server answers, and how it misbehaves.

    Args:
        script: A name in `named.SCRIPT_NAMES`, `module:function`, or a callable.
        seed: Which requests meet which fault, which replies are sloppy, how long each takes.
        faults: Share of requests that meet a fault, in [0, 1]; at most two in a row for one request key.
        kinds: The faults to choose from: any of `faults.KINDS`, or an HTTP status such as "502".
        always: One fault for every completion: a kind, or a status such as 500 or 401.
        only: Text that a trace has to have for `always` to hold for it; every trace has none.
        retry_after_s: What the `429` fault asks for in its Retry-After header.
        latency_ms: Mean time before an answer.
        latency_sigma: 0 for a fixed time, else log-normal with this sigma (0.5 resembles a busy server).
        rate_limit: Completions per second; what is above gets 429 with the time to wait in Retry-After.
        reject_response_format: Refuse a JSON schema with 400, as a server that does not know it.
        max_model_len: Prompt tokens (characters // 4) above which the request is refused with 400.
        max_top_logprobs: More of them are refused with 400, in vLLM's words.
        constrains: Keep to the choices of vLLM's `structured_outputs`; else the field is ignored, as by other servers.
        tells_cached: Say in `usage` how many prompt tokens were in the prefix cache.
        blind: Refuse images with 400, in vLLM's words for a model that reads texts only.
        api_key: Bearer key that `/v1` asks for.
        model: The only model served; any other name gets 404. None serves every name.

    Raises:
        ValueError: An unknown fault, or a share outside [0, 1].
    """

    script: str | Script = "obedient"
    seed: int = 0
    faults: float = 0.0
    kinds: tuple[str, ...] = RETRYABLE
    always: str | int | None = None
    only: str = ""
    retry_after_s: float = 1.0
    latency_ms: float = 0.0
    latency_sigma: float = 0.0
    rate_limit: float | None = None
    reject_response_format: bool = False
    max_model_len: int | None = None
    max_top_logprobs: int = 20
    constrains: bool = True
    tells_cached: bool = True
    blind: bool = False
    api_key: str | None = None
    model: str | None = None

    def __post_init__(self) -> None:
        if not 0 <= self.faults <= 1:
            raise ValueError(f"faults={self.faults!r} is not a share in [0, 1]")
        check_kinds(self.kinds)
        check_kinds(() if self.always is None else (str(self.always),))
