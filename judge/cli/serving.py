"""The work behind `judge serve`: what is offered, where it listens, and how it ended."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from ipaddress import ip_address
from typing import TYPE_CHECKING, Final

from judge.backends.open_files import fit_concurrency
from judge.backends.secret import read_key_file, read_variable
from judge.cli.asking import EXIT_OK, EXIT_RESUMABLE, EXIT_USAGE
from judge.cli.given import not_used, read_settings
from judge.cli.logs import logging_to_stderr
from judge.cli.needed import require_serve
from judge.cli.options import ServeOptions
from judge.cli.terminal import Screen, clean
from judge.errors import ConfigError, JudgeError
from judge.loop import drive, owned
from judge.rubric import load_rubric
from judge.settings import Settings

if TYPE_CHECKING:
    from judge.serve.offer import Served, Watched

__all__ = ["Serving"]

_TOKEN_VARIABLE: Final = "JUDGE_SERVE_TOKEN"
_SHORTEST_TOKEN: Final = 16
_OF_LOOPBACK: Final = ("127.0.0.1", "localhost", "[::1]")
_ANYWHERE: Final = ("0.0.0.0", "::")  # noqa: S104 - compared with, and not listened on
_CONNECTIONS: Final = 2048
_COLLECT_AFTER: Final = 20_000
"""A tenth of what a run has: what failed calls leave, errors and their frames in circles, is not kept for an hour."""
_MB: Final = 1024 * 1024


class Serving:
    """One `judge serve`.

    Args:
        options: What the user gave.
    """

    def __init__(self, options: ServeOptions) -> None:
        self._options = options
        self._told = Screen(stderr=True, quiet=options.quiet, soft_wrap=True, highlight=False, markup=False)
        self._errors = Screen(stderr=True, soft_wrap=True, highlight=False, markup=False)

    def run(self) -> int:
        """Serve until a signal: the exit code."""
        try:
            require_serve("judge serve", "fastapi", "prometheus_client", "uvicorn")
            with logging_to_stderr(self._options.log_level):
                served, token = [*self._served()], _token(self._options)
                return drive(self._run(served, token), collect_after=_COLLECT_AFTER)
        except JudgeError as exc:
            self._errors.print(clean(exc))
            return EXIT_USAGE
        except KeyboardInterrupt:  # before it listens
            return EXIT_OK

    async def _run(self, served: Sequence[Served], token: str | None) -> int:
        from judge.serve.app import build_app
        from judge.serve.server import Ending
        from judge.serve.service import Service
        from judge.web.server import heard, listen

        options = self._options
        with listen(options.port, options.host) as listener:
            address, port = listener.getsockname()[:2]
            hosts = _hosts(address, options, token)
            service = Service.of(served, queue=options.queue)
            app = build_app(service, hosts=hosts, token=token, most_bytes=int(options.max_body * _MB))
            connections, _ = fit_concurrency(_CONNECTIONS)
            server = Ending(app, door=service.door, patience_s=options.deadline, connections=connections)
            with heard(server.end), owned():
                self._introduce(served, token)
                self._errors.print(f"http://{_in_address(address)}:{port}", soft_wrap=True)
                await server.serve(sockets=[listener])
        return EXIT_OK if server.answered_all else EXIT_RESUMABLE

    def _served(self) -> Iterator[Served]:
        """The reward's judge first, where there is one, and then the judge of the options with each rubric."""
        options, names = self._options, set[tuple[str, str]]()
        for one in (*_of_reward(options), *_of_options(options)):
            if one.name in names:
                judge, rubric = one.name
                message = f"two rubrics are called {rubric!r} for {judge}, and clients choose by the name."
                raise ConfigError(message, hint="Give one of them another name.")
            names.add(one.name)
            yield one

    def _introduce(self, served: Sequence[Served], token: str | None) -> None:
        from judge.serve.rewards import POLICIES

        if said := not_used(self._options):
            self._told.print(clean(said))
        for one in served:
            labels = one.judge.settings.labels
            self._told.print(f"Serving {clean(labels.rubric)} judged by {clean(labels.judge)}.")
        rule = served[0].rule
        scores = any(one.can("scores") for one in served)
        apart = [route for route, allowed in POLICIES.items() if scores and rule.on_failure not in allowed]
        if apart:
            constant = f"a failure there is {rule.constant:g}, the reward's `constant`"
            self._told.print(f"{', '.join(apart)} cannot do `on_failure: {rule.on_failure}`: {constant}.")
        if token is None:
            self._told.print("Without a token: every program of this machine can use it.")


def _of_reward(options: ServeOptions) -> Iterator[Served]:
    if options.reward is None:
        return
    from judge.rewards.options import read_rewarder
    from judge.serve.offer import Served

    rewarder = read_rewarder(options.reward)
    deadline_s = min(options.deadline, rewarder.deadline_s or options.deadline)
    judge = _judge(rewarder.judge.settings)
    yield Served(judge=judge, deadline_s=deadline_s, shape=rewarder.shape, rule=rewarder.rule)


def _of_options(options: ServeOptions) -> Iterator[Served]:
    """Nothing where the reward's file says it all."""
    if options.reward is not None and not options.rubrics and not options.judge_given:
        return
    from judge.serve.offer import Served

    first: Watched | None = None
    for rubric in options.rubrics or ("pkr",):
        pairs = not load_rubric(rubric).scored  # it is for comparing only
        judge = _judge(read_settings(replace(options, rubric=rubric, pairs=pairs)), first)
        first = first or judge
        yield Served(judge=judge, deadline_s=options.deadline)


def _judge(settings: Settings, beside: Watched | None = None) -> Watched:
    """With pictures that clients send, and none that they only name."""
    from judge.serve.offer import Watched

    return Watched.of(settings, images=settings.image_rules(root=None, allow_urls=False), beside=beside)


def _token(options: ServeOptions) -> str | None:
    file = options.token_file
    token = read_variable(_TOKEN_VARIABLE) if file is None else read_key_file(file, option="--token-file")
    place = _TOKEN_VARIABLE if file is None else f"--token-file {file}"
    if token is not None and len(token) < _SHORTEST_TOKEN:
        hint = "python -c 'import secrets; print(secrets.token_urlsafe())' makes one."
        raise ConfigError(f"{place}: the token is shorter than {_SHORTEST_TOKEN} characters.", hint=hint)
    return token


def _hosts(address: str, options: ServeOptions, token: str | None) -> tuple[str, ...]:
    """Names that the service goes by.

    Raises:
        ConfigError: It would be open to other machines without a token, or has no name there.
    """
    if ip_address(address).is_loopback:
        return (*_OF_LOOPBACK, _in_address(address), *options.hosts)
    if token is None:
        message = f"--host {options.host} is open to other machines, and there is no token."
        raise ConfigError(message, hint=f"Set {_TOKEN_VARIABLE}, or give --token-file FILE.")
    if address in _ANYWHERE and not options.hosts:
        message = f"--host {options.host} is every address of this machine, and none of them is a name."
        raise ConfigError(message, hint="Say what clients call it: --allow-host judge.example.org")
    return (_in_address(address), options.host, *options.hosts)


def _in_address(address: str) -> str:
    return f"[{address}]" if ":" in address else address
