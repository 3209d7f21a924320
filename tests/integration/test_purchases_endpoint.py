"""POST /purchases as it is wired, in one process with the mock services."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any, Final

import httpx
import pytest

from tests.integration.in_process import InProcess, Json, gateway

WANTED: Final[Mapping[str, Json]] = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}
ADA: Final = {"Authorization": "Bearer token-user-123"}
BOB: Final = {"Authorization": "Bearer token-user-456"}
KEY: Final = {**ADA, "Idempotency-Key": "purchase-1"}
EXTRAS: Final = [
    ("notification", "/notifications", "notification"),
    ("analytics", "/events", "analytics"),
]


@pytest.fixture
def services() -> InProcess:
    return InProcess()


@pytest.fixture
async def client(services: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway(services, commit_budget_ms=3000) as client:
        yield client


async def orders(services: InProcess) -> Sequence[Any]:
    found: Sequence[Any] = (await services.state_of("order"))["orders"]
    return found


async def statuses(services: InProcess) -> Sequence[str]:
    return [order["status"] for order in await orders(services)]


async def told(services: InProcess) -> Sequence[Any]:
    """Give all that users and statistics were told."""
    notifications = (await services.state_of("notification"))["notifications"]
    events = (await services.state_of("analytics"))["events"]
    return [*notifications, *events]


async def test_a_purchase_is_answered_with_the_order_and_who_was_told_of_it(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    (order,), (notification, event) = await orders(services), await told(services)
    assert answer.status_code == 201
    assert answer.json() == {
        "order": {"order_id": order["order_id"], "status": "created"},
        "user": {"user_id": "user-123", "email": "user@example.com", "is_active": True},
        "inventory": {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"},
        "notification": {"notification_id": notification["notification_id"]},
        "analytics": {"event_id": event["event_id"]},
        "degraded": [],
    }


async def test_a_purchase_takes_as_long_as_its_critical_path_and_shows_each_call(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    calls = [entry.partition(";")[0] for entry in answer.headers["server-timing"].split(", ")]
    assert calls == [
        "auth.verify",
        "users.fetch",
        "orders.create",
        "inventory.check",
        "notifications.send",
        "analytics.track",
        "gateway",
    ]
    assert answer.headers["gateway-completed"] == "true"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.05 + 0.02)


async def test_order_notification_and_event_are_of_one_execution(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    (order,), (notification, event) = await orders(services), await told(services)
    execution_id = answer.headers["location"].removeprefix("/executions/")
    assert {**order, **WANTED} == order
    assert (notification["user_id"], notification["order_id"]) == ("user-123", order["order_id"])
    assert (event["event"], event["order_id"]) == ("purchase", order["order_id"])
    assert order["key"] == f"{execution_id}.order.0.orders.create"
    for one, name in ((notification, "0.notifications.send"), (event, "1.analytics.track")):
        assert one["key"].startswith(f"{execution_id}.")
        assert one["key"].endswith(f"announce.{name}")


async def test_one_is_bought_unless_more_are_wanted(services: InProcess, client: httpx.AsyncClient) -> None:
    one = {name: value for name, value in WANTED.items() if name != "quantity"}
    await client.post("/purchases", json=one, headers=ADA)

    assert [order["quantity"] for order in await orders(services)] == [1]


async def test_an_execution_shows_what_can_be_undone_and_nothing_else(client: httpx.AsyncClient) -> None:
    answer = await client.post("/purchases", json=WANTED, headers=ADA)
    execution = (await client.get(answer.headers["location"])).json()

    assert (execution["pipeline"], execution["state"]) == ("purchases", "committed")
    assert execution["writes"] == [{"name": "orders.create", "outcome": "done"}]


async def test_the_same_purchase_again_orders_nothing_and_tells_nobody(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    first = await client.post("/purchases", json=WANTED, headers=KEY)
    again = await client.post("/purchases", json=WANTED, headers=KEY)

    assert (again.status_code, again.content) == (201, first.content)
    assert again.headers["location"] == first.headers["location"]
    assert again.headers["idempotent-replayed"] == "true"
    assert (len(await orders(services)), len(await told(services))) == (1, 2)


async def test_the_key_of_somebody_else_is_another_key(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await client.post("/purchases", json=WANTED, headers=KEY)
    answer = await client.post("/purchases", json={**WANTED, "user_id": "user-456"}, headers={**KEY, **BOB})

    assert answer.status_code == 201
    assert [order["user_id"] for order in await orders(services)] == ["user-123", "user-456"]


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
@pytest.mark.parametrize("body", [WANTED, {}, {"user_id": "nonexistent-user", "product_id": ".."}])
async def test_without_a_token_nobody_looks_at_what_is_wanted(
    services: InProcess, client: httpx.AsyncClient, body: Mapping[str, Json], headers: Mapping[str, str]
) -> None:
    sent = {name.encode(): value.encode("latin-1") for name, value in headers.items()}
    answer = await client.post("/purchases", json=body, headers=sent)

    assert (answer.status_code, answer.json()["code"]) == (401, "unauthorized")
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await services.calls_of("auth") == []


@pytest.mark.parametrize(("token", "detail"), [("token-expired", "Token expired"), ("x", "Invalid token")])
@pytest.mark.parametrize("user", ["user-123", "nonexistent-user"])
async def test_a_token_that_is_good_for_nothing_is_unauthorized(
    services: InProcess, client: httpx.AsyncClient, user: str, token: str, detail: str
) -> None:
    headers = {"Authorization": f"Bearer {token}"}
    answer = await client.post("/purchases", json={**WANTED, "user_id": user}, headers=headers)

    problem = answer.json()
    assert (answer.status_code, problem["source"], problem["detail"]) == (401, "auth.verify", detail)
    assert answer.headers["www-authenticate"] == "Bearer"
    assert await orders(services) == []


async def test_who_uses_somebody_elses_token_never_learns_which_users_there_are(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    problems: list[Mapping[str, Any]] = []
    for user in ("user-456", "nonexistent-user"):
        answer = await client.post("/purchases", json={**WANTED, "user_id": user}, headers=ADA)
        problems.append({**answer.json(), "request_id": "any"})

    assert (problems[0]["status"], problems[0]["source"]) == (403, "auth.verify")
    assert problems[0] == problems[1]
    assert await orders(services) == []


@pytest.mark.parametrize(
    ("change", "status", "detail"),
    [
        ({"product_id": "prod-out-of-stock"}, 409, "Out of stock: product is unavailable"),
        ({"quantity": 101}, 409, "Out of stock: only 100 left"),
        ({"product_id": "prod-x"}, 404, "Product not found: prod-x"),
    ],
)
async def test_an_order_that_cannot_be_kept_is_cancelled_and_nobody_is_told(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json], status: int, detail: str
) -> None:
    answer = await client.post("/purchases", json={**WANTED, **change}, headers=ADA)

    problem = answer.json()
    execution = (await client.get(f"/executions/{problem['execution_id']}")).json()
    assert (answer.status_code, problem["source"], problem["detail"]) == (status, "inventory.check", detail)
    assert (await statuses(services), await told(services)) == (["cancelled"], [])
    assert execution["writes"] == [{"name": "orders.create", "outcome": "undone"}]


async def test_an_order_of_what_is_not_available_after_all_is_cancelled(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    gone: Json = {"product_id": "prod-456", "stock_level": 9, "available": False, "unit_price": "1.00"}
    services.answer("inventory", "/inventory/prod-456?quantity=2", gone)
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    assert (answer.status_code, await statuses(services)) == (409, ["cancelled"])


@pytest.mark.parametrize(
    ("kind", "status"), [("hang", 504), ("status", 503), ("garbage", 502), ("drop", 503)]
)
async def test_an_order_is_cancelled_if_nobody_can_look_at_the_stock(
    services: InProcess, client: httpx.AsyncClient, kind: str, status: int
) -> None:
    await services.break_down("inventory", ("/", kind))
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    assert (answer.status_code, answer.json()["source"]) == (status, "inventory.check")
    assert (await statuses(services), await told(services)) == (["cancelled"], [])


async def test_an_order_whose_answer_is_lost_once_is_taken_once(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("order", ("/orders", "drop_after_write"), times=1)
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    assert (answer.status_code, await statuses(services)) == (201, ["created"])


@pytest.mark.parametrize("kind", ["drop_after_write", "truncate"])
async def test_an_order_whose_answer_is_always_lost_is_cancelled(
    services: InProcess, client: httpx.AsyncClient, kind: str
) -> None:
    await services.break_down("order", ("/orders", kind), method="POST")
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    assert (answer.status_code, answer.json()["source"]) == (503, "orders.create")
    assert (await statuses(services), await told(services)) == (["cancelled"], [])


async def test_who_cannot_wait_for_a_commit_is_told_where_to_look_and_asks_again(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("order", ("/orders", "drop_after_write"), times=4)
    headers = {**KEY, "X-Request-Timeout-Ms": "600"}
    running = await client.post("/purchases", json=WANTED, headers=headers)
    answer = await client.post("/purchases", json=WANTED, headers=KEY)

    assert (running.status_code, running.json()["pipeline"]) == (202, "purchases")
    assert (answer.status_code, answer.headers["location"]) == (201, running.headers["location"])
    assert (await statuses(services), len(await told(services))) == (["created"], 2)


@pytest.mark.parametrize("kind", ["hang", "status", "garbage", "drop", "truncate"])
@pytest.mark.parametrize("extra", EXTRAS)
async def test_an_order_stands_whether_the_world_hears_of_it_or_not(
    services: InProcess, client: httpx.AsyncClient, extra: tuple[str, str, str], kind: str
) -> None:
    service, path, field = extra
    await services.break_down(service, (path, kind))
    answer = await client.post("/purchases", json=WANTED, headers=ADA)

    body = answer.json()
    assert (answer.status_code, body[field], body["degraded"]) == (201, None, [field])
    assert answer.headers["gateway-completed"] == "false"
    assert await statuses(services) == ["created"]


async def test_a_purchase_that_lacked_something_is_replayed_as_it_was(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("notification", ("/", "status"))
    first = await client.post("/purchases", json=WANTED, headers=KEY)
    await services.break_down("notification")
    again = await client.post("/purchases", json=WANTED, headers=KEY)

    assert (again.content, again.headers["gateway-completed"]) == (first.content, "false")
    assert len(await told(services)) == 1


async def test_what_is_told_to_a_service_that_hangs_costs_half_a_second(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("analytics", ("/", "hang"))
    await client.post("/purchases", json=WANTED, headers=ADA)

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
async def test_a_field_that_breaks_a_rule_is_named(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json], field: str, message: str
) -> None:
    answer = await client.post("/purchases", json={**WANTED, **change}, headers=ADA)

    assert answer.status_code == 422
    assert answer.json()["violations"] == [{"field": field, "messages": [message]}]
    assert await services.calls_of("auth") == []


async def test_the_documentation_says_what_a_purchase_can_be_answered_with(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    operation = document["paths"]["/purchases"]["post"]

    assert sorted(operation["responses"]) == [
        "201", "202", "400", "401", "403", "404", "408",
        "409", "413", "415", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    example = operation["responses"]["201"]["content"]["application/json"]["example"]
    assert list(example) == document["components"]["schemas"]["PurchaseResult"]["required"]
    assert operation["security"]
