"""`judge doctor`: which judges can be used here, and the command that makes the others usable."""

from __future__ import annotations

import click

__all__ = ["doctor"]


@click.command()
@click.option("--api-base", envvar="JUDGE_API_BASE", metavar="URL", help="Also ask this server which models it serves.")
def doctor(api_base: str | None) -> None:
    """Say which judges can be used here, and what is missing.

    \b
    Example:
      judge doctor
      judge doctor --api-base http://127.0.0.1:8000/v1
    """
    from judge.cli.checks import run_checks

    raise SystemExit(run_checks(api_base))
