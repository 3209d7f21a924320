"""Registry of runs: a single run for each execution id, and its answer for every request."""

import asyncio
import gc
import re
from collections import Counter
from typing import Final

import pytest

from gateway.executions.answer import Answer
from gateway.executions.registry import EXECUTION_NOT_FOUND, ExecutionRegistry, NoAnswerReason
from gateway.executions.store import ExecutionStore
from gateway.railway import (
    Aggregate,
    CommitState,
    CommitTerms,
    Conflict,
    Err,
    Intent,
    Key,
    Ok,
    Result,
    Run,
    RunContext,
    Stuck,
    Unavailable,
    Undo,
    Write,
    WriteOutcome,
    railway,
)
from tests.executions.scripted_runs import (
    DAY,
    ScriptedRegistry,
    begin_commit,
    build_answer,
    build_commit_start,
    build_replay,
    build_request,
    now,
    settle,
)

PARTS: Final = ("Task", "ScriptedRun", "Execution")


def count_alive() -> Counter[str]:
    """Count the live objects that runs consist of, by class."""
    gc.collect()
    return Counter(name for item in gc.get_objects() if (name := type(item).__name__) in PARTS)


async def test_request_gets_answer_of_its_run(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()

    assert await scripted.executions.run(build_request(), run) == build_answer("paid")
    assert run.log == ["started", "begun", "ended"]


async def test_repeated_request_gets_stored_answer(scripted: ScriptedRegistry) -> None:
    second = scripted.build_run(answer="paid twice")
    await scripted.executions.run(build_request(), scripted.build_run())

    assert await scripted.executions.run(build_request(), second) == build_replay("paid")
    assert second.log == []


async def test_concurrent_request_awaits_run(scripted: ScriptedRegistry) -> None:
    first, second = scripted.build_run(), scripted.build_run(answer="paid twice")
    first.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(build_request(), first))
    await first.has_begun.wait()

    assert await scripted.executions.run(build_request(), second) == build_replay("paid")
    assert await owner == build_answer("paid")
    assert (second.log, now()) == ([], 3)


async def test_execution_ids_have_separate_runs(scripted: ScriptedRegistry) -> None:
    first = await scripted.executions.run(build_request("exe-1"), scripted.build_run("exe-1", "one"))
    second = await scripted.executions.run(build_request("exe-2"), scripted.build_run("exe-2", "two"))

    assert (first, second) == (build_answer("one"), build_answer("two"))


async def test_request_with_other_fingerprint_is_mismatch(
    scripted: ScriptedRegistry,
) -> None:
    run, other = scripted.build_run(), scripted.build_run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await run.has_begun.wait()

    assert await scripted.executions.run(build_request(fingerprint=b"food"), other) is NoAnswerReason.MISMATCH
    assert now() == 0
    await owner
    assert await scripted.executions.run(build_request(fingerprint=b"food"), other) is NoAnswerReason.MISMATCH
    assert other.log == []


async def test_failed_run_without_commit_frees_id(
    scripted: ScriptedRegistry,
) -> None:
    failing = scripted.build_run(is_failing=True)

    assert await scripted.executions.run(build_request(), failing) == build_answer("paid not", 404)
    assert await scripted.executions.run(
        build_request(fingerprint=b"food"), scripted.build_run()
    ) == build_answer("paid")


async def test_waiting_request_shares_early_failure(
    scripted: ScriptedRegistry,
) -> None:
    """A run that fails before its commit answers all waiting requests."""
    failing = scripted.build_run(is_failing=True)
    failing.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), failing))
    waiter = asyncio.create_task(scripted.executions.run(build_request(), scripted.build_run()))
    await settle()

    failing.may_begin.set()

    assert await owner == await waiter == build_answer("paid not", 404)
    assert await scripted.executions.run(build_request(), scripted.build_run()) == build_answer("paid")


async def test_waiting_requests_share_next_run(
    scripted: ScriptedRegistry,
) -> None:
    """If the request that made a run disconnects, a waiting request makes a new run for all that wait."""
    lost, second = scripted.build_run(), scripted.build_run()
    lost.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), lost))
    await settle()
    waiters = [asyncio.create_task(scripted.executions.run(build_request(), second)) for _ in range(3)]
    await settle()
    owner.cancel()

    assert await asyncio.gather(*waiters) == [
        build_answer("paid"),
        build_replay("paid"),
        build_replay("paid"),
    ]
    assert second.log == ["started", "begun", "ended"]


