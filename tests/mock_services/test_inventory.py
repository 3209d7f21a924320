import httpx
import pytest

from tests.mock_services.callers import client_of


@pytest.fixture
def inventory() -> httpx.AsyncClient:
    return client_of("inventory")


@pytest.mark.parametrize(
    ("product_id", "stock_level", "unit_price"),
    [("prod-456", 100, "49.99"), ("prod-expensive", 5, "4999.00")],
)
async def test_a_product_in_stock_is_available(
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
async def test_what_is_not_there_cannot_be_had(
    inventory: httpx.AsyncClient, path: str, status: int, detail: str
) -> None:
    answer = await inventory.get(path)

    assert answer.status_code == status
    assert answer.json()["detail"] == detail


async def test_the_last_piece_can_be_had(inventory: httpx.AsyncClient) -> None:
    assert (await inventory.get("/inventory/prod-expensive?quantity=5")).status_code == 200


@pytest.mark.parametrize("quantity", ["", "0", "-1", "+1", "1.0", "1_0", "two", "٣", "1000000000000", "%FF"])
async def test_a_quantity_that_is_not_a_count_is_refused(inventory: httpx.AsyncClient, quantity: str) -> None:
    answer = await inventory.get(f"/inventory/prod-456?quantity={quantity}")

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith("quantity: Input should be")
