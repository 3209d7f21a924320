"""What every stage promises, whatever its policy."""

from contextvars import ContextVar

import pytest

from gateway.railway import FAIL_FAST, SETTLE, Call, Err, Failure, Ok, Policy, Result, Run, railway
from tests.railway.scripted_calls import MISSING, ORDERS, Answer, World, cancellations, now, trio

BOTH = pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST])

visitor: ContextVar[str] = ContextVar("visitor", default="nobody")


@railway
async def two_stages(
    run: Run[Failure],
    first: tuple[Call[int, Failure], Call[int, Failure]],
    second: tuple[Call[int, Failure], Call[int, Failure]],
) -> tuple[int, int]:
    await run.stage("first", *first)
    return await run.stage("second", *second)


async def test_calls_of_a_stage_all_start_before_any_is_awaited(world: World) -> None:
    await trio(world.call("a"), world.call("b"), world.call("c"))

    assert world.log[:3] == ["a started", "b started", "c started"]


async def test_a_later_stage_starts_only_after_every_call_of_the_one_before_has_finished(
    world: World,
) -> None:
    slow, fast = world.call("slow", after=2), world.call("fast", after=1)

    await two_stages((slow, fast), (world.call("c"), world.call("d")))

    assert world.log[2:6] == ["fast ended", "slow ended", "c started", "d started"]


async def test_a_failed_stage_keeps_later_stages_from_running(world: World) -> None:
    later = world.call("c"), world.call("d")

    result = await two_stages((world.call("a", MISSING), world.call("b")), later)

    assert result == MISSING
    assert world.log == ["a started", "b started", "a ended", "b ended"]


async def test_a_stage_takes_as_long_as_its_slowest_call(world: World) -> None:
    await trio(world.call("a", after=1), world.call("b", after=3), world.call("c", after=2))

    assert now() == 3


@BOTH
@pytest.mark.parametrize("delays", ORDERS)
async def test_values_come_in_argument_order_whatever_the_order_of_arrival(
    world: World, policy: Policy, delays: tuple[float, float, float]
) -> None:
    calls = [world.call(f"{n}", Ok(n), after=delay) for n, delay in enumerate(delays)]

    assert await trio(*calls, policy=policy) == Ok((0, 1, 2))


@BOTH
async def test_a_stage_lacks_what_its_calls_lack_in_argument_order(world: World, policy: Policy) -> None:
    late, early = (
        world.call("late", Ok(1, lacks=("x",)), after=2),
        world.call("early", Ok(1, lacks=("y",)), after=1),
    )

    assert await trio(late, world.call("whole"), early, policy=policy) == Ok((1, 1, 1), lacks=("x", "y"))


@BOTH
async def test_one_call_alone_is_a_stage_too(world: World, policy: Policy) -> None:
    @railway
    async def solo(run: Run[Failure]) -> tuple[int]:
        return await run.stage("solo", world.call("a", Ok(7)), policy=policy)

    assert await solo() == Ok((7,))


async def test_a_call_may_stand_in_a_stage_twice(world: World) -> None:
    twin = world.call("twin")

    assert await trio(twin, twin, world.call("c")) == Ok((1, 1, 1))
    assert world.log.count("twin started") == 2


async def test_context_variables_are_visible_in_calls() -> None:
    async def look() -> Result[str, Failure]:
        return Ok(visitor.get())

    @railway
    async def visit(run: Run[Failure]) -> str:
        visitor.set("ada")
        (seen,) = await run.stage("look", Call("look", look))
        return seen

    assert await visit() == Ok("ada")


async def test_what_a_call_sets_stays_its_own() -> None:
    async def arrive() -> Answer:
        visitor.set("eve")
        return Ok(1)

    async def look() -> Result[str, Failure]:
        return Ok(visitor.get())

    @railway
    async def visit(run: Run[Failure]) -> str:
        visitor.set("ada")
        _, seen = await run.stage("both", Call("arrive", arrive), Call("look", look))
        return f"{seen}, {visitor.get()}"

    assert await visit() == Ok("ada, ada")


@BOTH
@pytest.mark.parametrize("answer", [Ok(1), MISSING])
async def test_a_stage_that_ends_by_itself_leaves_no_cancellation_on_its_task(
    world: World, policy: Policy, answer: Answer
) -> None:
    await trio(world.call("a", answer), world.call("b", after=1), world.call("c", after=2), policy=policy)

    assert cancellations() == 0


async def test_the_first_stage_that_fails_is_the_last_one(world: World) -> None:
    result = await two_stages((world.call("a"), world.call("b")), (world.call("c", MISSING), world.call("d")))

    assert isinstance(result, Err)
    assert result == MISSING
