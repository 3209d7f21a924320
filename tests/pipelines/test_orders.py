"""Order pipeline: its stages, its reservation, and the release of the reservation."""

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
from tests.pipelines.scripted_services import FOREVER, AnswerSequence, FakeServices, list_repeats, now

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
RESULT: Final = OrderResult(
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
def fake() -> FakeServices:
    return FakeServices(
        {
            USER: RESULT.user.model_dump(),
            STOCK: RESULT.inventory.model_dump(mode="json"),
            PAYMENT: RESULT.payment.model_dump(),
            SCREENING: RESULT.fraud_check.model_dump(),
            QUOTE: RESULT.shipping.model_dump(mode="json"),
            RESERVATION: RESULT.reservation.model_dump(),
        }
    )


async def test_order_calls_run_in_three_stages(fake: FakeServices) -> None:
    fake.delays = {USER: 0.25, STOCK: 0.5, PAYMENT: 0.125, SCREENING: 0.25, QUOTE: 0.125, RESERVATION: 0.5}

    assert await fake.services.run(order, ORDER) == Ok(RESULT)
    assert fake.paths == [*CORE_DATA, *VERIFICATION, *FULFILMENT]
    assert now() == 1.25


@pytest.mark.parametrize("slow", FULFILMENT)
async def test_quote_and_reservation_run_in_parallel(fake: FakeServices, slow: str) -> None:
    fake.delays[slow] = 0.5
    await fake.services.run(order, ORDER)

    assert now() == 0.5


async def test_screening_omits_payment(fake: FakeServices) -> None:
    await fake.services.run(order, ORDER)
    (screening,) = [request for request in fake.requests if request.url.path == SCREENING]

    assert screening.content == b'{"user_id":"user-1","product_id":"prod-1","stock_level":5}'


async def test_same_execution_id_makes_same_order(fake: FakeServices) -> None:
    first = await fake.services.run(order, ORDER)
    again = await fake.services.run(order, ORDER)

    assert first == again == Ok(RESULT)
    assert fake.list_keys(RESERVATION) == ["exe-1.fulfilment.1.inventory.reserve"] * 2


@pytest.mark.parametrize(
    ("execution", "order_id"), [("exe-exe-1", "ord-exe-1"), ("1", "ord-1"), ("an-exe-1", "ord-an-exe-1")]
)
async def test_order_id_derives_from_execution_id(fake: FakeServices, execution: str, order_id: str) -> None:
    result = await fake.services.run(orders.on(RunContext(execution_id=execution)), ORDER)

    assert isinstance(result, Ok)
    assert result.value.order_id == order_id


async def test_orders_have_distinct_random_ids(fake: FakeServices) -> None:
    results = [await fake.services.run(orders, ORDER) for _ in range(2)]

    ids = {result.value.order_id for result in results if isinstance(result, Ok)}
    assert len(ids) == 2
    assert all(re.fullmatch("ord-[0-9a-f]{32}", order_id) for order_id in ids)


@pytest.mark.parametrize("delays", [(0.1, 0.2), (0.2, 0.1)])
async def test_unknown_user_hides_missing_stock(fake: FakeServices, delays: tuple[float, float]) -> None:
    """If the user does not exist and the product is out of stock, only the user is reported."""
    fake.delays = dict(zip(CORE_DATA, delays, strict=True))
    fake.answers |= {USER: 404, STOCK: 409}
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (NotFound, "users.fetch")
    assert now() == delays[0]


async def test_unknown_user_cancels_stock_check(fake: FakeServices) -> None:
    fake.answers[USER] = 404
    fake.delays = {USER: 0.125, STOCK: 0.5}
    await fake.services.run(order, ORDER)

    assert now() == 0.125


async def test_verification_reports_every_failure(fake: FakeServices) -> None:
    fake.answers |= {PAYMENT: 422, SCREENING: 403}
    fake.delays[PAYMENT] = 0.5
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [type(fault) for fault in result.error.errors] == [Invalid, Forbidden]
    assert now() == 0.5


@pytest.mark.parametrize(
    ("path", "answer", "error", "expected_paths"),
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
async def test_failed_stage_reserves_nothing(
    fake: FakeServices, path: str, answer: object, error: type[Fault], expected_paths: tuple[str, ...]
) -> None:
    fake.answers[path] = answer
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert type(result.error) is error
    assert fake.paths == [*expected_paths, *list_repeats(path, error)]


@pytest.mark.parametrize(
    ("answer", "error"),
    [(422, Invalid), (503, Unavailable), (404, BadAnswer), ({"carrier": "USPS"}, BadAnswer)],
)
@pytest.mark.parametrize("delay", [0.0, 0.5])
async def test_failed_quote_releases_reservation(
    fake: FakeServices, answer: object, error: type[Fault], delay: float
) -> None:
    fake.answers[QUOTE] = answer
    fake.delays[QUOTE] = delay
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "shipping.quote")
    assert fake.paths == [*CORE_DATA, *VERIFICATION, *FULFILMENT, *list_repeats(QUOTE, error), RELEASE]
    assert fake.list_undone_keys(RESERVATION) == fake.list_keys(RESERVATION)


async def test_failed_quote_waits_for_slow_reservation(
    fake: FakeServices,
) -> None:
    fake.answers[QUOTE] = 422
    fake.delays[RESERVATION] = 0.5
    await fake.services.run(order, ORDER)

    assert fake.paths[-1] == RELEASE
    assert now() == 0.5


@pytest.mark.parametrize(
    ("answer", "error"),
    [(404, NotFound), (409, Conflict), (httpx.ConnectError("refused"), Unavailable)],
)
async def test_refused_reservation_is_not_released(
    fake: FakeServices, answer: object, error: type[Fault]
) -> None:
    fake.answers[RESERVATION] = answer
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "inventory.reserve")
    assert fake.paths == [*CORE_DATA, *VERIFICATION, *FULFILMENT, *list_repeats(RESERVATION, error)]


