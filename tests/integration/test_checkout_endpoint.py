"""POST /checkout of the sample gateway, with in-process mock services."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from typing_extensions import override

from gateway.app import create_app
from tests.integration.in_process import InProcessServices

ORDER = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}


class AlteredServices(InProcessServices):
    """Mock services, except that the response at *path* of the service at *port* is *body*."""

    def __init__(self, port: int, path: str, body: dict[str, object]) -> None:
        super().__init__()
        self._endpoint = (port, path)
        self._body = body

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if (request.url.port, request.url.path) == self._endpoint:
            return httpx.Response(200, json=self._body)
        return await super().handle_async_request(request)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(transport=InProcessServices())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_checkout_returns_the_total(client: httpx.AsyncClient) -> None:
    response = await client.post("/checkout", json=ORDER)

    assert response.status_code == 200
    assert response.json()["total"] == "67.10"


async def test_checkout_amounts_have_two_decimals(client: httpx.AsyncClient) -> None:
    body = (await client.post("/checkout", json={**ORDER, "discount_code": "SAVE10"})).json()

    amounts = [body["subtotal"], body["total"], body["tax"]["amount"], body["discount"]["amount"]]
    assert amounts == ["49.99", "62.10", "4.12", "5.00"]


@pytest.mark.parametrize(
    ("changes", "field", "message"),
    [
        ({"address": " \t"}, "address", "must not be blank"),
        ({"address": "x" * 501}, "address", "must have at most 500 characters"),
        ({"quantity": 0}, "quantity", "must be at least 1"),
        ({"quantity": 1001}, "quantity", "must be at most 1000"),
        ({"quantity": "3"}, "quantity", "must be a whole number"),
        ({"quantity": True}, "quantity", "must be a whole number"),
        ({"discount_code": "x" * 65}, "discount_code", "must have at most 64 characters"),
        ({"adress": "1 Main St"}, "adress", "is not a known field"),
        ({"user_id": None}, "user_id", "must be a string"),
    ],
)
async def test_invalid_checkout_field_is_named(
    client: httpx.AsyncClient, changes: dict[str, object], field: str, message: str
) -> None:
    response = await client.post("/checkout", json={**ORDER, **changes})

    assert response.status_code == 422
    assert response.json()["violations"] == [{"field": field, "messages": [message]}]


@pytest.mark.parametrize("user_id", ["", "-a", "a/b", "a b", "a\n", "é", "x" * 65, ".."])
async def test_malformed_checkout_user_id_is_422(client: httpx.AsyncClient, user_id: str) -> None:
    """An invalid id never becomes part of an upstream path."""
    response = await client.post("/checkout", json={**ORDER, "user_id": user_id})

    assert response.status_code == 422
    assert response.json()["violations"][0]["field"] == "user_id"


async def test_float_quantity_is_422(client: httpx.AsyncClient) -> None:
    body = json.dumps({**ORDER, "quantity": 2.0})

    response = await client.post("/checkout", content=body, headers={"content-type": "application/json"})

    assert response.status_code == 422


async def test_app_shutdown_closes_transport() -> None:
    transport = InProcessServices()
    app = create_app(transport=transport)

    async with app.router.lifespan_context(app):
        assert not transport.is_closed

    assert transport.is_closed


async def test_create_app_reads_environment_by_default(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Without arguments, the app has the environment's settings and the real network."""
    monkeypatch.setenv("GATEWAY_USER_URL", "http://127.0.0.1:1")
    app = create_app()

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        assert (await client.get("/health/live")).status_code == 200


async def test_openapi_lists_all_paths(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    assert sorted(document["paths"]) == [
        "/checkout",
        "/executions",
        "/executions/{execution_id}",
        "/executions/{execution_id}/retry",
        "/feed/{user_id}",
        "/health/live",
        "/health/ready",
        "/metrics",
        "/orders",
        "/pipelines",
        "/problems/{code}",
        "/purchases",
        "/transfers",
    ]
    assert sorted(document["paths"]["/checkout"]["post"]["responses"]) == [
        "200", "207", "400", "403", "404", "408", "409", "413", "415", "422", "429",
        "500", "502", "503", "504",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("port", "path", "body"),
    [
        (8106, "/discounts", {"code": None, "amount": "5000.00"}),
        (8106, "/tax", {"rate": "0.0825", "amount": "999999999999999.00"}),
        (8105, "/quotes", {"carrier": "USPS", "rate": "999999999999999.00"}),
        (8102, "/inventory/prod-456", {
            "product_id": "prod-456", "stock_level": 1, "available": True, "unit_price": "999999999999999.00",
        }),
    ],
)  # fmt: skip
async def test_oversized_amount_from_service_is_502(port: int, path: str, body: dict[str, object]) -> None:
    transport = AlteredServices(port, path, body)
    app = create_app(transport=transport)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        response = await client.post("/checkout", json={**ORDER, "quantity": 100})

    assert (response.status_code, response.json()["code"]) == (502, "bad-answer")


async def test_log_names_failed_call_and_request(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(transport=AlteredServices(8106, "/tax", {"rate": "no"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        await client.post("/checkout", json=ORDER, headers={"X-Request-Id": "request-1"})

    (line,) = [record.getMessage() for record in caplog.records if record.name == "gateway.client"]
    assert line.startswith("pricing.tax: bad-answer: ")
    assert line.endswith(" (request request-1)")
