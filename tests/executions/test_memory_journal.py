"""The journal that lasts as long as its process."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway.executions.execution import ExecutedWrite, Page
from gateway.executions.memory_journal import MAX_ENDED, MemoryJournal
from gateway.railway import CommitState, Intent, Key, WriteOutcome
from tests.executions.scripted_runs import DAY, START, beginning, clock, intent


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal(clock)


async def ended(journal: MemoryJournal, state: CommitState, *execution_ids: str) -> None:
    for execution_id in execution_ids:
        await journal.begin(beginning(execution_id))
        await journal.end(execution_id, state)


def ids(page: Page) -> Sequence[str]:
    return [execution.execution_id for execution in page.executions]


async def test_a_commit_that_has_begun_is_running_and_its_writes_are_pending(journal: MemoryJournal) -> None:
    await journal.begin(beginning())

    found = await journal.find("exe-1")
    assert found is not None
    assert (found.execution_id, found.pipeline, found.state) == ("exe-1", "transfers", CommitState.RUNNING)
    assert (found.started_at, found.ended_at) == (START, None)
    assert found.writes == tuple(
        ExecutedWrite(intent("exe-1", place), WriteOutcome.PENDING) for place in (0, 1)
    )


async def test_a_read_that_rides_along_is_no_write(journal: MemoryJournal) -> None:
    read = Intent("shop.stock", Key("exe-1.read"))
    await journal.begin(beginning("exe-1", read))
    await journal.note("exe-1", read.key, WriteOutcome.DONE, 3)

    found = await journal.find("exe-1")
    assert found is not None
    assert [write.intent.name for write in found.writes] == ["bank.pay", "shop.ship"]


async def test_an_execution_has_one_commit(journal: MemoryJournal) -> None:
    await journal.begin(beginning())

    with pytest.raises(ValueError, match="exe-1 has a commit already"):
        await journal.begin(beginning())


async def test_what_is_noted_of_one_write_says_nothing_of_the_other(journal: MemoryJournal) -> None:
    await journal.begin(beginning())
    await journal.note("exe-1", intent("exe-1", 1).key, WriteOutcome.DONE, None)

    found = await journal.find("exe-1")
    assert found is not None
    assert [write.outcome for write in found.writes] == [WriteOutcome.PENDING, WriteOutcome.DONE]


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE, CommitState.STUCK])
async def test_an_end_is_on_record_with_its_time(journal: MemoryJournal, state: CommitState) -> None:
    await journal.begin(beginning())
    await asyncio.sleep(3)
    await journal.end("exe-1", state)

    found = await journal.find("exe-1")
    assert found is not None
    assert (found.state, found.ended_at) == (state, START + timedelta(seconds=3))


async def test_what_never_began_is_not_known(journal: MemoryJournal) -> None:
    assert await journal.find("exe-1") is None
    assert await journal.page(None, 10, None) == Page((), None)


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE])
async def test_what_has_ended_is_known_for_a_day(journal: MemoryJournal, state: CommitState) -> None:
    await ended(journal, state, "exe-1")

    await asyncio.sleep(DAY - 1)
    assert await journal.find("exe-1") is not None
    await asyncio.sleep(1)
    assert await journal.find("exe-1") is None


async def test_what_is_forgotten_is_no_longer_listed(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1")
    await asyncio.sleep(DAY)

    assert await journal.page(None, 10, None) == Page((), None)


async def test_what_is_forgotten_may_begin_anew_though_nobody_has_asked_in_between(
    journal: MemoryJournal,
) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1")
    await asyncio.sleep(DAY)

    await journal.begin(beginning("exe-1"))

    found = await journal.find("exe-1")
    assert found is not None
    assert found.state is CommitState.RUNNING


async def test_what_has_not_ended_is_not_forgotten(journal: MemoryJournal) -> None:
    await journal.begin(beginning("exe-1"))
    await ended(journal, CommitState.STUCK, "exe-2")
    await asyncio.sleep(2 * DAY)

    assert ids(await journal.page(None, 10, None)) == ["exe-2", "exe-1"]


async def test_what_was_stuck_is_forgotten_a_day_after_it_has_been_undone(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-1")
    await asyncio.sleep(2 * DAY)
    await journal.end("exe-1", CommitState.UNDONE)

    await asyncio.sleep(DAY - 1)
    assert await journal.find("exe-1") is not None
    await asyncio.sleep(1)
    assert await journal.find("exe-1") is None


async def test_so_many_that_have_ended_are_known_and_all_that_are_stuck(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-stuck")
    await ended(journal, CommitState.COMMITTED, *(f"exe-{number}" for number in range(MAX_ENDED + 2)))

    known = [await journal.find(f"exe-{name}") is not None for name in ("stuck", 0, 1, 2, MAX_ENDED + 1)]
    assert known == [True, False, False, True, True]


async def test_executions_are_listed_the_latest_first_page_by_page(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1", "exe-2", "exe-3")
    await journal.begin(beginning("exe-4"))

    first = await journal.page(None, 2, None)
    second = await journal.page(None, 2, first.cursor)

    assert (ids(first), ids(second), second.cursor) == (["exe-4", "exe-3"], ["exe-2", "exe-1"], None)


async def test_those_in_one_state_are_listed_as_if_there_were_no_others(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-1")
    await ended(journal, CommitState.COMMITTED, "exe-2")
    await ended(journal, CommitState.STUCK, "exe-3")

    first = await journal.page(CommitState.STUCK, 1, None)
    second = await journal.page(CommitState.STUCK, 1, first.cursor)

    assert (ids(first), ids(second), second.cursor) == (["exe-3"], ["exe-1"], None)
    assert ids(await journal.page(CommitState.RUNNING, 10, None)) == []


async def test_a_cursor_stays_where_it_is_while_new_ones_come(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1", "exe-2", "exe-3")
    first = await journal.page(None, 1, None)
    await ended(journal, CommitState.COMMITTED, "exe-4", "exe-5")

    assert ids(await journal.page(None, 10, first.cursor)) == ["exe-2", "exe-1"]


async def test_a_cursor_at_what_has_left_its_state_goes_on_with_what_is_older(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-1", "exe-2", "exe-3")
    first = await journal.page(CommitState.STUCK, 1, None)
    await journal.end("exe-2", CommitState.UNDONE)

    assert ids(await journal.page(CommitState.STUCK, 10, first.cursor)) == ["exe-1"]


async def test_without_being_told_the_time_it_asks_the_clock() -> None:
    journal = MemoryJournal()
    await journal.begin(beginning())

    found = await journal.find("exe-1")
    assert found is not None
    assert found.started_at.tzinfo is not None
