"""Runs that write: made once for an id, and answered for whoever asks."""

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
from tests.executions.scripted_runs import DAY, START, World, beginning, now, settled, ticket

PARTS: Final = ("Task", "Led", "Execution")


def replayed(answer: str) -> RunAnswer[str]:
    return RunAnswer(answer, is_replayed=True)


def alive() -> Counter[str]:
    """Count what somebody still refers to, of all that a run is made of."""
    gc.collect()
    return Counter(name for one in gc.get_objects() if (name := type(one).__name__) in PARTS)


def fresh(answer: str) -> RunAnswer[str]:
    return RunAnswer(answer, is_replayed=False)


async def test_a_run_is_made_and_its_answer_given(world: World) -> None:
    run = world.run()

    assert await world.executions.run(ticket(), run) == fresh("paid")
    assert run.log == ["started", "begun", "ended"]


async def test_who_asks_again_has_the_same_answer_without_another_run(world: World) -> None:
    again = world.run(answer="paid twice")
    await world.executions.run(ticket(), world.run())

    assert await world.executions.run(ticket(), again) == replayed("paid")
    assert again.log == []


async def test_who_asks_while_it_runs_waits_for_it(world: World) -> None:
    first, again = world.run(), world.run(answer="paid twice")
    first.seconds = 3
    owner = asyncio.create_task(world.executions.run(ticket(), first))
    await first.has_begun.wait()

    assert await world.executions.run(ticket(), again) == replayed("paid")
    assert await owner == fresh("paid")
    assert (again.log, now()) == ([], 3)


async def test_runs_of_different_ids_know_nothing_of_each_other(world: World) -> None:
    first = await world.executions.run(ticket("exe-1"), world.run("exe-1", "one"))
    second = await world.executions.run(ticket("exe-2"), world.run("exe-2", "two"))

    assert (first, second) == (fresh("one"), fresh("two"))


async def test_who_asks_for_something_else_under_the_same_id_is_told_so_at_once(world: World) -> None:
    run, other = world.run(), world.run()
    run.seconds = 3
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await run.has_begun.wait()

    assert await world.executions.run(ticket(asked=b"food"), other) is NoAnswerReason.MISMATCH
    assert now() == 0
    await owner
    assert await world.executions.run(ticket(asked=b"food"), other) is NoAnswerReason.MISMATCH
    assert other.log == []


async def test_a_run_that_fails_before_its_commit_leaves_its_id_to_the_next(world: World) -> None:
    failing = world.run(fails=True)

    assert await world.executions.run(ticket(), failing) == fresh("paid not")
    assert await world.executions.run(ticket(asked=b"food"), world.run()) == fresh("paid")


async def test_who_has_waited_for_a_run_that_fails_before_its_commit_fails_with_it(world: World) -> None:
    failing = world.run(fails=True)
    failing.begins.clear()
    owner = asyncio.create_task(world.executions.run(ticket(), failing))
    waiter = asyncio.create_task(world.executions.run(ticket(), world.run()))
    await settled()

    failing.begins.set()

    assert await owner == await waiter == fresh("paid not")
    assert await world.executions.run(ticket(), world.run()) == fresh("paid")


async def test_of_many_who_have_waited_for_one_that_hangs_up_one_makes_the_next_run(world: World) -> None:
    lost, second = world.run(), world.run()
    lost.begins.clear()
    owner = asyncio.create_task(world.executions.run(ticket(), lost))
    await settled()
    waiters = [asyncio.create_task(world.executions.run(ticket(), second)) for _ in range(3)]
    await settled()
    owner.cancel()

    assert await asyncio.gather(*waiters) == [fresh("paid"), replayed("paid"), replayed("paid")]
    assert second.log == ["started", "begun", "ended"]


async def test_at_its_deadline_a_request_leaves_a_run_whose_commit_has_begun(world: World) -> None:
    run = world.run()
    run.seconds = 30

    assert await world.executions.run(ticket(deadline=5), run) is NoAnswerReason.RUNNING
    assert now() == 5
    assert await world.executions.run(ticket(), world.run()) == replayed("paid")
    assert now() == 30


