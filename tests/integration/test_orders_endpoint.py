"""POST /orders of the sample gateway, with in-process mock services."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import httpx
import pytest

from tests.integration.in_process import InProcessServices, Json, run_gateway

ORDER: Final[Mapping[str, Json]] = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
    "quantity": 2,
}
KEY: Final = {"Idempotency-Key": "order-1"}
STOCK: Final = {"prod-456": 100, "prod-expensive": 5, "prod-out-of-stock": 0}


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
async def client(services: InProcessServices) -> AsyncIterator[httpx.AsyncClient]:
    async with run_gateway(services, commit_budget_ms=3000) as client:
        yield client


async def fetch_inventory(
    services: InProcessServices,
) -> tuple[Mapping[str, int], Sequence[Mapping[str, Any]]]:
    """Return the remaining stock, and the reservations."""
    state = await services.fetch_state("inventory")
    return state["stock"], state["reservations"]


async def test_order_response_has_all_parts(services: InProcessServices, client: httpx.AsyncClient) -> None:
    response = await client.post("/orders", json=ORDER)

    _, (reservation,) = await fetch_inventory(services)
    execution_id = response.headers["location"].removeprefix("/executions/")
    assert response.status_code == 201
    assert response.json() == {
        "order_id": execution_id.replace("exe-", "ord-"),
        "status": "confirmed",
        "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
        "inventory": {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"},
        "payment": {"payment_id": "pm-789", "is_valid": True},
        "fraud_check": {"is_safe": True, "risk_level": "Low"},
        "shipping": {"carrier": "USPS", "rate": "12.99"},
        "reservation": {
            "reservation_id": reservation["reservation_id"],
            "is_reserved": True,
            "quantity": 2,
        },
        "total": "112.97",
    }


async def test_order_takes_time_of_critical_path(
    client: httpx.AsyncClient,
) -> None:
    """`Server-Timing` lists every call."""
    response = await client.post("/orders", json=ORDER)

    calls = [entry.partition(";")[0] for entry in response.headers["server-timing"].split(", ")]
    assert calls == [
        "users.fetch",
        "inventory.check",
        "payments.validate",
        "fraud.screen",
        "shipping.quote",
        "inventory.reserve",
        "gateway",
    ]
    assert response.headers["gateway-completed"] == "true"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.05 + 0.04)


async def test_reservation_key_has_execution_id(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    response = await client.post("/orders", json=ORDER)

    stock, (reservation,) = await fetch_inventory(services)
    execution_id = response.headers["location"].removeprefix("/executions/")
    assert stock == {**STOCK, "prod-456": 98}
    assert reservation["key"] == f"{execution_id}.fulfilment.1.inventory.reserve"
    assert (reservation["product_id"], reservation["quantity"]) == ("prod-456", 2)


async def test_order_quantity_defaults_to_one(client: httpx.AsyncClient) -> None:
    order = {name: value for name, value in ORDER.items() if name != "quantity"}
    body = (await client.post("/orders", json=order)).json()

    assert (body["reservation"]["quantity"], body["total"]) == (1, "62.98")


async def test_repeated_order_gets_first_response(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    first = await client.post("/orders", json=ORDER, headers=KEY)
    replayed = await client.post("/orders", json=ORDER, headers=KEY)

    stock, _ = await fetch_inventory(services)
    assert (replayed.status_code, replayed.content) == (201, first.content)
    assert replayed.headers["location"] == first.headers["location"]
    assert replayed.headers["idempotent-replayed"] == "true"
    assert stock["prod-456"] == 98


async def test_order_execution_can_be_fetched(client: httpx.AsyncClient) -> None:
    response = await client.post("/orders", json=ORDER)
    execution = (await client.get(response.headers["location"])).json()

    assert (execution["pipeline"], execution["state"]) == ("orders", "committed")
    assert execution["writes"] == [{"name": "inventory.reserve", "outcome": "done"}]


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"user_id": "nonexistent-user"}, (404, "users.fetch", "User not found: nonexistent-user")),
        ({"product_id": "prod-x"}, (404, "inventory.check", "Product not found: prod-x")),
        (
            {"product_id": "prod-out-of-stock"},
            (409, "inventory.check", "Out of stock: product is unavailable"),
        ),
        ({"quantity": 101}, (409, "inventory.check", "Out of stock: only 100 left")),
        ({"payment_id": "pm-expired"}, (422, "payments.validate", "Payment method expired")),
        ({"payment_id": "pm-x"}, (404, "payments.validate", "Payment method not found: pm-x")),
        (
            {"user_id": "user-high-risk"},
            (403, "fraud.screen", "Suspicious transaction detected: high-risk user"),
        ),
        (
            {"product_id": "prod-expensive"},
            (403, "fraud.screen", "Suspicious transaction: expensive item with low stock"),
        ),
    ],
)
async def test_refused_order_reserves_nothing(
    services: InProcessServices,
    client: httpx.AsyncClient,
    change: Mapping[str, Json],
    refusal: tuple[int, str, str],
) -> None:
    response = await client.post("/orders", json={**ORDER, **change})

    problem = response.json()
    assert (response.status_code, problem["source"], problem["detail"]) == refusal
    assert "execution_id" not in problem
    assert "location" not in response.headers
    assert await fetch_inventory(services) == (STOCK, [])
    assert await services.fetch_calls("shipping") == []


async def test_unknown_user_hides_unknown_product(client: httpx.AsyncClient) -> None:
    change = {"user_id": "nonexistent-user", "product_id": "prod-x"}
    response = await client.post("/orders", json={**ORDER, **change})

    assert (response.status_code, response.json()["source"]) == (404, "users.fetch")


async def test_order_reports_all_failed_verifications(client: httpx.AsyncClient) -> None:
    change = {"user_id": "user-high-risk", "payment_id": "pm-expired"}
    response = await client.post("/orders", json={**ORDER, **change})

    parts = [(part["status"], part["source"]) for part in response.json()["errors"]]
    assert (response.status_code, parts) == (207, [(422, "payments.validate"), (403, "fraud.screen")])


@pytest.mark.parametrize(
    ("canned_response", "status"),
    [
        (("fraud", "/screenings", {"is_safe": False, "risk_level": "High"}), 403),
        (("payment", "/payments/pm-789", {"payment_id": "pm-789", "is_valid": False}), 422),
        (
            (
                "inventory",
                "/inventory/prod-456?quantity=2",
                {"product_id": "prod-456", "stock_level": 9, "available": False, "unit_price": "1.00"},
            ),
            409,
        ),
    ],
)
async def test_negative_answer_with_200_refuses_order(
    services: InProcessServices,
    client: httpx.AsyncClient,
    canned_response: tuple[str, str, Json],
    status: int,
) -> None:
    services.set_response(*canned_response)
    response = await client.post("/orders", json=ORDER)

    assert response.status_code == status
    assert await fetch_inventory(services) == (STOCK, [])


@pytest.mark.parametrize(
    ("kind", "status"), [("status", 503), ("hang", 504), ("garbage", 502), ("drop", 503)]
)
async def test_failed_quote_releases_reservation(
    services: InProcessServices, client: httpx.AsyncClient, kind: str, status: int
) -> None:
    await services.set_faults("shipping", ("/quotes", kind))
    response = await client.post("/orders", json=ORDER)

    problem = response.json()
    assert (response.status_code, problem["source"]) == (status, "shipping.quote")
    assert problem["execution_id"].startswith("exe-")
    assert await fetch_inventory(services) == (STOCK, [])
    assert await services.fetch_calls("inventory") == [
        "GET /inventory/{id}",
        "POST /reservations",
        "DELETE /reservations/{key}",
    ]


async def test_last_stock_goes_to_one_of_two_orders(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    order = {**ORDER, "quantity": 60}
    responses = await asyncio.gather(*(client.post("/orders", json=order) for _ in range(2)))

    stock, _ = await fetch_inventory(services)
    refused = max(responses, key=lambda response: response.status_code)
    assert sorted(response.status_code for response in responses) == [201, 409]
    assert refused.json()["detail"] == "Cannot reserve unavailable inventory"
    assert stock["prod-456"] == 40


async def test_reservation_with_lost_response_is_retried(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("inventory", ("/reservations", "drop_after_write"), times=1)
    response = await client.post("/orders", json=ORDER)

    stock, reservations = await fetch_inventory(services)
    assert response.status_code == 201
    assert (stock["prod-456"], len(reservations)) == (98, 1)


async def test_reservation_without_response_is_released(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("inventory", ("/reservations", "drop_after_write"), method="POST")
    response = await client.post("/orders", json=ORDER)

    execution = (await client.get(f"/executions/{response.json()['execution_id']}")).json()
    assert (response.status_code, response.json()["source"]) == (503, "inventory.reserve")
    assert await fetch_inventory(services) == (STOCK, [])
    assert execution["state"] == "undone"


async def test_slow_order_is_202_and_can_be_resent(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("inventory", ("/reservations", "drop_after_write"), method="POST")
    running = await client.post("/orders", json=ORDER, headers={**KEY, "X-Request-Timeout-Ms": "1000"})
    response = await client.post("/orders", json=ORDER, headers=KEY)

    execution_id = running.headers["location"].removeprefix("/executions/")
    assert (running.status_code, running.headers["retry-after"]) == (202, "1")
    assert running.json() == {"execution_id": execution_id, "pipeline": "orders", "state": "running"}
    assert (response.status_code, response.json()["execution_id"]) == (503, execution_id)
    assert await fetch_inventory(services) == (STOCK, [])


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"address": "   "}, "address", "must not be blank"),
        ({"quantity": 0}, "quantity", "must be at least 1"),
        ({"quantity": 1001}, "quantity", "must be at most 1000"),
        ({"quantity": "2"}, "quantity", "must be a whole number"),
        ({"discount_code": None}, "discount_code", "is not a known field"),
        ({"payment_id": None}, "payment_id", "must be a string"),
    ],
)
async def test_invalid_order_field_is_named(
    services: InProcessServices,
    client: httpx.AsyncClient,
    change: Mapping[str, Json],
    field: str,
    message: str,
) -> None:
    response = await client.post("/orders", json={**ORDER, **change})

    assert response.status_code == 422
    assert response.json()["violations"] == [{"field": field, "messages": [message]}]
    assert await services.fetch_calls("user") == []


async def test_openapi_lists_order_responses(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/orders"]["post"]["responses"]

    assert sorted(responses) == [
        "201", "202", "207", "400", "403", "404", "408",
        "409", "413", "415", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    example = responses["201"]["content"]["application/json"]["example"]
    assert list(example) == document["components"]["schemas"]["OrderResult"]["required"]
