"""A stage that settles: every call runs to its end, and everything that went wrong is told."""

import pytest

from gateway.railway import Aggregate, Call, Conflict, Err, Failure, Invalid, NotFound, Ok
from tests.railway.scripted_calls import MISSING, ORDERS, TAKEN, World, now, trio


def invalid(detail: str, *violations: tuple[str, tuple[str, ...]]) -> Err[Invalid]:
    return Err(Invalid(detail, source=f"{detail}.check", violations=violations))


async def test_settle_waits_for_all_when_one_fails_at_once(world: World) -> None:
    result = await trio(world.call("a", MISSING), world.call("b", after=1), world.call("c", after=2))

    assert result == MISSING
    assert world.log[-2:] == ["b ended", "c ended"]
    assert now() == 2


@pytest.mark.parametrize("delays", ORDERS)
async def test_settle_combines_in_argument_order_whatever_the_order_of_arrival(
    world: World, delays: tuple[float, float, float]
) -> None:
    a, b, c = delays

    result = await trio(
        world.call("a", MISSING, after=a), world.call("b", after=b), world.call("c", TAKEN, after=c)
    )

    assert result == Err(Aggregate((NotFound("missing"), Conflict("taken"))))


async def test_one_failure_stays_itself(world: World) -> None:
    result = await trio(world.call("a"), world.call("b", TAKEN), world.call("c"))

    assert result == TAKEN


async def test_two_failures_of_one_kind_aggregate(world: World) -> None:
    result = await trio(world.call("a", MISSING), world.call("b", MISSING), world.call("c"))

    assert result == Err(Aggregate((NotFound("missing"), NotFound("missing"))))


@pytest.mark.parametrize("delays", ORDERS)
async def test_all_invalid_merge_into_the_place_of_the_first(
    world: World, delays: tuple[float, float, float]
) -> None:
    calls: list[Call[int, Failure]] = [
        world.call("a", invalid("left", ("x", ("1", "2"))), after=delays[0]),
        world.call("b", TAKEN, after=delays[1]),
        world.call("c", invalid("right", ("y", ("1",)), ("x", ("2", "3"))), after=delays[2]),
    ]

    result = await trio(*calls)

    merged = Invalid("left; right", source="left.check", violations=(("x", ("1", "2", "3")), ("y", ("1",))))
    assert result == Err(Aggregate((merged, Conflict("taken"))))


async def test_invalid_alone_merge_into_one_that_is_no_aggregate(world: World) -> None:
    result = await trio(world.call("a", invalid("one")), world.call("b", invalid("two")), world.call("c"))

    assert result == Err(Invalid("one; two", source="one.check"))


async def test_an_aggregate_of_a_nested_pipeline_is_flattened(world: World) -> None:
    nested = Call("nested", lambda: trio(world.call("a", MISSING), world.call("b", TAKEN), world.call("c")))

    result = await trio(world.call("x", TAKEN), nested.map(sum), world.call("z"))

    assert result == Err(Aggregate((Conflict("taken"), NotFound("missing"), Conflict("taken"))))


async def test_what_the_values_lacked_is_forgotten_when_the_stage_fails(world: World) -> None:
    lacking = world.call("a", Ok(1, lacks=("extra",)))

    assert await trio(lacking, world.call("b", MISSING), world.call("c")) == MISSING
