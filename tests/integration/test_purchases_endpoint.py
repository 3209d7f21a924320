"""POST /purchases of the sample gateway, with in-process mock services."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import httpx
import pytest

from tests.integration.in_process import InProcessServices, Json, run_gateway

PURCHASE: Final[Mapping[str, Json]] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}
USER_123: Final = {"Authorization": "Bearer token-user-123"}
USER_456: Final = {"Authorization": "Bearer token-user-456"}
KEY: Final = {**USER_123, "Idempotency-Key": "purchase-1"}
EXTRAS: Final = [
    ("notification", "/notifications", "notification"),
    ("analytics", "/events", "analytics"),
]


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
async def client(services: InProcessServices) -> AsyncIterator[httpx.AsyncClient]:
    async with run_gateway(services, commit_budget_ms=3000) as client:
        yield client


async def fetch_orders(services: InProcessServices) -> Sequence[Any]:
    orders: Sequence[Any] = (await services.fetch_state("order"))["orders"]
    return orders


async def fetch_order_statuses(services: InProcessServices) -> Sequence[str]:
    return [order["status"] for order in await fetch_orders(services)]


async def fetch_announcements(services: InProcessServices) -> Sequence[Any]:
    """Return the notifications and the analytics events."""
    notifications = (await services.fetch_state("notification"))["notifications"]
    events = (await services.fetch_state("analytics"))["events"]
    return [*notifications, *events]


async def test_purchase_response_has_all_parts(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    (order,), (notification, event) = await fetch_orders(services), await fetch_announcements(services)
    assert response.status_code == 201
    assert response.json() == {
        "order": {"order_id": order["order_id"], "status": "created"},
        "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
        "inventory": {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"},
        "notification": {"notification_id": notification["notification_id"]},
        "analytics": {"event_id": event["event_id"]},
        "degraded": [],
    }


async def test_purchase_takes_time_of_critical_path(
    client: httpx.AsyncClient,
) -> None:
    """`Server-Timing` lists every call."""
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    calls = [entry.partition(";")[0] for entry in response.headers["server-timing"].split(", ")]
    assert calls == [
        "auth.verify",
        "users.fetch",
        "orders.create",
        "inventory.check",
        "notifications.send",
        "analytics.track",
        "gateway",
    ]
    assert response.headers["gateway-completed"] == "true"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.05 + 0.02)


async def test_purchase_write_keys_have_execution_id(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    (order,), (notification, event) = await fetch_orders(services), await fetch_announcements(services)
    execution_id = response.headers["location"].removeprefix("/executions/")
    assert {**order, **PURCHASE} == order
    assert (notification["user_id"], notification["order_id"]) == ("user-123", order["order_id"])
    assert (event["event"], event["order_id"]) == ("purchase", order["order_id"])
    assert order["key"] == f"{execution_id}.order.0.orders.create"
    for announcement, name in ((notification, "0.notifications.send"), (event, "1.analytics.track")):
        assert announcement["key"].startswith(f"{execution_id}.")
        assert announcement["key"].endswith(f"announce.{name}")


async def test_purchase_quantity_defaults_to_one(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    purchase = {name: value for name, value in PURCHASE.items() if name != "quantity"}
    await client.post("/purchases", json=purchase, headers=USER_123)

    assert [order["quantity"] for order in await fetch_orders(services)] == [1]


async def test_execution_lists_only_undoable_writes(client: httpx.AsyncClient) -> None:
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)
    execution = (await client.get(response.headers["location"])).json()

    assert (execution["pipeline"], execution["state"]) == ("purchases", "committed")
    assert execution["writes"] == [{"name": "orders.create", "outcome": "done"}]


async def test_repeated_purchase_gets_first_response(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    first = await client.post("/purchases", json=PURCHASE, headers=KEY)
    replayed = await client.post("/purchases", json=PURCHASE, headers=KEY)

    assert (replayed.status_code, replayed.content) == (201, first.content)
    assert replayed.headers["location"] == first.headers["location"]
    assert replayed.headers["idempotent-replayed"] == "true"
    assert (len(await fetch_orders(services)), len(await fetch_announcements(services))) == (1, 2)


async def test_idempotency_keys_are_scoped_to_callers(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await client.post("/purchases", json=PURCHASE, headers=KEY)
    response = await client.post(
        "/purchases", json={**PURCHASE, "user_id": "user-456"}, headers={**KEY, **USER_456}
    )

    assert response.status_code == 201
    assert [order["user_id"] for order in await fetch_orders(services)] == ["user-123", "user-456"]


@pytest.mark.parametrize(
    "headers",
    [
        {},
        {"Authorization": "token-user-123"},
        {"Authorization": "Basic dXNlcjpwYXNz"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer a b"},
        {"Authorization": "Bearer tökén"},
    ],
)
@pytest.mark.parametrize("body", [PURCHASE, {}, {"user_id": "nonexistent-user", "product_id": ".."}])
async def test_unusable_token_is_401_before_validation(
    services: InProcessServices,
    client: httpx.AsyncClient,
    body: Mapping[str, Json],
    headers: Mapping[str, str],
) -> None:
    raw_headers = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    response = await client.post("/purchases", json=body, headers=raw_headers)

    assert (response.status_code, response.json()["code"]) == (401, "unauthorized")
    assert response.headers["www-authenticate"] == "Bearer"
    assert await services.fetch_calls("auth") == []


@pytest.mark.parametrize(("token", "detail"), [("token-expired", "Token expired"), ("x", "Invalid token")])
@pytest.mark.parametrize("user", ["user-123", "nonexistent-user"])
async def test_rejected_token_is_401(
    services: InProcessServices, client: httpx.AsyncClient, user: str, token: str, detail: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    response = await client.post("/purchases", json={**PURCHASE, "user_id": user}, headers=headers)

    problem = response.json()
    assert (response.status_code, problem["source"], problem["detail"]) == (401, "auth.verify", detail)
    assert response.headers["www-authenticate"] == "Bearer"
    assert await fetch_orders(services) == []


async def test_token_of_other_user_hides_user_existence(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    problems: list[Mapping[str, Any]] = []
    for user in ("user-456", "nonexistent-user"):
        response = await client.post("/purchases", json={**PURCHASE, "user_id": user}, headers=USER_123)
        problems.append({**response.json(), "request_id": "any"})

    assert (problems[0]["status"], problems[0]["source"]) == (403, "auth.verify")
    assert problems[0] == problems[1]
    assert await fetch_orders(services) == []


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"product_id": "prod-out-of-stock"}, 409, "Out of stock: product is unavailable"),
        ({"quantity": 101}, 409, "Out of stock: only 100 left"),
        ({"product_id": "prod-x"}, 404, "Product not found: prod-x"),
    ],
)
async def test_unavailable_product_cancels_order(
    services: InProcessServices,
    client: httpx.AsyncClient,
    change: Mapping[str, Json],
    status: int,
    detail: str,
) -> None:
    response = await client.post("/purchases", json={**PURCHASE, **change}, headers=USER_123)

    problem = response.json()
    execution = (await client.get(f"/executions/{problem['execution_id']}")).json()
    assert (response.status_code, problem["source"], problem["detail"]) == (status, "inventory.check", detail)
    assert (await fetch_order_statuses(services), await fetch_announcements(services)) == (["cancelled"], [])
    assert execution["writes"] == [{"name": "orders.create", "outcome": "undone"}]


async def test_unavailable_stock_with_200_cancels_order(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    unavailable: Json = {"product_id": "prod-456", "stock_level": 9, "available": False, "unit_price": "1.00"}
    services.set_response("inventory", "/inventory/prod-456?quantity=2", unavailable)
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    assert (response.status_code, await fetch_order_statuses(services)) == (409, ["cancelled"])


@pytest.mark.parametrize(
    ("kind", "status"), [("hang", 504), ("status", 503), ("garbage", 502), ("drop", 503)]
)
async def test_failed_stock_check_cancels_order(
    services: InProcessServices, client: httpx.AsyncClient, kind: str, status: int
) -> None:
    await services.set_faults("inventory", ("/", kind))
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    assert (response.status_code, response.json()["source"]) == (status, "inventory.check")
    assert (await fetch_order_statuses(services), await fetch_announcements(services)) == (["cancelled"], [])


async def test_order_with_lost_response_is_retried(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("order", ("/orders", "drop_after_write"), times=1)
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    assert (response.status_code, await fetch_order_statuses(services)) == (201, ["created"])


@pytest.mark.parametrize("kind", ["drop_after_write", "truncate"])
async def test_order_with_unknown_outcome_is_cancelled(
    services: InProcessServices, client: httpx.AsyncClient, kind: str
) -> None:
    await services.set_faults("order", ("/orders", kind), method="POST")
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    assert (response.status_code, response.json()["source"]) == (503, "orders.create")
    assert (await fetch_order_statuses(services), await fetch_announcements(services)) == (["cancelled"], [])


async def test_slow_purchase_is_202_and_can_be_resent(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("order", ("/orders", "drop_after_write"), times=4)
    headers = {**KEY, "X-Request-Timeout-Ms": "600"}
    running = await client.post("/purchases", json=PURCHASE, headers=headers)
    response = await client.post("/purchases", json=PURCHASE, headers=KEY)

    assert (running.status_code, running.json()["pipeline"]) == (202, "purchases")
    assert (response.status_code, response.headers["location"]) == (201, running.headers["location"])
    assert (await fetch_order_statuses(services), len(await fetch_announcements(services))) == (
        ["created"],
        2,
    )


@pytest.mark.parametrize("kind", ["hang", "status", "garbage", "drop", "truncate"])
@pytest.mark.parametrize("extra", EXTRAS)
async def test_failed_announcement_degrades_purchase(
    services: InProcessServices, client: httpx.AsyncClient, extra: tuple[str, str, str], kind: str
) -> None:
    service, path, field = extra
    await services.set_faults(service, (path, kind))
    response = await client.post("/purchases", json=PURCHASE, headers=USER_123)

    body = response.json()
    assert (response.status_code, body[field], body["degraded"]) == (201, None, [field])
    assert response.headers["gateway-completed"] == "false"
    assert await fetch_order_statuses(services) == ["created"]


async def test_replayed_purchase_stays_degraded(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("notification", ("/", "status"))
    first = await client.post("/purchases", json=PURCHASE, headers=KEY)
    await services.set_faults("notification")
    replayed = await client.post("/purchases", json=PURCHASE, headers=KEY)

    assert (replayed.content, replayed.headers["gateway-completed"]) == (first.content, "false")
    assert len(await fetch_announcements(services)) == 1


async def test_announcement_times_out_after_500_ms(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("analytics", ("/", "hang"))
    await client.post("/purchases", json=PURCHASE, headers=USER_123)

    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.05 + 0.5)


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        ({"quantity": 0}, "quantity", "must be at least 1"),
        ({"quantity": "2"}, "quantity", "must be a whole number"),
        ({"address": "123 Main St"}, "address", "is not a known field"),
        ({"user_id": None}, "user_id", "must be a string"),
    ],
)
async def test_invalid_purchase_field_is_named(
    services: InProcessServices,
    client: httpx.AsyncClient,
    change: Mapping[str, Json],
    field: str,
    message: str,
) -> None:
    response = await client.post("/purchases", json={**PURCHASE, **change}, headers=USER_123)

    assert response.status_code == 422
    assert response.json()["violations"] == [{"field": field, "messages": [message]}]
    assert await services.fetch_calls("auth") == []


async def test_openapi_lists_purchase_responses(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/purchases"]["post"]

    assert sorted(operation["responses"]) == [
        "201", "202", "400", "401", "403", "404", "408",
        "409", "413", "415", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    example = operation["responses"]["201"]["content"]["application/json"]["example"]
    assert list(example) == document["components"]["schemas"]["PurchaseResult"]["required"]
    assert operation["security"]
