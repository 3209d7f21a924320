"""Journal of commits in memory."""

import asyncio
from collections.abc import Sequence
from datetime import timedelta

import pytest

from gateway.executions.execution import ExecutedWrite, Page
from gateway.executions.memory_journal import MAX_ENDED, MemoryJournal
from gateway.railway import CommitState, Intent, Key, WriteOutcome
from tests.executions.scripted_runs import DAY, START, build_commit_start, build_intent, clock


@pytest.fixture
def journal() -> MemoryJournal:
    return MemoryJournal(clock)


async def record_commits(journal: MemoryJournal, state: CommitState, *execution_ids: str) -> None:
    for execution_id in execution_ids:
        await journal.begin(build_commit_start(execution_id))
        journal.end(execution_id, state)


def list_ids(page: Page) -> Sequence[str]:
    return [execution.execution_id for execution in page.executions]


async def test_new_commit_has_pending_writes(journal: MemoryJournal) -> None:
    await journal.begin(build_commit_start())

    found = await journal.find("exe-1")
    assert found is not None
    assert (found.execution_id, found.pipeline, found.state) == ("exe-1", "transfers", CommitState.RUNNING)
    assert (found.started_at, found.ended_at) == (START, None)
    assert found.writes == tuple(
        ExecutedWrite(build_intent("exe-1", place), WriteOutcome.PENDING) for place in (0, 1)
    )


async def test_journal_omits_reads_of_commit(journal: MemoryJournal) -> None:
    read = Intent("shop.stock", Key("exe-1.read"))
    await journal.begin(build_commit_start("exe-1", read))
    journal.note("exe-1", read.key, WriteOutcome.DONE)

    found = await journal.find("exe-1")
    assert found is not None
    assert [write.intent.name for write in found.writes] == ["bank.pay", "shop.ship"]


async def test_journal_refuses_second_commit(journal: MemoryJournal) -> None:
    await journal.begin(build_commit_start())

    with pytest.raises(ValueError, match="exe-1 has a commit already"):
        await journal.begin(build_commit_start())


async def test_journal_records_outcome_of_write(journal: MemoryJournal) -> None:
    await journal.begin(build_commit_start())
    journal.note("exe-1", build_intent("exe-1", 1).key, WriteOutcome.DONE)

    found = await journal.find("exe-1")
    assert found is not None
    assert [write.outcome for write in found.writes] == [WriteOutcome.PENDING, WriteOutcome.DONE]


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE, CommitState.STUCK])
async def test_journal_records_end_with_time(journal: MemoryJournal, state: CommitState) -> None:
    await journal.begin(build_commit_start())
    await asyncio.sleep(3)
    journal.end("exe-1", state)

    found = await journal.find("exe-1")
    assert found is not None
    assert (found.state, found.ended_at) == (state, START + timedelta(seconds=3))


async def test_empty_journal_finds_no_execution(journal: MemoryJournal) -> None:
    assert await journal.find("exe-1") is None
    assert await journal.page(None, 10, None) == Page((), None)


@pytest.mark.parametrize("state", [CommitState.COMMITTED, CommitState.UNDONE])
async def test_ended_execution_is_kept_for_one_day(journal: MemoryJournal, state: CommitState) -> None:
    await record_commits(journal, state, "exe-1")

    await asyncio.sleep(DAY - 1)
    assert await journal.find("exe-1") is not None
    await asyncio.sleep(1)
    assert await journal.find("exe-1") is None


async def test_evicted_execution_is_not_listed(journal: MemoryJournal) -> None:
    await record_commits(journal, CommitState.COMMITTED, "exe-1")
    await asyncio.sleep(DAY)

    assert await journal.page(None, 10, None) == Page((), None)


async def test_evicted_execution_can_begin_again(
    journal: MemoryJournal,
) -> None:
    await record_commits(journal, CommitState.COMMITTED, "exe-1")
    await asyncio.sleep(DAY)

    await journal.begin(build_commit_start("exe-1"))

    found = await journal.find("exe-1")
    assert found is not None
    assert found.state is CommitState.RUNNING


async def test_running_and_stuck_executions_are_kept(journal: MemoryJournal) -> None:
    await journal.begin(build_commit_start("exe-1"))
    await record_commits(journal, CommitState.STUCK, "exe-2")
    await asyncio.sleep(2 * DAY)

    assert list_ids(await journal.page(None, 10, None)) == ["exe-2", "exe-1"]


async def test_stuck_execution_is_kept_a_day_after_undo(journal: MemoryJournal) -> None:
    """A stuck execution is kept until it is undone, and for a day after."""
    await record_commits(journal, CommitState.STUCK, "exe-1")
    await asyncio.sleep(2 * DAY)
    journal.end("exe-1", CommitState.UNDONE)

    await asyncio.sleep(DAY - 1)
    assert await journal.find("exe-1") is not None
    await asyncio.sleep(1)
    assert await journal.find("exe-1") is None


async def test_number_of_ended_executions_is_limited(journal: MemoryJournal) -> None:
    await record_commits(journal, CommitState.STUCK, "exe-stuck")
    await record_commits(
        journal, CommitState.COMMITTED, *(f"exe-{number}" for number in range(MAX_ENDED + 2))
    )

    known = [await journal.find(f"exe-{name}") is not None for name in ("stuck", 0, 1, 2, MAX_ENDED + 1)]
    assert known == [True, False, False, True, True]


async def test_journal_lists_latest_executions_first(journal: MemoryJournal) -> None:
    await record_commits(journal, CommitState.COMMITTED, "exe-1", "exe-2", "exe-3")
    await journal.begin(build_commit_start("exe-4"))

    first = await journal.page(None, 2, None)
    second = await journal.page(None, 2, first.cursor)

    assert (list_ids(first), list_ids(second), second.cursor) == (
        ["exe-4", "exe-3"],
        ["exe-2", "exe-1"],
        None,
    )


async def test_journal_page_filters_by_state(journal: MemoryJournal) -> None:
    await record_commits(journal, CommitState.STUCK, "exe-1")
    await record_commits(journal, CommitState.COMMITTED, "exe-2")
    await record_commits(journal, CommitState.STUCK, "exe-3")

    first = await journal.page(CommitState.STUCK, 1, None)
    second = await journal.page(CommitState.STUCK, 1, first.cursor)

    assert (list_ids(first), list_ids(second), second.cursor) == (["exe-3"], ["exe-1"], None)
    assert list_ids(await journal.page(CommitState.RUNNING, 10, None)) == []


async def test_cursor_ignores_new_executions(journal: MemoryJournal) -> None:
    await record_commits(journal, CommitState.COMMITTED, "exe-1", "exe-2", "exe-3")
    first = await journal.page(None, 1, None)
    await record_commits(journal, CommitState.COMMITTED, "exe-4", "exe-5")

    assert list_ids(await journal.page(None, 10, first.cursor)) == ["exe-2", "exe-1"]


async def test_cursor_survives_change_of_state(journal: MemoryJournal) -> None:
    await record_commits(journal, CommitState.STUCK, "exe-1", "exe-2", "exe-3")
    first = await journal.page(CommitState.STUCK, 1, None)
    journal.end("exe-2", CommitState.UNDONE)

    assert list_ids(await journal.page(CommitState.STUCK, 10, first.cursor)) == ["exe-1"]


async def test_journal_times_have_timezone_by_default() -> None:
    journal = MemoryJournal()
    await journal.begin(build_commit_start())

    found = await journal.find("exe-1")
    assert found is not None
    assert found.started_at.tzinfo is not None
