"""Health of the journal: its limits, and its warnings."""

import asyncio

import pytest

from gateway.executions.database import DatabaseUnavailableError
from gateway.executions.health import JournalHealth, StorageLimit
from gateway.executions.record import RecordState
from gateway.executions.registry import NoAnswerReason
from tests.executions.scripted_runs import (
    DAY,
    ScriptedRegistry,
    build_answer,
    build_replay,
    build_request,
)

FULL = (
    "requests that write are refused until executions are a day old: the journal is full "
    "(GATEWAY_JOURNAL_MAX_MB)"
)


@pytest.fixture
def limit() -> StorageLimit:
    return StorageLimit(1000)


def test_empty_journal_has_room(limit: StorageLimit) -> None:
    assert not limit.is_reached
    assert not limit.is_reached_for("alice")
    assert limit.threshold == 250


@pytest.mark.parametrize(("total", "is_reached"), [(999, False), (1000, True), (1001, True)])
def test_full_journal_has_no_room_for_any_caller(
    limit: StorageLimit, total: int, *, is_reached: bool
) -> None:
    limit.update(total, {})

    assert (limit.is_reached, limit.is_reached_for("bob")) == (is_reached, is_reached)


@pytest.mark.parametrize(("size", "is_reached"), [(499, False), (500, True)])
def test_caller_has_half_of_the_journal(limit: StorageLimit, size: int, *, is_reached: bool) -> None:
    limit.update(size, {"alice": size})

    assert (limit.is_reached_for("alice"), limit.is_reached_for("bob")) == (is_reached, False)


def test_new_executions_count_until_next_measurement(limit: StorageLimit) -> None:
    limit.update(300, {"alice": 300})
    limit.add("alice", 200)
    limit.add("bob", 400)
    assert (limit.is_reached_for("alice"), limit.is_reached_for("bob")) == (True, False)
    limit.add("bob", 100)
    assert limit.is_reached

    limit.update(300, {})

    assert (limit.is_reached, limit.is_reached_for("alice")) == (False, False)


def test_health_warns_of_each_reason(limit: StorageLimit) -> None:
    health = JournalHealth(limit)
    assert health.warnings == []

    health.trouble, health.stuck, health.unreadable = "the database is down", 3, 1
    limit.update(1000, {})

    assert health.warnings == [
        "requests that write are refused: the database is down",
        FULL,
        "3 stuck executions; see: gateway executions list --state stuck",
        "1 unreadable execution; see the log",
    ]


@pytest.fixture
async def small() -> ScriptedRegistry:
    """A process whose journal has room for two executions of a caller, and for four in all."""
    registry = ScriptedRegistry(max_bytes=6000)
    await registry.store.open()
    return registry


async def pay(small: ScriptedRegistry, execution_id: str, caller: str) -> object:
    request = build_request(execution_id, caller=caller.encode())
    return await small.executions.run(request, small.build_run(execution_id))


async def test_caller_cannot_fill_the_journal(small: ScriptedRegistry) -> None:
    assert [await pay(small, f"exe-{number}", "alice") for number in range(3)] == [
        build_answer(),
        build_answer(),
        NoAnswerReason.FULL,
    ]

    assert await pay(small, "exe-9", "bob") == build_answer()
    assert small.health.warnings == [
        (
            "requests that write are refused for 1 caller, whose executions fill half of the journal "
            "(GATEWAY_JOURNAL_MAX_MB)"
        )
    ]


async def test_full_journal_refuses_new_keys_only(small: ScriptedRegistry) -> None:
    """Nothing that was promised is evicted: stored answers are replayed."""
    for number in range(4):
        assert await pay(small, f"exe-{number}", f"caller-{number}") == build_answer()

    assert await pay(small, "exe-4", "carol") == NoAnswerReason.FULL
    assert await pay(small, "exe-0", "caller-0") == build_replay()
    assert small.health.warnings == [FULL]
    assert await small.store.find("exe-4") is None
    assert (await small.find("exe-0")).state is RecordState.COMMITTED


async def test_full_journal_has_room_after_a_day(small: ScriptedRegistry) -> None:
    for number in range(4):
        await pay(small, f"exe-{number}", f"caller-{number}")
    await asyncio.sleep(DAY + 1)

    await small.tick()

    assert await pay(small, "exe-4", "carol") == build_answer()


async def test_housekeeping_measures_callers(small: ScriptedRegistry) -> None:
    for number in range(2):
        await pay(small, f"exe-{number}", "alice")

    await small.tick()

    (size,) = (await small.store.measure(100)).by_caller.values()
    assert size < 3000
    assert await pay(small, "exe-2", "alice") == build_answer()


async def test_trouble_of_execution_outlasts_heartbeat(limit: StorageLimit) -> None:
    """A full disk may have no place for an execution, but still for a heartbeat."""
    health = JournalHealth(limit)
    health.report_failed_write(DatabaseUnavailableError("the disk is full"))
    health.clear()
    assert health.trouble == "the disk is full"

    await asyncio.sleep(2)
    health.clear()

    assert health.trouble is None


async def test_callers_are_hashed_with_secret_from_the_start() -> None:
    """The first request to use the journal may be one without a key."""
    first = ScriptedRegistry()
    await first.executions.run(build_request(fingerprint=None), first.build_run())
    await first.executions.run(build_request("exe-2"), first.build_run("exe-2"))

    assert len((await first.store.measure(0)).by_caller) == 1
