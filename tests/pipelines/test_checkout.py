"""Checkout pipeline: its stages, its total, and its failures."""

from decimal import Decimal
from typing import Final

import httpx
import pytest

from gateway.pipelines.checkout import CheckoutRequest, checkout
from gateway.railway import Aggregate, Conflict, Err, Fault, Forbidden, Invalid, Ok
from tests.pipelines.scripted_services import PERMUTED_DELAYS, AnswerSequence, FakeServices, now

CORE_DATA: Final = ("/users/user-1", "/inventory/prod-1", "/payments/pm-1")
ASSESSMENT: Final = ("/assessments", "/quotes")
PRICING: Final = ("/tax", "/discounts")

ORDER: Final = CheckoutRequest(
    user_id="user-1", product_id="prod-1", payment_id="pm-1", address="1 Main St", quantity=3
)


@pytest.fixture
def fake() -> FakeServices:
    return FakeServices(
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


async def test_checkout_calls_run_in_three_stages(fake: FakeServices) -> None:
    fake.delays = {"/users/user-1": 0.5, "/payments/pm-1": 0.25, "/quotes": 0.25, "/tax": 0.125}
    result = await fake.services.run(checkout, ORDER)

    assert isinstance(result, Ok)
    assert fake.paths == [*CORE_DATA, *ASSESSMENT, *PRICING]
    assert now() == 0.875


async def test_checkout_adds_up_total(fake: FakeServices) -> None:
    result = await fake.services.run(checkout, ORDER)

    assert isinstance(result, Ok)
    assert result.value.subtotal == Decimal("30.30")
    assert result.value.total == Decimal("41.79")


@pytest.mark.parametrize("delays", PERMUTED_DELAYS)
async def test_checkout_reports_failures_in_call_order(fake: FakeServices, delays: tuple[float, ...]) -> None:
    fake.delays = dict(zip(CORE_DATA, delays, strict=True))
    fake.answers |= dict(zip(CORE_DATA, (404, 409, 422), strict=True))
    result = await fake.services.run(checkout, ORDER)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [fault.code for fault in result.error.errors] == ["not-found", "conflict", "invalid"]


@pytest.mark.parametrize(
    ("path", "status", "sent"),
    [
        ("/inventory/prod-1", 409, CORE_DATA),
        ("/assessments", 403, (*CORE_DATA, *ASSESSMENT)),
        ("/discounts", 404, (*CORE_DATA, *ASSESSMENT, *PRICING)),
    ],
)
async def test_failed_stage_ends_checkout(
    fake: FakeServices, path: str, status: int, sent: tuple[str, ...]
) -> None:
    fake.answers[path] = status
    result = await fake.services.run(checkout, ORDER)

    assert isinstance(result, Err)
    assert fake.paths == [*sent]


@pytest.mark.parametrize(
    "fault", [408, 429, 503, 504, httpx.ConnectError("refused"), httpx.ReadError("reset")]
)
async def test_checkout_survives_transient_failures(fake: FakeServices, fault: object) -> None:
    fake.answers["/quotes"] = AnswerSequence(fault, fault, fake.answers["/quotes"])
    result = await fake.services.run(checkout, ORDER)

    assert isinstance(result, Ok)
    assert fake.paths == [*CORE_DATA, *ASSESSMENT, "/quotes", "/quotes", *PRICING]


@pytest.mark.parametrize(
    ("path", "field", "error"),
    [
        ("/inventory/prod-1", "available", Conflict),
        ("/payments/pm-1", "is_valid", Invalid),
        ("/assessments", "is_safe", Forbidden),
    ],
)
async def test_negative_result_ends_checkout(
    fake: FakeServices, path: str, field: str, error: type[Fault]
) -> None:
    answer = fake.answers[path]
    assert isinstance(answer, dict)
    fake.answers[path] = {**answer, field: False}
    result = await fake.services.run(checkout, ORDER)

    assert isinstance(result, Err)
    assert type(result.error) is error
