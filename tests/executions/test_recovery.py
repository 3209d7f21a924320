"""Recovery: signs of life, take-overs of executions whose process is dead, and housekeeping."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from gateway.executions.database import DatabaseCorruptError, DatabaseError
from gateway.executions.record import RecordState
from gateway.executions.store import SILENCE
from gateway.railway import UNANSWERED, CommitState, Err, Unavailable, WriteOutcome
from tests.executions.scripted_database import FINISH_UNDO, TAKE_OVER
from tests.executions.scripted_runs import (
    DAY,
    ScriptedRegistry,
    build_answer,
    build_attempt,
    build_replay,
    build_writes,
    now,
    settle,
)

DOWN = "the database is down"
UNDONE = (CommitState.UNDONE, ["undone", "undone"])
UNSETTLED = "select (select now from clock) - coalesce"


@pytest.fixture
async def dead(scripted: ScriptedRegistry) -> AsyncIterator[ScriptedRegistry]:
    """A process that was killed after it had begun an execution, some seconds ago."""
    process = await scripted.start_process()
    await process.make_running()
    await asyncio.sleep(SILENCE + 1)
    yield process
    await settle()  # the undos end


async def tick(scripted: ScriptedRegistry, count: int = 1) -> None:
    """Let the recovery look, and let its undos end."""
    for _ in range(count):
        await scripted.recovery.tick()
        await settle()


@pytest.mark.usefixtures("dead")
async def test_dead_process_is_undone_at_second_look(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    await tick(scripted)
    assert scripted.undone == []

    await tick(scripted)

    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]
    assert await scripted.read_outcomes() == UNDONE
    assert caplog.messages == ["execution exe-1 of transfers was cut short: undoing it"]
    assert await scripted.run(scripted.build_run()) == build_answer()


async def test_killed_process_is_recovered_within_5_seconds(scripted: ScriptedRegistry) -> None:
    dead = await scripted.start_process()
    recovering = asyncio.create_task(scripted.recovery.run())
    await dead.make_running()

    assert await scripted.run(scripted.build_run()) == build_answer()
    assert SILENCE < now() <= 5
    recovering.cancel()


async def test_living_process_keeps_its_executions(scripted: ScriptedRegistry) -> None:
    living = await scripted.start_process()
    await living.make_running()
    recovering = [asyncio.create_task(process.recovery.run()) for process in (scripted, living)]

    await asyncio.sleep(60)

    assert (await scripted.find()).owner == living.store.owner
    assert scripted.undone == living.undone == []
    for task in recovering:
        task.cancel()


async def test_process_that_wakes_up_suspects_none_at_first(
    scripted: ScriptedRegistry, dead: ScriptedRegistry
) -> None:
    """All processes were suspended: each is silent at the first look of the other."""
    await tick(scripted)

    await dead.store.beat()
    await tick(scripted, 2)

    assert scripted.undone == []


async def test_only_writes_that_may_have_changed_are_undone(scripted: ScriptedRegistry) -> None:
    dead = await scripted.start_process()
    outcomes = (WriteOutcome.PENDING, WriteOutcome.REFUSED)
    await dead.store.begin(build_attempt(), build_writes("exe-1", *outcomes))
    await asyncio.sleep(SILENCE + 1)

    await tick(scripted, 2)

    assert scripted.undone == ["bank.pay.undo"]
    assert await scripted.read_outcomes() == (CommitState.UNDONE, ["undone", "refused"])


@pytest.mark.usefixtures("dead")
async def test_age_of_write_counts_from_take_over(scripted: ScriptedRegistry) -> None:
    """A process that is taken for dead may still send the write."""
    scripted.results["shop.ship.undo"] = Err(Unavailable("down"))
    await tick(scripted, 2)
    await asyncio.sleep(1)
    scripted.results.clear()
    taken = SILENCE + 1
    await asyncio.sleep(30)

    assert await scripted.read_outcomes() == UNDONE
    assert {write.answer for write in scripted.sent_writes} == {UNANSWERED}
    assert scripted.sent_writes[0].age == 0
    assert 0.9 < scripted.sent_writes[-1].age <= now() - taken


@pytest.mark.usefixtures("dead")
async def test_failed_undo_makes_execution_stuck(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.results["bank.pay.undo"] = Err(Unavailable("down"))

    await tick(scripted, 2)
    await asyncio.sleep(31)
    await tick(scripted)

    assert await scripted.read_outcomes() == (CommitState.STUCK, ["stuck", "undone"])
    assert "execution exe-1 of transfers is stuck" in caplog.messages
    assert scripted.health.warnings == ["1 executions are stuck"]


async def test_unknown_undo_is_left_to_others_for_5_minutes(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """During a rolling upgrade, another process may know it."""
    dead, old = await scripted.start_process(), await scripted.start_process(("bank.pay",))
    await dead.make_running()
    await asyncio.sleep(299)
    await tick(old, 3)
    assert (await old.find()).state is RecordState.RUNNING

    await asyncio.sleep(2)
    await tick(old)

    assert await old.read_outcomes() == (CommitState.STUCK, ["undone", "stuck"])
    assert caplog.messages[-1] == ("execution exe-1 of transfers is stuck (unknown undos: shop.ship.undo)")


async def test_process_that_knows_the_undos_recovers(scripted: ScriptedRegistry) -> None:
    dead, old = await scripted.start_process(), await scripted.start_process(("bank.pay",))
    await dead.make_running()
    await asyncio.sleep(SILENCE + 1)

    await tick(old, 2)
    await tick(scripted, 2)

    assert (old.undone, await scripted.read_outcomes()) == ([], UNDONE)


async def test_own_orphan_is_undone_after_90_seconds(scripted: ScriptedRegistry) -> None:
    """A begin may take effect after it was given up: no run has this execution."""
    await scripted.make_running()
    await asyncio.sleep(89)
    await tick(scripted, 2)
    assert (await scripted.find()).state is RecordState.RUNNING

    await asyncio.sleep(2)
    await tick(scripted)

    assert await scripted.read_outcomes() == UNDONE


async def test_own_long_run_is_not_undone(scripted: ScriptedRegistry) -> None:
    run = scripted.build_run()
    run.seconds = 600
    owner = asyncio.create_task(scripted.run(run))
    recovering = asyncio.create_task(scripted.recovery.run())

    assert await owner == build_answer()
    assert scripted.undone == []
    recovering.cancel()


async def test_retry_in_progress_is_not_undone_twice(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck()
    await asyncio.sleep(100)
    scripted.may_undo.clear()
    retrying = asyncio.create_task(scripted.executions.retry("exe-1"))
    await settle()

    await tick(scripted, 2)
    scripted.may_undo.set()
    await retrying

    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]


@pytest.mark.usefixtures("dead")
async def test_undo_in_progress_is_not_started_again(scripted: ScriptedRegistry) -> None:
    scripted.may_undo.clear()
    await tick(scripted, 2)
    await asyncio.sleep(25)
    scripted.executions.uncertain.add("exe-1")

    await tick(scripted, 3)
    scripted.may_undo.set()
    await settle()

    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]


@pytest.mark.usefixtures("dead")
async def test_one_of_two_processes_recovers(scripted: ScriptedRegistry) -> None:
    other = await scripted.start_process()
    for _ in range(2):
        await asyncio.gather(scripted.recovery.tick(), other.recovery.tick())
    await settle()

    assert sorted([*scripted.undone, *other.undone]) == ["bank.pay.undo", "shop.ship.undo"]
    assert await scripted.read_outcomes() == UNDONE


@pytest.mark.usefixtures("dead")
async def test_killed_recovery_is_recovered(scripted: ScriptedRegistry) -> None:
    """The process that has taken the execution over dies while it undoes the execution."""
    second = await scripted.start_process()
    second.may_undo.clear()
    await tick(second, 2)
    await asyncio.sleep(SILENCE + 1)

    await tick(scripted, 2)
    second.may_undo.set()
    await settle()

    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]
    assert (await scripted.find()).owner == scripted.store.owner


@pytest.mark.parametrize("statement", [TAKE_OVER, FINISH_UNDO])
@pytest.mark.parametrize("is_executed", [False, True])
@pytest.mark.usefixtures("dead")
async def test_recovery_continues_after_trouble(
    scripted: ScriptedRegistry, statement: str, caplog: pytest.LogCaptureFixture, *, is_executed: bool
) -> None:
    scripted.database.fail(statement, times=1, is_executed=is_executed)
    await tick(scripted, 2)
    assert DOWN in caplog.text

    await tick(scripted, 3)

    assert await scripted.read_outcomes() == UNDONE
    assert (scripted.health.trouble, scripted.executions.uncertain) == (None, set())


@pytest.mark.usefixtures("dead")
async def test_trouble_clears_suspicions(scripted: ScriptedRegistry) -> None:
    """Processes without a database are silent, but not dead."""
    await tick(scripted)
    scripted.database.fail()
    await tick(scripted)
    scripted.database.repair()

    await tick(scripted)
    assert scripted.undone == []
    await tick(scripted)

    assert await scripted.read_outcomes() == UNDONE


@pytest.mark.parametrize(
    ("error", "level"),
    [(None, logging.WARNING), (DatabaseCorruptError("journal.sqlite is damaged"), logging.ERROR)],
)
async def test_trouble_and_its_end_are_reported_once(
    scripted: ScriptedRegistry,
    caplog: pytest.LogCaptureFixture,
    error: DatabaseError | None,
    level: int,
) -> None:
    scripted.database.fail(error=error)
    await tick(scripted, 3)
    scripted.database.repair()
    await tick(scripted, 2)

    reason = f"the journal is unavailable, so requests that write are refused: {error or DOWN}"
    assert [(record.levelno, record.getMessage()) for record in caplog.records] == [
        (level, reason),
        (logging.WARNING, "the journal is available again"),
    ]


async def test_database_that_was_down_is_opened_later() -> None:
    scripted = ScriptedRegistry()
    scripted.database.fail("open")
    recovering = asyncio.create_task(scripted.recovery.run())
    await asyncio.sleep(60)
    assert await scripted.executions.derive_id("POST /payments", b"", b"rent") is None
    assert scripted.health.warnings == [f"requests that write are refused: {DOWN}"]

    scripted.database.repair()
    await asyncio.sleep(0.6)

    assert scripted.health.warnings == []
    assert await scripted.run(scripted.build_run()) == build_answer()
    recovering.cancel()


@pytest.mark.usefixtures("dead")
async def test_stop_cancels_undos(scripted: ScriptedRegistry) -> None:
    before = asyncio.all_tasks()
    scripted.may_undo.clear()
    recovering = asyncio.create_task(scripted.recovery.run())
    await asyncio.sleep(2)
    assert scripted.undone == ["shop.ship.undo"]

    recovering.cancel()
    await asyncio.wait((recovering,))
    await settle()

    assert asyncio.all_tasks() == before
    assert (await scripted.find()).state is RecordState.UNDOING


async def test_old_executions_are_deleted_every_minute(scripted: ScriptedRegistry) -> None:
    for number in range(3):
        await scripted.run(scripted.build_run(f"exe-{number}"), f"exe-{number}")
    await asyncio.sleep(DAY - 1)
    recovering = asyncio.create_task(scripted.recovery.run())
    await asyncio.sleep(59)
    assert await count_rows(scripted) == 3

    await asyncio.sleep(2)

    assert await count_rows(scripted) == 0
    recovering.cancel()


async def test_housekeeping_deletes_more_than_500_rows(scripted: ScriptedRegistry) -> None:
    for number in range(501):
        await scripted.run(scripted.build_run(f"exe-{number}"), f"exe-{number}")
    await asyncio.sleep(DAY + 1)

    await tick(scripted)

    assert await count_rows(scripted) == 0


async def test_housekeeping_is_made_once_a_minute(scripted: ScriptedRegistry) -> None:
    recovering = asyncio.create_task(scripted.recovery.run())
    await asyncio.sleep(181)
    recovering.cancel()

    assert len(scripted.database.list_calls("delete from executions")) == 4
    assert 360 <= len(scripted.database.list_calls(UNSETTLED)) <= 363


async def test_stuck_executions_are_counted(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck("exe-1")
    await scripted.make_stuck("exe-2")
    await tick(scripted)
    assert scripted.health.stuck == 2

    await scripted.executions.retry("exe-1")
    await tick(scripted)

    assert scripted.health.stuck == 1


async def test_bug_in_recovery_does_not_end_signs_of_life(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    """A newer version may have left a row that this one cannot read."""
    dead = await scripted.start_process()
    await dead.make_running()
    await scripted.database.run("update executions set writes = 'in another form'")
    await scripted.make_stuck("exe-stuck")
    recovering = asyncio.create_task(scripted.recovery.run())

    await asyncio.sleep(60)

    assert "the recovery of executions has failed" in caplog.text
    assert scripted.health.stuck == 1
    ((silence,),) = await scripted.database.run(
        "select (select now from clock) - seen_at from owners where owner = $1", scripted.store.owner
    )
    assert isinstance(silence, float)
    assert silence <= 0.5
    recovering.cancel()


async def count_rows(scripted: ScriptedRegistry) -> object:
    ((count,),) = await scripted.database.run("select count(*) from executions")
    return count


async def test_many_old_executions_are_deleted_over_several_ticks(scripted: ScriptedRegistry) -> None:
    assert await scripted.run(scripted.build_run()) == build_answer()
    await scripted.database.run(
        """insert into executions (app, execution_id, pipeline, attempt, state, owner, caller, fingerprint,
            writes, answer, size, started_at, ended_at)
        with recursive numbers (number) as (
            select 1 union all select number + 1 from numbers where number < 599)
        select app, execution_id || numbers.number, pipeline, attempt, state, owner, caller, fingerprint,
            writes, answer, size, started_at, ended_at
        from executions, numbers"""
    )
    await asyncio.sleep(DAY + 1)

    await scripted.recovery.tick()
    assert await count_rows(scripted) == 100
    await scripted.recovery.tick()
    assert await count_rows(scripted) == 0


async def test_zombie_and_recovery_leave_one_answer(scripted: ScriptedRegistry) -> None:
    """A process is suspended in its commit; another undoes the execution, and makes it again."""
    zombie = await scripted.start_process()
    run = zombie.build_run(answer="twice")
    run.seconds = 60
    owner = asyncio.create_task(zombie.run(run))
    recovering = asyncio.create_task(scripted.recovery.run())

    assert await scripted.run(scripted.build_run(answer="once")) == build_answer("once")
    assert await owner == build_replay("once")
    recovering.cancel()
