"""`judge doctor`: which judges can be used here, and the command that makes the others usable."""

from __future__ import annotations

from typing import TYPE_CHECKING

import click

if TYPE_CHECKING:
    from pydantic import JsonValue

__all__ = ["doctor"]


@click.command()
@click.option("--judge", metavar="NAME", help="Check this judge only, as `judge score --judge NAME` would use it.")
@click.option("--api-base", envvar="JUDGE_API_BASE", metavar="URL", help="Also ask this server which models it serves.")
@click.option("--ask", is_flag=True, help="Send --judge one small request with a JSON schema; it may cost.")
@click.option("--json", "as_json", is_flag=True, help="One JSON object on standard output.")
def doctor(judge: str | None, api_base: str | None, *, ask: bool, as_json: bool) -> None:
    """Say which judges can be used here, and what is missing.

    \b
    Example:
      judge doctor
      judge doctor --api-base http://127.0.0.1:8000/v1
      judge doctor --judge hosted_vllm/Qwen3-32B \\
          --api-base http://127.0.0.1:8000/v1 --ask

    \b
    Exit codes:
      0   all that was asked for works
      1   something does not: its line begins with "no"
    """
    if ask and judge is None:
        raise click.UsageError("--ask needs --judge NAME: it says whom to ask.")
    from judge.cli.checks import check_all
    from judge.cli.diagnosis import as_json as to_json
    from judge.cli.diagnosis import exit_code, show
    from judge.cli.one_judge import ask_once, check_judge

    checks = list(check_all(api_base) if judge is None else check_judge(judge, api_base, to_be_asked=ask))
    asked: dict[str, JsonValue] | None = None
    if judge is not None and ask and not exit_code(checks):
        if not as_json:
            click.echo("Sending one request, which may cost.", err=True)
        answers, asked = ask_once(judge, api_base)
        checks += answers
    if as_json:
        click.echo(to_json(checks, asked))
    else:
        show(checks)
    raise SystemExit(exit_code(checks))
