"""The gateway as it is wired, in one process with the mock services."""

import json
from collections.abc import AsyncIterator

import httpx
import pytest
import pytest_asyncio
from typing_extensions import override

from gateway.app import create_app
from tests.integration.in_process import InProcess

ORDER = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
}


class Absurd(InProcess):
    """Gives one absurd answer among those that are fine."""

    def __init__(self, port: int, path: str, answer: dict[str, object]) -> None:
        super().__init__()
        self._where = (port, path)
        self._answer = answer

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if (request.url.port, request.url.path) == self._where:
            return httpx.Response(200, json=self._answer)
        return await super().handle_async_request(request)


@pytest_asyncio.fixture
async def client() -> AsyncIterator[httpx.AsyncClient]:
    app = create_app(transport=InProcess())
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        yield client


async def test_a_checkout_takes_as_long_as_its_critical_path(client: httpx.AsyncClient) -> None:
    answer = await client.post("/checkout", json=ORDER)

    assert answer.status_code == 200
    assert answer.json()["total"] == "67.10"


async def test_amounts_are_strings_with_two_decimals(client: httpx.AsyncClient) -> None:
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
async def test_a_field_that_breaks_a_rule_is_named(
    client: httpx.AsyncClient, changes: dict[str, object], field: str, message: str
) -> None:
    answer = await client.post("/checkout", json={**ORDER, **changes})

    assert answer.status_code == 422
    assert answer.json()["violations"] == [{"field": field, "messages": [message]}]


@pytest.mark.parametrize("bad", ["", "-a", "a/b", "a b", "a\n", "é", "x" * 65, ".."])
async def test_what_is_not_an_id_never_becomes_a_path(client: httpx.AsyncClient, bad: str) -> None:
    answer = await client.post("/checkout", json={**ORDER, "user_id": bad})

    assert answer.status_code == 422
    assert answer.json()["violations"][0]["field"] == "user_id"


async def test_a_float_is_no_quantity(client: httpx.AsyncClient) -> None:
    body = json.dumps({**ORDER, "quantity": 2.0})

    answer = await client.post("/checkout", content=body, headers={"content-type": "application/json"})

    assert answer.status_code == 422


async def test_the_transport_is_closed_with_the_app() -> None:
    transport = InProcess()
    app = create_app(transport=transport)

    async with app.router.lifespan_context(app):
        assert not transport.is_closed

    assert transport.is_closed


async def test_without_arguments_it_is_the_environments_gateway_on_the_real_network(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("GATEWAY_USER_URL", "http://127.0.0.1:1")
    app = create_app()

    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        assert (await client.get("/health/live")).status_code == 200


async def test_every_operation_of_the_documentation_is_there(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()

    assert sorted(document["paths"]) == [
        "/checkout",
        "/executions",
        "/executions/{execution_id}",
        "/executions/{execution_id}/retry",
        "/feed/{user_id}",
        "/health/live",
        "/health/ready",
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
    ("port", "path", "answer"),
    [
        (8106, "/discounts", {"code": None, "amount": "5000.00"}),
        (8106, "/tax", {"rate": "0.0825", "amount": "999999999999999.00"}),
        (8105, "/quotes", {"carrier": "USPS", "rate": "999999999999999.00"}),
        (8102, "/inventory/prod-456", {
            "product_id": "prod-456", "stock_level": 1, "available": True, "unit_price": "999999999999999.00",
        }),
    ],
)  # fmt: skip
async def test_amounts_that_cannot_be_reckoned_with_are_a_bad_answer(
    port: int, path: str, answer: dict[str, object]
) -> None:
    transport = Absurd(port, path, answer)
    app = create_app(transport=transport)
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        said = await client.post("/checkout", json={**ORDER, "quantity": 100})

    assert (said.status_code, said.json()["code"]) == (502, "bad-answer")


async def test_the_log_says_whose_call_it_was(caplog: pytest.LogCaptureFixture) -> None:
    app = create_app(transport=Absurd(8106, "/tax", {"rate": "no"}))
    async with httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client:
        await client.post("/checkout", json=ORDER, headers={"X-Request-Id": "request-1"})

    (line,) = [record.getMessage() for record in caplog.records if record.name == "gateway.client"]
    assert line.startswith("pricing.tax: bad-answer: ")
    assert line.endswith(" (request request-1)")
