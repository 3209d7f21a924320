"""How much whoever makes the calls of a commit may do for each."""

from typing import Final

import pytest

from gateway.railway import CONCURRENT, SEQUENTIAL, CallMode, CommitPolicy, Failure, Run
from tests.railway.scripted_calls import FINE, TAKEN
from tests.railway.scripted_writes import BUSY, LATE, UNREACHED, Bank

ONCE: Final = CallMode.SEND_ONCE
BYPASS_POLICIES: Final = CallMode.BYPASS_POLICIES
NORMAL: Final = CallMode.NORMAL

BOTH = pytest.mark.parametrize("order", [SEQUENTIAL, CONCURRENT])


@BOTH
async def test_the_first_attempt_of_a_write_is_made_once(bank: Bank, order: CommitPolicy) -> None:
    await bank.commit(bank.write("a"), bank.write("b"), policy=order)

    assert bank.efforts == {"a": [ONCE], "b": [ONCE]}


async def test_the_repeats_of_a_write_are_made_regardless(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, BUSY, FINE))

    assert bank.efforts == {"a": [ONCE, BYPASS_POLICIES, BYPASS_POLICIES]}


async def test_a_write_after_one_that_was_repeated_is_made_once_again(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, FINE), bank.write("b"))

    assert bank.efforts["b"] == [ONCE]


async def test_undos_are_made_regardless_however_often(bank: Bank) -> None:
    await bank.commit(bank.write("a", undone=(BUSY, UNREACHED, FINE)), bank.write("b", TAKEN))

    assert bank.efforts == {"a": [ONCE], "b": [ONCE], "a.undo": [BYPASS_POLICIES] * 3}


async def test_a_write_that_was_declined_is_not_made_regardless(bank: Bank) -> None:
    await bank.commit(bank.write("a", UNREACHED))

    assert bank.efforts == {"a": [ONCE]}


async def test_a_write_that_is_shaped_is_made_like_any_other(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, FINE, undone=(FINE,)).map(abs), bank.write("b", TAKEN))

    assert bank.efforts == {"a": [ONCE, BYPASS_POLICIES], "b": [ONCE], "a.undo": [BYPASS_POLICIES]}


@BOTH
async def test_a_read_that_rides_along_is_made_as_usual(bank: Bank, order: CommitPolicy) -> None:
    await bank.commit(bank.write("a", LATE, FINE), bank.call("b"), bank.write("c"), policy=order)

    assert bank.efforts == {"a": [ONCE, BYPASS_POLICIES], "b": [NORMAL], "c": [ONCE]}


async def test_what_comes_before_and_after_a_commit_is_made_as_usual(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.stage("before", bank.call("a"))
        await run.commit("settlement", bank.write("b", LATE, FINE))
        await run.stage("after", bank.call("c").optional(), bank.write("d").best_effort())

    await bank.made(body)

    assert bank.efforts == {"a": [NORMAL], "b": [ONCE, BYPASS_POLICIES], "c": [NORMAL], "d": [NORMAL]}
