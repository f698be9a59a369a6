"""A run stops before it costs more than its budget, whatever the server does, and goes on with a higher one."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace
from run_kit import (
    make_request,
)

from judge.backend import Reply
from judge.calls.budgeted import Budgeted
from judge.errors import CacheError, FatalError, RejectedError, TransientError
from judge.journal.journal import Journal
from judge.price import Price
from judge.purse import Purse

# A token of the prompt costs 1 and a written one 10 millionths.
PRICE = Price(prompt=1e-6, completion=10e-6, cached=0.5e-6)
FLAGS = ("--price", "1,10,0.5")
PARAMS = {"max_tokens": 300}


def backend_of(*answers: Reply | BaseException, takes_s: float = 0.0) -> Any:
    class Scripted:
        calls = most = flying = 0

        async def complete(self, _: Any) -> Reply:
            answer = answers[min(self.calls, len(answers) - 1)]
            self.calls, self.flying = self.calls + 1, self.flying + 1
            self.most = max(self.most, self.flying)
            try:
                await asyncio.sleep(takes_s)
            finally:
                self.flying -= 1
            if isinstance(answer, BaseException):
                raise answer
            return answer

    return Scripted()


REQUEST = make_request(params=dict(PARAMS))
CHEAP = Reply(text="{}", prompt_tokens=100, completion_tokens=10, cost_usd=200e-6)


def most_usd() -> float:
    """64 tokens of frame, a token for 3 bytes, and 300 written."""
    size = sum(len(text.encode()) for text in (REQUEST.system, REQUEST.user, REQUEST.schema))
    return (64 + round(size / 3)) * 1e-6 + 300 * 10e-6


def ask(backend: Any, purse: Purse, times: int = 1, **options: Any) -> list[Any]:
    async def main() -> list[Any]:
        budgeted = Budgeted(backend, purse=purse, price=PRICE, **options)
        async with asyncio.timeout(20):
            calls = (budgeted.complete(REQUEST) for _ in range(times))
            return await asyncio.gather(*calls, return_exceptions=True)

    return asyncio.run(main())


def test_a_reply_costs_what_it_costs() -> None:
    purse = Purse(1.0)
    assert ask(backend_of(CHEAP), purse) == [CHEAP]
    assert purse.spent_usd == 200e-6


def test_calls_wait_while_room_frees_up_and_then_the_budget_is_reached() -> None:
    # Room for one reservation and five replies: they go one at a time, and not one less than five.
    budget = most_usd() + 4 * 200e-6
    purse, backend = Purse(budget), backend_of(CHEAP, takes_s=0.01)
    outcomes = ask(backend, purse, times=9)
    assert [type(outcome) for outcome in outcomes].count(Reply) == 5
    assert backend.most == 1
    refused = [outcome for outcome in outcomes if isinstance(outcome, FatalError)]
    assert len(refused) == 4
    assert {error.code for error in refused} == {"budget"}
    assert f"the budget of ${budget:g} is reached: $0.001 spent, and the next call may cost $" in str(refused[0])
    assert "Raise --budget" in str(refused[0])


def test_nobody_waits_for_room_once_the_run_is_stopped() -> None:
    async def main() -> Any:
        stop = asyncio.Event()
        purse = Purse(most_usd())
        budgeted = Budgeted(backend_of(CHEAP, takes_s=0.3), purse=purse, price=PRICE, stop=stop)
        calls = [asyncio.ensure_future(budgeted.complete(REQUEST)) for _ in range(2)]
        await asyncio.sleep(0.02)
        stop.set()
        return await asyncio.gather(*calls, return_exceptions=True)

    first, second = asyncio.run(main())
    assert first == CHEAP
    assert isinstance(second, FatalError)
    assert second.code == "stopped"


def transient(code: str) -> TransientError:
    return TransientError("no", code=code)


@pytest.mark.parametrize(
    ("error", "billed"),
    [
        (transient("rate_limit"), False),
        (transient("unreachable"), False),
        (transient("http_500"), False),
        (transient("http_503"), False),
        (transient("http_529"), False),
        (RejectedError("no", code="http_400"), False),
        (RejectedError("no", code="context_limit"), False),
        (FatalError("no", code="auth"), False),
        (FatalError("no", code="stopped"), False),
        (transient("timeout"), True),
        (transient("connection"), True),
        (transient("bad_response"), True),
        (transient("http_502"), True),
        (transient("http_504"), True),
        (transient("http_408"), True),
        (asyncio.CancelledError(), True),
        (RuntimeError("a fault of ours"), True),
    ],
)
def test_what_may_have_been_billed_counts_as_spent(error: BaseException, billed: bool, tmp_path: Path) -> None:
    purse, journal = Purse(1.0), Journal(tmp_path / "journal")
    (outcome,) = ask(backend_of(error), purse, journal=journal)
    assert outcome is error or isinstance(outcome, asyncio.CancelledError)
    assert purse.spent_usd == pytest.approx(most_usd() if billed else 0.0)
    journal.close()
    again = Journal(tmp_path / "journal")  # the next session knows of it
    assert again.billed_usd(PRICE) == pytest.approx(most_usd() if billed else 0.0)
    again.close()


def test_a_reply_without_usage_costs_what_was_reserved() -> None:
    purse = Purse(1.0)
    ask(backend_of(Reply(text="{}")), purse)
    assert purse.spent_usd == pytest.approx(most_usd())


def test_dense_texts_are_reserved_as_they_turned_out() -> None:
    size = sum(len(text.encode()) for text in (REQUEST.system, REQUEST.user, REQUEST.schema))
    dense = replace(CHEAP, prompt_tokens=size, cost_usd=0.0)  # a token a byte, thrice our guess

    async def main() -> float:
        purse = Purse(1.0)
        budgeted = Budgeted(backend_of(dense, takes_s=0.05), purse=purse, price=PRICE)
        await budgeted.complete(REQUEST)
        waiting = asyncio.ensure_future(budgeted.complete(REQUEST))
        await asyncio.sleep(0.01)
        reserved = sum(purse._cells[1:2])
        await waiting
        return reserved

    assert asyncio.run(main()) == pytest.approx((64 + size) * 1e-6 + 300 * 10e-6)


def test_what_earlier_sessions_cost_counts(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal")
    journal.commit("a", replace(CHEAP, cost_usd=0.5))
    journal.commit("b", CHEAP)
    journal.commit("c", replace(CHEAP, cost_usd=None))  # of a session without a price: 100 + 10 · 10 millionths
    journal.commit("d", Reply(text="x"))
    kept, taken_back = journal.pledge(0.25), journal.pledge(0.125)
    assert kept != taken_back
    journal.redeem(taken_back)
    assert journal.billed_usd(PRICE) == pytest.approx(0.5 + 200e-6 + 200e-6 + 0.25)
    journal.close()


def test_a_pledge_stays_until_its_reply_is_committed(tmp_path: Path) -> None:
    """Killed between the two, the next session counts the most that the reply may have cost."""
    journal = Journal(tmp_path / "journal.sqlite")
    ask(backend_of(CHEAP), Purse(1.0), journal=journal)
    assert journal.billed_usd(PRICE) == pytest.approx(most_usd())
    journal.commit(make_request(2).call_id, Reply(text="another call's", cost_usd=0.0))
    assert journal.billed_usd(PRICE) == pytest.approx(most_usd())
    journal.commit(REQUEST.call_id, CHEAP)
    assert journal.billed_usd(PRICE) == pytest.approx(200e-6)
    journal.close()


def test_every_attempt_of_a_call_has_its_own_pledge(tmp_path: Path) -> None:
    """What timed out may be billed besides the reply; what was refused is not; the reply costs what it costs."""
    journal = Journal(tmp_path / "journal.sqlite")
    backend = backend_of(transient("timeout"), transient("rate_limit"), CHEAP)
    for _ in range(3):
        ask(backend, Purse(1.0), journal=journal)
    assert journal.billed_usd(PRICE) == pytest.approx(2 * most_usd())
    journal.commit(REQUEST.call_id, CHEAP)
    assert journal.billed_usd(PRICE) == pytest.approx(most_usd() + 200e-6)
    journal.close()


def test_of_two_answers_the_one_that_was_not_committed_stays_pledged(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    ask(backend_of(CHEAP), Purse(1.0), times=2, journal=journal)
    journal.commit(REQUEST.call_id, CHEAP)
    assert journal.billed_usd(PRICE) == pytest.approx(most_usd() + 200e-6)
    journal.close()


def test_the_pledge_of_a_reply_without_usage_stays(tmp_path: Path) -> None:
    journal = Journal(tmp_path / "journal.sqlite")
    ask(backend_of(Reply(text="{}")), Purse(1.0), journal=journal)
    journal.commit(REQUEST.call_id, Reply(text="{}"))
    assert journal.billed_usd(PRICE) == pytest.approx(most_usd())
    journal.close()


def test_a_pledge_that_cannot_be_written_holds_nothing_back(tmp_path: Path) -> None:
    """Nothing was sent, so nobody waits for its money, and no other call is begun."""
    journal, purse, backend = Journal(tmp_path / "journal.sqlite"), Purse(most_usd()), backend_of(CHEAP)
    journal.close()
    stop = asyncio.Event()
    found = ask(backend, purse, 2, journal=journal, stop=stop)
    assert [type(error) for error in found] == [CacheError, CacheError]
    assert (backend.calls, stop.is_set(), purse.reserve(most_usd())) == (0, True, "taken")
