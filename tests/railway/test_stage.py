"""Stages: guarantees that hold for both policies."""

from contextvars import ContextVar

import pytest

from gateway.railway import (
    CONCURRENT,
    FAIL_FAST,
    SETTLE,
    Call,
    Err,
    Failure,
    Ok,
    Policy,
    Result,
    Run,
    railway,
)
from tests.railway.scripted_calls import (
    DELAYS,
    MISSING,
    Answer,
    Services,
    count_cancellations,
    now,
    three_calls,
)

BOTH_POLICIES = pytest.mark.parametrize("policy", [SETTLE, FAIL_FAST])

visitor: ContextVar[str] = ContextVar("visitor", default="unknown")


@railway
async def two_stages(
    run: Run[Failure],
    first: tuple[Call[int, Failure], Call[int, Failure]],
    second: tuple[Call[int, Failure], Call[int, Failure]],
) -> tuple[int, int]:
    await run.stage("first", *first)
    return await run.stage("second", *second)


async def test_stage_starts_all_calls_at_once(services: Services) -> None:
    await three_calls(services.call("a"), services.call("b"), services.call("c"))

    assert services.log[:3] == ["a started", "b started", "c started"]


async def test_stage_starts_after_previous_stage_ended(
    services: Services,
) -> None:
    slow, fast = services.call("slow", after=2), services.call("fast", after=1)

    await two_stages((slow, fast), (services.call("c"), services.call("d")))

    assert services.log[2:6] == ["fast ended", "slow ended", "c started", "d started"]


async def test_failed_stage_skips_later_stages(services: Services) -> None:
    later = services.call("c"), services.call("d")

    result = await two_stages((services.call("a", MISSING), services.call("b")), later)

    assert result == MISSING
    assert services.log == ["a started", "b started", "a ended", "b ended"]


async def test_stage_takes_as_long_as_slowest_call(services: Services) -> None:
    await three_calls(services.call("a", after=1), services.call("b", after=3), services.call("c", after=2))

    assert now() == 3


@BOTH_POLICIES
@pytest.mark.parametrize("delays", DELAYS)
async def test_stage_returns_values_in_argument_order(
    services: Services, policy: Policy, delays: tuple[float, float, float]
) -> None:
    calls = [services.call(f"{n}", Ok(n), after=delay) for n, delay in enumerate(delays)]

    assert await three_calls(*calls, policy=policy) == Ok((0, 1, 2))


@BOTH_POLICIES
async def test_stage_lists_missing_calls_in_argument_order(services: Services, policy: Policy) -> None:
    late, early = (
        services.call("late", Ok(1, lacks=("x",)), after=2),
        services.call("early", Ok(1, lacks=("y",)), after=1),
    )

    assert await three_calls(late, services.call("whole"), early, policy=policy) == Ok(
        (1, 1, 1), lacks=("x", "y")
    )


@BOTH_POLICIES
async def test_stage_can_have_single_call(services: Services, policy: Policy) -> None:
    @railway
    async def single(run: Run[Failure]) -> tuple[int]:
        return await run.stage("single", services.call("a", Ok(7)), policy=policy)

    assert await single() == Ok((7,))


async def test_stage_can_make_same_call_twice(services: Services) -> None:
    twin = services.call("twin")

    assert await three_calls(twin, twin, services.call("c")) == Ok((1, 1, 1))
    assert services.log.count("twin started") == 2


async def test_calls_see_context_variables() -> None:
    async def read_visitor() -> Result[str, Failure]:
        return Ok(visitor.get())

    @railway
    async def visit(run: Run[Failure]) -> str:
        visitor.set("ada")
        (seen,) = await run.stage("read", Call("read", read_visitor))
        return seen

    assert await visit() == Ok("ada")


async def test_context_variable_set_by_call_is_local() -> None:
    async def set_visitor() -> Answer:
        visitor.set("eve")
        return Ok(1)

    async def read_visitor() -> Result[str, Failure]:
        return Ok(visitor.get())

    @railway
    async def visit(run: Run[Failure]) -> str:
        visitor.set("ada")
        _, seen = await run.stage("both", Call("set", set_visitor), Call("read", read_visitor))
        return f"{seen}, {visitor.get()}"

    assert await visit() == Ok("ada, ada")


@BOTH_POLICIES
@pytest.mark.parametrize("answer", [Ok(1), MISSING])
async def test_finished_stage_leaves_no_pending_cancellation(
    services: Services, policy: Policy, answer: Answer
) -> None:
    await three_calls(
        services.call("a", answer), services.call("b", after=1), services.call("c", after=2), policy=policy
    )

    assert count_cancellations() == 0


async def test_failure_of_second_stage_is_returned(services: Services) -> None:
    result = await two_stages(
        (services.call("a"), services.call("b")), (services.call("c", MISSING), services.call("d"))
    )

    assert isinstance(result, Err)
    assert result == MISSING


@pytest.mark.parametrize("policy", ["settle", CONCURRENT, None])
async def test_unknown_policy_is_refused_before_calls_start(services: Services, policy: Policy) -> None:
    with pytest.raises(TypeError, match=r"^policy must be SETTLE or FAIL_FAST, got "):
        await three_calls(services.call("a"), services.call("b"), services.call("c"), policy=policy)
    assert services.log == []
