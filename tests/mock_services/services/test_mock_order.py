import httpx
import pytest

from tests.mock_services.in_process_client import create_client, fetch_state, write

ORDER = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}


@pytest.fixture
def orders() -> httpx.AsyncClient:
    return create_client("order")


async def test_created_order_can_be_fetched(orders: httpx.AsyncClient) -> None:
    answer = await write(orders, "/orders", "key-1", ORDER)
    confirmation = answer.json()
    fetched = await orders.get(f"/orders/{confirmation['order_id']}")

    assert answer.status_code == 201
    assert confirmation == {"order_id": confirmation["order_id"], "status": "created"}
    assert confirmation["order_id"].startswith("ord-")
    assert fetched.json() == {**confirmation, **ORDER}
    assert await fetch_state(orders) == {"orders": [{"key": "key-1", **confirmation, **ORDER}]}


async def test_undone_order_is_kept_as_cancelled(orders: httpx.AsyncClient) -> None:
    order_id = (await write(orders, "/orders", "key-1", ORDER)).json()["order_id"]

    answer = await orders.delete("/orders/key-1")

    assert answer.status_code == 204
    assert (await orders.get(f"/orders/{order_id}")).json()["status"] == "cancelled"


async def test_order_cannot_be_fetched_by_key(orders: httpx.AsyncClient) -> None:
    await write(orders, "/orders", "key-1", ORDER)

    answer = await orders.get("/orders/key-1")

    assert answer.status_code == 404
    assert answer.json()["detail"] == "Order not found: key-1"


@pytest.mark.parametrize(
    "changes", [{"quantity": 0}, {"quantity": "2"}, {"user_id": ""}, {"product_id": None}, {"colour": "red"}]
)
async def test_invalid_order_is_rejected(orders: httpx.AsyncClient, changes: dict[str, object]) -> None:
    assert (await write(orders, "/orders", "key-1", {**ORDER, **changes})).status_code == 422
    assert await fetch_state(orders) == {"orders": []}
