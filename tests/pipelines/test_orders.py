"""What an order asks, in which order, what it puts aside, and when it puts that back."""

import re
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest
from pydantic import ValidationError

from gateway.pipelines.orders import OrderRequest, OrderResult, orders
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Conflict,
    Err,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    Ok,
    RunContext,
    Stuck,
    TimedOut,
    Unavailable,
)
from gateway.services.fraud import Risk
from gateway.services.inventory import Reservation, Stock
from gateway.services.payments import Payment
from gateway.services.shipping import Quote
from gateway.services.users import User
from tests.pipelines.scripted_services import FOREVER, InTurn, World, again, now

USER: Final = "/users/user-1"
STOCK: Final = "/inventory/prod-1"
PAYMENT: Final = "/payments/pm-1"
SCREENING: Final = "/screenings"
QUOTE: Final = "/quotes"
RESERVATION: Final = "/reservations"
RELEASE: Final = "DELETE /reservations"

CORE_DATA: Final = (USER, STOCK)
VERIFICATION: Final = (PAYMENT, SCREENING)
FULFILMENT: Final = (QUOTE, RESERVATION)

ORDER: Final = OrderRequest(
    user_id="user-1", product_id="prod-1", payment_id="pm-1", address="1 Main St", quantity=3
)
ORDERED: Final = OrderResult(
    order_id="ord-1",
    status="confirmed",
    user=User(user_id="user-1", email="ada@example.com", is_active=True),
    inventory=Stock(product_id="prod-1", stock_level=5, available=True, unit_price=Decimal("10.10")),
    payment=Payment(payment_id="pm-1", is_valid=True),
    fraud_check=Risk(is_safe=True, risk_level="Low"),
    shipping=Quote(carrier="USPS", rate=Decimal("9.99")),
    reservation=Reservation(reservation_id="res-1", is_reserved=True, quantity=3),
    total=Decimal("40.29"),
)
order = orders.on(RunContext(execution_id="exe-1"))


@pytest.fixture
def world() -> World:
    return World(
        {
            USER: ORDERED.user.model_dump(),
            STOCK: ORDERED.inventory.model_dump(mode="json"),
            PAYMENT: ORDERED.payment.model_dump(),
            SCREENING: ORDERED.fraud_check.model_dump(),
            QUOTE: ORDERED.shipping.model_dump(mode="json"),
            RESERVATION: ORDERED.reservation.model_dump(),
        }
    )


async def test_an_order_asks_in_three_stages_and_takes_as_long_as_the_slowest_of_each(world: World) -> None:
    world.delays = {USER: 0.25, STOCK: 0.5, PAYMENT: 0.125, SCREENING: 0.25, QUOTE: 0.125, RESERVATION: 0.5}

    assert await order(ORDER, world.up) == Ok(ORDERED)
    assert world.asked == [*CORE_DATA, *VERIFICATION, *FULFILMENT]
    assert now() == 1.25


@pytest.mark.parametrize("slow", FULFILMENT)
async def test_shipping_is_priced_while_the_goods_are_put_aside(world: World, slow: str) -> None:
    world.delays[slow] = 0.5
    await order(ORDER, world.up)

    assert now() == 0.5


async def test_the_screening_knows_no_payment(world: World) -> None:
    await order(ORDER, world.up)
    (screening,) = [request for request in world.requests if request.url.path == SCREENING]

    assert screening.content == b'{"user_id":"user-1","product_id":"prod-1","stock_level":5}'


async def test_an_order_is_known_by_its_execution(world: World) -> None:
    first = await order(ORDER, world.up)
    again = await order(ORDER, world.up)

    assert first == again == Ok(ORDERED)
    assert world.keys(RESERVATION) == ["exe-1.fulfilment.1.inventory.reserve"] * 2


@pytest.mark.parametrize(
    ("execution", "order_id"), [("exe-exe-1", "ord-exe-1"), ("1", "ord-1"), ("an-exe-1", "ord-an-exe-1")]
)
async def test_the_id_of_an_order_says_what_it_is(world: World, execution: str, order_id: str) -> None:
    result = await orders.on(RunContext(execution_id=execution))(ORDER, world.up)

    assert isinstance(result, Ok)
    assert result.value.order_id == order_id


async def test_orders_of_no_execution_in_particular_are_no_two_alike(world: World) -> None:
    results = [await orders(ORDER, world.up) for _ in range(2)]

    ids = {result.value.order_id for result in results if isinstance(result, Ok)}
    assert len(ids) == 2
    assert all(re.fullmatch("ord-[0-9a-f]{32}", order_id) for order_id in ids)


@pytest.mark.parametrize("delays", [(0.1, 0.2), (0.2, 0.1)])
async def test_without_user_and_stock_it_is_the_user_that_is_missing_whatever_comes_first(
    world: World, delays: tuple[float, float]
) -> None:
    world.delays = dict(zip(CORE_DATA, delays, strict=True))
    world.answers |= {USER: 404, STOCK: 409}
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (NotFound, "users.fetch")
    assert now() == delays[0]


async def test_a_user_that_is_missing_ends_the_look_at_the_stock(world: World) -> None:
    world.answers[USER] = 404
    world.delays = {USER: 0.125, STOCK: 0.5}
    await order(ORDER, world.up)

    assert now() == 0.125


async def test_a_verification_tells_everything_that_is_wrong(world: World) -> None:
    world.answers |= {PAYMENT: 422, SCREENING: 403}
    world.delays[PAYMENT] = 0.5
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [type(fault) for fault in result.error.errors] == [Invalid, Forbidden]
    assert now() == 0.5


