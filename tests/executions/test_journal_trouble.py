"""Runs while the database is in trouble: at the look, the begin, the seal and the settlement."""

import asyncio

import pytest

from gateway.executions.answer import Answer
from gateway.executions.database import DatabaseCorruptError, DatabaseUnavailableError
from gateway.executions.record import RecordState
from gateway.executions.registry import NoAnswerReason, RunAnswer
from gateway.railway import CommitState, Ok, Rerun, RunContext, StageRecord
from tests.executions.scripted_database import AMEND, BEGIN, FIND, SEAL, SETTLE
from tests.executions.scripted_runs import (
    REFUSED,
    ScriptedRegistry,
    begin_commit,
    build_answer,
    build_commit_start,
    build_replay,
    build_request,
    now,
    settle,
)

DOWN = "the database is down"
RERUN = Rerun((StageRecord("settlement", ("bank.pay",), Ok(("paid",))),))
SO_FAR = Answer(201, {}, b"paid so far")
WHOLE = Answer(201, {}, b"paid, and told")


class SealedRun:
    """Work with a stage after its commit, which waits for *may_tell*."""

    def __init__(self) -> None:
        self.told = 0
        self.reruns: list[Rerun] = []
        self.has_sealed = asyncio.Event()
        self.may_tell = asyncio.Event()
        self.may_tell.set()

    async def __call__(self, context: RunContext) -> Answer:
        if context.rerun is not None:
            self.reruns.append(context.rerun)
            return SO_FAR
        execution_id = context.execution_id or ""
        await begin_commit(context, build_commit_start(execution_id))
        context.journal.end(execution_id, CommitState.COMMITTED)
        try:
            await context.journal.seal(execution_id, RERUN)
        except Exception as error:  # noqa: BLE001 - as the endpoint does
            return Answer(500, {}, type(error).__name__.encode())
        self.has_sealed.set()
        await self.may_tell.wait()
        self.told += 1
        return WHOLE


async def test_unavailable_secret_gives_no_id() -> None:
    scripted = ScriptedRegistry()
    scripted.database.fail("open")

    assert await scripted.executions.derive_id("POST /payments", b"", b"rent") is None
    assert scripted.health.trouble == DOWN
    scripted.database.repair()
    assert await scripted.executions.derive_id("POST /payments", b"", b"rent") is not None


