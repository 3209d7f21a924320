"""Requests, responses and refusals of the sample's services."""

import tracemalloc
from collections.abc import AsyncIterator, Collection, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple, TypeAlias

import httpx
import pytest
import respx
from pydantic_core import to_jsonable_python

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
    Unauthorized,
)
from gateway.services.accounts import Account
from gateway.services.auth import Session
from gateway.services.fraud import Compliance, Risk, RiskProfile
from gateway.services.inventory import Stock
from gateway.services.payments import Payment
from gateway.services.pricing import Discount, Tax
from gateway.services.shipping import Quote
from gateway.services.social import Engagement, Friend, Notification, Post
from gateway.services.users import User, UserSettings
from tests.shipped_services import NAMES, ShippedServices

Json: TypeAlias = "Thing | Sequence[Json] | str | int | bool | None"
Thing: TypeAlias = Mapping[str, Json]

ADA = User(user_id="user-123", email="user@example.com", is_active=True)
STOCK = Stock(product_id="prod-456", stock_level=100, available=True, unit_price=Decimal("49.99"))
CARD = Payment(payment_id="pm-789", is_valid=True)
BOB, CAROL = Friend(user_id="user-456"), Friend(user_id="user-789")
SETTINGS = UserSettings(languages=("en", "de"), show_recommendations=True)
POST = Post(post_id="post-201", author_id="user-456", language="en", text="First frost.")
PROFILE = RiskProfile(account_id="acc-001", risk_level="Low")

