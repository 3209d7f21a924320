"""Exceptions during a commit: what was written is undone, and then they are raised."""

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
from tests.railway.scripted_writes import BUSY, LATE, Bank, Told

BOTH = pytest.mark.parametrize("order", list(CommitPolicy))
UNDONE = ["a.undo sent", "a is undone", "end undone"]


@BOTH
async def test_a_bug_in_a_write_undoes_all_the_write_itself_included(bank: Bank, order: CommitPolicy) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.write("b", ZeroDivisionError()), policy=order)

    assert bank.log[-6:] == ["b is unknown", "b.undo sent", "b is undone", *UNDONE]


@BOTH
async def test_a_bug_in_a_read_undoes_the_writes(bank: Bank, order: CommitPolicy) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.call("b", ZeroDivisionError()), policy=order)

    assert bank.log[-4:] == ["b is unknown", *UNDONE]


async def test_a_bug_in_what_a_value_is_mapped_with_undoes_the_write(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a").map(lambda value: value // 0))

    assert bank.log[-3:] == UNDONE


async def test_a_bug_in_a_repeat_undoes_the_write(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a", LATE, ZeroDivisionError()))

    assert bank.log[-3:] == UNDONE


async def test_in_order_a_bug_keeps_later_writes_from_being_sent(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a", ZeroDivisionError()), bank.write("b"))

    assert "b is refused" in bank.log
    assert "b" not in bank.keys


async def test_in_parallel_a_bug_waits_for_every_write(bank: Bank) -> None:
    steps = bank.write("a", Told(after=3)), bank.write("b", ZeroDivisionError())

    with pytest.raises(ZeroDivisionError):
        await bank.commit(*steps, policy=CONCURRENT)
    assert bank.log[-6:] == ["a is done", "b.undo sent", "b is undone", *UNDONE]


@pytest.mark.parametrize("after", [(1, 2), (2, 1)])
async def test_of_several_bugs_that_of_the_earliest_argument_is_raised_with_the_others_noted(
    bank: Bank, after: tuple[int, int]
) -> None:
    bugs = ZeroDivisionError("first"), KeyError("second")
    steps = [bank.write("a", Told(bugs[0], after[0])), bank.write("b", Told(bugs[1], after[1]))]

    with pytest.raises(ZeroDivisionError, match="first") as raised:
        await bank.commit(*steps, policy=CONCURRENT)
    assert "KeyError: 'second'" in "".join(raised.value.__notes__)


async def test_a_bug_beats_errors(bank: Bank) -> None:
    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a", TAKEN), bank.write("b", ZeroDivisionError()), policy=CONCURRENT)


async def test_what_is_stuck_beats_a_bug_which_is_logged(
    bank: Bank, caplog: pytest.LogCaptureFixture
) -> None:
    bug = ZeroDivisionError()
    steps = bank.write("a", undone=[BUSY]), bank.write("b", bug)

    with caplog.at_level(logging.ERROR):
        assert await bank.commit(*steps) == Err(Stuck("What was done could not be undone: a"))
    assert caplog.messages == ["execution exe-1 of committing is stuck: a under key exe-1.settlement.0.a"]
    assert caplog.records[0].exc_info is not None
    assert caplog.records[0].exc_info[1] is bug


async def test_a_journal_that_cannot_begin_keeps_everything_from_being_sent(bank: Bank) -> None:
    bank.journal.bugs["begin settlement"] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.write("b"))
    assert bank.log == []


@BOTH
@pytest.mark.parametrize("line", ["a is done", "b is done", "c is done", "end committed"])
async def test_a_journal_that_cannot_write_undoes_everything(
    bank: Bank, order: CommitPolicy, line: str
) -> None:
    bank.journal.bugs[line] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.call("b"), bank.write("c"), policy=order)
    assert bank.ledger.standing == set()
    assert bank.log[-1] == "end undone"


@pytest.mark.parametrize("line", ["a is undone", "b is refused", "c is refused", "end undone"])
async def test_a_journal_that_cannot_write_what_is_undone_breaks_the_run_once_all_is(
    bank: Bank, line: str
) -> None:
    bank.journal.bugs[line] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"), bank.write("b", TAKEN), bank.write("c"))
    assert bank.ledger.standing == set()


async def test_a_journal_that_cannot_write_that_nobody_knows_breaks_the_run(bank: Bank) -> None:
    bank.journal.bugs["a is unknown"] = ZeroDivisionError()

    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a", LATE))
    assert bank.log[-3:] == UNDONE


@pytest.mark.parametrize("line", ["a is stuck", "end stuck"])
async def test_a_journal_that_cannot_write_what_is_stuck_still_gives_stuck(bank: Bank, line: str) -> None:
    bank.journal.bugs[line] = ZeroDivisionError()

    result = await bank.commit(bank.write("a", undone=[BUSY]), bank.write("b", TAKEN))

    assert result == Err(Stuck("What was done could not be undone: a"))


async def test_the_bug_of_a_write_beats_that_of_the_journal(bank: Bank) -> None:
    bank.journal.bugs["a is unknown"] = KeyError()
    bank.journal.bugs["end undone"] = IndexError()

    with pytest.raises(ZeroDivisionError) as raised:
        await bank.commit(bank.write("a", ZeroDivisionError()))
    assert "IndexError" in "".join(raised.value.__notes__)


async def test_of_two_bugs_of_the_journal_the_first_is_raised(bank: Bank) -> None:
    bank.journal.bugs["end committed"] = ZeroDivisionError()
    bank.journal.bugs["end undone"] = IndexError()

    with pytest.raises(ZeroDivisionError):
        await bank.commit(bank.write("a"))
    assert bank.ledger.standing == set()


async def test_a_step_that_somebody_else_cancels_is_a_bug(bank: Bank) -> None:
    steps = bank.write("a"), bank.write("b", asyncio.CancelledError())

    with pytest.raises(RuntimeError, match="b was cancelled by other code"):
        await bank.commit(*steps, policy=CONCURRENT)
    assert bank.log[-3:] == UNDONE


async def test_an_undo_that_somebody_else_cancels_is_tried_again(bank: Bank) -> None:
    steps = bank.write("a", undone=[asyncio.CancelledError(), Told()]), bank.write("b", TAKEN)

    assert await bank.commit(*steps) == TAKEN
    assert bank.log[-3:] == UNDONE


async def test_a_commit_that_is_killed_leaves_its_end_to_the_journal(bank: Bank) -> None:
    before = asyncio.all_tasks()
    request = asyncio.ensure_future(bank.commit(bank.write("a", Told(after=FOREVER))))
    await asyncio.sleep(1)
    for task in asyncio.all_tasks() - before:  # as a loop does that is closed
        task.cancel()

    with pytest.raises(asyncio.CancelledError):
        await request
    assert bank.log == ["begin settlement", "a sent"]


def leaving(run: Run[Failure]) -> Call[int, Failure]:
    async def leave() -> Answer:
        run.fail(Gone("left"))

    return Call("leave", leave)


async def test_a_step_that_fails_its_run_otherwise_than_by_its_result_is_misused_and_undone(
    bank: Bank,
) -> None:
    async def body(run: Run[Failure]) -> None:
        await run.commit("settlement", bank.write("a"), leaving(run))

    with pytest.raises(RuntimeError, match="the run fails after a commit, which is the point of no return"):
        await bank.made(body)
    assert bank.log[-3:] == UNDONE


async def test_an_outer_run_that_is_left_inside_a_commit_is_left_once_all_is_undone(bank: Bank) -> None:
    @railway
    async def outer(run: Run[Failure]) -> object:
        return await bank.commit(bank.write("a"), leaving(run))

    assert await outer() == Err(Gone("left"))
    assert bank.journal.ends == [("exe-1", CommitState.UNDONE)]
    assert bank.ledger.standing == set()


@pytest.mark.parametrize("places", [(0, 1), (1, 0)])
async def test_a_bug_beats_the_leaving_of_a_run(bank: Bank, places: tuple[int, int]) -> None:
    @railway
    async def outer(run: Run[Failure]) -> object:
        broken = leaving(run), bank.call("bug", ZeroDivisionError())
        return await bank.commit(bank.write("a"), *(broken[place] for place in places), policy=CONCURRENT)

    with pytest.raises(ZeroDivisionError):
        await outer()
    assert bank.ledger.standing == set()


async def test_an_undo_that_leaves_a_run_keeps_no_other_from_being_tried(bank: Bank) -> None:
    @railway
    async def outer(run: Run[Failure]) -> object:
        write = bank.write("b", undone=[leaving_of(run), Told()])
        return await bank.commit(bank.write("a"), write, bank.write("c", TAKEN))

    with pytest.raises(RuntimeError, match="a failure was caught on its way out of this run"):
        await outer()
    assert bank.ledger.standing == set()


def leaving_of(run: Run[Failure]) -> BaseException:
    try:
        run.fail(Gone("left"))
    except BaseException as left:  # noqa: BLE001 - it is what is wanted
        return left