async def test_at_its_deadline_who_waits_for_another_leaves_too_whether_it_writes_or_not(
    world: World,
) -> None:
    run = world.run()
    run.begins.clear()
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await settled()

    assert await world.executions.run(ticket(deadline=2), world.run()) is NoAnswerReason.RUNNING
    assert now() == 2
    run.begins.set()
    assert await owner == fresh("paid")


async def test_at_its_deadline_a_request_awaits_a_run_whose_commit_has_not_begun(world: World) -> None:
    run = world.run(fails=True)
    run.begins.clear()
    asyncio.get_running_loop().call_at(6, run.begins.set)

    assert await world.executions.run(ticket(deadline=5), run) == fresh("paid not")
    assert now() == 6


@pytest.mark.parametrize("deadline", [3.0, 2.0])
async def test_a_run_that_has_ended_is_answered_though_the_deadline_has_passed(
    world: World, deadline: float
) -> None:
    await asyncio.sleep(3)
    await world.executions.run(ticket(), world.run())

    assert await world.executions.run(ticket(deadline=deadline), world.run()) == replayed("paid")


async def test_a_run_that_ends_at_the_very_deadline_is_answered_now_or_when_asked_again(world: World) -> None:
    run = world.run()
    run.seconds = 5

    owner = asyncio.create_task(world.executions.run(ticket(deadline=5), run))
    waiter = asyncio.create_task(world.executions.run(ticket(deadline=5), world.run()))

    assert await owner in {fresh("paid"), NoAnswerReason.RUNNING}
    assert await waiter in {replayed("paid"), NoAnswerReason.RUNNING}
    assert await world.executions.run(ticket(deadline=5), world.run()) == replayed("paid")
    assert (run.log, now()) == (["started", "begun", "ended"], 5)


async def test_an_answer_is_kept_for_a_day(world: World) -> None:
    await world.executions.run(ticket(), world.run())

    await asyncio.sleep(DAY - 1)
    assert await world.executions.run(ticket(), world.run()) == replayed("paid")
    await asyncio.sleep(1)
    assert await world.executions.run(ticket(), world.run(answer="paid anew")) == fresh("paid anew")


async def test_a_day_begins_when_the_run_has_ended(world: World) -> None:
    run = world.run()
    run.seconds = 30
    await world.executions.run(ticket(deadline=1), run)

    await asyncio.sleep(DAY)
    assert await world.executions.run(ticket(), world.run()) == replayed("paid")


async def test_a_run_that_goes_on_for_more_than_a_day_is_not_made_again(world: World) -> None:
    run = world.run()
    run.seconds = 2 * DAY
    await world.executions.run(ticket("exe-0"), world.run("exe-0"))
    await world.executions.run(ticket(deadline=1), run)
    await asyncio.sleep(DAY)

    assert await world.executions.run(ticket(), world.run()) == replayed("paid")


async def test_the_answer_of_what_is_stuck_is_kept_until_a_day_after_it_is_not(world: World) -> None:
    run = world.run()
    run.state = CommitState.STUCK
    await world.executions.run(ticket(), run)
    for _ in range(3):
        await asyncio.sleep(DAY)
        assert await world.executions.run(ticket(), world.run()) == replayed("paid")

    await asyncio.sleep(DAY / 2)
    await world.executions.retry("exe-1")

    await asyncio.sleep(DAY - 1)
    assert await world.executions.run(ticket(), world.run()) == replayed("paid")
    await asyncio.sleep(1)
    assert await world.executions.run(ticket(), world.run(answer="paid anew")) == fresh("paid anew")


async def test_of_runs_that_nobody_can_ask_for_again_so_many_are_known_and_no_answer_is_kept(
    world: World,
) -> None:
    before = alive()
    for number in range(MAX_ENDED + 10):
        asked = ticket(f"exe-{number}", asked=None)
        await world.executions.run(asked, world.run(asked.execution_id))

    assert await world.records.find("exe-10") is not None
    assert await world.records.find("exe-9") is None
    assert alive() - before == Counter({"Execution": MAX_ENDED})