USER_JSON: Thing = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
STOCK_JSON: Thing = {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"}
CARD_JSON: Thing = {"payment_id": "pm-789", "is_valid": True}
SETTINGS_JSON: Thing = {"languages": ["en", "de"], "show_recommendations": True}
POST_JSON: Thing = {"post_id": "post-201", "author_id": "user-456", "language": "en", "text": "First frost."}
NOTIFICATION_JSON: Thing = {
    "notification_id": "notification-2",
    "from_user_id": "user-456",
    "text": "has posted",
}
ACCOUNT_JSON: Thing = {
    "account_id": "acc-001",
    "owner": "user-123",
    "balance": "-25.00",
    "currency": "USD",
    "status": "frozen",
}
TRANSACTION_JSON: Thing = {"transfer_id": "pst-1", "amount": "25.00", "direction": "debit"}
RISK_JSON: Thing = {"is_safe": True, "risk_level": "Low"}
QUOTE_JSON: Thing = {"carrier": "USPS", "rate": "12.99"}
TAX_JSON: Thing = {"rate": "0.0825", "amount": "4.12"}
DISCOUNT_JSON: Thing = {"code": "SAVE10", "amount": "5.00"}
NO_DISCOUNT_JSON: Thing = {"code": None, "amount": "0.00"}


class Case(NamedTuple):
    """A call, the request that it sends, the JSON of the response, and the value of the call."""

    call: str
    method: str
    path: str
    sent: bytes
    response: Json
    value: object


CASES = [
    Case("users.fetch", "GET", "/users/user-123", b"", USER_JSON, ADA),
    Case("users.settings", "GET", "/users/user-123/settings", b"", SETTINGS_JSON, SETTINGS),
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
    Case(
        "fraud.screen",
        "POST",
        "/screenings",
        b'{"user_id":"user-123","product_id":"prod-456","stock_level":100}',
        RISK_JSON,
        Risk(is_safe=True, risk_level="Low"),
    ),
    Case(
        "fraud.risk_profile",
        "GET",
        "/risk-profiles/acc-001",
        b"",
        {"account_id": "acc-001", "risk_level": "Low"},
        PROFILE,
    ),
    Case(
        "fraud.check_transfer",
        "POST",
        "/transfer-checks",
        b'{"account_id":"acc-001","risk_level":"Low","amount":"25.00","recent_transactions":3}',
        RISK_JSON,
        Risk(is_safe=True, risk_level="Low"),
    ),
    Case(
        "fraud.check_compliance",
        "POST",
        "/compliance-checks",
        b'{"from_account":"acc-001","to_account":"acc-002","amount":"25.00"}',
        {"is_compliant": True},
        Compliance(is_compliant=True),
    ),
    Case("social.friends", "GET", "/friends/user-123", b"", [{"user_id": "user-456"}], (BOB,)),
    Case(
        "social.posts",
        "GET",
        "/posts?author=user-456&author=user-789&language=en&language=de",
        b"",
        [POST_JSON],
        (POST,),
    ),
    Case(
        "social.notifications",
        "GET",
        "/notifications?from=user-456&from=user-789",
        b"",
        [NOTIFICATION_JSON],
        (Notification(notification_id="notification-2", from_user_id="user-456", text="has posted"),),
    ),
    Case(
        "social.engagement",
        "GET",
        "/engagement?post_id=post-201&post_id=post-201",
        b"",
        {"post-201": {"likes": 7, "comments": 0}},
        {"post-201": Engagement(likes=7, comments=0)},
    ),
    Case(
        "social.recommendations",
        "GET",
        "/recommendations?user_id=user-123&language=en&language=de",
        b"",
        [POST_JSON],
        (POST,),
    ),
    Case(
        "accounts.fetch",
        "GET",
        "/accounts/acc-001",
        b"",
        ACCOUNT_JSON,
        Account(
            account_id="acc-001", owner="user-123", balance=Decimal(-25), currency="USD", status="frozen"
        ),
    ),
    Case(
        "accounts.history",
        "GET",
        "/accounts/acc-001/transactions",
        b"",
        [TRANSACTION_JSON],
        (TRANSACTION_JSON,),
    ),
    Case(
        "auth.verify",
        "GET",
        "/sessions",
        b"",
        {"user_id": "user-123", "scopes": ["orders:write"]},
        Session(user_id="user-123", scopes=("orders:write",)),
    ),
]
NOT_DECIDED_BY: Mapping[str, set[str]] = {
    "pricing.discount": {"code"},
    "accounts.fetch": {"owner"},
    "accounts.history": {"transfer_id", "amount", "direction"},
    "users.fetch": {"email"},
    "shipping.quote": {"carrier"},
    "fraud.assess": {"risk_level"},
    "fraud.screen": {"risk_level"},
    "fraud.check_transfer": {"risk_level"},
    "pricing.tax": {"rate"},
    "social.posts": {"text"},
    "social.notifications": {"text"},
    "social.recommendations": {"text"},
    "auth.verify": {"scopes"},
}
"""Fields that do not spoil an answer if they are absent or, except `code`, unusable."""

DECLARED: Mapping[str, Mapping[int, type[Fault]]] = {
    "users.fetch": {404: NotFound},
    "inventory.check": {404: NotFound, 409: Conflict},
    "payments.validate": {404: NotFound, 422: Invalid},
    "fraud.assess": {403: Forbidden},
    "shipping.quote": {422: Invalid},
    "pricing.tax": {},
    "pricing.discount": {404: NotFound, 409: Conflict},
    "users.settings": {},
    "fraud.screen": {403: Forbidden},
    "fraud.risk_profile": {},
    "fraud.check_transfer": {403: Forbidden},
    "fraud.check_compliance": {403: Forbidden},
    "social.friends": {},
    "social.posts": {},
    "social.notifications": {},
    "social.engagement": {},
    "social.recommendations": {},
    "accounts.fetch": {404: NotFound},
    "accounts.history": {},
    "auth.verify": {401: Unauthorized},
}


@pytest.fixture
async def router() -> AsyncIterator[respx.MockRouter]:
    async with respx.MockRouter(base_url="http://mock.test", assert_all_called=False) as router:
        yield router


@pytest.fixture
def services(router: respx.MockRouter) -> ShippedServices:
    transport = httpx.MockTransport(router.async_handler)

    return ShippedServices.over(transport, dict.fromkeys(NAMES, "http://mock.test"))


@pytest.fixture
def calls(services: ShippedServices) -> dict[str, Call[object, Fault]]:
    calls: list[Call[object, Fault]] = [
        services.users.fetch("user-123"),
        services.inventory.check("prod-456", 2),
        services.payments.validate("pm-789"),
        services.fraud.assess(ADA, CARD, STOCK),
        services.shipping.quote("123 Main St", STOCK),
        services.pricing.tax(Decimal("49.9")),
        services.pricing.discount("SAVE10", Decimal("49.9")),
        services.users.settings("user-123"),
        services.fraud.screen(ADA, STOCK),
        services.fraud.risk_profile("acc-001"),
        services.fraud.check_transfer(PROFILE, Decimal(25), 3),
        services.fraud.check_compliance("acc-001", "acc-002", Decimal(25)),
        services.social.friends("user-123"),
        services.social.posts((BOB, CAROL), SETTINGS),
        services.social.notifications((BOB, CAROL)),
        services.social.engagement((POST, POST)),
        services.social.recommendations(ADA, SETTINGS),
        services.accounts.fetch("acc-001"),
        services.accounts.history("acc-001"),
        services.auth.verify("token-user-123", "user-123"),
    ]
    return {call.name: call for call in calls}


def get_name(case: object) -> str:
    return case.call if isinstance(case, Case) else str(case)


def damage_fields(answer: Json, spared: Collection[str] = ()) -> Iterator[Json]:
    """Yield copies of *answer* in which a field is missing or has another type, except *spared* fields."""
    match answer:
        case [thing]:
            yield from ([damaged_thing] for damaged_thing in damage_fields(thing, spared))
        case {"post-201": thing}:
            yield from ({"post-201": damaged_thing} for damaged_thing in damage_fields(thing))
        case Mapping():
            for field, value in answer.items():
                if field in spared:
                    continue
                rest = {name: kept for name, kept in answer.items() if name != field}
                yield from (rest, {**rest, field: str(value) if isinstance(value, int) else 4})
        case _:
            raise AssertionError


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_service_call_sends_request_and_parses_response(
    router: respx.MockRouter, calls: dict[str, Call[object, Fault]], case: Case
) -> None:
    route = router.route().respond(json=case.response)
    result = await calls[case.call]

    request = route.calls.last.request
    assert result == Ok(case.value)
    assert (request.method, request.url.raw_path.decode()) == (case.method, case.path)
    assert request.content == case.sent


@pytest.mark.parametrize("case", CASES, ids=get_name)
def test_service_answer_serializes_as_received(case: Case) -> None:
    assert to_jsonable_python(case.value) == case.response


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 422])
@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_only_declared_statuses_are_refusals(
    router: respx.MockRouter, calls: dict[str, Call[object, Fault]], case: Case, status: int
) -> None:
    problem = {"detail": "No way", "status": status}
    router.route().respond(status, json=problem, content_type="application/problem+json")
    result = await calls[case.call]

    assert isinstance(result, Err)
    assert type(result.error) is DECLARED[case.call].get(status, BadAnswer)
    assert result.error.source == case.call
    assert (result.error.detail == "No way") is (status in DECLARED[case.call])


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_damaged_field_is_bad_answer(
    router: respx.MockRouter, calls: dict[str, Call[object, Fault]], case: Case
) -> None:
    for response in damage_fields(case.response, NOT_DECIDED_BY.get(case.call, ())):
        router.route().respond(json=response)
        result = await calls[case.call]

        assert isinstance(result, Err)
        assert isinstance(result.error, BadAnswer)


