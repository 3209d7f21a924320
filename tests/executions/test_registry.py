"""Registry of runs: one run for each execution id, and its answer for every request."""

import asyncio
import gc
from collections import Counter
from typing import Final

import pytest

from gateway.executions.memory_journal import MAX_ENDED, MemoryJournal
from gateway.executions.registry import EXECUTION_NOT_FOUND, ExecutionRegistry, NoAnswerReason, RunAnswer
from gateway.railway import (
    Aggregate,
    CommitState,
    CommitTerms,
    Conflict,
    Err,
    Key,
    Ok,
    Result,
    Run,
    RunContext,
    Stuck,
    Unavailable,
    Undo,
    Write,
    railway,
)
from tests.executions.scripted_runs import (
    DAY,
    START,
    ScriptedRegistry,
    commit_start,
    now,
    run_request,
    settle,
)

PARTS: Final = ("Task", "ScriptedRun", "Execution")


def replayed(answer: str) -> RunAnswer[str]:
    return RunAnswer(answer, is_replayed=True)


def alive() -> Counter[str]:
    """Count what somebody still refers to, of all that a run is made of."""
    gc.collect()
    return Counter(name for one in gc.get_objects() if (name := type(one).__name__) in PARTS)


def fresh(answer: str) -> RunAnswer[str]:
    return RunAnswer(answer, is_replayed=False)


async def test_request_gets_the_answer_of_its_run(scripted: ScriptedRegistry) -> None:
    run = scripted.run()

    assert await scripted.executions.run(run_request(), run) == fresh("paid")
    assert run.log == ["started", "begun", "ended"]


async def test_repeated_request_gets_the_stored_answer(scripted: ScriptedRegistry) -> None:
    again = scripted.run(answer="paid twice")
    await scripted.executions.run(run_request(), scripted.run())

    assert await scripted.executions.run(run_request(), again) == replayed("paid")
    assert again.log == []


async def test_concurrent_request_waits_for_the_run(scripted: ScriptedRegistry) -> None:
    first, again = scripted.run(), scripted.run(answer="paid twice")
    first.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(run_request(), first))
    await first.has_begun.wait()

    assert await scripted.executions.run(run_request(), again) == replayed("paid")
    assert await owner == fresh("paid")
    assert (again.log, now()) == ([], 3)


async def test_runs_of_different_ids_are_independent(scripted: ScriptedRegistry) -> None:
    first = await scripted.executions.run(run_request("exe-1"), scripted.run("exe-1", "one"))
    second = await scripted.executions.run(run_request("exe-2"), scripted.run("exe-2", "two"))

    assert (first, second) == (fresh("one"), fresh("two"))


async def test_other_fingerprint_is_a_mismatch_at_once(
    scripted: ScriptedRegistry,
) -> None:
    run, other = scripted.run(), scripted.run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await run.has_begun.wait()

    assert await scripted.executions.run(run_request(asked=b"food"), other) is NoAnswerReason.MISMATCH
    assert now() == 0
    await owner
    assert await scripted.executions.run(run_request(asked=b"food"), other) is NoAnswerReason.MISMATCH
    assert other.log == []


async def test_run_that_fails_before_its_commit_frees_its_id(
    scripted: ScriptedRegistry,
) -> None:
    failing = scripted.run(fails=True)

    assert await scripted.executions.run(run_request(), failing) == fresh("paid not")
    assert await scripted.executions.run(run_request(asked=b"food"), scripted.run()) == fresh("paid")


async def test_waiting_request_shares_a_failure_before_the_commit(
    scripted: ScriptedRegistry,
) -> None:
    failing = scripted.run(fails=True)
    failing.begins.clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), failing))
    waiter = asyncio.create_task(scripted.executions.run(run_request(), scripted.run()))
    await settle()

    failing.begins.set()

    assert await owner == await waiter == fresh("paid not")
    assert await scripted.executions.run(run_request(), scripted.run()) == fresh("paid")


async def test_one_of_several_waiting_requests_makes_the_next_run(
    scripted: ScriptedRegistry,
) -> None:
    lost, second = scripted.run(), scripted.run()
    lost.begins.clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), lost))
    await settle()
    waiters = [asyncio.create_task(scripted.executions.run(run_request(), second)) for _ in range(3)]
    await settle()
    owner.cancel()

    assert await asyncio.gather(*waiters) == [fresh("paid"), replayed("paid"), replayed("paid")]
    assert second.log == ["started", "begun", "ended"]


