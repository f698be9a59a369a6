"""`judge serve`: scores, comparisons and rewards over HTTP."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
from click.core import ParameterSource

from judge.cli.options import ServeOptions, option, options_of_score, take

__all__ = ["serve"]

# Records come from clients, who name neither files nor addresses.
_NO_FILE = {"traces": "", "limit": None, "map": (), "references": None, "on": "id"}
_NO_PICTURES = {"image_root": None, "allow_image_urls": False, "as_json": False}
_AS_SCORE_HAS_THEM = (
    *("judge", "api_base", "granularity", "evidence", "probe", "probe_evidence", "samples", "params", "min_coverage"),
    *("engine_args", "concurrency", "rpm", "tpm", "timeout", "max_retries", "cache", "price", "budget"),
    *("key_file", "headers", "image_max_side"),
)


@options_of_score(*_AS_SCORE_HAS_THEM)
@click.command()
@option(
    "--host", default="127.0.0.1", show_default=True, help="Address to listen on; others than loopback need a token."
)
@option("--port", type=click.IntRange(0, 65535), default=8080, show_default=True, help="0 takes one that is free.")
@option(
    "--rubric",
    "rubrics",
    multiple=True,
    metavar="NAME|FILE",
    help="Built-in rubric, or a YAML file; may be given several times.  [default: pkr]",
)
@option(
    "--reward",
    type=click.Path(exists=True, dir_okay=False, path_type=Path),
    metavar="FILE",
    help="YAML file of a reward: its judge and rubric, the shape of the reward, and what a failure becomes.",
)
@option(
    "--deadline",
    type=click.FloatRange(min=0, min_open=True),
    default=120.0,
    show_default=True,
    metavar="SECONDS",
    help="Of a request; what is not judged then has failed. Below the trainer's own: OpenRLHF's is 180.",
)
@option(
    "--queue",
    type=click.IntRange(min=1),
    default=4096,
    show_default=True,
    metavar="N",
    help="Records that may wait or be judged at a time; what is more gets 429.",
)
@option(
    "--max-body",
    type=click.FloatRange(min=0, min_open=True),
    default=32.0,
    show_default=True,
    metavar="MB",
    help="Largest body of a request.",
)
@option(
    "--allow-host",
    "hosts",
    multiple=True,
    metavar="NAME",
    help="Name that clients use for this service, besides the address itself; * allows any.",
)
@option(
    "--token-file",
    type=click.Path(dir_okay=False, path_type=Path),
    help="File with the token that clients have to send; or set JUDGE_SERVE_TOKEN.",
)
@click.option("--quiet", is_flag=True, help="Print the address and errors only.")
@option(
    "--log-level",
    type=click.Choice(["debug", "info", "warning"]),
    default="warning",
    show_default=True,
    help="What is logged to standard error: info tells of every request.",
)
def serve(**given: Any) -> None:
    """Serve scores, comparisons and rewards over HTTP, until a signal: one queue, one store of replies and one rate
    budget for all processes of a training run.

    \b
    Example, with the baseline, a file's reward, and a judge that also compares:
      judge serve --port 8080
      judge serve --reward reward.yaml --port 8080
      judge serve --rubric pkr --rubric pkr-preference \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1

    \b
      curl -s http://127.0.0.1:8080/v1/score \\
          -H 'Content-Type: application/json' -d '
        {"records": [{"trace": "I see a fracture in the left wrist.",
          "units": {"perception": [{"unit_id": "P1",
            "claim": "The fracture is in the left wrist."}]}}]}'

    \b
      POST /v1/score            records -> scores
      POST /v1/compare          pairs of records -> which is better
      POST /v1/reward           records -> rewards
      POST /v1/reward/openrlhf  for --reward.remote_url of OpenRLHF
      POST /v1/reward/slime     for --rm-url of slime
      POST /verify              for NeMo-Gym
      GET  /healthz, /readyz    alive; and whether the judge answers
      GET  /metrics             for Prometheus
      GET  /openapi.json        all of it, with examples

    Clients choose among the rubrics and judges that the service was started with, and nothing else: they can give no
    path, no address and no model. Images are data URLs. For another address than loopback, set a token; clients send it
    as `Authorization: Bearer TOKEN`, or in the address: http://judge:TOKEN@HOST:8080/v1/reward/openrlhf.

    On SIGTERM or Ctrl-C it takes no new request, answers those under way, and ends; a second signal ends it at once.
    It needs pip install 'rationale-judge[serve]'.

    \b
    Exit codes:
      0   a signal ended it, and every request that it took was answered
      2   wrong usage, rubric, reward, token or address, found before it listened
      75  a signal ended it before every request was answered
    """
    from judge.cli.serving import Serving

    source = click.get_current_context().get_parameter_source("judge")
    given |= {**_NO_FILE, **_NO_PICTURES, "rubric": "pkr", "judge_given": source is not ParameterSource.DEFAULT}
    raise SystemExit(Serving(take(ServeOptions, given)).run())
