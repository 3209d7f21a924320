"""Exceptions during a commit: the writes are undone, then the exception is raised."""

import asyncio
import logging

import pytest

from gateway.railway import (
    CONCURRENT,
    Call,
    CommitPolicy,
    CommitState,
    Err,
    Failure,
    Gone,
    Run,
    Stuck,
    railway,
)
from tests.railway.scripted_calls import FOREVER, TAKEN, Answer
from tests.railway.scripted_writes import BUSY, LATE, Bank, Reply

BOTH_POLICIES = pytest.mark.parametrize("policy", list(CommitPolicy))
UNDONE = ["a.undo sent", "a is undone", "end undone"]


@BOTH_POLICIES
async def test_bug_in_write_undoes_every_write(bank: Bank, policy: CommitPolicy) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.write("b", ZeroDivisionError()), policy=policy)

    assert bank.log[-6:] == ["b is unknown", "b.undo sent", "b is undone", *UNDONE]


@BOTH_POLICIES
async def test_bug_in_read_undoes_writes(bank: Bank, policy: CommitPolicy) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.call("b", ZeroDivisionError()), policy=policy)

    assert bank.log[-4:] == ["b is unknown", *UNDONE]


async def test_bug_in_mapped_function_undoes_write(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a").map(lambda value: value // 0))

    assert bank.log[-3:] == UNDONE


async def test_bug_in_retry_undoes_write(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a", LATE, ZeroDivisionError()))

    assert bank.log[-3:] == UNDONE


async def test_bug_stops_sequential_commit(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a", ZeroDivisionError()), bank.write("b"))

    assert "b is refused" in bank.log
    assert "b" not in bank.keys


async def test_bug_in_commit_awaits_other_writes(bank: Bank) -> None:
    steps = bank.write("a", Reply(after=3)), bank.write("b", ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await bank.commit(*steps, policy=CONCURRENT)
    assert bank.log[-6:] == ["a is done", "b.undo sent", "b is undone", *UNDONE]


@pytest.mark.parametrize("delays", [(1, 2), (2, 1)])
async def test_first_bug_of_commit_has_others_as_notes(bank: Bank, delays: tuple[int, int]) -> None:
    """The first bug is the first in argument order, not in time."""
    bugs = ZeroDivisionError("first"), KeyError("second")
    steps = [bank.write("a", Reply(bugs[0], delays[0])), bank.write("b", Reply(bugs[1], delays[1]))]

    with pytest.raises(ZeroDivisionError, match="first") as raised:
        await bank.commit(*steps, policy=CONCURRENT)
    assert "KeyError: 'second'" in "".join(raised.value.__notes__)


async def test_bug_in_commit_outranks_failure(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a", TAKEN), bank.write("b", ZeroDivisionError()), policy=CONCURRENT)


async def test_stuck_commit_logs_bug_instead_of_raising(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    bug = ZeroDivisionError()
    steps = bank.write("a", undos=[BUSY]), bank.write("b", bug)

    with caplog.at_level(logging.ERROR):
        assert await bank.commit(*steps) == Err(Stuck("Some writes could not be undone: a"))
    assert caplog.messages == [
        "execution exe-1 of payment is stuck: could not undo a under key exe-1.settlement.0.a"
    ]
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[1] is bug


async def test_failed_journal_begin_sends_nothing(bank: Bank) -> None:
    bank.journal.bugs["begin settlement"] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.write("b"))
    assert bank.log == []


async def test_step_cancelled_by_other_code_is_bug(bank: Bank) -> None:
    steps = bank.write("a"), bank.write("b", asyncio.CancelledError())

    with pytest.raises(RuntimeError, match="b was cancelled by other code"):
        await bank.commit(*steps, policy=CONCURRENT)
    assert bank.log[-3:] == UNDONE


async def test_undo_cancelled_by_other_code_is_retried(bank: Bank) -> None:
    steps = bank.write("a", undos=[asyncio.CancelledError(), Reply()]), bank.write("b", TAKEN)

    assert await bank.commit(*steps) == TAKEN
    assert bank.log[-3:] == UNDONE


async def test_commit_in_closed_event_loop_records_no_end(bank: Bank) -> None:
    before = asyncio.all_tasks()
    request = asyncio.ensure_future(bank.commit(bank.write("a", Reply(after=FOREVER))))
    await asyncio.sleep(1)
    for task in asyncio.all_tasks() - before:  # as the closing of an event loop does
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert bank.log == ["begin settlement", "a sent"]


def build_exiting_call(run: Run[Failure]) -> Call[int, Failure]:
    async def exit_run() -> Answer:
        run.fail(Gone("exit"))

    return Call("exit", exit_run)


async def test_calling_run_fail_in_commit_undoes_writes(
    bank: Bank,
) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"), build_exiting_call(run))

    with pytest.raises(RuntimeError, match="`fail` after the commit began: from then on a run must not fail"):
        await bank.run(body)
    assert bank.log[-3:] == UNDONE


async def test_failure_of_outer_run_in_commit_undoes_writes(bank: Bank) -> None:
    @railway
    async def outer(run: Run[Failure]) -> object:
        return await bank.commit(bank.write("a"), build_exiting_call(run))

    assert await outer() == Err(Gone("exit"))
    assert bank.journal.ends == [("exe-1", CommitState.UNDONE)]
    assert bank.ledger.standing == set()


@pytest.mark.parametrize("positions", [(0, 1), (1, 0)])
async def test_bug_in_commit_outranks_failure_of_outer_run(bank: Bank, positions: tuple[int, int]) -> None:
    @railway
    async def outer(run: Run[Failure]) -> object:
        steps = build_exiting_call(run), bank.call("bug", ZeroDivisionError())
        return await bank.commit(
            bank.write("a"), *(steps[position] for position in positions), policy=CONCURRENT
        )

    with pytest.raises(ZeroDivisionError):
        await outer()
    assert bank.ledger.standing == set()


async def test_run_fail_in_undo_does_not_stop_other_undos(bank: Bank) -> None:
    @railway
    async def outer(run: Run[Failure]) -> object:
        write = bank.write("b", undos=[catch_exit(run), Reply()])
        return await bank.commit(bank.write("a"), write, bank.write("c", TAKEN))

    with pytest.raises(RuntimeError, match="a failure was caught on its way out of this run"):
        await outer()
    assert bank.ledger.standing == set()


def catch_exit(run: Run[Failure]) -> BaseException:
    try:
        run.fail(Gone("exit"))
    except BaseException as run_exit:  # noqa: BLE001 - the exit is wanted
        return run_exit
