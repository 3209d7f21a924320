"""What a setting changes in the gateway as it is wired."""

import asyncio
from collections.abc import Mapping
from typing import Final

import httpx
import pytest
from typing_extensions import override

from gateway.app import create_app
from gateway.settings import SERVICES, Settings

ORIGIN: Final = "https://shop.example"
PREFLIGHT: Final = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
ORDER: Final = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
URLS: Final = {f"{service}_url": f"http://{service}.test" for service in SERVICES}
TIMEOUTS: Final = {f"{service}_timeout_ms": 125 * n for n, service in enumerate(SERVICES, 1)}
ANSWERS: Final[Mapping[str, Mapping[str, object]]] = {
    "http://user.test/users/user-123": {
        "user_id": "user-123",
        "email": "user@example.com",
        "is_active": True,
    },
    "http://inventory.test/inventory/prod-456?quantity=1": {
        "product_id": "prod-456",
        "stock_level": 100,
        "available": True,
        "unit_price": "49.99",
    },
    "http://payment.test/payments/pm-789": {"payment_id": "pm-789", "is_valid": True},
    "http://fraud.test/assessments": {"is_safe": True, "risk_level": "Low"},
    "http://shipping.test/quotes": {"carrier": "USPS", "rate": "12.99"},
    "http://pricing.test/tax": {"rate": "0.0825", "amount": "4.12"},
    "http://pricing.test/discounts": {"code": None, "amount": "0.00"},
}


class Services(httpx.AsyncBaseTransport):
    """Answers at once, but for the path at which it *hangs*."""

    def __init__(self, hangs: str = "") -> None:
        self._hangs = hangs

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == self._hangs:
            await asyncio.Event().wait()
        return httpx.Response(200, json=ANSWERS[str(request.url)])


def client(settings: Mapping[str, object], hangs: str = "") -> httpx.AsyncClient:
    app = create_app(Settings.model_validate({**URLS, **settings}), Services(hangs))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


async def test_services_that_answer_in_no_time_make_a_checkout_in_no_time() -> None:
    async with client(TIMEOUTS) as gateway:
        answer = await gateway.post("/checkout", json=ORDER)

    assert (answer.status_code, answer.json()["total"]) == (200, "67.10")
    assert asyncio.get_running_loop().time() == 0.0


@pytest.mark.parametrize(
    ("hangs", "source", "seconds"),
    [
        ("/users/user-123", "users.fetch", 0.125),
        ("/inventory/prod-456", "inventory.check", 0.25),
        ("/payments/pm-789", "payments.validate", 0.375),
        ("/assessments", "fraud.assess", 0.5),
        ("/quotes", "shipping.quote", 0.625),
        ("/tax", "pricing.tax", 0.75),
        ("/discounts", "pricing.discount", 0.75),
    ],
)
async def test_a_service_that_hangs_is_given_its_own_timeout(hangs: str, source: str, seconds: float) -> None:
    async with client(TIMEOUTS, hangs) as gateway:
        answer = await gateway.post("/checkout", json=ORDER)

    assert (answer.status_code, answer.json()["source"]) == (504, source)
    assert asyncio.get_running_loop().time() == seconds


async def test_the_timeout_of_one_service_leaves_the_others_the_common_one() -> None:
    settings = {"user_timeout_ms": 125, "call_timeout_ms": 750}
    async with client(settings, "/inventory/prod-456") as gateway:
        answer = await gateway.post("/checkout", json=ORDER)

    assert (answer.status_code, answer.json()["source"]) == (504, "inventory.check")
    assert asyncio.get_running_loop().time() == 0.75


async def test_a_request_has_no_more_time_than_the_deadline() -> None:
    async with client({"deadline_ms": 250, "call_timeout_ms": 750}, "/quotes") as gateway:
        answer = await gateway.post("/checkout", json=ORDER)

    assert answer.status_code == 504
    assert asyncio.get_running_loop().time() == 0.25


def test_an_optional_call_has_the_time_that_was_set() -> None:
    app = create_app(Settings(optional_timeout_ms=125), Services())

    assert app.state.serving.optional_budget == 0.125


async def test_no_more_requests_are_answered_at_the_same_time_than_was_set() -> None:
    async with client({"max_in_flight": 2}, "/quotes") as gateway:
        answers = await asyncio.gather(*(gateway.post("/checkout", json=ORDER) for _ in range(3)))

    assert [answer.status_code for answer in answers] == [504, 504, 503]


async def test_no_more_requests_come_from_one_address_than_was_set() -> None:
    async with client({"rate_limit_per_minute": 2}) as gateway:
        answers = [await gateway.post("/checkout", json=ORDER) for _ in range(3)]

    assert [answer.status_code for answer in answers] == [200, 200, 429]
    assert answers[2].headers["ratelimit-policy"] == '"caller";q=2;w=60'


async def test_by_default_256_requests_are_answered_at_the_same_time_and_from_any_address() -> None:
    async with client({}, "/quotes") as gateway:
        answers = await asyncio.gather(*(gateway.post("/checkout", json=ORDER) for _ in range(257)))

    assert [answer.status_code for answer in answers] == [504] * 256 + [503]


async def test_pages_of_the_origins_that_were_set_may_call() -> None:
    async with client({"cors_origins": (ORIGIN,)}) as gateway:
        answer = await gateway.options("/checkout", headers=PREFLIGHT)

    assert answer.status_code == 200
    assert answer.headers["access-control-allow-origin"] == ORIGIN


async def test_no_page_may_call_unless_its_origin_was_set() -> None:
    async with client({}) as gateway:
        preflight = await gateway.options("/checkout", headers=PREFLIGHT)
        answer = await gateway.post("/checkout", json=ORDER, headers={"Origin": ORIGIN})

    names = {*preflight.headers, *answer.headers}
    assert not [name for name in names if name.startswith("access-control")]
