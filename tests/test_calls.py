"""The wrappers around a backend, one at a time; what they do together is in test_faults.py."""

from __future__ import annotations

import asyncio
import sqlite3
import time
import traceback
from collections.abc import Callable, Coroutine
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from run_kit import completion, error, http, make_request, scripted
from tenacity import wait_none

from judge.backend import Reply
from judge.backends.openai_compatible import OpenAICompatible
from judge.backends.server import Server
from judge.backends.session import open_session
from judge.calls import careful, retrying
from judge.calls.cached import Cached
from judge.calls.careful import Careful
from judge.calls.deadline import Deadline
from judge.calls.limited import Limited
from judge.calls.retrying import Retrying
from judge.calls.store import Store
from judge.errors import BackendError, CacheError, FatalError, RejectedError, TransientError
from judge.journal.journal import Journal
from judge.prompt import Request

REQUEST = make_request()
OK = Reply(text="ok")
BUSY = TransientError("busy", throttled=True, code="rate_limit")
BROKEN = TransientError("broken", code="http_500")


class Scripted:
    """Answers the n-th call with the n-th of its answers, then with the last; an error is raised."""

    def __init__(self, *answers: Reply | BackendError, takes_s: float = 0.0) -> None:
        self._answers = answers
        self._takes_s = takes_s
        self.calls = 0
        self.in_flight = 0
        self.most_in_flight = 0

    async def complete(self, request: Request) -> Reply:
        self.calls += 1
        answer = self._answers[min(self.calls, len(self._answers)) - 1]
        self.in_flight += 1
        self.most_in_flight = max(self.most_in_flight, self.in_flight)
        try:
            await asyncio.sleep(self._takes_s)
        finally:
            self.in_flight -= 1
        if isinstance(answer, BackendError):
            raise answer
        return answer


def ask(backend: Any, *requests: Request) -> list[Any]:
    """All at once; replies or errors."""

    async def main() -> list[Any]:
        calls = (backend.complete(request) for request in requests or (REQUEST,))
        async with asyncio.timeout(30):
            return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(main())


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "_BACKOFF", wait_none())


# Deadline.


def test_an_attempt_ends_at_its_deadline() -> None:
    backend = Scripted(OK, takes_s=30)
    begun = time.monotonic()
    (outcome,) = ask(Deadline(backend, timeout_s=0.1))
    assert 0.1 <= time.monotonic() - begun < 0.6
    assert isinstance(outcome, TransientError)
    assert (outcome.code, str(outcome)) == ("timeout", "no reply within 0.1 s (--timeout).")
    assert backend.in_flight == 0


class Sleepers:
    """Takes as long as the sample of a request says, in hundredths of a second."""

    async def complete(self, request: Request) -> Reply:
        await asyncio.sleep(request.sample / 100)
        return OK


def test_one_alarm_ends_every_attempt_that_is_late_and_no_other() -> None:
    """Some are done before theirs, and each of the others is met when its own time is over."""
    takes = [1, 3000, 2, 3000, 0, 3000]
    backend = Deadline(Sleepers(), timeout_s=0.3)

    async def staggered() -> list[Any]:
        tasks = []
        for hundredths in takes:
            tasks.append(asyncio.ensure_future(backend.complete(replace(REQUEST, sample=hundredths))))
            await asyncio.sleep(0.05)
        return await asyncio.gather(*tasks, return_exceptions=True)

    async def main() -> list[Any]:
        return [*await staggered(), *await staggered()]  # the second time after a silence, with no alarm set

    outcomes = asyncio.run(main())
    assert [getattr(outcome, "code", "ok") for outcome in outcomes] == ["ok", "timeout"] * 6


def test_who_cancels_an_attempt_is_not_told_of_a_deadline() -> None:
    async def main() -> tuple[int, int]:
        backend = Deadline(Sleepers(), timeout_s=30)
        task = asyncio.ensure_future(backend.complete(replace(REQUEST, sample=3000)))
        await asyncio.sleep(0.01)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        return task.cancelling(), len(backend._begun)

    assert asyncio.run(main()) == (1, 0)


def test_a_task_may_go_on_after_a_deadline() -> None:
    """Nothing of the cancellation that ended the attempt is left in it."""

    async def main() -> Reply:
        backend = Deadline(Sleepers(), timeout_s=0.05)
        with pytest.raises(TransientError):
            await backend.complete(replace(REQUEST, sample=3000))
        task = asyncio.current_task()
        assert task is not None
        assert task.cancelling() == 0
        return await backend.complete(replace(REQUEST, sample=1))

    assert asyncio.run(main()).text == "ok"


