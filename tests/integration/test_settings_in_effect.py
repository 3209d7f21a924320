"""What a setting changes in the gateway as it is wired."""

import asyncio
from collections import Counter
from collections.abc import Mapping
from dataclasses import replace
from typing import Final, NamedTuple

import httpx
import pytest
from starlette.middleware.base import BaseHTTPMiddleware
from typing_extensions import override

from gateway.app import create_app
from gateway.services import SERVICES as SHIPPED
from gateway.settings import load_settings
from tests.integration.in_process import InProcess, Json, gateway
from tests.shipped_services import NAMES as SERVICES

ORIGIN: Final = "https://shop.example"
PREFLIGHT: Final = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
ORDER: Final = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}
URLS: Final = {service: f"http://{service}.test" for service in SERVICES}
TIMEOUTS: Final = {service: 125 * n for n, service in enumerate(SERVICES, 1)}
NO_TIMEOUTS: Final[Mapping[str, int]] = {}
ADA: Final = {"Authorization": "Bearer token-user-123"}


class Kind(NamedTuple):
    """A request that goes well."""

    method: str
    path: str
    body: Json = None

    @property
    def line(self) -> tuple[str, str]:
        return self.method, self.path


CHECKOUT: Final = Kind("POST", "/checkout", ORDER)
FEED: Final = Kind("GET", "/feed/user-123")
TRANSFER: Final = Kind(
    "POST",
    "/transfers",
    {"from_account": "acc-001", "to_account": "acc-002", "amount": "1.00", "currency": "USD"},
)
PURCHASE: Final = Kind("POST", "/purchases", {"user_id": "user-123", "product_id": "prod-456", "quantity": 1})
CALLED: Final[Mapping[str, Kind]] = {
    **dict.fromkeys(("user", "inventory", "payment", "fraud", "shipping", "pricing"), CHECKOUT),
    "social": FEED,
    "account": TRANSFER,
    **dict.fromkeys(("auth", "order", "notification", "analytics"), PURCHASE),
}
"""What it takes to have each service called."""
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


class Counting(InProcess):
    """Counts how often each service is asked at once, at most."""

    def __init__(self) -> None:
        super().__init__()
        self.busiest = Counter[str]()
        self._now = Counter[str]()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        service = SERVICES[(request.url.port or 0) - 8101]
        self._now[service] += 1
        self.busiest[service] = max(self.busiest[service], self._now[service])
        try:
            return await super().handle_async_request(request)
        finally:
            self._now[service] -= 1


def client(
    settings: Mapping[str, object], hangs: str = "", timeouts: Mapping[str, int] = NO_TIMEOUTS
) -> httpx.AsyncClient:
    services = [replace(one, url=URLS[one.name], timeout_ms=timeouts.get(one.name)) for one in SHIPPED]
    app = create_app(load_settings(services, **settings), services=services, transport=Services(hangs))
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway")


def is_time_of_three_attempts(seconds: float) -> bool:
    """Say whether three attempts of as many *seconds*, and the pauses before two of them, have passed."""
    pauses = asyncio.get_running_loop().time() - 3 * seconds
    return 0 < pauses <= 0.15


async def most_at_once(settings: Mapping[str, Json], kind: Kind) -> Mapping[str, int]:
    """Send six requests of one *kind* at once; say how often each service was asked at once at most."""
    services = Counting()
    async with gateway(services, **settings) as client:
        await asyncio.gather(*(client.request(*kind.line, json=kind.body, headers=ADA) for _ in range(6)))
    return services.busiest


async def test_services_that_answer_in_no_time_make_a_checkout_in_no_time() -> None:
    async with client({}, timeouts=TIMEOUTS) as gateway:
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
async def test_a_service_that_hangs_is_given_its_own_timeout_for_each_attempt(
    hangs: str, source: str, seconds: float
) -> None:
    async with client({}, hangs, TIMEOUTS) as gateway:
        answer = await gateway.post("/checkout", json=ORDER)

    assert (answer.status_code, answer.json()["source"]) == (504, source)
    assert is_time_of_three_attempts(seconds)


async def test_the_timeout_of_one_service_leaves_the_others_the_common_one() -> None:
    common = {"call_timeout_ms": 750}
    async with client(common, "/inventory/prod-456", {"user": 125}) as gateway:
        answer = await gateway.post("/checkout", json=ORDER)

    assert (answer.status_code, answer.json()["source"]) == (504, "inventory.check")
    assert is_time_of_three_attempts(0.75)


@pytest.mark.parametrize(("service", "kind"), CALLED.items())
async def test_service_has_its_own_concurrency_limit(
    monkeypatch: pytest.MonkeyPatch, service: str, kind: Kind
) -> None:
    monkeypatch.setenv(f"GATEWAY_{service.upper()}_MAX_CONCURRENCY", "2")

    busiest = await most_at_once({}, kind)

    assert busiest[service] == 2


@pytest.mark.parametrize(("service", "kind"), CALLED.items())
async def test_service_without_its_own_limit_has_the_common_one(
    monkeypatch: pytest.MonkeyPatch, service: str, kind: Kind
) -> None:
    other = "INVENTORY" if service == "user" else "USER"
    monkeypatch.setenv(f"GATEWAY_{other}_MAX_CONCURRENCY", "200")

    busiest = await most_at_once({"max_concurrency": 3}, kind)

    assert busiest[service] == 3


async def test_a_request_has_no_more_time_than_the_deadline() -> None:
    async with client({"deadline_ms": 250, "call_timeout_ms": 750}, "/quotes") as gateway:
        answer = await gateway.post("/checkout", json=ORDER)

    assert answer.status_code == 504
    assert asyncio.get_running_loop().time() == 0.25


def test_an_optional_call_has_the_time_that_was_set() -> None:
    app = create_app(load_settings(SHIPPED, optional_timeout_ms=125), transport=Services())

    assert app.shared.optional_budget == 0.125


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
    async with client({"max_concurrency": 257}, "/quotes") as gateway:
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


def test_all_middleware_is_pure_asgi() -> None:
    # Starlette's own kind runs the app in a task apart, which does not end with its client.
    app = create_app(load_settings(SHIPPED, cors_origins=(ORIGIN,)))
    kinds = [one.cls for one in app.user_middleware]

    assert len(kinds) == 4
    assert not any(isinstance(kind, type) and issubclass(kind, BaseHTTPMiddleware) for kind in kinds)
