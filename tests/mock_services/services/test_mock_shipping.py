import httpx
import pytest

from tests.mock_services.in_process_client import create_client


@pytest.fixture
def shipping() -> httpx.AsyncClient:
    return create_client("shipping")


@pytest.mark.parametrize(("stock_level", "rate"), [(0, "9.99"), (50, "9.99"), (51, "12.99"), (100, "12.99")])
async def test_shipping_rate_depends_on_stock_level(
    shipping: httpx.AsyncClient, stock_level: int, rate: str
) -> None:
    answer = await shipping.post("/quotes", json={"address": "123 Main St", "stock_level": stock_level})

    assert answer.status_code == 200
    assert answer.json() == {"carrier": "USPS", "rate": rate}


@pytest.mark.parametrize("address", ["", " ", "\n\t", "\u2003"])
async def test_blank_address_is_rejected(shipping: httpx.AsyncClient, address: str) -> None:
    answer = await shipping.post("/quotes", json={"address": address, "stock_level": 1})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "Shipping address required"


async def test_missing_address_is_rejected(shipping: httpx.AsyncClient) -> None:
    answer = await shipping.post("/quotes", json={"stock_level": 1})

    assert answer.status_code == 422
    assert answer.json()["detail"] == "address: Field required"