class Breaking:
    """Says of an attempt that is ended how it broke."""

    async def complete(self, request: Request) -> Reply:
        try:
            await asyncio.sleep(30)
        except asyncio.CancelledError:
            raise BROKEN from None
        return OK


def test_what_a_backend_says_at_its_deadline_is_kept() -> None:
    (outcome,) = ask(Deadline(Breaking(), timeout_s=0.05))
    assert outcome.code == "http_500"


def test_what_is_in_time_is_measured() -> None:
    (outcome,) = ask(Deadline(Scripted(OK, takes_s=0.02), timeout_s=5))
    assert outcome.text == "ok"
    assert 0.02 <= outcome.latency_s < 5


# Limited.


def test_no_more_calls_than_places() -> None:
    backend = Scripted(OK, takes_s=0.01)
    outcomes = ask(Limited(backend, concurrency=3), *[REQUEST] * 12)
    assert (backend.calls, backend.most_in_flight) == (12, 3)
    # Four rows of three: the last row waited for three times 0.01 s, each of which may be a clock's tick short.
    assert max(outcome.queued_s for outcome in outcomes) >= 0.025


def test_whoever_waits_for_the_next_try_holds_no_place() -> None:
    first = TransientError("overloaded", retry_after_s=0.3)
    backend = Scripted(first, OK)
    begun = time.monotonic()

    async def main() -> float:
        chain = Retrying(Limited(backend, concurrency=1), max_retries=1)
        waiting = asyncio.ensure_future(chain.complete(REQUEST))
        await asyncio.sleep(0.01)
        await chain.complete(make_request(2))
        second_done = time.monotonic() - begun
        await waiting
        return second_done

    assert asyncio.run(main()) < 0.29
    assert time.monotonic() - begun >= 0.3


# Retrying.


@pytest.mark.parametrize("max_retries", [0, 1, 4])
def test_a_call_is_tried_max_retries_and_one_time(max_retries: int, hurried: None) -> None:
    backend = Scripted(BROKEN)
    (outcome,) = ask(Retrying(backend, max_retries=max_retries))
    assert outcome is BROKEN
    assert backend.calls == outcome.attempts == max_retries + 1


def test_what_succeeds_late_counts_its_attempts(hurried: None) -> None:
    backend = Scripted(BROKEN, BROKEN, Reply(text="ok", attempts=2))
    (outcome,) = ask(Retrying(backend, max_retries=2))
    assert (outcome.text, outcome.attempts, backend.calls) == ("ok", 4, 3)


@pytest.mark.parametrize("error", [RejectedError("no"), FatalError("never")])
def test_a_refusal_is_final(error: BackendError, hurried: None) -> None:
    backend = Scripted(error)
    assert ask(Retrying(backend, max_retries=4)) == [error]
    assert (backend.calls, error.attempts) == (1, 1)
    backend = Scripted(BROKEN, error)
    assert ask(Retrying(backend, max_retries=4)) == [error]
    assert (backend.calls, error.attempts) == (2, 2)


def test_being_asked_to_slow_down_is_no_retry(hurried: None) -> None:
    backend = Scripted(*[BUSY] * 20, BROKEN, OK)
    (outcome,) = ask(Retrying(backend, max_retries=1))
    assert (outcome.text, outcome.attempts) == ("ok", 22)
    (outcome,) = ask(Retrying(Scripted(*[BUSY] * 20, BROKEN, BROKEN), max_retries=1))
    assert outcome is BROKEN


def test_nobody_slows_down_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(retrying, "LONGEST_WAIT_S", 0.2)
    backend = Scripted(TransientError("busy", throttled=True, retry_after_s=0.05))
    begun = time.monotonic()
    (outcome,) = ask(Retrying(backend, max_retries=0))
    assert isinstance(outcome, TransientError)
    assert 1 <= backend.calls == outcome.attempts <= 6  # 0.05 s and some jitter each, 0.2 s in all before the last
    assert time.monotonic() - begun < 2


def test_an_endless_wait_is_refused_at_once() -> None:
    backend = Scripted(TransientError("busy", retry_after_s=1e9))
    begun = time.monotonic()
    (outcome,) = ask(Retrying(backend, max_retries=4))
    assert isinstance(outcome, TransientError)
    assert backend.calls == 1
    assert time.monotonic() - begun < 1


