"""POST /orders as it is wired, in one process with the mock services."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import httpx
import pytest

from tests.integration.in_process import InProcess, Json, gateway

ORDER: Final[Mapping[str, Json]] = {
    "user_id": "user-123",
    "product_id": "prod-456",
    "payment_id": "pm-789",
    "address": "123 Main St",
    "quantity": 2,
}
KEY: Final = {"Idempotency-Key": "order-1"}
FULL: Final = {"prod-456": 100, "prod-expensive": 5, "prod-out-of-stock": 0}


@pytest.fixture
def services() -> InProcess:
    return InProcess()


@pytest.fixture
async def client(services: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway(services, commit_budget_ms=3000) as client:
        yield client


async def reserved(services: InProcess) -> tuple[Mapping[str, int], Sequence[Mapping[str, Any]]]:
    """Give the stock that is left, and what was put aside."""
    state = await services.state_of("inventory")
    return state["stock"], state["reservations"]


async def test_an_order_is_answered_with_all_that_it_is_made_of(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/orders", json=ORDER)

    _, (reservation,) = await reserved(services)
    execution_id = answer.headers["location"].removeprefix("/executions/")
    assert answer.status_code == 201
    assert answer.json() == {
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


async def test_an_order_takes_as_long_as_its_critical_path_and_shows_each_call(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/orders", json=ORDER)

    calls = [entry.partition(";")[0] for entry in answer.headers["server-timing"].split(", ")]
    assert calls == [
        "users.fetch",
        "inventory.check",
        "payments.validate",
        "fraud.screen",
        "shipping.quote",
        "inventory.reserve",
        "gateway",
    ]
    assert answer.headers["gateway-completed"] == "true"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.05 + 0.04)


async def test_the_goods_are_put_aside_under_the_executions_key(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/orders", json=ORDER)

    stock, (reservation,) = await reserved(services)
    execution_id = answer.headers["location"].removeprefix("/executions/")
    assert stock == {**FULL, "prod-456": 98}
    assert reservation["key"] == f"{execution_id}.fulfilment.1.inventory.reserve"
    assert (reservation["product_id"], reservation["quantity"]) == ("prod-456", 2)


async def test_one_is_ordered_unless_more_are_wanted(client: httpx.AsyncClient) -> None:
    order = {name: value for name, value in ORDER.items() if name != "quantity"}
    body = (await client.post("/orders", json=order)).json()

    assert (body["reservation"]["quantity"], body["total"]) == (1, "62.98")


async def test_the_same_order_again_is_the_same_order(services: InProcess, client: httpx.AsyncClient) -> None:
    first = await client.post("/orders", json=ORDER, headers=KEY)
    again = await client.post("/orders", json=ORDER, headers=KEY)

    stock, _ = await reserved(services)
    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert stock["prod-456"] == 98


async def test_an_execution_can_be_looked_up(client: httpx.AsyncClient) -> None:
    answer = await client.post("/orders", json=ORDER)
    execution = (await client.get(answer.headers["location"])).json()

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
async def test_an_order_that_must_not_be_is_refused_and_nothing_is_put_aside(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json], refusal: tuple[int, str, str]
) -> None:
    answer = await client.post("/orders", json={**ORDER, **change})

    problem = answer.json()
    assert (answer.status_code, problem["source"], problem["detail"]) == refusal
    assert "execution_id" not in problem
    assert "location" not in answer.headers
    assert await reserved(services) == (FULL, [])
    assert await services.calls_of("shipping") == []


async def test_a_user_that_is_missing_is_told_of_before_a_product_that_is(client: httpx.AsyncClient) -> None:
    change = {"user_id": "nonexistent-user", "product_id": "prod-x"}
    answer = await client.post("/orders", json={**ORDER, **change})

    assert (answer.status_code, answer.json()["source"]) == (404, "users.fetch")


async def test_all_that_a_verification_finds_is_told(client: httpx.AsyncClient) -> None:
    change = {"user_id": "user-high-risk", "payment_id": "pm-expired"}
    answer = await client.post("/orders", json={**ORDER, **change})

    parts = [(part["status"], part["source"]) for part in answer.json()["errors"]]
    assert (answer.status_code, parts) == (207, [(422, "payments.validate"), (403, "fraud.screen")])


@pytest.mark.parametrize(
    ("no", "status"),
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
async def test_a_no_that_is_answered_as_a_success_is_a_no(
    services: InProcess, client: httpx.AsyncClient, no: tuple[str, str, Json], status: int
) -> None:
    services.answer(*no)
    answer = await client.post("/orders", json=ORDER)

    assert answer.status_code == status
    assert await reserved(services) == (FULL, [])


@pytest.mark.parametrize(
    ("kind", "status"), [("status", 503), ("hang", 504), ("garbage", 502), ("drop", 503)]
)
async def test_goods_whose_shipping_has_no_price_are_put_back(
    services: InProcess, client: httpx.AsyncClient, kind: str, status: int
) -> None:
    await services.break_down("shipping", ("/quotes", kind))
    answer = await client.post("/orders", json=ORDER)

    problem = answer.json()
    assert (answer.status_code, problem["source"]) == (status, "shipping.quote")
    assert problem["execution_id"].startswith("exe-")
    assert await reserved(services) == (FULL, [])
    assert await services.calls_of("inventory") == [
        "GET /inventory/{id}",
        "POST /reservations",
        "DELETE /reservations/{key}",
    ]


async def test_of_two_orders_for_the_last_goods_one_gets_them(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    order = {**ORDER, "quantity": 60}
    answers = await asyncio.gather(*(client.post("/orders", json=order) for _ in range(2)))

    stock, _ = await reserved(services)
    refused = max(answers, key=lambda answer: answer.status_code)
    assert sorted(answer.status_code for answer in answers) == [201, 409]
    assert refused.json()["detail"] == "Cannot reserve unavailable inventory"
    assert stock["prod-456"] == 40


async def test_an_answer_that_is_lost_once_is_asked_for_again_and_nothing_is_put_aside_twice(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("inventory", ("/reservations", "drop_after_write"), times=1)
    answer = await client.post("/orders", json=ORDER)

    stock, reservations = await reserved(services)
    assert answer.status_code == 201
    assert (stock["prod-456"], len(reservations)) == (98, 1)


async def test_goods_whose_answer_is_always_lost_are_put_back(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("inventory", ("/reservations", "drop_after_write"), method="POST")
    answer = await client.post("/orders", json=ORDER)

    execution = (await client.get(f"/executions/{answer.json()['execution_id']}")).json()
    assert (answer.status_code, answer.json()["source"]) == (503, "inventory.reserve")
    assert await reserved(services) == (FULL, [])
    assert execution["state"] == "undone"


async def test_who_cannot_wait_for_a_commit_is_told_where_to_look_and_asks_again(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("inventory", ("/reservations", "drop_after_write"), method="POST")
    running = await client.post("/orders", json=ORDER, headers={**KEY, "X-Request-Timeout-Ms": "1000"})
    answer = await client.post("/orders", json=ORDER, headers=KEY)

    execution_id = running.headers["location"].removeprefix("/executions/")
    assert (running.status_code, running.headers["retry-after"]) == (202, "1")
    assert running.json() == {"execution_id": execution_id, "pipeline": "orders", "state": "running"}
    assert (answer.status_code, answer.json()["execution_id"]) == (503, execution_id)
    assert await reserved(services) == (FULL, [])


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
async def test_a_field_that_breaks_a_rule_is_named(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json], field: str, message: str
) -> None:
    answer = await client.post("/orders", json={**ORDER, **change})

    assert answer.status_code == 422
    assert answer.json()["violations"] == [{"field": field, "messages": [message]}]
    assert await services.calls_of("user") == []


async def test_the_documentation_says_what_an_order_can_be_answered_with(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/orders"]["post"]["responses"]

    assert sorted(responses) == [
        "201", "202", "207", "400", "403", "404", "408",
        "409", "413", "415", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    example = responses["201"]["content"]["application/json"]["example"]
    assert list(example) == document["components"]["schemas"]["OrderResult"]["required"]