async def test_request_leaves_a_begun_commit_at_its_deadline(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.seconds = 30

    assert await scripted.executions.run(run_request(deadline=5), run) is NoAnswerReason.RUNNING
    assert now() == 5
    assert await scripted.executions.run(run_request(), scripted.run()) == replayed("paid")
    assert now() == 30


async def test_waiting_request_leaves_at_its_deadline(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.begins.clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await settle()

    assert await scripted.executions.run(run_request(deadline=2), scripted.run()) is NoAnswerReason.RUNNING
    assert now() == 2
    run.begins.set()
    assert await owner == fresh("paid")


async def test_request_awaits_a_run_without_commit_past_its_deadline(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run(fails=True)
    run.begins.clear()
    asyncio.get_running_loop().call_at(6, run.begins.set)

    assert await scripted.executions.run(run_request(deadline=5), run) == fresh("paid not")
    assert now() == 6


@pytest.mark.parametrize("deadline", [3.0, 2.0])
async def test_stored_answer_is_returned_past_the_deadline(
    scripted: ScriptedRegistry, deadline: float
) -> None:
    await asyncio.sleep(3)
    await scripted.executions.run(run_request(), scripted.run())

    assert await scripted.executions.run(run_request(deadline=deadline), scripted.run()) == replayed("paid")


async def test_run_that_ends_at_the_deadline_is_answered(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.seconds = 5

    owner = asyncio.create_task(scripted.executions.run(run_request(deadline=5), run))
    waiter = asyncio.create_task(scripted.executions.run(run_request(deadline=5), scripted.run()))

    assert await owner in {fresh("paid"), NoAnswerReason.RUNNING}
    assert await waiter in {replayed("paid"), NoAnswerReason.RUNNING}
    assert await scripted.executions.run(run_request(deadline=5), scripted.run()) == replayed("paid")
    assert (run.log, now()) == (["started", "begun", "ended"], 5)


async def test_answer_is_kept_for_a_day(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(run_request(), scripted.run())

    await asyncio.sleep(DAY - 1)
    assert await scripted.executions.run(run_request(), scripted.run()) == replayed("paid")
    await asyncio.sleep(1)
    assert await scripted.executions.run(run_request(), scripted.run(answer="paid anew")) == fresh(
        "paid anew"
    )


async def test_retention_begins_at_the_end_of_the_run(scripted: ScriptedRegistry) -> None:
    run = scripted.run()
    run.seconds = 30
    await scripted.executions.run(run_request(deadline=1), run)

    await asyncio.sleep(DAY)
    assert await scripted.executions.run(run_request(), scripted.run()) == replayed("paid")


async def test_run_longer_than_a_day_is_not_repeated(scripted: ScriptedRegistry) -> None:
    run = scripted.run()
    run.seconds = 2 * DAY
    await scripted.executions.run(run_request("exe-0"), scripted.run("exe-0"))
    await scripted.executions.run(run_request(deadline=1), run)
    await asyncio.sleep(DAY)

    assert await scripted.executions.run(run_request(), scripted.run()) == replayed("paid")


async def test_answer_of_a_stuck_run_is_kept_for_a_day_after_its_undo(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.run()
    run.state = CommitState.STUCK
    await scripted.executions.run(run_request(), run)
    for _ in range(3):
        await asyncio.sleep(DAY)
        assert await scripted.executions.run(run_request(), scripted.run()) == replayed("paid")

    await asyncio.sleep(DAY / 2)
    await scripted.executions.retry("exe-1")

    await asyncio.sleep(DAY - 1)
    assert await scripted.executions.run(run_request(), scripted.run()) == replayed("paid")
    await asyncio.sleep(1)
    assert await scripted.executions.run(run_request(), scripted.run(answer="paid anew")) == fresh(
        "paid anew"
    )


async def test_unrepeatable_runs_are_bounded_and_keep_no_answer(
    scripted: ScriptedRegistry,
) -> None:
    before = alive()
    for number in range(MAX_ENDED + 10):
        asked = run_request(f"exe-{number}", asked=None)
        await scripted.executions.run(asked, scripted.run(asked.execution_id))

    assert await scripted.records.find("exe-10") is not None
    assert await scripted.records.find("exe-9") is None
    assert alive() - before == Counter({"Execution": MAX_ENDED})


async def test_run_that_fails_before_its_commit_leaves_no_garbage(scripted: ScriptedRegistry) -> None:
    before = alive()
    for number in range(10):
        await scripted.executions.run(run_request(f"exe-{number}"), scripted.run(f"exe-{number}", fails=True))

    assert await scripted.executions.find("exe-1") == Err(EXECUTION_NOT_FOUND)
    assert alive() - before == Counter()


async def test_run_is_found_before_its_commit_begins(scripted: ScriptedRegistry) -> None:
    run = scripted.run()
    run.begins.clear()
    owner = asyncio.create_task(scripted.executions.run(run_request(), run))
    await settle()

    found = (await scripted.executions.find("exe-1")).value_or(None)
    assert found is not None
    assert (found.pipeline, found.state, found.writes) == ("transfers", CommitState.RUNNING, ())
    assert (found.started_at, found.ended_at) == (START, None)
    run.begins.set()
    await owner


async def test_run_is_found_in_the_journal_after_its_commit_began(
    scripted: ScriptedRegistry,
) -> None:
    await scripted.executions.run(run_request(), scripted.run())

    assert await scripted.executions.find("exe-1") == Ok(await scripted.records.find("exe-1"))


async def test_execution_is_found_as_long_as_its_answer_is_kept(
    scripted: ScriptedRegistry,
) -> None:
    await scripted.executions.run(run_request(), scripted.run())
    before = await scripted.executions.find("exe-1")
    for number in range(MAX_ENDED + 1):
        await scripted.records.begin(commit_start(f"exe-other-{number}"))
        await scripted.records.end(f"exe-other-{number}", CommitState.COMMITTED)

    assert await scripted.records.find("exe-1") is None
    assert isinstance(before, Ok)
    assert await scripted.executions.find("exe-1") == before
    assert await scripted.executions.run(run_request(), scripted.run()) == replayed("paid")


async def test_page_is_read_from_the_journal(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(run_request(), scripted.run())

    assert await scripted.executions.page(None, 10, None) == await scripted.records.page(None, 10, None)


async def test_drain_waits_for_every_run_including_new_ones(
    scripted: ScriptedRegistry,
) -> None:
    first, second = scripted.run("exe-1"), scripted.run("exe-2")
    first.seconds, second.seconds = 3, 4
    await scripted.executions.run(run_request("exe-1", deadline=1), first)
    draining = asyncio.create_task(scripted.executions.drain())
    await scripted.executions.run(run_request("exe-2", deadline=2), second)

    await draining

    assert (first.log[-1], second.log[-1], now()) == ("ended", "ended", 5)


async def test_drain_without_runs_returns_at_once(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(run_request(), scripted.run())

    await scripted.executions.drain()

    assert now() == 0


async def test_drain_logs_the_ids_of_the_runs(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    run = scripted.run()
    run.seconds = 5
    await scripted.executions.run(run_request(deadline=1), run)

    await scripted.executions.drain()

    assert [record.getMessage() for record in caplog.records] == ["waiting for executions to end: exe-1"]


async def test_write_with_an_unregistered_undo_is_refused(scripted: ScriptedRegistry) -> None:
    async def attempt(_: Key) -> Result[str, Conflict]:
        raise AssertionError

    write: Write[str, Conflict] = Write("bank.pay", attempt, undo=Undo("bank.return", attempt))

    @railway
    async def pay(run: Run[Conflict | Aggregate | Stuck | Unavailable]) -> None:
        await run.commit("settlement", write)

    context = scripted.executions.prepare_context(RunContext())
    with pytest.raises(LookupError, match=r"unknown undo bank\.return: register it"):
        await pay.on(context)()


async def test_without_being_told_the_time_they_ask_the_clock() -> None:
    executions = ExecutionRegistry[str](MemoryJournal(), {}, CommitTerms())

    async def work() -> str:
        found = (await executions.find("exe-1")).value_or(None)
        return f"{found and found.started_at.tzinfo}"

    assert await executions.run(run_request(), work) == fresh("UTC")
