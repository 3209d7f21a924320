"""Each service as the contract has it: what is asked, what is answered, what is refused."""

from collections.abc import AsyncIterator, Mapping
from decimal import Decimal
from typing import NamedTuple

import httpx
import pytest
import respx

from gateway.railway import (
    BadAnswer,
    Call,
    Conflict,
    Err,
    Fault,
    Forbidden,
    Invalid,
    NotFound,
    Ok,
)
from gateway.upstreams import (
    Discount,
    Fraud,
    Inventory,
    Payment,
    Payments,
    Pricing,
    Quote,
    Risk,
    ServiceClient,
    Shipping,
    Stock,
    Tax,
    Upstreams,
    User,
    Users,
)
from gateway.upstreams.shapes import Answer

ADA = User(user_id="user-123", email="user@example.com", is_active=True)
STOCK = Stock(product_id="prod-456", stock_level=100, available=True, unit_price=Decimal("49.99"))
CARD = Payment(payment_id="pm-789", is_valid=True)

USER_JSON = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
STOCK_JSON = {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"}
CARD_JSON = {"payment_id": "pm-789", "is_valid": True}
RISK_JSON = {"is_safe": True, "risk_level": "Low"}
QUOTE_JSON = {"carrier": "USPS", "rate": "12.99"}
TAX_JSON = {"rate": "0.0825", "amount": "4.12"}
DISCOUNT_JSON = {"code": "SAVE10", "amount": "5.00"}
NO_DISCOUNT_JSON = {"code": None, "amount": "0.00"}


class Case(NamedTuple):
    """A call, the request it makes, the answer to that, and what that means."""

    call: str
    method: str
    path: str
    sent: bytes
    answered: Mapping[str, object]
    value: Answer


CASES = [
    Case("users.fetch", "GET", "/users/user-123", b"", USER_JSON, ADA),
    Case("inventory.check", "GET", "/inventory/prod-456?quantity=2", b"", STOCK_JSON, STOCK),
    Case("payments.validate", "GET", "/payments/pm-789", b"", CARD_JSON, CARD),
    Case(
        "fraud.assess",
        "POST",
        "/assessments",
        b'{"user_id":"user-123","product_id":"prod-456","stock_level":100,"payment_id":"pm-789"}',
        RISK_JSON,
        Risk(is_safe=True, risk_level="Low"),
    ),
    Case(
        "shipping.quote",
        "POST",
        "/quotes",
        b'{"address":"123 Main St","stock_level":100}',
        QUOTE_JSON,
        Quote(carrier="USPS", rate=Decimal("12.99")),
    ),
    Case(
        "pricing.tax",
        "POST",
        "/tax",
        b'{"subtotal":"49.90"}',
        TAX_JSON,
        Tax(rate=Decimal("0.0825"), amount=Decimal("4.12")),
    ),
    Case(
        "pricing.discount",
        "POST",
        "/discounts",
        b'{"code":"SAVE10","subtotal":"49.90"}',
        DISCOUNT_JSON,
        Discount(code="SAVE10", amount=Decimal(5)),
    ),
]
DECLARED: Mapping[str, Mapping[int, type[Fault]]] = {
    "users.fetch": {404: NotFound},
    "inventory.check": {404: NotFound, 409: Conflict},
    "payments.validate": {404: NotFound, 422: Invalid},
    "fraud.assess": {403: Forbidden},
    "shipping.quote": {422: Invalid},
    "pricing.tax": {},
    "pricing.discount": {404: NotFound, 409: Conflict},
}


@pytest.fixture
async def router() -> AsyncIterator[respx.MockRouter]:
    async with respx.MockRouter(base_url="http://mock.test", assert_all_called=False) as router:
        yield router


@pytest.fixture
def up(router: respx.MockRouter) -> Upstreams:
    transport = httpx.MockTransport(router.async_handler)

    def client(service: str) -> ServiceClient:
        return ServiceClient(service, "http://mock.test", transport, timeout=1.0)

    return Upstreams(
        users=Users(client("users")),
        inventory=Inventory(client("inventory")),
        payments=Payments(client("payments")),
        fraud=Fraud(client("fraud")),
        shipping=Shipping(client("shipping")),
        pricing=Pricing(client("pricing")),
    )


@pytest.fixture
def calls(up: Upstreams) -> dict[str, Call[Answer, Fault]]:
    calls: list[Call[Answer, Fault]] = [
        up.users.fetch("user-123"),
        up.inventory.check("prod-456", 2),
        up.payments.validate("pm-789"),
        up.fraud.assess(ADA, CARD, STOCK),
        up.shipping.quote("123 Main St", STOCK),
        up.pricing.tax(Decimal("49.9")),
        up.pricing.discount("SAVE10", Decimal("49.9")),
    ]
    return {call.name: call for call in calls}


def named(case: object) -> str:
    return case.call if isinstance(case, Case) else str(case)


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_call_asks_and_understands_what_the_contract_says(
    router: respx.MockRouter, calls: dict[str, Call[Answer, Fault]], case: Case
) -> None:
    route = router.route(method=case.method, url=f"http://mock.test{case.path}").respond(json=case.answered)
    result = await calls[case.call]

    assert result == Ok(case.value)
    assert route.calls.last.request.content == case.sent


@pytest.mark.parametrize("case", CASES, ids=named)
def test_an_answer_is_written_as_it_was_read(case: Case) -> None:
    assert case.value.model_dump(mode="json") == case.answered
    assert type(case.value).model_validate_json(case.value.model_dump_json()) == case.value


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_call_is_refused_with_what_it_declares_and_nothing_else(
    router: respx.MockRouter, calls: dict[str, Call[Answer, Fault]], case: Case, status: int
) -> None:
    problem = {"detail": "No way", "status": status}
    router.route().respond(status, json=problem, content_type="application/problem+json")
    result = await calls[case.call]

    assert isinstance(result, Err)
    assert type(result.error) is DECLARED[case.call].get(status, BadAnswer)
    assert result.error.source == case.call
    assert (result.error.detail == "No way") is (status in DECLARED[case.call])


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_every_field_of_an_answer_is_needed_and_has_a_type(
    router: respx.MockRouter, calls: dict[str, Call[Answer, Fault]], case: Case
) -> None:
    for field, value in case.answered.items():
        wrong: object = str(value) if isinstance(value, int) else 4
        rest = {name: value for name, value in case.answered.items() if name != field}
        for answered in (rest, {**rest, field: wrong}):
            router.route().respond(json=answered)
            result = await calls[case.call]

            assert isinstance(result, Err)
            assert isinstance(result.error, BadAnswer)


async def test_a_checkout_without_a_code_has_no_discount(router: respx.MockRouter, up: Upstreams) -> None:
    route = router.post("/discounts").respond(json=NO_DISCOUNT_JSON)
    result = await up.pricing.discount(None, Decimal(1))

    assert result == Ok(Discount(code=None, amount=Decimal(0)))
    assert route.calls.last.request.content == b'{"code":null,"subtotal":"1.00"}'


async def test_one_piece_is_checked_for_unless_more_are_wanted(
    router: respx.MockRouter, up: Upstreams
) -> None:
    router.get("/inventory/prod-456?quantity=1").respond(json=STOCK_JSON)

    assert await up.inventory.check("prod-456") == Ok(STOCK)


async def test_there_is_never_less_than_nothing_in_stock(router: respx.MockRouter, up: Upstreams) -> None:
    router.route().respond(json={**STOCK_JSON, "stock_level": -1})
    result = await up.inventory.check("prod-456")

    assert isinstance(result, Err)
    assert isinstance(result.error, BadAnswer)