@pytest.mark.parametrize(
    "answer",
    [
        500,
        {"reservation_id": "res-1", "is_reserved": False, "quantity": 3},
        {"reservation_id": "res-1", "is_reserved": True, "quantity": 2},
    ],
)
async def test_reservation_with_unusable_answer_is_released(fake: FakeServices, answer: object) -> None:
    fake.answers[RESERVATION] = answer
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "inventory.reserve")
    assert fake.paths[-2:] == [RESERVATION, RELEASE]


async def test_order_commit_reports_failures_in_call_order(fake: FakeServices) -> None:
    fake.answers |= {QUOTE: 422, RESERVATION: 409}
    fake.delays[QUOTE] = 0.5
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [type(fault) for fault in result.error.errors] == [Invalid, Conflict]
    assert RELEASE not in fake.paths


@pytest.mark.parametrize("lost", [503, 504, httpx.ReadError("reset")])
async def test_reservation_with_lost_response_is_repeated(fake: FakeServices, lost: object) -> None:
    """A reservation whose response is lost, or a 503 or 504, is repeated with the same key."""
    fake.answers[RESERVATION] = AnswerSequence(lost, RESULT.reservation.model_dump())

    assert await fake.services.run(order, ORDER) == Ok(RESULT)
    assert fake.list_keys(RESERVATION) == ["exe-1.fulfilment.1.inventory.reserve"] * 2


async def test_reservation_with_refused_connection_is_retried(fake: FakeServices) -> None:
    refused = httpx.ConnectError("refused")
    fake.answers[RESERVATION] = AnswerSequence(refused, refused, RESULT.reservation.model_dump())

    assert await fake.services.run(order, ORDER) == Ok(RESULT)
    assert fake.list_keys(RESERVATION) == ["exe-1.fulfilment.1.inventory.reserve"] * 3


async def test_hanging_reservation_is_released(fake: FakeServices) -> None:
    fake.delays[RESERVATION] = FOREVER
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (TimedOut, "inventory.reserve")
    assert set(fake.list_undone_keys(RESERVATION)) == set(fake.list_keys(RESERVATION))
    assert now() == pytest.approx(10.0, abs=1.0)


async def test_failed_release_makes_order_stuck(fake: FakeServices) -> None:
    fake.answers |= {QUOTE: 422, RELEASE: 500}
    result = await fake.services.run(order, ORDER)

    assert isinstance(result, Err)
    assert isinstance(result.error, Stuck)
    assert len(set(fake.list_undone_keys(RESERVATION))) == 1
    assert len(fake.list_undone_keys(RESERVATION)) > 10


@pytest.mark.parametrize(
    "change", [{"address": " \t"}, {"quantity": 0}, {"quantity": 1001}, {"discount_code": None}]
)
def test_order_request_refuses_invalid_field(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        OrderRequest.model_validate({**dict(ORDER), **change})


def test_order_declares_every_class_of_order_error() -> None:
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