@pytest.mark.parametrize("before", [[], [BUSY, BROKEN]], ids=["first", "later"])
def test_a_server_that_asks_everybody_to_wait_for_an_hour_ends_the_run(before: list[Any], hurried: None) -> None:
    backend = Scripted(*before, TransientError("busy.", throttled=True, retry_after_s=3600.0))
    (outcome,) = ask(Retrying(backend, max_retries=4))
    assert isinstance(outcome, FatalError)
    said = "the server asks to wait 3,600 s, which is longer than judge waits: busy. Resume then."
    assert (str(outcome), outcome.code) == (said, "rate_limit")
    assert backend.calls == outcome.attempts == len(before) + 1


def test_ten_minutes_are_waited_for(monkeypatch: pytest.MonkeyPatch) -> None:
    async def passes(seconds: float, _: asyncio.Event) -> None:
        waited.append(seconds)

    waited: list[float] = []
    monkeypatch.setattr(retrying, "wait", passes)
    (outcome,) = ask(Retrying(Scripted(TransientError("busy", throttled=True, retry_after_s=600.0), OK), max_retries=0))
    assert outcome.attempts == 2
    assert len(waited) == 1
    assert 600 <= waited[0] <= 600.5


def test_those_who_wait_because_of_429_are_counted() -> None:
    """Up when the waiting begins, down when it ends, also where it is cut off; a broken connection is no such wait."""
    slow, told = TransientError("busy", throttled=True, retry_after_s=0.1), list[int]()
    backend = Scripted(slow, TransientError("broken", retry_after_s=0.0), slow, OK)
    (outcome,) = ask(Retrying(backend, max_retries=1, throttled=told.append))
    assert outcome.attempts == 4
    assert [change for change in told if change] == [1, -1, 1, -1]

    async def cut_off() -> None:
        waits = Retrying(Scripted(slow), max_retries=0, throttled=told.append).complete(REQUEST)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(waits, 0.05)

    asyncio.run(cut_off())
    assert [change for change in told if change] == [1, -1] * 3


@pytest.mark.parametrize("status", [429, 503])
@pytest.mark.parametrize(
    ("headers", "floor_s"),
    [
        ({"Retry-After": "0.4"}, 0.4),
        ({"Retry-After-Ms": "300"}, 0.3),
        ({"Retry-After": "0"}, 0),
        ({"Retry-After": "-5"}, 0),
        ({"Retry-After": "soon"}, 0),
        ({}, 0),
    ],
)
def test_nobody_is_asked_earlier_than_they_said(status: int, headers: dict[str, str], floor_s: float) -> None:
    gaps = _gaps([http(status, error("busy"), **headers)], lambda heard: heard)
    assert floor_s <= min(gaps)
    assert max(gaps) < floor_s + 2


def test_nobody_is_asked_before_the_date_that_they_named() -> None:
    told = (datetime.now(UTC) + timedelta(seconds=1.5)).replace(microsecond=0)  # an HTTP date has whole seconds
    answers = [http(429, error("busy"), Retry_After=format_datetime(told, usegmt=True))]
    (second,) = _gaps(answers, lambda heard: [heard[0], told.timestamp(), heard[1]])[1:]
    assert 0 <= second < 2


def _gaps(answers: list[bytes], times: Callable[[list[float]], list[float]]) -> list[float]:
    """Seconds between the requests to a server that answers so, and then well."""

    async def main() -> list[float]:
        script = [*answers, http(200, completion("ok"))]
        async with scripted(lambda n, _: script[n - 1]) as (base, heard):
            server = Server(model="m", api_base=base)
            async with open_session(server) as session:
                await Retrying(OpenAICompatible(server, session), max_retries=1).complete(REQUEST)
            return [request.at for request in heard]

    at = times(asyncio.run(main()))
    return [later - earlier for earlier, later in pairwise(at)]


# Careful.


def test_until_one_call_is_answered_they_go_one_by_one() -> None:
    backend = Scripted(BROKEN, OK, takes_s=0.01)
    outcomes = ask(Careful(backend), *[REQUEST] * 10)
    assert [outcome is BROKEN for outcome in outcomes] == [True] + [False] * 9
    assert backend.calls == 10
    assert backend.most_in_flight == 8  # one failed, one answered, then the rest at once


