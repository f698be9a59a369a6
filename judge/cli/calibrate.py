"""`judge calibrate`: what people's labels show of a judge, as a file that later runs of it can use."""

from __future__ import annotations

from pathlib import Path

import click

from judge.cli.options import seed_option

__all__ = ["calibrate"]


@click.command()
@click.argument("run", metavar="RUN", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.argument("labels", metavar="LABELS", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--out",
    required=True,
    type=click.Path(dir_okay=False, path_type=Path),
    metavar="FILE",
    help="The calibration, as JSON.",
)
@click.option("--judge", metavar="ID", help="Which judge of RUN, where it has several.")
@seed_option
@click.option("--json", "as_json", is_flag=True, help="The calibration on standard output too, and no table.")
def calibrate(run: Path, labels: Path, out: Path, judge: str | None, *, seed: int, as_json: bool) -> None:
    """Find out from LABELS how often the judge of RUN is right, and what its answers stand for.

    RUN is the --out directory of `judge score`; LABELS are of people, as for `judge agree`. For each axis: sensitivity
    (of what people say holds, how much the judge says too) and specificity (of what they say does not, how much it
    denies), and a map from what the judge says to what people say on average, which never falls.

    \b
    Example:
      judge calibrate runs/first labels.jsonl --out calibration.json
      judge score more.jsonl --out runs/more --calibration calibration.json \\
          --judge hosted_vllm/Qwen3-32B --api-base http://127.0.0.1:8000/v1

    It holds for one judge, prompt and rubric: any other is refused. It holds for traces like those that were labelled:
    where far more or far fewer units are raised than there, label some anew.

    \b
    Exit codes:
      0   written
      2   wrong usage, run or labels
    """
    from judge.cli.calibrating import write_calibration

    raise SystemExit(write_calibration(run, labels, out, judge=judge, seed=seed, as_json=as_json))