@pytest.mark.parametrize(
    ("call", "response", "error"),
    [
        *[
            (
                call,
                {"is_safe": False, "risk_level": "High"},
                Forbidden("Rejected by the fraud check", source=call),
            )
            for call in ("fraud.assess", "fraud.screen", "fraud.check_transfer")
        ],
        (
            "fraud.check_compliance",
            {"is_compliant": False},
            Forbidden("Rejected by the compliance check", source="fraud.check_compliance"),
        ),
        (
            "payments.validate",
            {**CARD_JSON, "is_valid": False},
            Invalid(
                "The payment method is not valid",
                source="payments.validate",
                violations=(("payment_id", ("The payment method is not valid",)),),
            ),
        ),
        (
            "inventory.check",
            {**STOCK_JSON, "available": False},
            Conflict("The product is not available", source="inventory.check"),
        ),
    ],
)
async def test_negative_result_becomes_failure(
    router: respx.MockRouter, calls: dict[str, Call[object, Fault]], call: str, response: Json, error: Fault
) -> None:
    router.route().respond(json=response)

    assert await calls[call] == Err(error)


@pytest.mark.parametrize(
    ("call", "response", "value"),
    [
        ("accounts.history", [], 0),
        ("accounts.history", [{"note": "no"}, {}], 2),
        ("accounts.history", [{**TRANSACTION_JSON, "amount": "9" * 40}], 1),
        ("accounts.history", [{**TRANSACTION_JSON, "amount": 25, "direction": "reversal"}], 1),
        ("users.fetch", {"user_id": "user-123", "is_active": True}, ""),
        ("users.fetch", {"user_id": "user-123", "email": None, "is_active": True}, ""),
        ("users.fetch", {"user_id": "user-123", "email": 7, "is_active": True}, ""),
        ("pricing.tax", {"rate": None, "amount": "4.12"}, None),
        ("accounts.fetch", {**ACCOUNT_JSON, "status": "dormant"}, "unknown"),
        ("pricing.discount", {"amount": "5.00"}, None),
        ("pricing.tax", {"rate": "0.08251234", "amount": "4.12"}, "0.08251234"),
    ],
)
async def test_value_that_nothing_is_decided_by_is_read(
    router: respx.MockRouter, calls: dict[str, Call[object, Fault]], call: str, response: Json, value: object
) -> None:
    router.route().respond(json=response)
    result = await calls[call]

    assert isinstance(result, Ok)
    shown = to_jsonable_python(result.value)
    field = {
        "accounts.fetch": "status",
        "users.fetch": "email",
        "pricing.tax": "rate",
        "pricing.discount": "code",
    }
    assert (len(shown) if call == "accounts.history" else shown[field[call]]) == value


