import httpx
import pytest

from tests.mock_services.in_process_client import create_client


@pytest.fixture
def pricing() -> httpx.AsyncClient:
    return create_client("pricing")


@pytest.mark.parametrize(
    ("subtotal", "amount"),
    [("49.99", "4.12"), ("0", "0.00"), ("100", "8.25"), ("2", "0.17"), ("9999999.99", "825000.00")],
)
async def test_tax_is_rounded_half_up_to_cents(
    pricing: httpx.AsyncClient, subtotal: str, amount: str
) -> None:
    answer = await pricing.post("/tax", json={"subtotal": subtotal})

    assert answer.status_code == 200
    assert answer.json() == {"rate": "0.0825", "amount": amount}


@pytest.mark.parametrize("subtotal", [49.99, 49, "49.999", "-1.00", "1e3", "", None])
async def test_invalid_subtotal_is_rejected(pricing: httpx.AsyncClient, subtotal: object) -> None:
    for path in ("/tax", "/discounts"):
        answer = await pricing.post(path, json={"subtotal": subtotal})

        assert answer.status_code == 422
        assert answer.json()["detail"].startswith("subtotal: Input should be an amount of money")


@pytest.mark.parametrize("request_without_code", [{"subtotal": "49.99"}, {"subtotal": "49.99", "code": None}])
async def test_discount_without_code_is_zero(
    pricing: httpx.AsyncClient, request_without_code: dict[str, str | None]
) -> None:
    answer = await pricing.post("/discounts", json=request_without_code)

    assert answer.json() == {"code": None, "amount": "0.00"}


@pytest.mark.parametrize(("subtotal", "amount"), [("49.99", "5.00"), ("0.05", "0.01"), ("0.04", "0.00")])
async def test_save10_discount_is_rounded_half_up(
    pricing: httpx.AsyncClient, subtotal: str, amount: str
) -> None:
    answer = await pricing.post("/discounts", json={"code": "SAVE10", "subtotal": subtotal})

    assert answer.json() == {"code": "SAVE10", "amount": amount}


@pytest.mark.parametrize(
    ("code", "status", "detail"),
    [
        ("EXPIRED", 409, "Discount code expired"),
        ("NOPE", 404, "Discount code not found: NOPE"),
        ("save10", 404, "Discount code not found: save10"),
        ("", 404, "Discount code not found: "),
        ("x" * 65, 422, "code: String should have at most 64 characters"),
    ],
)
async def test_unusable_discount_code_is_rejected(
    pricing: httpx.AsyncClient, code: str, status: int, detail: str
) -> None:
    answer = await pricing.post("/discounts", json={"code": code, "subtotal": "49.99"})

    assert answer.status_code == status
    assert answer.json()["detail"] == detail
