"""Looking up in groups: one query for one turn of the loop, everybody gets his own, and an error is everybody's."""

import asyncio

import pytest

from judge.calls.gathered import Gathered


class Shelf:
    def __init__(self, error=None):
        self.asked, self.error = [], error

    def look_up(self, keys):
        self.asked.append(list(keys))
        if self.error is not None:
            raise self.error
        return [key * 10 for key in keys]


def nothing_is_missing(key, found):
    raise AssertionError(key)


def test_what_is_missing_is_handed_on_with_the_future_of_whoever_looks():
    async def work():
        def look_up(keys):
            return [None if key % 2 else key for key in keys]

        gathered = Gathered(look_up, lambda key, found: found.set_result(-key))
        return await asyncio.gather(*map(gathered.find, (1, 2, 3)))

    assert asyncio.run(work()) == [-1, 2, -3]


def test_what_cannot_be_handed_on_is_an_error_of_who_looks_and_of_nobody_else():
    async def work():
        def hand_on(key, found):
            if key == 2:
                raise OSError("gone")
            found.set_result(-key)

        gathered = Gathered(lambda keys: [None for _ in keys], hand_on)
        return await asyncio.gather(*map(gathered.find, (1, 2, 3)), return_exceptions=True)

    first, second, third = asyncio.run(work())
    assert (first, str(second), third) == (-1, "gone", -3)


def test_one_turn_is_one_query_and_everybody_gets_his_own():
    async def work():
        shelf = Shelf()
        gathered = Gathered(shelf.look_up, nothing_is_missing)
        found = [await asyncio.gather(*map(gathered.find, (3, 1, 3))), await gathered.find(2)]
        return found, shelf.asked

    assert asyncio.run(work()) == ([[30, 10, 30], 20], [[3, 1, 3], [2]])


def test_a_query_is_for_five_hundred_at_most():
    async def work():
        shelf = Shelf()
        gathered = Gathered(shelf.look_up, nothing_is_missing)
        found = await asyncio.gather(*map(gathered.find, range(1001)))
        return found, [len(keys) for keys in shelf.asked]

    assert asyncio.run(work()) == ([10 * key for key in range(1001)], [500, 500, 1])


def test_an_error_is_for_everybody_and_not_for_the_next():
    async def work():
        shelf = Shelf(error=OSError("gone"))
        gathered = Gathered(shelf.look_up, nothing_is_missing)
        failed = await asyncio.gather(gathered.find(1), gathered.find(2), return_exceptions=True)
        shelf.error = None
        return failed, await gathered.find(3)

    failed, found = asyncio.run(work())
    assert [str(error) for error in failed] == ["gone", "gone"]
    assert failed[0] is not failed[1]
    assert found == 30


@pytest.mark.parametrize("error", [None, OSError("gone")])
def test_who_goes_away_disturbs_nobody(error):
    async def work():
        gathered = Gathered(Shelf(error=error).look_up, nothing_is_missing)
        gone, stays = gathered.find(1), gathered.find(2)
        gone.cancel()
        return await asyncio.gather(stays, return_exceptions=True)

    assert str(asyncio.run(work())[0]) == ("20" if error is None else "gone")
