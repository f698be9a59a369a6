"""(seed, request key, attempt) -> a fault or none. The same three always give the same fault.

QUICK    fail at once: 429 429_bare 500 503 reset reset_midbody truncated html garbage
SLOW     hold the client until its deadline: black_hole drip drip_headers
REPLY    arrive as 200, but cannot be used: wrong_ids length empty refusal no_choices error_object
PROBE    the same, of probes: no_logprobs null_logprobs off_label elsewhere
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from hashlib import blake2b
from statistics import NormalDist

QUICK = ("429", "429_bare", "500", "503", "reset", "reset_midbody", "truncated", "html", "garbage")
SLOW = ("black_hole", "drip")
REPLY = ("wrong_ids", "length", "empty", "refusal", "no_choices", "error_object")
PROBE = ("no_logprobs", "null_logprobs", "off_label", "elsewhere")
RETRYABLE = QUICK + SLOW
KINDS = (*RETRYABLE, "drip_headers", *REPLY, *PROBE, "insufficient_quota")

_NORMAL = NormalDist()


def draw_fault(*, seed: int, key: str, attempt: int, share: float, kinds: Sequence[str]) -> str | None:
    """The fault of one attempt of one request, or None.

    Every third attempt is clean, which bounds a row of faults to two without looking at earlier draws. Who
    tries three times always gets through, whichever attempt comes first (after a restart, say).

    Args:
        seed: Another seed, other faults.
        key: The request key: SHA-256 of the canonical body.
        attempt: 1 for the first request with this key.
        share: Share of attempts with a fault, in [0, 1].
        kinds: What to choose from, each as likely.
    """
    if not kinds or attempt % 3 == 0:
        return None
    at, which = _throws(f"{seed}:{key}:{attempt}")
    return kinds[which % len(kinds)] if at < share else None


def draw_latency(*, seed: int, key: str, attempt: int, mean_s: float, sigma: float) -> float:
    """Seconds to wait: exactly `mean_s` for sigma 0, else log-normal with that mean."""
    if not sigma:
        return mean_s
    at, _ = _throws(f"{seed}:{key}:{attempt}:latency")
    # The open interval: inv_cdf has no value at 0 and 1.
    z = _NORMAL.inv_cdf(min(max(at, 1e-12), 1 - 1e-12))
    return mean_s * math.exp(sigma * z - sigma * sigma / 2)


def check_kinds(kinds: Iterable[str]) -> None:
    """Refuse a fault that nobody can act out.

    Raises:
        ValueError: A kind is neither in `KINDS` nor an HTTP status from 400 to 599.
    """
    for kind in kinds:
        if kind not in KINDS and not is_status(kind):
            raise ValueError(f"fault {kind!r} is not one of {', '.join(KINDS)}, nor an HTTP status from 400 to 599")


def is_status(kind: str) -> bool:
    """Whether a kind is a bare HTTP error status such as "502"."""
    return kind.isascii() and kind.isdigit() and 400 <= int(kind) <= 599


def _throws(text: str) -> tuple[float, int]:
    digest = blake2b(text.encode(), digest_size=16).digest()
    return int.from_bytes(digest[:8]) / 2**64, int.from_bytes(digest[8:])
