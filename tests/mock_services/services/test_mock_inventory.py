import httpx
import pytest

from tests.mock_services.in_process_client import create_client, fetch_state, write


@pytest.fixture
def inventory() -> httpx.AsyncClient:
    return create_client("inventory")


@pytest.mark.parametrize(
    ("product_id", "stock_level", "unit_price"),
    [("prod-456", 100, "49.99"), ("prod-expensive", 5, "4999.00")],
)
async def test_product_in_stock_is_available(
    inventory: httpx.AsyncClient, product_id: str, stock_level: int, unit_price: str
) -> None:
    answer = await inventory.get(f"/inventory/{product_id}")

    assert answer.status_code == 200
    assert answer.json() == {
        "product_id": product_id,
        "stock_level": stock_level,
        "available": True,
        "unit_price": unit_price,
    }


@pytest.mark.parametrize(
    ("path", "status", "detail"),
    [
        ("/inventory/prod-none", 404, "Product not found: prod-none"),
        ("/inventory/prod-out-of-stock", 409, "Out of stock: product is unavailable"),
        ("/inventory/prod-out-of-stock?quantity=2", 409, "Out of stock: product is unavailable"),
        ("/inventory/prod-expensive?quantity=6", 409, "Out of stock: only 5 left"),
    ],
)
async def test_unavailable_product_is_rejected(
    inventory: httpx.AsyncClient, path: str, status: int, detail: str
) -> None:
    answer = await inventory.get(path)

    assert answer.status_code == status
    assert answer.json()["detail"] == detail


async def test_whole_stock_is_available(inventory: httpx.AsyncClient) -> None:
    assert (await inventory.get("/inventory/prod-expensive?quantity=5")).status_code == 200


@pytest.mark.parametrize("quantity", ["", "0", "-1", "+1", "1.0", "1_0", "two", "٣", "1000000000000", "%FF"])
async def test_invalid_quantity_is_rejected(inventory: httpx.AsyncClient, quantity: str) -> None:
    answer = await inventory.get(f"/inventory/prod-456?quantity={quantity}")

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("quantity: Input should be")


async def test_reservation_reduces_stock(inventory: httpx.AsyncClient) -> None:
    answer = await write(inventory, "/reservations", "key-1", {"product_id": "prod-456", "quantity": 3})
    reservation = answer.json()

    assert answer.status_code == 201
    assert reservation == {
        "reservation_id": reservation["reservation_id"],
        "product_id": "prod-456",
        "quantity": 3,
        "is_reserved": True,
    }
    assert reservation["reservation_id"].startswith("res-")
    assert (await inventory.get("/inventory/prod-456")).json()["stock_level"] == 97
    assert (await fetch_state(inventory))["reservations"] == [{"key": "key-1", **reservation}]


async def test_release_restores_stock(inventory: httpx.AsyncClient) -> None:
    before = await fetch_state(inventory)
    await write(inventory, "/reservations", "key-1", {"product_id": "prod-456", "quantity": 3})

    answer = await inventory.delete("/reservations/key-1")

    assert answer.status_code == 204
    assert answer.content == b""
    assert await fetch_state(inventory) == before


async def test_reservation_can_exhaust_stock(inventory: httpx.AsyncClient) -> None:
    last = await write(inventory, "/reservations", "key-1", {"product_id": "prod-expensive", "quantity": 5})
    more = await write(inventory, "/reservations", "key-2", {"product_id": "prod-expensive", "quantity": 1})

    assert last.status_code == 201
    assert more.status_code == 409
    assert (await inventory.get("/inventory/prod-expensive")).status_code == 409


@pytest.mark.parametrize(
    ("product_id", "quantity", "status", "detail"),
    [
        ("prod-456", 101, 409, "Cannot reserve unavailable inventory"),
        ("prod-out-of-stock", 1, 409, "Cannot reserve unavailable inventory"),
        ("prod-none", 1, 404, "Product not found: prod-none"),
    ],
)
async def test_unavailable_product_cannot_be_reserved(
    inventory: httpx.AsyncClient, product_id: str, quantity: int, status: int, detail: str
) -> None:
    before = await fetch_state(inventory)

    answer = await write(
        inventory, "/reservations", "key-1", {"product_id": product_id, "quantity": quantity}
    )

    assert answer.status_code == status
    assert answer.json()["detail"] == detail
    assert await fetch_state(inventory) == before


@pytest.mark.parametrize(
    "body",
    [
        {"product_id": "prod-456"},
        {"product_id": "prod-456", "quantity": 0},
        {"product_id": "prod-456", "quantity": "1"},
        {"product_id": "prod-456", "quantity": 1.0},
        {"product_id": "prod-456", "quantity": True},
        {"product_id": "../prod", "quantity": 1},
        {"product_id": "prod-456", "quantity": 1, "colour": "red"},
    ],
)
async def test_invalid_reservation_is_rejected(inventory: httpx.AsyncClient, body: dict[str, object]) -> None:
    assert (await write(inventory, "/reservations", "key-1", body)).status_code == 422