def test_they_need_not_wait_where_the_server_says_that_it_serves_the_model() -> None:
    backend = Scripted(OK, takes_s=0.05)

    async def serves() -> bool:
        await asyncio.sleep(0.01)
        return True

    assert ask(Careful(backend, serves=serves), *[REQUEST] * 10) == [OK] * 10
    assert backend.most_in_flight == 10


@pytest.mark.parametrize("says", [True, False])
def test_a_first_answer_is_not_kept_waiting_for_what_the_server_says(says: bool) -> None:
    backend, heard = Scripted(OK, takes_s=0.01), []

    async def serves() -> bool:
        heard.append("asked")
        await asyncio.sleep(30)
        return says

    begun = time.monotonic()
    assert ask(Careful(backend, serves=serves), *[REQUEST] * 10) == [OK] * 10
    assert time.monotonic() - begun < 5 and heard == ["asked"] and backend.most_in_flight == 9


def test_a_server_that_says_it_does_not_serve_the_model_is_asked_carefully() -> None:
    asked = []

    async def serves() -> bool:
        asked.append(1)
        return False

    backend = Scripted(FatalError("no such model"), takes_s=0.01)
    outcomes = ask(Careful(backend, serves=serves), *[REQUEST] * 64)
    assert (backend.calls, len(asked)) == (1, 1)
    assert {str(outcome) for outcome in outcomes} == {"no such model"}


def test_who_gives_up_while_the_first_call_is_under_way_ends_it() -> None:
    async def serves() -> bool:
        await asyncio.sleep(30)
        return True

    async def main() -> int:
        backend = Scripted(OK, takes_s=30)
        calling = asyncio.ensure_future(Careful(backend, serves=serves).complete(REQUEST))
        await asyncio.sleep(0.01)
        calling.cancel()
        await asyncio.gather(calling, return_exceptions=True)
        await asyncio.sleep(0)
        return backend.in_flight

    assert asyncio.run(main()) == 0


def test_a_fatal_refusal_is_met_once() -> None:
    fatal = FatalError("bad key", code="auth", hint="Ask for another.")
    backend = Scripted(fatal)
    outcomes = ask(Careful(backend), *[REQUEST] * 64)
    assert backend.calls == 1
    assert {(type(outcome), str(outcome), outcome.code, outcome.hint) for outcome in outcomes} == {
        (FatalError, "bad key Ask for another.", "auth", "Ask for another.")
    }


def test_refusals_do_not_gather_tracebacks() -> None:
    """One error raised again and again grows by a frame or two each time, and keeps what those frames hold."""
    outcomes = ask(Careful(Scripted(FatalError("bad key"))), *[REQUEST] * 64)
    lengths = [sum(1 for _ in traceback.walk_tb(outcome.__traceback__)) for outcome in outcomes]
    assert max(lengths[1:]) == min(lengths[1:]) <= 5
    assert len({id(outcome) for outcome in outcomes}) == 64


def test_a_refusal_of_one_request_is_an_answer() -> None:
    backend = Scripted(RejectedError("too long"), OK, takes_s=0.01)
    outcomes = ask(Careful(backend), *[REQUEST] * 10)
    assert [isinstance(outcome, RejectedError) for outcome in outcomes] == [True] + [False] * 9
    assert backend.most_in_flight == 9


def test_three_failures_at_the_start_are_enough() -> None:
    backend = Scripted(BROKEN)
    outcomes = ask(Careful(backend), *[REQUEST] * 10)
    assert backend.calls == 3
    assert outcomes[:3] == [BROKEN] * 3
    assert {outcome.code for outcome in outcomes[3:]} == {"provider_down"}
    assert str(outcomes[-1]) == "the provider is down: 3 calls in a row failed. The last one: broken"


def test_later_it_takes_twenty_in_a_row() -> None:
    backend = Careful(Scripted(OK, *[BROKEN] * 19, OK, *[BROKEN] * 20, OK))

    async def main() -> list[str]:
        outcomes = []
        for _ in range(43):
            try:
                outcomes.append((await backend.complete(REQUEST)).text)
            except BackendError as exc:
                outcomes.append(exc.code)
        return outcomes

    assert asyncio.run(main()) == [
        "ok", *["http_500"] * 19, "ok", *["http_500"] * 20, "provider_down", "provider_down",
    ]  # fmt: skip


