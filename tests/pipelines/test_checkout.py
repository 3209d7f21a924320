"""What a checkout asks, in which order, and what it reckons."""

from decimal import Decimal
from typing import Final

import httpx
import pytest

from gateway.pipelines.checkout import CheckoutRequest, checkout
from gateway.railway import Aggregate, Conflict, Err, Fault, Forbidden, Invalid, Ok
from tests.pipelines.scripted_services import ORDERS, InTurn, World, now

CORE_DATA: Final = ("/users/user-1", "/inventory/prod-1", "/payments/pm-1")
ASSESSMENT: Final = ("/assessments", "/quotes")
PRICING: Final = ("/tax", "/discounts")

ORDER: Final = CheckoutRequest(
    user_id="user-1", product_id="prod-1", payment_id="pm-1", address="1 Main St", quantity=3
)


@pytest.fixture
def world() -> World:
    return World(
        {
            "/users/user-1": {"user_id": "user-1", "email": "ada@example.com", "is_active": True},
            "/inventory/prod-1": {
                "product_id": "prod-1",
                "stock_level": 5,
                "available": True,
                "unit_price": "10.10",
            },
            "/payments/pm-1": {"payment_id": "pm-1", "is_valid": True},
            "/assessments": {"is_safe": True, "risk_level": "Low"},
            "/quotes": {"carrier": "USPS", "rate": "9.99"},
            "/tax": {"rate": "0.0825", "amount": "2.50"},
            "/discounts": {"code": None, "amount": "1.00"},
        }
    )


async def test_a_checkout_asks_in_three_stages_and_takes_as_long_as_the_slowest_of_each(world: World) -> None:
    world.delays = {"/users/user-1": 0.5, "/payments/pm-1": 0.25, "/quotes": 0.25, "/tax": 0.125}
    result = await checkout(ORDER, world.up)

    assert isinstance(result, Ok)
    assert world.asked == [*CORE_DATA, *ASSESSMENT, *PRICING]
    assert now() == 0.875


async def test_the_total_is_the_goods_their_way_and_the_tax_less_the_discount(world: World) -> None:
    result = await checkout(ORDER, world.up)

    assert isinstance(result, Ok)
    assert result.value.subtotal == Decimal("30.30")
    assert result.value.total == Decimal("41.79")


@pytest.mark.parametrize("delays", ORDERS)
async def test_failures_stand_in_the_order_of_the_calls_whatever_comes_first(
    world: World, delays: tuple[float, ...]
) -> None:
    world.delays = dict(zip(CORE_DATA, delays, strict=True))
    world.answers |= dict(zip(CORE_DATA, (404, 409, 422), strict=True))
    result = await checkout(ORDER, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [fault.code for fault in result.error.errors] == ["not-found", "conflict", "invalid"]


@pytest.mark.parametrize(
    ("path", "status", "asked"),
    [
        ("/inventory/prod-1", 409, CORE_DATA),
        ("/assessments", 403, (*CORE_DATA, *ASSESSMENT)),
        ("/discounts", 404, (*CORE_DATA, *ASSESSMENT, *PRICING)),
    ],
)
async def test_a_stage_that_fails_is_the_last(
    world: World, path: str, status: int, asked: tuple[str, ...]
) -> None:
    world.answers[path] = status
    result = await checkout(ORDER, world.up)

    assert isinstance(result, Err)
    assert world.asked == [*asked]


@pytest.mark.parametrize(
    "fault", [408, 429, 503, 504, httpx.ConnectError("refused"), httpx.ReadError("reset")]
)
async def test_a_service_that_fails_twice_in_passing_spoils_no_checkout(world: World, fault: object) -> None:
    world.answers["/quotes"] = InTurn(fault, fault, world.answers["/quotes"])
    result = await checkout(ORDER, world.up)

    assert isinstance(result, Ok)
    assert world.asked == [*CORE_DATA, *ASSESSMENT, "/quotes", "/quotes", *PRICING]


@pytest.mark.parametrize(
    ("path", "field", "error"),
    [
        ("/inventory/prod-1", "available", Conflict),
        ("/payments/pm-1", "is_valid", Invalid),
        ("/assessments", "is_safe", Forbidden),
    ],
)
async def test_a_no_in_an_answer_ends_a_checkout(
    world: World, path: str, field: str, error: type[Fault]
) -> None:
    answer = world.answers[path]
    assert isinstance(answer, dict)
    world.answers[path] = {**answer, field: False}
    result = await checkout(ORDER, world.up)

    assert isinstance(result, Err)
    assert type(result.error) is error