async def test_commit_continues_after_request_deadline(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.build_run()
    run.seconds = 30

    assert await scripted.executions.run(build_request(deadline=5), run) is NoAnswerReason.RUNNING
    assert now() == 5
    assert await scripted.executions.run(build_request(), scripted.build_run()) == build_replay("paid")
    assert now() == 30


async def test_waiting_request_leaves_at_deadline(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.build_run()
    run.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await settle()

    assert (
        await scripted.executions.run(build_request(deadline=2), scripted.build_run())
        is NoAnswerReason.RUNNING
    )
    assert now() == 2
    run.may_begin.set()
    assert await owner == build_answer("paid")


async def test_request_waits_past_deadline_before_commit(
    scripted: ScriptedRegistry,
) -> None:
    """A request waits past its deadline for a run that has not begun its commit."""
    run = scripted.build_run(is_failing=True)
    run.may_begin.clear()
    asyncio.get_running_loop().call_at(6, run.may_begin.set)

    assert await scripted.executions.run(build_request(deadline=5), run) == build_answer("paid not", 404)
    assert now() == 6


@pytest.mark.parametrize("deadline", [3.0, 2.0])
async def test_stored_answer_is_returned_after_deadline(scripted: ScriptedRegistry, deadline: float) -> None:
    await asyncio.sleep(3)
    await scripted.executions.run(build_request(), scripted.build_run())

    assert await scripted.executions.run(
        build_request(deadline=deadline), scripted.build_run()
    ) == build_replay("paid")


async def test_run_that_ends_at_deadline_runs_once(
    scripted: ScriptedRegistry,
) -> None:
    run = scripted.build_run()
    run.seconds = 5

    owner = asyncio.create_task(scripted.executions.run(build_request(deadline=5), run))
    waiter = asyncio.create_task(scripted.executions.run(build_request(deadline=5), scripted.build_run()))

    assert await owner in [build_answer("paid"), NoAnswerReason.RUNNING]
    assert await waiter in [build_replay("paid"), NoAnswerReason.RUNNING]
    assert await scripted.executions.run(build_request(deadline=5), scripted.build_run()) == build_replay(
        "paid"
    )
    assert (run.log, now()) == (["started", "begun", "ended"], 5)


async def test_stored_answer_expires_after_one_day(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(build_request(), scripted.build_run())

    await asyncio.sleep(DAY - 1)
    assert await scripted.executions.run(build_request(), scripted.build_run()) == build_replay("paid")
    await asyncio.sleep(2)
    assert await scripted.executions.run(
        build_request(), scripted.build_run(answer="paid again")
    ) == build_answer("paid again")


async def test_retention_starts_at_end_of_run(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.seconds = 30
    await scripted.executions.run(build_request(deadline=1), run)

    await asyncio.sleep(DAY)
    assert await scripted.executions.run(build_request(), scripted.build_run()) == build_replay("paid")


async def test_day_long_run_is_not_repeated(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.seconds = 2 * DAY
    await scripted.executions.run(build_request("exe-0"), scripted.build_run("exe-0"))
    await scripted.executions.run(build_request(deadline=1), run)
    await asyncio.sleep(DAY)

    assert await scripted.executions.run(build_request(), scripted.build_run()) == build_replay("paid")


async def test_stuck_answer_is_kept_until_undo(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.state = CommitState.STUCK
    await scripted.executions.run(build_request(), run)
    for _ in range(3):
        await asyncio.sleep(DAY)
        assert await scripted.executions.run(build_request(), scripted.build_run()) == build_replay("paid")

    await scripted.executions.retry("exe-1")

    second = scripted.build_run(answer="paid again")
    assert await scripted.executions.run(build_request(), second) == build_answer("paid again")


async def test_unrepeatable_run_keeps_no_answer(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(build_request(fingerprint=None), scripted.build_run())

    record = await scripted.find()
    assert (record.execution.state, record.answer) == (CommitState.COMMITTED, None)


async def test_ended_runs_leave_no_garbage(scripted: ScriptedRegistry) -> None:
    before = count_alive()
    for number in range(10):
        execution_id = f"exe-{number}"
        await scripted.executions.run(build_request(execution_id), scripted.build_run(execution_id))

    assert count_alive() - before == Counter()


async def test_failed_run_leaves_no_garbage(scripted: ScriptedRegistry) -> None:
    before = count_alive()
    for number in range(10):
        await scripted.executions.run(
            build_request(f"exe-{number}"), scripted.build_run(f"exe-{number}", is_failing=True)
        )

    assert await scripted.executions.find("exe-1") == Err(EXECUTION_NOT_FOUND)
    assert count_alive() - before == Counter()


async def test_run_is_found_before_commit(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await settle()

    found = (await scripted.executions.find("exe-1")).value_or(None)
    assert found is not None
    assert (found.pipeline, found.state, found.writes) == ("transfers", CommitState.RUNNING, ())
    assert found.ended_at is None
    assert found.started_at.tzinfo is not None
    run.may_begin.set()
    await owner


async def test_committed_run_is_found_in_journal(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(build_request(), scripted.build_run())

    assert await scripted.executions.find("exe-1") == Ok((await scripted.find()).execution)


async def test_running_commit_is_found_with_its_progress(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await run.has_begun.wait()
    intents = build_commit_start().intents
    run.contexts[0].journal.note("exe-1", intents[0].key, WriteOutcome.DONE)

    found = (await scripted.executions.find("exe-1")).value_or(None)
    run.may_end.set()
    await owner

    assert found is not None
    assert [write.outcome for write in found.writes] == [WriteOutcome.DONE, WriteOutcome.PENDING]
    assert (await scripted.read_outcomes())[1] == ["done", "pending"]


async def test_next_attempt_is_found_as_running(scripted: ScriptedRegistry) -> None:
    """Until its commit has begun, the journal has the undone attempt before it."""
    await scripted.make_stuck()
    await scripted.executions.retry("exe-1")
    run = scripted.build_run()
    run.may_begin.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(), run))
    await settle()

    found = (await scripted.executions.find("exe-1")).value_or(None)
    run.may_begin.set()
    await owner

    assert found is not None
    assert (found.state, found.writes) == (CommitState.RUNNING, ())


async def test_journal_omits_reads_of_commit(scripted: ScriptedRegistry) -> None:
    read = Intent("shop.stock", Key("exe-1.read"))

    async def work(context: RunContext) -> Answer:
        await begin_commit(context, build_commit_start("exe-1", read))
        context.journal.note("exe-1", read.key, WriteOutcome.DONE)
        context.journal.end("exe-1", CommitState.COMMITTED)
        return Answer(201, {}, b"paid")

    await scripted.executions.run(build_request(), work)

    assert await scripted.read_outcomes() == (CommitState.COMMITTED, ["pending", "pending"])


async def test_executions_are_paged_from_journal(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(build_request(), scripted.build_run())

    page = await scripted.executions.page(None, 10, None)
    assert [execution.execution_id for execution in page.executions] == ["exe-1"]


async def test_execution_ids_hash_endpoint_caller_and_key(scripted: ScriptedRegistry) -> None:
    other = await scripted.start_process()
    parts = [
        (endpoint, caller, key)
        for endpoint in ("POST /payments", "POST /orders")
        for caller in (b"", b"Bearer a", b"Bearer b")
        for key in (b"rent", b"food")
    ]

    ids = [await scripted.executions.derive_id(*part) for part in parts]

    assert len({*ids}) == 12
    assert ids == [await other.executions.derive_id(*part) for part in parts]
    assert all(re.fullmatch("exe-[0-9a-f]{32}", execution_id or "") for execution_id in ids)


async def test_apps_that_share_a_journal_have_ids_of_their_own(scripted: ScriptedRegistry) -> None:
    """The writes of two apps never have the same keys."""
    shop = ExecutionStore(scripted.database, "shop")
    other = ExecutionRegistry(shop, {}, CommitTerms(), scripted.health)

    ids = {await one.derive_id("POST /payments", b"", b"rent") for one in (scripted.executions, other)}

    assert len(ids) == 2


async def test_execution_id_needs_secret_of_journal() -> None:
    """A key that is guessed does not lead to the execution."""
    ids = {await ScriptedRegistry().executions.derive_id("POST /payments", b"", b"rent") for _ in range(2)}

    assert len(ids) == 2


async def test_drain_awaits_running_and_new_runs(
    scripted: ScriptedRegistry,
) -> None:
    first, second = scripted.build_run("exe-1"), scripted.build_run("exe-2")
    first.seconds, second.seconds = 3, 4
    await scripted.executions.run(build_request("exe-1", deadline=1), first)
    draining = asyncio.create_task(scripted.executions.drain())
    await scripted.executions.run(build_request("exe-2", deadline=2), second)

    await draining

    assert (first.log[-1], second.log[-1], now()) == ("ended", "ended", 5)


async def test_drain_without_runs_returns_at_once(scripted: ScriptedRegistry) -> None:
    await scripted.executions.run(build_request(), scripted.build_run())

    await scripted.executions.drain()

    assert now() == 0


async def test_drain_logs_ids_of_runs(scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture) -> None:
    run = scripted.build_run()
    run.seconds = 5
    await scripted.executions.run(build_request(deadline=1), run)

    await scripted.executions.drain()

    assert [record.getMessage() for record in caplog.records] == ["waiting for executions to end: exe-1"]


async def test_unregistered_undo_is_refused(scripted: ScriptedRegistry) -> None:
    async def attempt(_: object) -> Result[str, Conflict]:
        raise AssertionError

    write: Write[str, Conflict] = Write("bank.pay", attempt, undo=Undo("bank.return", attempt))

    @railway
    async def pay(run: Run[Conflict | Aggregate | Stuck | Unavailable]) -> None:
        await run.commit("settlement", write)

    async def work(context: RunContext) -> Answer:
        with pytest.raises(LookupError, match=r"unregistered undo bank\.return: an operator"):
            await pay.on(context)()
        return Answer(500, {}, b"a bug")

    assert await scripted.executions.run(build_request(), work) == build_answer("a bug", 500)
