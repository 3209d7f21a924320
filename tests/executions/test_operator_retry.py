"""What is stuck, attempted once more."""

import asyncio

import pytest

from gateway.executions.registry import EXECUTION_NOT_FOUND, EXECUTION_NOT_STUCK
from gateway.railway import CommitState, Conflict, Err, Unavailable, WriteOutcome
from tests.executions.scripted_runs import World, beginning, settled

DOWN = Err(Unavailable("down"))


async def test_what_is_stuck_is_undone_the_last_write_first(world: World) -> None:
    await world.stick()

    retried = (await world.executions.retry("exe-1")).value_or(None)
    assert retried is not None
    assert retried.state is CommitState.UNDONE
    assert world.undone == ["shop.ship.undo", "bank.pay.undo"]
    assert await world.outcomes() == (CommitState.UNDONE, ["undone", "undone"])


@pytest.mark.parametrize("outcome", [WriteOutcome.UNDONE, WriteOutcome.REFUSED])
async def test_only_what_is_stuck_is_attempted(world: World, outcome: WriteOutcome) -> None:
    await world.stick("exe-1", outcome, WriteOutcome.STUCK)

    await world.executions.retry("exe-1")

    assert world.undone == ["shop.ship.undo"]
    assert await world.outcomes() == (CommitState.UNDONE, [outcome.value, "undone"])


@pytest.mark.parametrize("result", [DOWN, RuntimeError("a bug")])
async def test_what_cannot_be_undone_stays_stuck_and_the_rest_is_undone(
    world: World, result: Err[Unavailable] | Exception
) -> None:
    await world.stick()
    world.results["shop.ship.undo"] = result

    retried = (await world.executions.retry("exe-1")).value_or(None)
    assert retried is not None
    assert retried.state is CommitState.STUCK
    assert [write.outcome for write in retried.writes] == [WriteOutcome.UNDONE, WriteOutcome.STUCK]
    assert await world.outcomes() == (CommitState.STUCK, ["undone", "stuck"])


async def test_the_next_attempt_goes_on_with_what_is_left(world: World) -> None:
    await world.stick()
    world.results["shop.ship.undo"] = DOWN
    await world.executions.retry("exe-1")
    world.results.clear()
    world.undone.clear()

    await world.executions.retry("exe-1")

    assert world.undone == ["shop.ship.undo"]
    assert await world.outcomes() == (CommitState.UNDONE, ["undone", "undone"])


async def test_a_bug_in_an_undo_is_logged(world: World, caplog: pytest.LogCaptureFixture) -> None:
    await world.stick()
    world.results["bank.pay.undo"] = RuntimeError("a bug")

    await world.executions.retry("exe-1")

    assert "bank.pay.undo raised, under key exe-1.settlement.0.bank.pay" in caplog.text


async def test_what_is_not_known_cannot_be_retried(world: World) -> None:
    assert await world.executions.retry("exe-1") == Err(EXECUTION_NOT_FOUND)


@pytest.mark.parametrize("state", [CommitState.RUNNING, CommitState.COMMITTED, CommitState.UNDONE])
async def test_what_is_not_stuck_is_left_alone(world: World, state: CommitState) -> None:
    await world.records.begin(beginning())
    if state is not CommitState.RUNNING:
        await world.records.end("exe-1", state)

    assert await world.executions.retry("exe-1") == Err(EXECUTION_NOT_STUCK)
    assert world.undone == []


async def test_of_two_retries_at_once_one_is_made(world: World) -> None:
    await world.stick()
    world.goes_on.clear()
    first = asyncio.create_task(world.executions.retry("exe-1"))
    await settled()

    second = await world.executions.retry("exe-1")
    world.goes_on.set()

    assert isinstance(second, Err)
    assert isinstance(second.error, Conflict)
    assert (await first).map(lambda execution: execution.state).value_or(None) is CommitState.UNDONE
    assert world.undone == ["shop.ship.undo", "bank.pay.undo"]


async def test_two_executions_are_retried_at_once(world: World) -> None:
    await world.stick("exe-1")
    await world.stick("exe-2")

    await asyncio.gather(world.executions.retry("exe-1"), world.executions.retry("exe-2"))

    assert [await world.outcomes(f"exe-{n}") for n in (1, 2)] == [
        (CommitState.UNDONE, ["undone", "undone"])
    ] * 2


async def test_a_retry_that_is_cancelled_can_be_made_again(world: World) -> None:
    await world.stick()
    world.goes_on.clear()
    first = asyncio.create_task(world.executions.retry("exe-1"))
    await settled()
    first.cancel()
    await asyncio.wait((first,))
    world.goes_on.set()

    await world.executions.retry("exe-1")

    assert await world.outcomes() == (CommitState.UNDONE, ["undone", "undone"])
