"""Stages that settle: every call runs to its end, and all failures are combined."""

import pytest

from gateway.railway import Aggregate, Call, Conflict, Err, Failure, Invalid, NotFound, Ok
from tests.railway.scripted_calls import DELAYS, MISSING, TAKEN, Services, now, three_calls


def invalid(detail: str, *violations: tuple[str, tuple[str, ...]]) -> Err[Invalid]:
    return Err(Invalid(detail, source=f"{detail}.check", violations=violations))


async def test_settle_waits_for_all_calls(services: Services) -> None:
    result = await three_calls(
        services.call("a", MISSING), services.call("b", after=1), services.call("c", after=2)
    )

    assert result == MISSING
    assert services.log[-2:] == ["b ended", "c ended"]
    assert now() == 2


@pytest.mark.parametrize("delays", DELAYS)
async def test_settle_combines_failures_in_argument_order(
    services: Services, delays: tuple[float, float, float]
) -> None:
    a, b, c = delays

    result = await three_calls(
        services.call("a", MISSING, after=a), services.call("b", after=b), services.call("c", TAKEN, after=c)
    )

    assert result == Err(Aggregate((NotFound("missing"), Conflict("taken"))))


async def test_settle_returns_single_failure_as_is(services: Services) -> None:
    result = await three_calls(services.call("a"), services.call("b", TAKEN), services.call("c"))

    assert result == TAKEN


async def test_settle_aggregates_equal_failures(services: Services) -> None:
    result = await three_calls(services.call("a", MISSING), services.call("b", MISSING), services.call("c"))

    assert result == Err(Aggregate((NotFound("missing"), NotFound("missing"))))


@pytest.mark.parametrize("delays", DELAYS)
async def test_settle_merges_invalids_at_first_position(
    services: Services, delays: tuple[float, float, float]
) -> None:
    calls: list[Call[int, Failure]] = [
        services.call("a", invalid("left", ("x", ("1", "2"))), after=delays[0]),
        services.call("b", TAKEN, after=delays[1]),
        services.call("c", invalid("right", ("y", ("1",)), ("x", ("2", "3"))), after=delays[2]),
    ]

    result = await three_calls(*calls)

    merged = Invalid("left; right", source="left.check", violations=(("x", ("1", "2", "3")), ("y", ("1",))))
    assert result == Err(Aggregate((merged, Conflict("taken"))))


async def test_settle_with_only_invalids_returns_invalid(services: Services) -> None:
    result = await three_calls(
        services.call("a", invalid("one")), services.call("b", invalid("two")), services.call("c")
    )

    assert result == Err(Invalid("one; two", source="one.check"))


async def test_settle_flattens_nested_aggregate(services: Services) -> None:
    nested = Call(
        "nested",
        lambda: three_calls(services.call("a", MISSING), services.call("b", TAKEN), services.call("c")),
    )

    result = await three_calls(services.call("x", TAKEN), nested.map(sum), services.call("z"))

    assert result == Err(Aggregate((Conflict("taken"), NotFound("missing"), Conflict("taken"))))


async def test_failed_stage_drops_names_of_missing_calls(services: Services) -> None:
    lacking = services.call("a", Ok(1, lacks=("extra",)))

    assert await three_calls(lacking, services.call("b", MISSING), services.call("c")) == MISSING