@pytest.mark.parametrize(
    ("call", "content", "is_read"),
    [
        ("users.fetch", rb'{"user_id": "user-123", "email": "a\ud800b", "is_active": true}', True),
        ("users.fetch", rb'{"user_id": "user-123", "email": "a", "is_active": true, "x": ["\udc00"]}', True),
        ("users.fetch", rb'{"user_id": "user-123\ud800", "email": "a", "is_active": true}', False),
        ("social.friends", rb'[{"user_id": "user-456\ud800"}]', False),
        ("accounts.history", rb'[{"transfer_id": "\ud800", "amount": "1.00", "direction": "\ud800"}]', True),
        ("fraud.risk_profile", rb'{"account_id": "acc-001", "risk_level": "\ud800"}', False),
        ("fraud.screen", rb'{"is_safe": true, "risk_level": "\ud800"}', True),
        ("pricing.discount", rb'{"code": "\ud800", "amount": "5.00"}', True),
        ("pricing.discount", rb'{"code": null, "amount": "5.00\ud800"}', False),
    ],
)
async def test_lone_surrogate_spoils_only_what_is_decided_by(
    router: respx.MockRouter,
    calls: dict[str, Call[object, Fault]],
    call: str,
    content: bytes,
    *,
    is_read: bool,
) -> None:
    router.route().respond(content=content)

    assert isinstance(await calls[call], Ok) is is_read


@pytest.mark.parametrize(
    ("call", "response"),
    [
        ("users.fetch", {**USER_JSON, "user_id": "user-999"}),
        ("users.fetch", {**USER_JSON, "user_id": "USER-123"}),
        ("inventory.check", {**STOCK_JSON, "product_id": "prod-999"}),
        ("inventory.check", {**STOCK_JSON, "product_id": ""}),
        ("payments.validate", {**CARD_JSON, "payment_id": "pm-7890"}),
        ("payments.validate", {**CARD_JSON, "payment_id": "pm-999", "is_valid": False}),
        ("accounts.fetch", {**ACCOUNT_JSON, "account_id": "acc-002"}),
        ("accounts.fetch", {**ACCOUNT_JSON, "account_id": " acc-001"}),
        ("fraud.risk_profile", {"account_id": "acc-002", "risk_level": "Low"}),
    ],
)
async def test_answer_about_another_id_is_bad_answer(
    router: respx.MockRouter, calls: dict[str, Call[object, Fault]], call: str, response: Json
) -> None:
    router.route().respond(json=response)
    result = await calls[call]

    assert isinstance(result, Err)
    assert type(result.error) is BadAnswer


async def test_discount_without_code_is_zero(router: respx.MockRouter, services: ShippedServices) -> None:
    route = router.post("/discounts").respond(json=NO_DISCOUNT_JSON)
    result = await services.pricing.discount(None, Decimal(1))

    assert result == Ok(Discount(code=None, amount=Decimal(0)))
    assert route.calls.last.request.content == b'{"code":null,"subtotal":"1.00"}'


async def test_discount_above_subtotal_is_bad_answer(
    router: respx.MockRouter, services: ShippedServices
) -> None:
    router.post("/discounts").respond(json={"code": "SAVE10", "amount": "1.01"})
    result = await services.pricing.discount("SAVE10", Decimal(1))

    assert isinstance(result, Err)
    assert isinstance(result.error, BadAnswer)


async def test_stock_check_defaults_to_one_piece(router: respx.MockRouter, services: ShippedServices) -> None:
    router.get("/inventory/prod-456?quantity=1").respond(json=STOCK_JSON)

    assert await services.inventory.check("prod-456") == Ok(STOCK)


async def test_negative_stock_is_bad_answer(router: respx.MockRouter, services: ShippedServices) -> None:
    router.route().respond(json={**STOCK_JSON, "stock_level": -1})
    result = await services.inventory.check("prod-456")

    assert isinstance(result, Err)
    assert isinstance(result.error, BadAnswer)


async def test_large_history_costs_little(
    router: respx.MockRouter, calls: dict[str, Call[object, Fault]]
) -> None:
    """Nothing in an entry is wrong, so that no error ends the validation of 349,000 of them."""
    body = b"[" + b"{}," * 349_000 + b"{}]"
    router.route().respond(content=body)
    tracemalloc.start()
    try:
        result = await calls["accounts.history"]
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()

    assert isinstance(result, Ok)
    assert peak < 60 * len(body)
