"""Places, pace and quotas around a backend, in virtual time, so that it may be asserted. Whole runs: test_faults.py."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from run_kit import arguments_for, make_records, make_request, run_judge, to_lines
from virtual_time import REQUEST, Answering, ask_all, bucket, now, run

from judge.backend import Reply
from judge.calls.deadline import Deadline
from judge.calls.limited import Limited
from judge.calls.places import Places
from judge.calls.retrying import Retrying
from judge.calls.tokens import Tokens
from judge.client import Judge
from judge.errors import FatalError, TransientError
from judge.prompt import Request
from judge.testing import Server

BUSY = TransientError("busy", throttled=True, retry_after_s=5.0)

# Places.


def holding(places: Places, count: int) -> asyncio.Task[int]:
    """How many of so many hold a place at once."""

    async def main() -> int:
        held = most = 0

        async def hold() -> None:
            nonlocal held, most
            await places.take()
            held += 1
            most = max(most, held)
            await asyncio.sleep(1)
            held -= 1
            places.give_back()

        await asyncio.gather(*(hold() for _ in range(count)))
        return most

    return asyncio.ensure_future(main())


def test_places_are_held_back_and_given_out_again() -> None:
    async def main() -> list[int]:
        places = Places(10)
        places.shrink(1.0, sent=0.0)
        shrunk = await holding(places, 30)
        places.grow(sent=2.0)
        grown = await holding(places, 30)
        for _ in range(20):
            places.grow(sent=3.0)
        return [shrunk, grown, await holding(places, 30)]

    assert run(main()) == [8, 9, 10]


def test_places_that_are_taken_are_not_given_back() -> None:
    async def main() -> int:
        places = Places(10)
        first = holding(places, 10)
        await asyncio.sleep(0.5)
        places.shrink(now(), sent=0.2)
        later = holding(places, 30)
        assert await first == 10
        return await later

    assert run(main()) == 8


@pytest.mark.parametrize("given", [False, True])
def test_who_goes_away_keeps_no_place(given: bool) -> None:
    """Whether it still waits, or was given a place that it has not taken yet."""

    async def main() -> int:
        places = Places(1)
        await places.take()
        gone, next_one = asyncio.ensure_future(places.take()), asyncio.ensure_future(places.take())
        await asyncio.sleep(0)
        if given:
            places.give_back()
        gone.cancel()
        if not given:
            places.give_back()
        await next_one
        assert gone.cancelled()
        places.give_back()
        return await holding(places, 3)

    assert run(main()) == 1


def test_refusals_of_the_same_moment_shrink_once() -> None:
    """And until an answer shows that fewer are in flight by now."""

    async def main() -> list[int]:
        places, seen = Places(100), []
        for at, sent in ((1.0, 0.9), (1.1, 0.95), (2.0, 1.5)):
            places.shrink(at, sent=sent)
            seen.append(places.most)
        places.grow(sent=0.5)  # sent before that
        places.shrink(3.0, sent=2.5)
        places.grow(sent=2.5)
        places.shrink(4.0, sent=3.5)
        return [*seen, places.most]

    assert run(main()) == [80, 80, 80, 65]  # 80 + 1 + 1, of which 0.8 are 65.6


def test_one_place_is_always_left() -> None:
    async def main() -> int:
        places = Places(3)
        for at in range(1, 20):
            places.shrink(at, sent=at)
            places._tried = True
        return places.most

    assert run(main()) == 1


@pytest.mark.parametrize("error", [TransientError("500", code="http_500"), TransientError("late", code="timeout")])
def test_only_being_asked_to_slow_down_slows_down(error: TransientError) -> None:
    class Broken:
        async def complete(self, request: Request) -> Reply:
            raise error

    limited = Limited(Broken(), concurrency=10)

    async def main() -> None:
        for _ in range(20):
            with pytest.raises(TransientError):
                await limited.complete(REQUEST)

    run(main())
    assert limited._places.most == 10
    assert not limited._pace.active


# One server's refusal is everybody's pause.


class Refusing(Answering):
    """Refuses its first call."""

    async def complete(self, request: Request) -> Reply:
        if not self.sent:
            self.sent.append(now())
            raise BUSY
        return await super().complete(request)


def test_a_refusal_holds_up_those_who_were_not_refused() -> None:
    server = Refusing()
    limited = Limited(server, concurrency=10)

    async def main() -> Reply:
        with pytest.raises(TransientError):
            await limited.complete(REQUEST)
        return await limited.complete(REQUEST)

    reply = run(main())
    assert server.sent[1] >= 5
    assert reply.queued_s == pytest.approx(server.sent[1])


def test_those_who_wait_for_the_pace_are_counted_as_throttled() -> None:
    told = list[int]()
    limited = Limited(Refusing(), concurrency=10, throttled=told.append)

    async def main() -> None:
        with pytest.raises(TransientError):
            await limited.complete(REQUEST)
        waiting = [asyncio.ensure_future(limited.complete(REQUEST)) for _ in range(4)]
        await asyncio.sleep(1)
        assert sum(told) == 4
        waiting[0].cancel()
        await asyncio.wait(waiting)

    run(main())
    assert sum(told) == 0


@pytest.mark.parametrize("quotas", [{}, {"rpm": 1}])
def test_a_stop_ends_the_waiting_at_once(quotas: dict[str, int]) -> None:
    """Of those in front and of those behind them; nothing more is sent."""
    stop, server = asyncio.Event(), Refusing()
    limited = Limited(server, concurrency=10, stop=stop, **quotas)

    async def main() -> tuple[float, list[Any]]:
        with pytest.raises(TransientError):
            await limited.complete(REQUEST)
        waiting = [asyncio.ensure_future(limited.complete(REQUEST)) for _ in range(20)]
        await asyncio.sleep(1)
        stop.set()
        outcomes = await asyncio.gather(*waiting, return_exceptions=True)
        return now(), outcomes

    at, outcomes = run(main())
    assert at == pytest.approx(1)
    assert {(type(outcome), outcome.code) for outcome in outcomes} == {(FatalError, "stopped")}
    assert len(server.sent) == 1


# Quotas.


def test_requests_a_minute_and_the_deadline_is_not_for_waiting() -> None:
    """120 a minute: 2 at once, then one each half second. 20 wait longer than the deadline of 1 s allows an attempt."""
    server = Answering()
    limited = Limited(Deadline(server, timeout_s=1.0), concurrency=64, rpm=120)
    run(ask_all(limited, 20, workers=20))
    gaps = [later - sooner for sooner, later in zip(server.sent[1:], server.sent[2:], strict=False)]
    assert server.sent[1] == 0
    assert gaps == pytest.approx([0.5] * 18, abs=0.01)


def test_retries_count_as_requests() -> None:
    server = Answering(bucket(lambda _: 1.0))
    run(ask_all(Retrying(Limited(server, concurrency=64, rpm=120), max_retries=0), 100, workers=64))
    assert len(server.refused) > 5
    for begin in server.sent:
        assert len([at for at in server.sent if begin <= at < begin + 59.99]) <= 120


def test_a_backend_that_had_to_ask_twice_is_counted_twice() -> None:
    class Twice(Answering):
        async def complete(self, request: Request) -> Reply:
            return replace(await super().complete(request), attempts=2)

    took = run(ask_all(Limited(Twice(), concurrency=1, rpm=60), 10, workers=1))
    assert took >= 2 * 9 - 1  # one a second, two each


def test_tokens_a_minute_by_what_the_server_counted() -> None:
    """100 tokens a call and 6,000 a minute: one call a second, whatever was estimated."""
    server = Answering()
    run(ask_all(Limited(server, concurrency=64, tpm=6000), 60, workers=64))
    late = [at for at in server.sent if at > 20]
    assert len(late) / (late[-1] - late[0]) == pytest.approx(1.0, rel=0.1)
    for begin in server.sent:
        assert len([at for at in server.sent if begin <= at < begin + 59.99]) * 100 <= 6000


def test_a_request_above_the_quota_goes_out() -> None:
    server = Answering()
    took = run(ask_all(Limited(server, concurrency=4, tpm=10), 3, workers=3))
    assert len(server.answered) == 3
    assert took >= 2 * 60


def test_tokens_are_estimated_by_length_and_corrected_by_the_server() -> None:
    request, tokens = make_request(params={"max_tokens": 300}), Tokens()
    chars = len(request.system) + len(request.user) + len(request.schema)
    assert tokens.estimate(request) == pytest.approx(chars / 4 + 300)
    assert tokens.learn(request, Reply(text="", prompt_tokens=1000, completion_tokens=None)) is None
    assert tokens.learn(request, Reply(text="", prompt_tokens=chars // 2, completion_tokens=50)) == chars // 2 + 50
    assert tokens.estimate(request) == pytest.approx(chars / 2 + 50, rel=0.01)
    assert Tokens().estimate(make_request(params={"max_tokens": 100_000})) == pytest.approx(chars / 4 + 1024, rel=0.05)
    assert Tokens().estimate(make_request(params={})) > 1024


# From outside.


def test_the_command_line_and_the_environment_bound_requests(tmp_path: Path) -> None:
    """600 a minute: 10 at once, 20 more take 2 s."""
    traces, out = tmp_path / "traces.jsonl", tmp_path / "out"
    traces.write_bytes(to_lines(make_records(30)))
    with Server() as server:
        code, said = run_judge(*arguments_for(traces, out, server, "--rpm", 600), env={"JUDGE_TPM": "1000000"})
        at = [row.t_received for row in server.ledger.rows()]
    assert code == 0, said
    assert at[-1] - at[0] >= 1.9
    assert b'"rpm":600,"tpm":1000000' in (out / "run.json").read_bytes().replace(b" ", b"").replace(b"\n", b"")


def test_the_library_bounds_requests() -> None:
    with Server() as server, Judge("hosted_vllm/m", api_base=server.api_base, rpm=600) as judge:
        assert len(judge.score(make_records(20)).scores) == 20
        at = [row.t_received for row in server.ledger.rows()]
    assert at[-1] - at[0] >= 0.9
