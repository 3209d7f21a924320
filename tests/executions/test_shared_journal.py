"""Registries of several processes with one journal: replays, waiting, attempts and take-overs."""

import asyncio
from http import HTTPStatus

import pytest

from gateway.executions.answer import Answer
from gateway.executions.database import DatabaseUnavailableError
from gateway.executions.record import RecordState
from gateway.executions.registry import NoAnswerReason
from gateway.railway import CommitState, RunContext, WriteOutcome
from tests.executions.scripted_database import BEGIN, FIND
from tests.executions.scripted_runs import (
    ScriptedRegistry,
    begin_commit,
    build_answer,
    build_attempt,
    build_commit_start,
    build_replay,
    build_request,
    build_writes,
    now,
    settle,
)

FINAL = (
    (CommitState.COMMITTED, 201),
    (CommitState.COMMITTED, 500),
    (CommitState.UNDONE, 207),
    (CommitState.UNDONE, 404),
    (CommitState.UNDONE, 409),
    (CommitState.UNDONE, 500),
    (CommitState.STUCK, 500),
)
"""States and statuses of answers that are kept."""

TRANSIENT = (HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT)


@pytest.fixture
async def other(scripted: ScriptedRegistry) -> ScriptedRegistry:
    """Another process with the same journal."""
    return await scripted.start_process()


async def take_over(scripted: ScriptedRegistry, other: ScriptedRegistry) -> None:
    """Let *other* take *scripted* for dead, and undo its execution."""
    record = await other.find()
    await scripted.database.run("update gateway_owners set seen_at = 0")
    assert await other.store.take_over(record)


@pytest.mark.parametrize(("state", "status"), FINAL)
async def test_other_process_replays_final_answer(
    scripted: ScriptedRegistry, other: ScriptedRegistry, state: CommitState, status: int
) -> None:
    run, second = scripted.build_run(), other.build_run()
    run.state, run.status = state, status
    first = await scripted.run(run)

    assert first == build_answer(status=status)
    assert await other.run(second) == await scripted.run(second) == build_replay(status=status)
    assert second.log == []


@pytest.mark.parametrize("status", TRANSIENT)
async def test_undone_transient_failure_frees_key(
    scripted: ScriptedRegistry, other: ScriptedRegistry, status: int
) -> None:
    failing, second = scripted.build_run(), other.build_run()
    failing.state, failing.status = CommitState.UNDONE, status

    assert await scripted.run(failing) == build_answer(status=status)
    assert await other.run(second) == build_answer()
    assert await scripted.run(scripted.build_run()) == build_replay()


async def test_new_attempt_has_new_write_keys(scripted: ScriptedRegistry, other: ScriptedRegistry) -> None:
    runs = [process.build_run() for process in (scripted, other, scripted)]
    for run in runs:
        run.state, run.status = CommitState.UNDONE, 503
    await scripted.run(runs[0])
    await other.run(runs[1])
    await scripted.run(runs[2])

    first, second, third = (run.contexts[0].key_prefix for run in runs)
    assert (second, third) == (f"{first}.2", f"{first}.3")
    assert {run.contexts[0].execution_id for run in runs} == {"exe-1"}
    assert (await scripted.find()).attempt == 3


