"""Call modes (`CallMode`) of the writes, undos and reads of a commit."""

from typing import Final

import pytest

from gateway.railway import CONCURRENT, SEQUENTIAL, CallMode, CommitPolicy, Failure, Run
from tests.railway.scripted_calls import FINE, TAKEN
from tests.railway.scripted_writes import BUSY, LATE, UNREACHED, Bank

SEND_ONCE: Final = CallMode.SEND_ONCE
BYPASS_POLICIES: Final = CallMode.BYPASS_POLICIES
NORMAL: Final = CallMode.NORMAL

BOTH_POLICIES = pytest.mark.parametrize("policy", [SEQUENTIAL, CONCURRENT])


@BOTH_POLICIES
async def test_first_write_attempt_uses_send_once(bank: Bank, policy: CommitPolicy) -> None:
    await bank.commit(bank.write("a"), bank.write("b"), policy=policy)

    assert bank.modes == {"a": [SEND_ONCE], "b": [SEND_ONCE]}


async def test_write_retries_bypass_policies(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, BUSY, FINE))

    assert bank.modes == {"a": [SEND_ONCE, BYPASS_POLICIES, BYPASS_POLICIES]}


async def test_write_after_retried_write_uses_send_once(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, FINE), bank.write("b"))

    assert bank.modes["b"] == [SEND_ONCE]


async def test_every_undo_attempt_bypasses_policies(bank: Bank) -> None:
    await bank.commit(bank.write("a", undos=(BUSY, UNREACHED, FINE)), bank.write("b", TAKEN))

    assert bank.modes == {"a": [SEND_ONCE], "b": [SEND_ONCE], "a.undo": [BYPASS_POLICIES] * 3}


async def test_unsent_write_is_not_retried(bank: Bank) -> None:
    await bank.commit(bank.write("a", UNREACHED))

    assert bank.modes == {"a": [SEND_ONCE]}


async def test_mapped_write_uses_modes_of_plain_write(bank: Bank) -> None:
    await bank.commit(bank.write("a", LATE, FINE, undos=(FINE,)).map(abs), bank.write("b", TAKEN))

    assert bank.modes == {"a": [SEND_ONCE, BYPASS_POLICIES], "b": [SEND_ONCE], "a.undo": [BYPASS_POLICIES]}


@BOTH_POLICIES
async def test_read_in_commit_uses_normal_mode(bank: Bank, policy: CommitPolicy) -> None:
    await bank.commit(bank.write("a", LATE, FINE), bank.call("b"), bank.write("c"), policy=policy)

    assert bank.modes == {"a": [SEND_ONCE, BYPASS_POLICIES], "b": [NORMAL], "c": [SEND_ONCE]}


async def test_calls_around_commit_use_normal_mode(bank: Bank) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.stage("before", bank.call("a"))
        await run.commit("settlement", bank.write("b", LATE, FINE))
        await run.stage("after", bank.call("c").optional(), bank.write("d").best_effort())

    await bank.run(body)

    assert bank.modes == {"a": [NORMAL], "b": [SEND_ONCE, BYPASS_POLICIES], "c": [NORMAL], "d": [NORMAL]}
