"""Effects of settings on the sample gateway."""

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
from gateway.observability.server_timing import ServerTiming
from gateway.services import SERVICES as SHIPPED
from gateway.settings import load_settings
from tests.integration.in_process import InProcessServices, Json, run_gateway
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
USER_123: Final = {"Authorization": "Bearer token-user-123"}


class SuccessfulRequest(NamedTuple):
    """Request to which the gateway responds with success."""

    method: str
    path: str
    body: Json = None

    @property
    def target(self) -> tuple[str, str]:
        return self.method, self.path


CHECKOUT: Final = SuccessfulRequest("POST", "/checkout", ORDER)
FEED: Final = SuccessfulRequest("GET", "/feed/user-123")
TRANSFER: Final = SuccessfulRequest(
    "POST",
    "/transfers",
    {"from_account": "acc-001", "to_account": "acc-002", "amount": "1.00", "currency": "USD"},
)
PURCHASE: Final = SuccessfulRequest(
    "POST", "/purchases", {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
)
REQUESTS: Final[Mapping[str, SuccessfulRequest]] = {
    **dict.fromkeys(("user", "inventory", "payment", "fraud", "shipping", "pricing"), CHECKOUT),
    "social": FEED,
    "account": TRANSFER,
    **dict.fromkeys(("auth", "order", "notification", "analytics"), PURCHASE),
}
"""For each service, a request that calls it."""
RESPONSES: Final[Mapping[str, Mapping[str, object]]] = {
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


class InstantServices(httpx.AsyncBaseTransport):
    """Transport that responds immediately, except to requests for *hanging_path*, which hang."""

    def __init__(self, hanging_path: str = "") -> None:
        self._hanging_path = hanging_path

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == self._hanging_path:
            await asyncio.Event().wait()
        return httpx.Response(200, json=RESPONSES[str(request.url)])


class CountingServices(InProcessServices):
    """Mock services that record the maximum number of concurrent requests to each service."""

    def __init__(self) -> None:
        super().__init__()
        self.max_concurrent = Counter[str]()
        self._concurrent = Counter[str]()

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        service = SERVICES[(request.url.port or 0) - 8101]
        self._concurrent[service] += 1
        self.max_concurrent[service] = max(self.max_concurrent[service], self._concurrent[service])
        try:
            return await super().handle_async_request(request)
        finally:
            self._concurrent[service] -= 1


def create_client(
    settings: Mapping[str, object], hanging_path: str = "", timeouts: Mapping[str, int] = NO_TIMEOUTS
) -> httpx.AsyncClient:
    services = [
        replace(service, url=URLS[service.name], timeout_ms=timeouts.get(service.name)) for service in SHIPPED
    ]
    app = create_app(
        load_settings(services, **settings), services=services, transport=InstantServices(hanging_path)
    )
    return httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://localhost")


def is_time_of_three_attempts(seconds: float) -> bool:
    """Return True if three attempts of *seconds* each, and the pauses between them, have passed."""
    pauses = asyncio.get_running_loop().time() - 3 * seconds
    return 0 < pauses <= 0.15


async def measure_concurrency(settings: Mapping[str, Json], request: SuccessfulRequest) -> Mapping[str, int]:
    """Send six requests at once; return the maximum number of concurrent requests to each service."""
    services = CountingServices()
    async with run_gateway(services, **settings) as client:
        await asyncio.gather(
            *(client.request(*request.target, json=request.body, headers=USER_123) for _ in range(6))
        )
    return services.max_concurrent


async def test_gateway_adds_no_delay_to_checkout() -> None:
    async with create_client({}, timeouts=TIMEOUTS) as gateway:
        response = await gateway.post("/checkout", json=ORDER)

    assert (response.status_code, response.json()["total"]) == (200, "67.10")
    assert asyncio.get_running_loop().time() == 0.0


@pytest.mark.parametrize(
    ("hanging_path", "source", "seconds"),
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
async def test_service_timeout_applies_to_each_attempt(
    hanging_path: str, source: str, seconds: float
) -> None:
    async with create_client({}, hanging_path, TIMEOUTS) as gateway:
        response = await gateway.post("/checkout", json=ORDER)

    assert (response.status_code, response.json()["source"]) == (504, source)
    assert is_time_of_three_attempts(seconds)


async def test_service_without_timeout_uses_common_timeout() -> None:
    common = {"call_timeout_ms": 750}
    async with create_client(common, "/inventory/prod-456", {"user": 125}) as gateway:
        response = await gateway.post("/checkout", json=ORDER)

    assert (response.status_code, response.json()["source"]) == (504, "inventory.check")
    assert is_time_of_three_attempts(0.75)


@pytest.mark.parametrize(("service", "target"), REQUESTS.items())
async def test_service_has_its_own_concurrency_limit(
    monkeypatch: pytest.MonkeyPatch, service: str, target: SuccessfulRequest
) -> None:
    monkeypatch.setenv(f"GATEWAY_{service.upper()}_MAX_CONCURRENCY", "2")

    concurrency = await measure_concurrency({}, target)

    assert concurrency[service] == 2


@pytest.mark.parametrize(("service", "target"), REQUESTS.items())
async def test_service_without_limit_uses_common_limit(
    monkeypatch: pytest.MonkeyPatch, service: str, target: SuccessfulRequest
) -> None:
    other = "INVENTORY" if service == "user" else "USER"
    monkeypatch.setenv(f"GATEWAY_{other}_MAX_CONCURRENCY", "200")

    concurrency = await measure_concurrency({"max_concurrency": 3}, target)

    assert concurrency[service] == 3


async def test_deadline_setting_ends_slow_request() -> None:
    async with create_client({"deadline_ms": 250, "call_timeout_ms": 750}, "/quotes") as gateway:
        response = await gateway.post("/checkout", json=ORDER)

    assert response.status_code == 504
    assert asyncio.get_running_loop().time() == 0.25


def test_optional_timeout_is_configurable() -> None:
    app = create_app(load_settings(SHIPPED, optional_timeout_ms=125), transport=InstantServices())

    assert app.shared.optional_budget == 0.125


async def test_max_in_flight_setting_sheds_requests() -> None:
    async with create_client({"max_in_flight": 2}, "/quotes") as gateway:
        responses = await asyncio.gather(*(gateway.post("/checkout", json=ORDER) for _ in range(3)))

    assert [response.status_code for response in responses] == [504, 504, 503]


async def test_rate_limit_setting_refuses_requests() -> None:
    async with create_client({"rate_limit_per_minute": 2}) as gateway:
        responses = [await gateway.post("/checkout", json=ORDER) for _ in range(3)]

    assert [response.status_code for response in responses] == [200, 200, 429]
    assert responses[2].headers["ratelimit-policy"] == '"caller";q=2;w=60'


async def test_default_in_flight_limit_is_256() -> None:
    """No response is 429, because by default there is no rate limit."""
    async with create_client({"max_concurrency": 257}, "/quotes") as gateway:
        responses = await asyncio.gather(*(gateway.post("/checkout", json=ORDER) for _ in range(257)))

    assert [response.status_code for response in responses] == [504] * 256 + [503]


@pytest.mark.parametrize(("limit", "status"), [(20, 502), (1_048_576, 200)])
async def test_largest_answer_is_set(limit: int, status: int) -> None:
    async with run_gateway(InProcessServices(), max_answer_bytes=limit) as gateway:
        assert (await gateway.post("/checkout", json=ORDER)).status_code == status


CALLS: Final = {
    "users.fetch",
    "inventory.check",
    "payments.validate",
    "fraud.assess",
    "shipping.quote",
    "pricing.tax",
    "pricing.discount",
}


@pytest.mark.parametrize(
    ("entries", "names"),
    [
        ("off", set[str]()),
        ("own", {"gateway"}),
        ("all", {"gateway", *CALLS}),
    ],
)
async def test_entries_of_server_timing_are_set(entries: ServerTiming, names: set[str]) -> None:
    async with create_client({"server_timing": entries}) as gateway:
        response = await gateway.post("/checkout", json=ORDER)

    timing = response.headers.get("server-timing", "")
    assert {entry.partition(";")[0] for entry in timing.split(", ") if entry} == names


@pytest.mark.parametrize("entries", ["off", "own"])
async def test_origins_that_may_read_times_are_set(entries: ServerTiming) -> None:
    async with create_client({"server_timing": entries, "timing_allow_origin": (ORIGIN, "*")}) as gateway:
        response = await gateway.post("/checkout", json=ORDER)

    allowed = None if entries == "off" else f"{ORIGIN}, *"
    assert response.headers.get("timing-allow-origin") == allowed


async def test_refused_preflight_is_a_problem() -> None:
    async with create_client({"cors_origins": (ORIGIN,)}) as gateway:
        refused = await gateway.options("/checkout", headers={**PREFLIGHT, "Origin": "https://evil.example"})

    assert refused.headers["content-type"] == "application/problem+json"
    assert refused.headers["vary"].startswith("Origin")
    assert (refused.status_code, refused.json()["code"]) == (400, "invalid-header")
    assert refused.json()["detail"] == "Disallowed CORS origin"


async def test_preflight_from_configured_origin_is_allowed() -> None:
    async with create_client({"cors_origins": (ORIGIN,)}) as gateway:
        response = await gateway.options("/checkout", headers=PREFLIGHT)

    assert response.status_code == 200
    assert response.headers["access-control-allow-origin"] == ORIGIN


async def test_cors_is_off_without_configured_origins() -> None:
    async with create_client({}) as gateway:
        preflight = await gateway.options("/checkout", headers=PREFLIGHT)
        response = await gateway.post("/checkout", json=ORDER, headers={"Origin": ORIGIN})

    names = {*preflight.headers, *response.headers}
    assert not [name for name in names if name.startswith("access-control")]


def test_all_middleware_is_pure_asgi() -> None:
    # BaseHTTPMiddleware runs the app in a separate task, which a disconnect does not cancel.
    app = create_app(load_settings(SHIPPED, cors_origins=(ORIGIN,)))
    kinds = [middleware.cls for middleware in app.user_middleware]

    assert len(kinds) == 6
    assert not any(isinstance(kind, type) and issubclass(kind, BaseHTTPMiddleware) for kind in kinds)
