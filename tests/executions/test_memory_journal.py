"""The journal that lasts as long as its process."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway.executions.execution import ExecutedWrite, Page
from gateway.executions.memory_journal import MAX_ENDED, MemoryJournal
from gateway.railway import CommitState, Intent, Key, WriteOutcome
from tests.executions.scripted_runs import DAY, START, clock, commit_start, intent


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal(clock)


async def ended(journal: MemoryJournal, state: CommitState, *execution_ids: str) -> None:
    for execution_id in execution_ids:
        await journal.begin(commit_start(execution_id))
        await journal.end(execution_id, state)


def ids(page: Page) -> Sequence[str]:
    return [execution.execution_id for execution in page.executions]


async def test_begun_commit_is_running_with_pending_writes(journal: MemoryJournal) -> None:
    await journal.begin(commit_start())

    found = await journal.find("exe-1")
    assert found is not None
    assert (found.execution_id, found.pipeline, found.state) == ("exe-1", "transfers", CommitState.RUNNING)
    assert (found.started_at, found.ended_at) == (START, None)
    assert found.writes == tuple(
        ExecutedWrite(intent("exe-1", place), WriteOutcome.PENDING) for place in (0, 1)
    )


async def test_read_of_a_commit_is_not_recorded(journal: MemoryJournal) -> None:
    read = Intent("shop.stock", Key("exe-1.read"))
    await journal.begin(commit_start("exe-1", read))
    await journal.note("exe-1", read.key, WriteOutcome.DONE, 3)

    found = await journal.find("exe-1")
    assert found is not None
    assert [write.intent.name for write in found.writes] == ["bank.pay", "shop.ship"]


async def test_second_commit_of_an_execution_is_refused(journal: MemoryJournal) -> None:
    await journal.begin(commit_start())

    with pytest.raises(ValueError, match="exe-1 has a commit already"):
        await journal.begin(commit_start())


async def test_outcome_is_recorded_for_its_write_only(journal: MemoryJournal) -> None:
    await journal.begin(commit_start())
    await journal.note("exe-1", intent("exe-1", 1).key, WriteOutcome.DONE, None)

    found = await journal.find("exe-1")
    assert found is not None
    assert [write.outcome for write in found.writes] == [WriteOutcome.PENDING, WriteOutcome.DONE]


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE, CommitState.STUCK])
async def test_end_is_recorded_with_its_time(journal: MemoryJournal, state: CommitState) -> None:
    await journal.begin(commit_start())
    await asyncio.sleep(3)
    await journal.end("exe-1", state)

    found = await journal.find("exe-1")
    assert found is not None
    assert (found.state, found.ended_at) == (state, START + timedelta(seconds=3))


async def test_unknown_execution_is_not_found(journal: MemoryJournal) -> None:
    assert await journal.find("exe-1") is None
    assert await journal.page(None, 10, None) == Page((), None)


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE])
async def test_ended_execution_is_kept_for_a_day(journal: MemoryJournal, state: CommitState) -> None:
    await ended(journal, state, "exe-1")

    await asyncio.sleep(DAY - 1)
    assert await journal.find("exe-1") is not None
    await asyncio.sleep(1)
    assert await journal.find("exe-1") is None


async def test_evicted_execution_is_not_listed(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1")
    await asyncio.sleep(DAY)

    assert await journal.page(None, 10, None) == Page((), None)


async def test_evicted_execution_can_begin_again(
    journal: MemoryJournal,
) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1")
    await asyncio.sleep(DAY)

    await journal.begin(commit_start("exe-1"))

    found = await journal.find("exe-1")
    assert found is not None
    assert found.state is CommitState.RUNNING


async def test_running_execution_is_not_evicted(journal: MemoryJournal) -> None:
    await journal.begin(commit_start("exe-1"))
    await ended(journal, CommitState.STUCK, "exe-2")
    await asyncio.sleep(2 * DAY)

    assert ids(await journal.page(None, 10, None)) == ["exe-2", "exe-1"]


async def test_stuck_execution_is_kept_for_a_day_after_its_undo(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-1")
    await asyncio.sleep(2 * DAY)
    await journal.end("exe-1", CommitState.UNDONE)

    await asyncio.sleep(DAY - 1)
    assert await journal.find("exe-1") is not None
    await asyncio.sleep(1)
    assert await journal.find("exe-1") is None


async def test_number_of_ended_executions_is_bounded(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-stuck")
    await ended(journal, CommitState.COMMITTED, *(f"exe-{number}" for number in range(MAX_ENDED + 2)))

    known = [await journal.find(f"exe-{name}") is not None for name in ("stuck", 0, 1, 2, MAX_ENDED + 1)]
    assert known == [True, False, False, True, True]


async def test_executions_are_paged_latest_first(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1", "exe-2", "exe-3")
    await journal.begin(commit_start("exe-4"))

    first = await journal.page(None, 2, None)
    second = await journal.page(None, 2, first.cursor)

    assert (ids(first), ids(second), second.cursor) == (["exe-4", "exe-3"], ["exe-2", "exe-1"], None)


async def test_pages_of_one_state_skip_all_others(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-1")
    await ended(journal, CommitState.COMMITTED, "exe-2")
    await ended(journal, CommitState.STUCK, "exe-3")

    first = await journal.page(CommitState.STUCK, 1, None)
    second = await journal.page(CommitState.STUCK, 1, first.cursor)

    assert (ids(first), ids(second), second.cursor) == (["exe-3"], ["exe-1"], None)
    assert ids(await journal.page(CommitState.RUNNING, 10, None)) == []


async def test_cursor_is_stable_when_executions_begin(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.COMMITTED, "exe-1", "exe-2", "exe-3")
    first = await journal.page(None, 1, None)
    await ended(journal, CommitState.COMMITTED, "exe-4", "exe-5")

    assert ids(await journal.page(None, 10, first.cursor)) == ["exe-2", "exe-1"]


async def test_cursor_is_valid_after_its_execution_left_the_state(journal: MemoryJournal) -> None:
    await ended(journal, CommitState.STUCK, "exe-1", "exe-2", "exe-3")
    first = await journal.page(CommitState.STUCK, 1, None)
    await journal.end("exe-2", CommitState.UNDONE)

    assert ids(await journal.page(CommitState.STUCK, 10, first.cursor)) == ["exe-1"]


async def test_without_being_told_the_time_it_asks_the_clock() -> None:
    journal = MemoryJournal()
    await journal.begin(commit_start())

    found = await journal.find("exe-1")
    assert found is not None
    assert found.started_at.tzinfo is not None
