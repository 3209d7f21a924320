"""Recovery: heartbeats, take-overs of executions whose process is dead, and housekeeping."""

import asyncio
import logging
from collections.abc import AsyncIterator

import pytest

from gateway.executions.database import DatabaseCorruptError, DatabaseError
from gateway.executions.record import RecordState
from gateway.executions.store import HEARTBEAT_TIMEOUT
from gateway.railway import UNANSWERED, CommitState, Err, Unavailable, WriteOutcome
from tests.executions.scripted_database import FINISH_UNDO, HEARTBEAT, LOOK, TAKE_OVER
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
STUCK_WRITE = "bank.pay under key exe-1.settlement.0.bank.pay"
SEEN = "select (select now from clock) - seen_at from gateway_owners where owner = $1"


@pytest.fixture
async def dead(scripted: ScriptedRegistry) -> AsyncIterator[ScriptedRegistry]:
    """A process that was killed after it had begun an execution, some seconds ago."""
    process = await scripted.start_process()
    await process.make_running()
    await asyncio.sleep(HEARTBEAT_TIMEOUT + 1)
    yield process
    await settle()  # the undos end


async def tick(scripted: ScriptedRegistry, count: int = 1) -> None:
    """Let the recovery look, and let its undos end."""
    for _ in range(count):
        await scripted.tick()
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
    assert caplog.messages == [
        "execution exe-1 of transfers was cut short: undoing it",
        "execution exe-1 of transfers is undone",
    ]
    assert await scripted.run(scripted.build_run()) == build_answer()


async def test_killed_process_is_recovered_within_5_seconds(scripted: ScriptedRegistry) -> None:
    dead = await scripted.start_process()
    recovering = asyncio.create_task(scripted.recovery.run())
    await dead.make_running()

    assert await scripted.run(scripted.build_run()) == build_answer()
    assert HEARTBEAT_TIMEOUT < now() <= 5
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

    await dead.store.send_heartbeat()
    await tick(scripted, 2)

    assert scripted.undone == []


async def test_only_writes_that_may_have_changed_are_undone(scripted: ScriptedRegistry) -> None:
    dead = await scripted.start_process()
    outcomes = (WriteOutcome.PENDING, WriteOutcome.REFUSED)
    await dead.store.begin(build_attempt(), build_writes("exe-1", *outcomes))
    await asyncio.sleep(HEARTBEAT_TIMEOUT + 1)

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
    taken = HEARTBEAT_TIMEOUT + 1
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
    assert f"execution exe-1 of transfers is stuck: could not undo {STUCK_WRITE}" in caplog.messages
    assert scripted.health.stuck == 1


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
    assert caplog.messages[-1] == (
        "execution exe-1 of transfers is stuck: could not undo shop.ship under key "
        "exe-1.settlement.1.shop.ship; this process does not know shop.ship.undo"
    )


async def test_process_that_knows_the_undos_recovers(scripted: ScriptedRegistry) -> None:
    dead, old = await scripted.start_process(), await scripted.start_process(("bank.pay",))
    await dead.make_running()
    await asyncio.sleep(HEARTBEAT_TIMEOUT + 1)

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
    scripted.executions.orphans.add("exe-1")

    await tick(scripted, 3)
    scripted.may_undo.set()
    await settle()

    assert scripted.undone == ["shop.ship.undo", "bank.pay.undo"]


@pytest.mark.usefixtures("dead")
async def test_one_of_two_processes_recovers(scripted: ScriptedRegistry) -> None:
    other = await scripted.start_process()
    for _ in range(2):
        await asyncio.gather(scripted.tick(), other.tick())
    await settle()

    assert sorted([*scripted.undone, *other.undone]) == ["bank.pay.undo", "shop.ship.undo"]
    assert await scripted.read_outcomes() == UNDONE


@pytest.mark.usefixtures("dead")
async def test_killed_recovery_is_recovered(scripted: ScriptedRegistry) -> None:
    """The process that has taken the execution over dies while it undoes the execution."""
    second = await scripted.start_process()
    second.may_undo.clear()
    await tick(second, 2)
    await asyncio.sleep(HEARTBEAT_TIMEOUT + 1)

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

    await tick(scripted)
    await asyncio.sleep(HEARTBEAT_TIMEOUT + 0.5)
    await tick(scripted, 3)

    assert await scripted.read_outcomes() == UNDONE
    assert (scripted.health.trouble, scripted.executions.orphans) == (None, set())


@pytest.mark.usefixtures("dead")
async def test_trouble_clears_suspicions(scripted: ScriptedRegistry) -> None:
    """Processes without a database are silent, but not dead."""
    await tick(scripted)
    scripted.database.fail()
    await tick(scripted)
    scripted.database.repair()

    for _ in range(7):
        await tick(scripted)
        await asyncio.sleep(0.49)
    assert scripted.undone == []
    await asyncio.sleep(0.1)
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

    assert len(scripted.database.list_calls("delete from gateway_executions")) == 4
    assert 360 <= len(scripted.database.list_calls(LOOK)) <= 363


async def test_stuck_executions_are_counted(scripted: ScriptedRegistry) -> None:
    await scripted.make_stuck("exe-1")
    await scripted.make_stuck("exe-2")
    await tick(scripted)
    assert scripted.health.stuck == 2

    await scripted.executions.retry("exe-1")
    await tick(scripted)

    assert scripted.health.stuck == 1


@pytest.fixture
async def recovering(scripted: ScriptedRegistry) -> AsyncIterator[None]:
    """The recovery of the process runs."""
    task = asyncio.create_task(scripted.recovery.run())
    yield
    task.cancel()
    await asyncio.wait((task,))


