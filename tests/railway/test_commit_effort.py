"""How much whoever makes the calls of a commit may do for each."""

from typing import Final

import pytest

from gateway.railway import IN_ORDER, PARALLEL, Effort, Failure, Order, Run
from tests.railway.commit_world import BUSY, LATE, UNREACHED, Bank
from tests.railway.world import FINE, TAKEN

ONCE: Final = Effort.ONCE
REGARDLESS: Final = Effort.REGARDLESS
USUAL: Final = Effort.USUAL

BOTH = pytest.mark.parametrize("order", [IN_ORDER, PARALLEL])


@BOTH
async def test_the_first_attempt_of_a_write_is_made_once(bank: Bank, order: Order) -> None:
    await bank.commit(bank.write("a"), bank.write("b"), order=order)

    assert bank.efforts == {"a": [ONCE], "b": [ONCE]}


async def test_the_repeats_of_a_write_are_made_regardless(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, BUSY, FINE))

    assert bank.efforts == {"a": [ONCE, REGARDLESS, REGARDLESS]}


async def test_a_write_after_one_that_was_repeated_is_made_once_again(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, FINE), bank.write("b"))

    assert bank.efforts["b"] == [ONCE]


async def test_undos_are_made_regardless_however_often(bank: Bank) -> None:
    await bank.commit(bank.write("a", undone=(BUSY, UNREACHED, FINE)), bank.write("b", TAKEN))

    assert bank.efforts == {"a": [ONCE], "b": [ONCE], "a.undo": [REGARDLESS] * 3}


async def test_a_write_that_was_declined_is_not_made_regardless(bank: Bank) -> None:
    await bank.commit(bank.write("a", UNREACHED))

    assert bank.efforts == {"a": [ONCE]}


async def test_a_write_that_is_shaped_is_made_like_any_other(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, FINE, undone=(FINE,)).map(abs), bank.write("b", TAKEN))

    assert bank.efforts == {"a": [ONCE, REGARDLESS], "b": [ONCE], "a.undo": [REGARDLESS]}


@BOTH
async def test_a_read_that_rides_along_is_made_as_usual(bank: Bank, order: Order) -> None:
    await bank.commit(bank.write("a", LATE, FINE), bank.call("b"), bank.write("c"), order=order)

    assert bank.efforts == {"a": [ONCE, REGARDLESS], "b": [USUAL], "c": [ONCE]}


async def test_what_comes_before_and_after_a_commit_is_made_as_usual(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.stage("before", bank.call("a"))
        await run.commit("settlement", bank.write("b", LATE, FINE))
        await run.stage("after", bank.call("c").optional(), bank.write("d").best_effort())

    await bank.made(body)

    assert bank.efforts == {"a": [USUAL], "b": [ONCE, REGARDLESS], "c": [USUAL], "d": [USUAL]}