def test_a_provider_that_comes_back_is_asked_again(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(careful, "_REFUSE_S", 0.05)
    backend = Scripted(*[BROKEN] * 3, OK)
    judge = Careful(backend)

    async def main() -> Reply:
        await asyncio.gather(*(judge.complete(REQUEST) for _ in range(10)), return_exceptions=True)
        assert backend.calls == 3
        await asyncio.sleep(0.06)
        return await judge.complete(REQUEST)

    assert asyncio.run(main()) is OK


# Cached.


def test_equal_requests_at_once_are_one_call() -> None:
    backend = Scripted(Reply(text="ok", cost_usd=1.0), takes_s=0.01)
    outcomes = ask(Cached(backend), *[REQUEST] * 64, make_request(2))
    assert backend.calls == 2
    assert {outcome.text for outcome in outcomes} == {"ok"}
    assert sum(outcome.cost_usd for outcome in outcomes) == 2.0  # one asker of each pays
    assert sum(outcome.attempts for outcome in outcomes) == 2


def test_equal_requests_share_an_error_too() -> None:
    backend = Scripted(BROKEN, takes_s=0.01)
    assert ask(Cached(backend), *[REQUEST] * 5) == [BROKEN] * 5
    assert backend.calls == 1


@pytest.mark.parametrize("gone", [[0], [3], [0, 1, 2, 3], [0, 1, 2, 3, 4]], ids=str)
def test_whoever_leaves_takes_no_reply_away(gone: list[int], tmp_path: Path) -> None:
    """The reply reaches those who stay, and the journal even when nobody does."""
    backend, journal = Scripted(OK, takes_s=0.05), Journal(tmp_path / "j.sqlite")
    cached = Cached(backend, journal=journal)

    async def main() -> list[Any]:
        askers = [asyncio.ensure_future(cached.complete(REQUEST)) for _ in range(5)]
        await asyncio.sleep(0.01)
        for number in gone:
            askers[number].cancel()
        outcomes = await asyncio.gather(*askers, return_exceptions=True)
        await cached.drain(timeout_s=5)
        return outcomes

    outcomes = asyncio.run(main())
    texts = [getattr(outcome, "text", "gone") for outcome in outcomes]
    assert texts == ["gone" if number in gone else "ok" for number in range(5)]
    assert backend.calls == 1
    assert journal.find(REQUEST.call_id) == OK
    journal.close()


@pytest.mark.parametrize(("timeout_s", "kept"), [(5.0, True), (0.0, False), (0.01, False)])
def test_a_drain_waits_as_long_as_it_may(timeout_s: float, kept: bool, tmp_path: Path) -> None:
    backend, journal = Scripted(OK, takes_s=0.2), Journal(tmp_path / "j.sqlite")
    cached = Cached(backend, journal=journal)

    async def main() -> None:
        asker = asyncio.ensure_future(cached.complete(REQUEST))
        await asyncio.sleep(0.01)
        asker.cancel()
        await cached.drain(timeout_s=timeout_s)

    asyncio.run(main())
    assert (journal.find(REQUEST.call_id) is not None) == kept
    assert backend.in_flight == 0
    journal.close()


def test_a_drain_in_the_turn_in_which_a_reply_comes_keeps_it(tmp_path: Path) -> None:
    """Its call has an end by then, and was not handed on to be committed yet."""
    journal = Journal(tmp_path / "j.sqlite")

    async def main() -> Reply:
        answer: asyncio.Future[Reply] = asyncio.get_running_loop().create_future()

        class Waiting:
            async def complete(self, request: Request) -> Reply:
                return await answer

        cached = Cached(Waiting(), journal=journal)
        asked = cached.begin(REQUEST)
        await asyncio.sleep(0.01)
        answer.set_result(OK)
        await asyncio.sleep(0)
        async with asyncio.timeout(5):
            await cached.drain(timeout_s=0)
            return await asked

    assert asyncio.run(main()) == OK
    assert journal.find(REQUEST.call_id) == OK
    journal.close()


def test_a_backend_that_cannot_even_begin_is_an_error_of_who_asks() -> None:
    class Refusing:
        def complete(self, request: Request) -> Coroutine[None, None, Reply]:
            raise BROKEN

    async def main() -> list[Any]:
        cached = Cached(Refusing())
        return [await asyncio.gather(cached.complete(REQUEST), return_exceptions=True) for _ in range(2)]

    assert asyncio.run(main()) == [[BROKEN], [BROKEN]]


def test_a_paid_reply_is_committed_and_then_never_asked_for(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    backend = Scripted(Reply(text="ok", cost_usd=1.0, attempts=2))
    first, second = (ask(Cached(backend, journal=journal))[0] for _ in range(2))
    journal.close()
    assert backend.calls == 1
    assert (first.cached, first.cost_usd, first.attempts) == (False, 1.0, 2)
    assert (second.text, second.cached, second.cost_usd, second.attempts) == ("ok", True, 0.0, 0)


def test_an_error_is_not_remembered(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "j.sqlite")
    backend = Scripted(BROKEN, OK)
    cached = Cached(backend, journal=journal)
    assert [ask(cached)[0] for _ in range(2)] == [BROKEN, OK]
    journal.close()


def keep(cached: Cached, *replies: Reply) -> None:
    async def work() -> None:
        for reply in replies:
            cached.keep(REQUEST, reply)
        await cached.drain(timeout_s=1)

    asyncio.run(work())


def test_only_what_was_usable_is_kept_for_others(tmp_path: Path) -> None:
    store = Store(tmp_path / "store")
    cached = Cached(Scripted(OK), store=store)
    (reply,) = ask(cached)
    assert store.find(REQUEST.key) is None  # nobody said yet that it can be used
    keep(cached, reply)
    elsewhere = Scripted(Reply(text="another"))
    (found,) = ask(Cached(elsewhere, store=store))
    assert (found.text, found.cached, elsewhere.calls) == ("ok", True, 0)
    store.close()


def test_a_reply_that_cannot_be_kept_is_an_error(tmp_path: Path) -> None:
    """A full disk must end the run: as one failure after the other it would pay for everything and keep nothing."""
    journal = Journal(tmp_path / "j.sqlite")
    full_disk = "CREATE TRIGGER full BEFORE INSERT ON replies BEGIN SELECT RAISE(FAIL, 'disk is full'); END"
    journal._db.execute(full_disk)
    released: list[Request] = []

    async def main() -> list[Any]:
        stop = asyncio.Event()
        cached = Cached(Scripted(OK), journal=journal, stop=stop, done=released.append)
        requests = [REQUEST, REQUEST, make_request(2)]
        outcomes = await asyncio.gather(*map(cached.complete, requests), return_exceptions=True)
        assert stop.is_set()  # no call that waits for its turn is sent any more
        await cached.drain(timeout_s=1)
        return outcomes

    outcomes = asyncio.run(main())
    for outcome in outcomes:
        assert isinstance(outcome, CacheError)
        assert (outcome.code, "disk is full" in str(outcome)) == ("not_kept", True)
    assert outcomes[0] is not outcomes[2]  # one object would gather the traceback of everybody
    assert [request.call_id for request in released] == [REQUEST.call_id, make_request(2).call_id]
    journal.close()


def test_every_place_is_free_before_anybody_is_told(tmp_path: Path) -> None:
    """Those that wait for one are sent together; an asker that is told first would come between them."""
    journal, told = Journal(tmp_path / "j.sqlite"), list[str]()
    requests = [make_request(number) for number in range(20)]

    async def main() -> None:
        loop = asyncio.get_running_loop()
        done = lambda request: loop.call_soon(told.append, request.call_id)  # noqa: E731 - as a place is given
        cached = Cached(Scripted(OK), journal=journal, done=done)
        asked = [cached.begin(request) for request in requests]
        for reply in asked:
            reply.add_done_callback(lambda _: told.append("told"))
        await asyncio.gather(*asked)
        await cached.drain(timeout_s=1)

    asyncio.run(main())
    journal.close()
    assert told == [*[request.call_id for request in requests], *["told"] * len(requests)]


@pytest.mark.parametrize("broken", ["find_all", "put_all"])
def test_a_store_that_breaks_is_noted_once_and_done_without(
    broken: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The store is a convenience: the journal keeps what is paid for."""
    journal, store, notes = Journal(tmp_path / "j.sqlite"), Store(tmp_path / "store"), []
    cached = Cached(Scripted(OK), journal=journal, store=store, notes=notes)

    def full(*_: object, **__: object) -> None:
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(store._cache, broken, full)
    (outcome,) = ask(cached)
    keep(cached, OK, OK)
    assert (outcome, journal.find(REQUEST.call_id)) == (OK, OK)
    (note,) = notes
    assert note.startswith(f"the store {tmp_path / 'store'}: database or disk is full. It is not used any more")
    journal.close()
    store.close()