@pytest.mark.parametrize(
    ("path", "answer", "error", "asked"),
    [
        (USER, 404, NotFound, CORE_DATA),
        (STOCK, 404, NotFound, CORE_DATA),
        (STOCK, 409, Conflict, CORE_DATA),
        (
            STOCK,
            {"product_id": "prod-1", "stock_level": 5, "available": False, "unit_price": "1.00"},
            Conflict,
            CORE_DATA,
        ),
        (PAYMENT, 404, NotFound, (*CORE_DATA, *VERIFICATION)),
        (PAYMENT, 422, Invalid, (*CORE_DATA, *VERIFICATION)),
        (PAYMENT, {"payment_id": "pm-1", "is_valid": False}, Invalid, (*CORE_DATA, *VERIFICATION)),
        (SCREENING, 403, Forbidden, (*CORE_DATA, *VERIFICATION)),
        (SCREENING, {"is_safe": False, "risk_level": "High"}, Forbidden, (*CORE_DATA, *VERIFICATION)),
        (SCREENING, 503, Unavailable, (*CORE_DATA, *VERIFICATION)),
    ],
)
async def test_a_stage_that_fails_is_the_last_and_nothing_is_put_aside(
    world: World, path: str, answer: object, error: type[Fault], asked: tuple[str, ...]
) -> None:
    world.answers[path] = answer
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert type(result.error) is error
    assert world.asked == [*asked, *again(path, error)]


@pytest.mark.parametrize(
    ("answer", "error"), [(422, Invalid), (503, Unavailable), (404, BadAnswer), ({"rate": "1"}, BadAnswer)]
)
@pytest.mark.parametrize("delay", [0.0, 0.5])
async def test_what_was_put_aside_is_put_back_if_shipping_has_no_price(
    world: World, answer: object, error: type[Fault], delay: float
) -> None:
    world.answers[QUOTE] = answer
    world.delays[QUOTE] = delay
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "shipping.quote")
    assert world.asked == [*CORE_DATA, *VERIFICATION, *FULFILMENT, *again(QUOTE, error), RELEASE]
    assert world.undone(RESERVATION) == world.keys(RESERVATION)


async def test_a_price_that_fails_waits_for_the_goods_to_be_put_aside_before_they_are_put_back(
    world: World,
) -> None:
    world.answers[QUOTE] = 422
    world.delays[RESERVATION] = 0.5
    await order(ORDER, world.up)

    assert world.asked[-1] == RELEASE
    assert now() == 0.5


@pytest.mark.parametrize(
    ("answer", "error"),
    [(404, NotFound), (409, Conflict), (httpx.ConnectError("refused"), Unavailable)],
)
async def test_what_was_never_put_aside_is_not_put_back(
    world: World, answer: object, error: type[Fault]
) -> None:
    world.answers[RESERVATION] = answer
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "inventory.reserve")
    assert world.asked == [*CORE_DATA, *VERIFICATION, *FULFILMENT, *again(RESERVATION, error)]


@pytest.mark.parametrize(
    "answer",
    [
        500,
        {"reservation_id": "res-1", "is_reserved": False, "quantity": 3},
        {"reservation_id": "res-1", "is_reserved": True, "quantity": 2},
    ],
)
async def test_an_answer_that_is_no_reservation_is_undone_at_once(world: World, answer: object) -> None:
    world.answers[RESERVATION] = answer
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "inventory.reserve")
    assert world.asked[-2:] == [RESERVATION, RELEASE]


async def test_both_that_go_wrong_in_the_end_are_told_in_the_order_of_the_calls(world: World) -> None:
    world.answers |= {QUOTE: 422, RESERVATION: 409}
    world.delays[QUOTE] = 0.5
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [type(fault) for fault in result.error.errors] == [Invalid, Conflict]
    assert RELEASE not in world.asked


@pytest.mark.parametrize("lost", [503, 504, httpx.ReadError("reset")])
async def test_goods_of_which_nobody_knows_are_asked_for_again_under_their_key(
    world: World, lost: object
) -> None:
    world.answers[RESERVATION] = InTurn(lost, ORDERED.reservation.model_dump())

    assert await order(ORDER, world.up) == Ok(ORDERED)
    assert world.keys(RESERVATION) == ["exe-1.fulfilment.1.inventory.reserve"] * 2


async def test_goods_that_could_not_be_asked_for_are_asked_for_again_under_their_key(world: World) -> None:
    refused = httpx.ConnectError("refused")
    world.answers[RESERVATION] = InTurn(refused, refused, ORDERED.reservation.model_dump())

    assert await order(ORDER, world.up) == Ok(ORDERED)
    assert world.keys(RESERVATION) == ["exe-1.fulfilment.1.inventory.reserve"] * 3


async def test_goods_of_which_nobody_ever_knows_are_put_back(world: World) -> None:
    world.delays[RESERVATION] = FOREVER
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (TimedOut, "inventory.reserve")
    assert set(world.undone(RESERVATION)) == set(world.keys(RESERVATION))
    assert now() == pytest.approx(10.0, abs=1.0)


async def test_goods_that_cannot_be_put_back_are_stuck(world: World) -> None:
    world.answers |= {QUOTE: 422, RELEASE: 500}
    result = await order(ORDER, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Stuck)
    assert len(set(world.undone(RESERVATION))) == 1
    assert len(world.undone(RESERVATION)) > 10


@pytest.mark.parametrize(
    "change", [{"address": " \t"}, {"quantity": 0}, {"quantity": 1001}, {"discount_code": None}]
)
def test_what_is_no_order_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrderRequest.model_validate({**dict(ORDER), **change})


def test_an_order_promises_what_can_go_wrong() -> None:
    assert orders.promised == (
        NotFound,
        Forbidden,
        Conflict,
        Invalid,
        BadAnswer,
        Unavailable,
        TimedOut,
        Stuck,
        Aggregate,
    )