async def test_new_attempt_may_be_another_request(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    failing = scripted.build_run()
    failing.state, failing.status = CommitState.UNDONE, 503
    await scripted.run(failing)
    request = build_request(fingerprint=b"food")

    assert await other.executions.run(request, other.build_run()) == build_answer()
    assert await scripted.run(scripted.build_run()) is NoAnswerReason.MISMATCH


@pytest.mark.parametrize("status", [201, 503])
async def test_transient_status_of_other_states_is_kept(
    scripted: ScriptedRegistry, other: ScriptedRegistry, status: int
) -> None:
    """Only an execution that was undone is free."""
    run = scripted.build_run()
    run.state, run.status = CommitState.COMMITTED, status
    await scripted.run(run)

    assert await other.run(other.build_run()) == build_replay(status=status)


async def test_other_fingerprint_is_mismatch_in_other_process(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run, food = scripted.build_run(), build_request(fingerprint=b"food")
    run.may_end.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()

    assert await other.executions.run(food, other.build_run()) is NoAnswerReason.MISMATCH
    run.may_end.set()
    await owner
    assert await other.executions.run(food, other.build_run()) is NoAnswerReason.MISMATCH


async def test_request_waits_for_run_of_other_process(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run, second = scripted.build_run(), other.build_run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()

    assert await asyncio.gather(*(other.run(second) for _ in range(3))) == [build_replay()] * 3
    assert 3 <= now() < 3.2
    assert await owner == build_answer()
    assert second.log == []


async def test_request_leaves_run_of_other_process_at_deadline(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run = scripted.build_run()
    run.seconds = 9
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()

    assert await other.run(other.build_run(), deadline=2) is NoAnswerReason.RUNNING
    assert now() == 2
    await owner


async def test_waiting_requests_share_looks_at_other_process(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run = scripted.build_run()
    run.seconds = 1
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    before = len(scripted.database.list_calls(FIND))

    await asyncio.gather(*(other.run(other.build_run()) for _ in range(20)))
    await owner

    looks = len(scripted.database.list_calls(FIND)) - before - 2 * 20
    assert 9 <= looks <= 12


async def test_waiting_request_makes_next_attempt(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    failing = scripted.build_run()
    failing.state, failing.status, failing.seconds = CommitState.UNDONE, 503, 2
    owner = asyncio.create_task(scripted.run(failing))
    await failing.has_begun.wait()

    assert await other.run(other.build_run(answer="second")) == build_answer("second")
    assert await owner == build_answer(status=503)


async def test_waiting_survives_trouble_with_the_database(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run = scripted.build_run()
    run.seconds = 3
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    waiter = asyncio.create_task(other.run(other.build_run()))
    await asyncio.sleep(1)

    scripted.database.fail(FIND)
    await asyncio.sleep(1)
    scripted.database.repair()

    assert await waiter == build_replay()
    assert await owner == build_answer()


async def test_processes_that_begin_at_once_commit_once(
    scripted: ScriptedRegistry, other: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """Both look before either has begun: one begin conflicts, and its request waits for the other's run."""
    runs = [scripted.build_run(), other.build_run()]

    answers = await asyncio.gather(scripted.run(runs[0]), other.run(runs[1]))

    assert len(scripted.database.list_calls(BEGIN)) == 2
    assert sorted(answer.is_replayed for answer in answers if not isinstance(answer, NoAnswerReason)) == [
        False, True,
    ]  # fmt: skip
    assert sorted(run.log[-1] for run in runs) == ["ended", "refused"]
    assert caplog.text == ""


async def test_begin_conflict_with_other_request_is_mismatch(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    food = build_request(fingerprint=b"food")
    runs = [scripted.build_run(), other.build_run()]

    answers = await asyncio.gather(scripted.run(runs[0]), other.executions.run(food, runs[1]))

    assert answers[0] == build_answer()
    assert answers[1] is NoAnswerReason.MISMATCH


async def test_second_request_joins_run_that_lost_its_begin(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    losing = scripted.build_run()
    losing.may_begin.clear()
    tasks = [asyncio.create_task(scripted.run(losing)) for _ in range(2)]
    await settle()
    await other.run(other.build_run(answer="theirs"))

    losing.may_begin.set()

    assert await asyncio.gather(*tasks) == [build_replay("theirs")] * 2


@pytest.mark.parametrize("winner", [Answer(201, {}, b"theirs"), Answer(409, {}, b"frozen")])
async def test_zombie_answers_what_the_journal_says(
    scripted: ScriptedRegistry, other: ScriptedRegistry, winner: Answer
) -> None:
    """A process that was taken for dead never gives its own verdict."""
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    await take_over(scripted, other)
    await other.store.finish_undo(await other.find(), CommitState.UNDONE, build_writes())
    second = build_attempt(number=2)
    assert await other.store.begin(second, build_writes())
    await other.store.settle(second, CommitState.COMMITTED, build_writes(), winner)

    run.may_end.set()

    assert await owner == build_replay(winner.body.decode(), winner.status)


@pytest.mark.parametrize(
    ("state", "reason"),
    [
        (None, NoAnswerReason.RUNNING),
        (CommitState.UNDONE, NoAnswerReason.UNDONE),
        (CommitState.STUCK, NoAnswerReason.STUCK),
    ],
)
async def test_zombie_without_answer_gives_reason(
    scripted: ScriptedRegistry,
    other: ScriptedRegistry,
    caplog: pytest.LogCaptureFixture,
    state: CommitState | None,
    reason: NoAnswerReason,
) -> None:
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    waiter = asyncio.create_task(scripted.run(scripted.build_run()))
    await settle()
    await take_over(scripted, other)
    if state is not None:
        await other.store.finish_undo(await other.find(), state, build_writes())

    run.may_end.set()

    assert (await owner, await waiter) == (reason, reason)
    assert "execution exe-1 was taken over by another process" in caplog.text


async def test_zombie_finds_its_execution_forgotten(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    await take_over(scripted, other)
    await scripted.database.run("delete from gateway_executions")

    run.may_end.set()

    assert await owner is NoAnswerReason.UNDONE


async def test_zombie_of_unrepeatable_request_is_undone(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.executions.run(build_request(fingerprint=None), run))
    await run.has_begun.wait()
    await take_over(scripted, other)

    run.may_end.set()

    assert await owner is NoAnswerReason.UNDONE


async def test_zombie_undoes_late_writes_once_it_can_look(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    await take_over(scripted, other)
    scripted.database.fail(FIND, skips=1, times=3)  # the settlement has looked once before

    run.may_end.set()

    assert await owner is NoAnswerReason.RUNNING
    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]


async def test_crash_stuck_execution_answers_its_key(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    """It has no answer of its own: until a retry has undone it, its key is not free."""
    await scripted.make_running()
    writes = build_writes("exe-1", WriteOutcome.STUCK, WriteOutcome.STUCK)
    await scripted.store.settle(build_attempt(), CommitState.STUCK, writes, None)

    assert await other.run(other.build_run()) is NoAnswerReason.STUCK
    await other.executions.retry("exe-1")
    assert await scripted.run(scripted.build_run()) == build_answer()


async def test_stuck_answer_is_replayed_during_retry(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    await scripted.make_stuck()
    other.may_undo.clear()
    retrying = asyncio.create_task(other.executions.retry("exe-1"))
    await settle()

    assert await scripted.run(scripted.build_run()) == build_replay("stuck", 500)
    other.may_undo.set()
    await retrying
    assert await scripted.run(scripted.build_run()) == build_answer()


async def test_cut_short_execution_is_awaited_until_undone(
    scripted: ScriptedRegistry, other: ScriptedRegistry
) -> None:
    await other.make_running()
    waiter = asyncio.create_task(scripted.run(scripted.build_run()))
    await asyncio.sleep(1)
    assert not waiter.done()

    record = await other.find()
    await other.store.take_over(record)
    await other.store.finish_undo(record, CommitState.UNDONE, build_writes())

    assert await waiter == build_answer()
    found = await scripted.find()
    assert (found.state, found.attempt) == (RecordState.COMMITTED, 2)


@pytest.mark.parametrize("status", [HTTPStatus.MULTI_STATUS, HTTPStatus.CONFLICT])
async def test_failure_because_of_other_process_is_not_answered(
    scripted: ScriptedRegistry, other: ScriptedRegistry, status: int
) -> None:
    """The commit of the first request is why the reads of the second one, in another process, fail."""
    may_fail = asyncio.Event()

    async def fail(_: RunContext) -> Answer:
        await may_fail.wait()
        return Answer(status, {}, b"too little money")

    late = asyncio.create_task(other.run(fail))
    await settle()

    assert await scripted.run(scripted.build_run()) == build_answer()
    may_fail.set()

    assert await late == build_replay()


@pytest.mark.parametrize("is_known", [False, True])
async def test_own_failure_is_the_answer_without_journal(
    scripted: ScriptedRegistry, *, is_known: bool
) -> None:
    run = scripted.build_run(is_failing=True)
    run.may_begin.clear()
    task = asyncio.create_task(scripted.run(run))
    await settle()
    scripted.database.fail(FIND)
    if is_known:
        scripted.health.is_watched = True
        scripted.health.report(DatabaseUnavailableError("the database is down"))
    run.may_begin.set()

    assert await task == build_answer("paid not", status=404)


async def test_run_that_is_cut_short_is_left_to_the_recovery(scripted: ScriptedRegistry) -> None:
    """The code of a pipeline can raise an exception that no one expects, such as a cancellation."""

    async def cut_short(context: RunContext) -> Answer:
        await begin_commit(context, build_commit_start())
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await scripted.run(cut_short)

    assert scripted.executions.orphans == {"exe-1"}
    await scripted.tick()
    await settle()
    assert (await scripted.find()).state is RecordState.UNDONE