async def read_silence(scripted: ScriptedRegistry) -> float:
    """Return the seconds since the last heartbeat of the process."""
    ((silence,),) = await scripted.database.run(SEEN, scripted.store.owner)
    assert isinstance(silence, float)
    return silence


@pytest.mark.usefixtures("recovering")
async def test_slow_look_does_not_silence_process(scripted: ScriptedRegistry) -> None:
    scripted.database.delays[LOOK] = 30
    await asyncio.sleep(20)

    assert await read_silence(scripted) <= 0.5


@pytest.mark.usefixtures("recovering")
async def test_bug_in_recovery_does_not_silence_process(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.database.fail(LOOK, RuntimeError("a bug"))
    await asyncio.sleep(60)

    assert await read_silence(scripted) <= 0.5
    assert caplog.messages == ["the journal's recovery failed; trying again"]
    assert caplog.records[0].exc_info is not None


@pytest.mark.usefixtures("recovering")
async def test_bug_that_returns_is_logged_again(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(2):
        scripted.database.fail(LOOK, RuntimeError("a bug"))
        await asyncio.sleep(5)
        scripted.database.repair()
        await asyncio.sleep(5)

    assert caplog.messages == ["the journal's recovery failed; trying again"] * 2


@pytest.mark.usefixtures("recovering")
async def test_bug_in_heartbeats_refuses_requests(scripted: ScriptedRegistry) -> None:
    """Other processes would take this one for dead."""
    scripted.database.fail(HEARTBEAT, RuntimeError("a bug"))
    await asyncio.sleep(5)
    assert scripted.health.trouble == "the gateway cannot send heartbeats; see the log"

    scripted.database.repair()
    await asyncio.sleep(1.1)

    assert scripted.health.trouble is None


@pytest.mark.usefixtures("dead", "recovering")
async def test_bug_in_recovery_does_not_end_it(scripted: ScriptedRegistry) -> None:
    scripted.database.fail(LOOK, RuntimeError("a bug"))
    await asyncio.sleep(5)
    scripted.database.repair()
    await asyncio.sleep(2)

    assert await scripted.read_outcomes() == UNDONE


@pytest.mark.usefixtures("recovering")
async def test_bug_after_trouble_refuses_no_requests(scripted: ScriptedRegistry) -> None:
    scripted.database.fail()
    await asyncio.sleep(5)
    assert scripted.health.trouble == DOWN

    scripted.database.repair()
    scripted.database.fail(LOOK, RuntimeError("a bug"))
    await asyncio.sleep(5)

    assert scripted.health.trouble is None


@pytest.mark.usefixtures("recovering")
async def test_trouble_lasts_as_long_as_heartbeats_fail(scripted: ScriptedRegistry) -> None:
    """Looks only read: a read-only database has no trouble with them."""
    scripted.database.fail(HEARTBEAT)
    await asyncio.sleep(5)
    assert scripted.health.trouble == DOWN

    scripted.database.repair()
    await asyncio.sleep(1.1)

    assert scripted.health.trouble is None


@pytest.mark.usefixtures("dead", "recovering")
async def test_bug_in_take_over_is_logged(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture
) -> None:
    scripted.database.fail(TAKE_OVER, RuntimeError("a bug"), times=1)
    await asyncio.sleep(3)

    assert "recovery of execution exe-1 failed; trying again" in caplog.text
    assert await scripted.read_outcomes() == UNDONE


@pytest.mark.usefixtures("dead", "recovering")
@pytest.mark.parametrize(
    "change",
    [
        "writes = 'a note'",
        "writes = 'null'",
        "writes = '[[1]]'",
        """writes = '[["bank.pay", "key", "undo", "gone"]]'""",
        f"writes = '{'[' * 9999}'",
        "answer = 1",
        "ended_at = 1e300, state = 'stuck'",
        "started_at = -1e18",
    ],
)
async def test_unreadable_execution_is_skipped(
    scripted: ScriptedRegistry, caplog: pytest.LogCaptureFixture, change: str
) -> None:
    """An operator has changed its row by hand."""
    await scripted.make_running("exe-2")
    await scripted.database.run(
        f"update gateway_executions set {change} where execution_id = 'exe-2'"  # noqa: S608 - constants
    )
    scripted.executions.orphans.add("exe-2")
    await asyncio.sleep(100)

    assert await scripted.read_outcomes() == UNDONE
    page = await scripted.executions.page(None, 10, None)
    assert [execution.execution_id for execution in page.executions] == ["exe-1"]
    await asyncio.sleep(1)
    assert (scripted.health.unreadable, scripted.executions.orphans) == (1, set())
    (skipped,) = [message for message in caplog.messages if message.startswith("skipping")]
    assert "the row of execution exe-2 in the journal is unreadable" in skipped


async def count_rows(scripted: ScriptedRegistry) -> object:
    ((count,),) = await scripted.database.run("select count(*) from gateway_executions")
    return count


async def test_many_old_executions_are_deleted_over_several_ticks(scripted: ScriptedRegistry) -> None:
    assert await scripted.run(scripted.build_run()) == build_answer()
    await scripted.database.run(
        """insert into gateway_executions (app, execution_id, pipeline, attempt, state, owner, caller,
            fingerprint, writes, answer, size, started_at, ended_at)
        with recursive numbers (number) as (
            select 1 union all select number + 1 from numbers where number < 599)
        select app, execution_id || numbers.number, pipeline, attempt, state, owner, caller, fingerprint,
            writes, answer, size, started_at, ended_at
        from gateway_executions, numbers"""
    )
    await asyncio.sleep(DAY + 1)

    await scripted.tick()
    assert await count_rows(scripted) == 100
    await scripted.tick()
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