async def test_trouble_at_look_is_unavailable(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    scripted.database.fail(FIND)

    assert await scripted.run(run) is NoAnswerReason.UNAVAILABLE
    assert (run.log, scripted.health.trouble) == ([], DOWN)


async def test_few_requests_wait_for_hanging_database(scripted: ScriptedRegistry) -> None:
    """The others would hold places that requests which only read need."""
    scripted.health.is_watched, scripted.health.trouble = True, DOWN
    scripted.database.delays[FIND] = 2.0
    scripted.database.fail(FIND)
    run = scripted.build_run()
    requests = [asyncio.create_task(scripted.run(run, f"exe-{number}")) for number in range(20)]
    await asyncio.sleep(1)
    assert [request.done() for request in requests].count(False) == 8

    outcomes = await asyncio.gather(*requests)

    assert ({*outcomes}, run.log) == ({NoAnswerReason.UNAVAILABLE}, [])


async def test_request_does_not_wait_for_unopened_database() -> None:
    """The recovery opens it as soon as that is possible."""
    scripted = ScriptedRegistry()
    scripted.health.is_watched, scripted.health.trouble = True, DOWN
    scripted.database.delays["open"] = 2.0

    assert await scripted.executions.derive_id("POST /orders", b"", b"key") is None
    assert now() == 0


@pytest.mark.parametrize("fingerprint", [b"rent", None])
async def test_nothing_starts_if_database_cannot_be_opened(fingerprint: bytes | None) -> None:
    scripted = ScriptedRegistry()
    scripted.database.fail("open")
    run = scripted.build_run()

    outcome = await scripted.executions.run(build_request(fingerprint=fingerprint), run)

    assert (outcome, run.log) == (NoAnswerReason.UNAVAILABLE, [])


async def test_deadline_waits_until_begin_is_recorded(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.seconds = 10
    scripted.database.delays[BEGIN] = 2.0

    assert await scripted.run(run, deadline=1) is NoAnswerReason.RUNNING
    assert now() == 2
    assert (await scripted.find()).state is RecordState.RUNNING


async def test_begin_that_fails_after_deadline_is_refused(scripted: ScriptedRegistry) -> None:
    """A 202 would promise what the journal does not have."""
    run = scripted.build_run()
    scripted.database.delays[BEGIN] = 2.0
    scripted.database.fail(BEGIN)

    assert await scripted.run(run, deadline=1) == build_answer("refused", 503)
    assert now() == 2


async def test_trouble_at_begin_sends_nothing(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    run = scripted.build_run()
    scripted.database.fail(BEGIN)

    assert await scripted.run(run) == build_answer("refused", 503)
    assert run.log == ["started", "refused"]
    assert f"so requests that write are refused: {DOWN}" in caplog.text
    scripted.database.repair()
    assert await scripted.run(scripted.build_run()) == build_answer()


async def test_uncertain_begin_is_undone_by_recovery(scripted: ScriptedRegistry) -> None:
    """The journal has recorded the begin, but could not say so."""
    scripted.database.fail(BEGIN, times=1, is_executed=True)
    assert await scripted.run(scripted.build_run()) == build_answer("refused", 503)
    waiter = asyncio.create_task(scripted.run(scripted.build_run()))
    await asyncio.sleep(1)
    assert not waiter.done()

    await scripted.tick()

    assert await waiter == build_answer()
    assert (await scripted.find()).attempt == 2
    await scripted.tick()
    assert scripted.executions.orphans == set()


async def test_begin_that_never_happened_is_forgotten(scripted: ScriptedRegistry) -> None:
    scripted.database.fail(BEGIN, times=1)
    await scripted.run(scripted.build_run())
    assert scripted.executions.orphans == {"exe-1"}

    await scripted.tick()

    assert scripted.executions.orphans == set()
    assert scripted.undone == []


async def test_known_trouble_refuses_at_once(scripted: ScriptedRegistry) -> None:
    """Once the recovery watches the journal, requests need not find out."""
    scripted.health.is_watched = True
    scripted.health.trouble = DOWN

    assert await scripted.run(scripted.build_run()) is NoAnswerReason.UNAVAILABLE
    assert scripted.database.list_calls(BEGIN) == []


async def test_unwatched_trouble_is_tried_again(scripted: ScriptedRegistry) -> None:
    scripted.health.trouble = DOWN

    assert await scripted.run(scripted.build_run()) == build_answer()


async def test_trouble_at_settle_is_running_at_deadline(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    scripted.database.fail(SETTLE)

    assert await scripted.run(run, deadline=5) is NoAnswerReason.RUNNING
    assert (now(), run.log[-1]) == (5, "ended")
    await asyncio.sleep(60)
    assert (await scripted.find()).state is RecordState.RUNNING

    scripted.database.repair()
    await asyncio.sleep(1)
    assert (await scripted.find()).state is RecordState.COMMITTED
    assert await scripted.run(scripted.build_run()) == build_replay()


async def test_lost_answer_of_settle_is_found(scripted: ScriptedRegistry) -> None:
    """The journal has decided, but could not say so: the second try finds the decision."""
    scripted.database.fail(SETTLE, times=1, is_executed=True)

    assert await scripted.run(scripted.build_run()) == build_answer()
    assert scripted.undone == []


async def test_other_decision_of_own_attempt_is_none(scripted: ScriptedRegistry) -> None:
    """A row that this process has undone in the meantime is not the decision of its run."""
    run = scripted.build_run()
    run.may_end.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()
    await scripted.database.run("update gateway_executions set state = 'undone', ended_at = 1.8e9")

    run.may_end.set()

    assert await owner is NoAnswerReason.UNDONE


async def test_settlement_is_tried_with_pauses(scripted: ScriptedRegistry) -> None:
    scripted.database.fail(SETTLE)
    await scripted.run(scripted.build_run(), deadline=10)

    tries = len(scripted.database.list_calls(SETTLE))
    scripted.database.repair()
    await scripted.executions.drain()

    assert 20 <= tries <= 25


async def test_drain_gives_up_after_5_seconds(scripted: ScriptedRegistry) -> None:
    scripted.database.fail(SETTLE)
    owner = asyncio.create_task(scripted.run(scripted.build_run()))
    await asyncio.sleep(60)

    await scripted.executions.drain()

    assert 64 < now() <= 65
    assert await owner is NoAnswerReason.RUNNING
    scripted.database.repair()
    assert (await scripted.find()).state is RecordState.RUNNING


async def test_drain_awaits_database_that_recovers(scripted: ScriptedRegistry) -> None:
    scripted.database.fail(SETTLE)
    owner = asyncio.create_task(scripted.run(scripted.build_run()))
    await settle()
    asyncio.get_running_loop().call_at(3, scripted.database.repair)

    await scripted.executions.drain()

    assert await owner == build_answer()
    assert 3 <= now() < 4


async def test_hanging_settlement_at_stop_ends_within_5_seconds(scripted: ScriptedRegistry) -> None:
    """The last try is cut short, although a call of the database may take 2 seconds."""
    scripted.database.fail(SETTLE)
    scripted.database.delays[SETTLE] = 2.0
    owner = asyncio.create_task(scripted.run(scripted.build_run()))
    await asyncio.sleep(0.5)
    started = now()

    await scripted.executions.drain()

    assert 4 < now() - started <= 5
    assert await owner is NoAnswerReason.RUNNING


async def test_settlement_is_patient_again_after_restart(scripted: ScriptedRegistry) -> None:
    """An app may be started twice; its first life has ended."""
    await scripted.executions.drain()
    scripted.database.fail(SETTLE)
    owner = asyncio.create_task(scripted.run(scripted.build_run()))
    await asyncio.sleep(20)
    scripted.database.repair()

    assert await owner == build_answer()


async def test_second_life_undoes_what_first_could_not_record(scripted: ScriptedRegistry) -> None:
    """The process has not died, so others would leave its executions alone for 90 seconds."""
    scripted.database.fail(SETTLE)
    owner = asyncio.create_task(scripted.run(scripted.build_run()))
    await asyncio.sleep(1)
    await scripted.executions.drain()
    scripted.database.repair()

    await scripted.tick()
    await settle()

    assert await owner is NoAnswerReason.RUNNING
    assert (await scripted.find()).state is RecordState.UNDONE


async def test_run_that_ends_after_drain_limit_is_settled(scripted: ScriptedRegistry) -> None:
    """The limit is for the trouble of the database, not for the commit."""
    run = scripted.build_run()
    run.seconds = 20
    owner = asyncio.create_task(scripted.run(run))
    await run.has_begun.wait()

    await scripted.executions.drain()

    assert await owner == build_answer()


async def test_sealed_run_keeps_whole_answer(scripted: ScriptedRegistry) -> None:
    run = SealedRun()

    assert await scripted.run(run) == build_answer("paid, and told")
    assert (run.told, run.reruns) == (1, [RERUN])
    assert await scripted.run(run) == build_replay("paid, and told")


async def test_answer_so_far_is_not_sent_while_its_process_lives(scripted: ScriptedRegistry) -> None:
    run, other = SealedRun(), await scripted.start_process()
    run.may_tell.clear()
    owner = asyncio.create_task(scripted.run(run))
    await run.has_sealed.wait()

    repeated = asyncio.create_task(other.run(other.build_run()))
    await asyncio.sleep(1)
    assert not repeated.done()
    run.may_tell.set()
    assert await owner == build_answer("paid, and told")
    assert await repeated == build_replay("paid, and told")


async def test_unrepeatable_run_is_sealed_without_answer(scripted: ScriptedRegistry) -> None:
    run = SealedRun()

    answer = await scripted.executions.run(build_request(fingerprint=None), run)

    assert answer == build_answer("paid, and told")
    assert run.reruns == []
    record = await scripted.find()
    assert (record.state, record.answer) == (RecordState.COMMITTED, None)
    assert scripted.database.list_calls(AMEND) == []


async def test_trouble_at_seal_delays_later_stages(scripted: ScriptedRegistry) -> None:
    run = SealedRun()
    scripted.database.fail(SEAL)
    owner = asyncio.create_task(scripted.run(run))
    await asyncio.sleep(10)
    assert run.told == 0

    scripted.database.repair()

    assert await owner == build_answer("paid, and told")


async def test_seal_of_lost_execution_ends_run(scripted: ScriptedRegistry) -> None:
    """Another process has undone the execution: nothing is told of it."""
    run = SealedRun()
    scripted.database.fail(SEAL, times=1)
    owner = asyncio.create_task(scripted.run(run))
    await settle()
    await scripted.database.run(
        "update gateway_executions set state = 'undone', owner = 'other', ended_at = started_at"
    )

    assert await owner is NoAnswerReason.UNDONE
    assert run.told == 0


async def test_seal_at_stop_without_database_ends_run(scripted: ScriptedRegistry) -> None:
    run = SealedRun()
    scripted.database.fail(SEAL)
    owner = asyncio.create_task(scripted.run(run))
    await settle()

    await scripted.executions.drain()

    assert await owner is NoAnswerReason.RUNNING
    assert (run.told, now() <= 5) == (0, True)


async def test_trouble_at_amend_keeps_answer_so_far(scripted: ScriptedRegistry) -> None:
    run = SealedRun()
    scripted.database.fail(AMEND)
    owner = asyncio.create_task(scripted.run(run))
    await settle()

    await scripted.executions.drain()

    assert await owner is NoAnswerReason.RUNNING
    scripted.database.repair()
    await scripted.tick()
    assert await scripted.run(run) == build_replay("paid so far")


async def test_commit_without_end_is_undone(scripted: ScriptedRegistry) -> None:
    """A bug has ended the commit between its begin and its end."""
    run = scripted.build_run(answer="a bug")
    run.state, run.status = None, 500

    assert await scripted.run(run) == build_answer("a bug", 500)
    await scripted.tick()
    await settle()

    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]
    assert (await scripted.find()).is_key_free


async def test_corrupt_database_refuses_runs(scripted: ScriptedRegistry) -> None:
    scripted.database.fail(error=DatabaseCorruptError("journal.sqlite is damaged"))

    assert await scripted.run(scripted.build_run()) is NoAnswerReason.UNAVAILABLE
    assert scripted.health.warnings == ["requests that write are refused: journal.sqlite is damaged"]


@pytest.mark.parametrize("error", [None, DatabaseCorruptError("journal.sqlite is damaged")])
async def test_store_closes_without_database(
    scripted: ScriptedRegistry, error: DatabaseCorruptError | None
) -> None:
    scripted.database.fail("delete from gateway_owners", error)

    await scripted.store.close()

    assert scripted.database.log[-1] == "close"


async def test_trouble_before_the_commit_refuses_it(scripted: ScriptedRegistry) -> None:
    """The database was well when the run began."""
    run = scripted.build_run()
    run.may_begin.clear()
    task = asyncio.create_task(scripted.run(run))
    await settle()
    scripted.health.is_watched = True
    scripted.health.report(DatabaseUnavailableError("the database is down"))
    run.may_begin.set()

    assert await task == RunAnswer(REFUSED, is_replayed=False)
    assert scripted.database.list_calls(BEGIN) == []