async def test_a_run_that_fails_before_its_commit_leaves_nothing_behind(world: World) -> None:
    before = alive()
    for number in range(10):
        await world.executions.run(ticket(f"exe-{number}"), world.run(f"exe-{number}", fails=True))

    assert await world.executions.find("exe-1") == Err(EXECUTION_NOT_FOUND)
    assert alive() - before == Counter()


async def test_a_run_can_be_found_before_its_commit_begins(world: World) -> None:
    run = world.run()
    run.begins.clear()
    owner = asyncio.create_task(world.executions.run(ticket(), run))
    await settled()

    found = (await world.executions.find("exe-1")).value_or(None)
    assert found is not None
    assert (found.pipeline, found.state, found.writes) == ("transfers", CommitState.RUNNING, ())
    assert (found.started_at, found.ended_at) == (START, None)
    run.begins.set()
    await owner


async def test_a_run_is_found_as_the_journal_has_it_once_its_commit_has_begun(world: World) -> None:
    await world.executions.run(ticket(), world.run())

    assert await world.executions.find("exe-1") == Ok(await world.records.find("exe-1"))


async def test_what_the_journal_has_forgotten_is_known_as_long_as_its_answer_is(world: World) -> None:
    await world.executions.run(ticket(), world.run())
    before = await world.executions.find("exe-1")
    for number in range(MAX_ENDED + 1):
        await world.records.begin(beginning(f"exe-other-{number}"))
        await world.records.end(f"exe-other-{number}", CommitState.COMMITTED)

    assert await world.records.find("exe-1") is None
    assert isinstance(before, Ok)
    assert await world.executions.find("exe-1") == before
    assert await world.executions.run(ticket(), world.run()) == replayed("paid")


async def test_the_list_is_the_journals(world: World) -> None:
    await world.executions.run(ticket(), world.run())

    assert await world.executions.page(None, 10, None) == await world.records.page(None, 10, None)


async def test_draining_waits_for_every_run_and_for_those_that_come_meanwhile(world: World) -> None:
    first, second = world.run("exe-1"), world.run("exe-2")
    first.seconds, second.seconds = 3, 4
    await world.executions.run(ticket("exe-1", deadline=1), first)
    draining = asyncio.create_task(world.executions.drain())
    await world.executions.run(ticket("exe-2", deadline=2), second)

    await draining

    assert (first.log[-1], second.log[-1], now()) == ("ended", "ended", 5)


async def test_there_is_nothing_to_drain_where_nothing_runs(world: World) -> None:
    await world.executions.run(ticket(), world.run())

    await world.executions.drain()

    assert now() == 0


async def test_who_waits_for_runs_to_end_says_for_which(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    run = world.run()
    run.seconds = 5
    await world.executions.run(ticket(deadline=1), run)

    await world.executions.drain()

    assert [record.getMessage() for record in caplog.records] == ["waiting for executions to end: exe-1"]


async def test_a_write_whose_undo_is_not_registered_is_refused(world: World) -> None:
    async def attempt(_: Key) -> Result[str, Conflict]:
        raise AssertionError

    write: Write[str, Conflict] = Write("bank.pay", attempt, undo=Undo("bank.return", attempt))

    @railway
    async def pay(run: Run[Conflict | Aggregate | Stuck | Unavailable]) -> None:
        await run.commit("settlement", write)

    context = world.executions.prepare_context(RunContext())
    with pytest.raises(LookupError, match=r"unknown undo bank\.return: register it"):
        await pay.on(context)()


async def test_without_being_told_the_time_they_ask_the_clock() -> None:
    executions = ExecutionRegistry[str](MemoryJournal(), {}, CommitTerms())

    async def work() -> str:
        found = (await executions.find("exe-1")).value_or(None)
        return f"{found and found.started_at.tzinfo}"

    assert await executions.run(ticket(), work) == fresh("UTC")
