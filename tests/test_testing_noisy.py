"""The scripted judge that changes its mind: how often, and that everything else is as the honest one has it."""

from __future__ import annotations

from typing import Any

import pytest
from noise_kit import noise_record
from run_kit import RUBRIC

from judge import Judge
from judge.testing import Noisy, Server


def presences(server: Server, **how: Any) -> list[int | None]:
    with Judge("hosted_vllm/m", api_base=server.api_base, rubric=RUBRIC, cache=None, **how) as judge:
        run = judge.score([noise_record(number) for number in range(1, 101)])
    assert run.verdicts["failure"].null_count() == 400
    return run.verdicts["presence"].to_list()


@pytest.mark.parametrize("share", [0.0, 0.2, 1.0])
def test_its_share_of_verdicts_is_the_other_way_round(share: float) -> None:
    """Of 400 throws with p = 0.2 the standard error is 0.02."""
    with Server() as server:
        honest = presences(server)
    with Server(script=Noisy(share=share)) as server:
        noisy, again = presences(server), presences(server)
        other = presences(server, params={"seed": 7})
    turned = [bool(one) != bool(another) for one, another in zip(honest, noisy, strict=True)]
    assert sum(turned) / 400 == pytest.approx(share, abs=0.08 if share == 0.2 else 0)
    assert again == noisy and (other == noisy) == (share != 0.2)


def test_a_probe_and_claims_are_answered_honestly() -> None:
    for how in ({"rubric": "pkr", "probe": True}, {"rubric": "faithfulness"}):
        scores = []
        for script in ("obedient", "noisy"):
            with (
                Server(script=script) as server,
                Judge("hosted_vllm/m", api_base=server.api_base, cache=None, **how) as judge,
            ):
                record = {**noise_record(1), "context": "The liver is enlarged."}
                scores.append(judge.score([record]).scores["trace_score"].to_list())
        assert scores[0] == scores[1] != [None]
