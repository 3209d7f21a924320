import httpx
import pytest

from tests.mock_services.in_process_client import create_client

PURCHASE = {"user_id": "user-123", "product_id": "prod-456", "stock_level": 100}
TRANSFER = {"account_id": "acc-001", "risk_level": "Low", "amount": "25.00", "recent_transactions": 3}
COMPLIANCE = {"from_account": "acc-001", "to_account": "acc-002", "amount": "25.00"}

SAFE = {"is_safe": True, "risk_level": "Low"}


@pytest.fixture
def fraud() -> httpx.AsyncClient:
    return create_client("fraud")


async def send_purchase(fraud: httpx.AsyncClient, path: str, **changes: object) -> httpx.Response:
    payment = {"payment_id": "pm-789"} if path == "/assessments" else {}
    return await fraud.post(path, json={**PURCHASE, **payment, **changes})


both_checks = pytest.mark.parametrize("path", ["/assessments", "/screenings"])


@both_checks
async def test_ordinary_purchase_is_safe(fraud: httpx.AsyncClient, path: str) -> None:
    answer = await send_purchase(fraud, path)

    assert answer.status_code == 200
    assert answer.json() == SAFE


@both_checks
async def test_high_risk_user_is_suspicious(fraud: httpx.AsyncClient, path: str) -> None:
    answer = await send_purchase(
        fraud, path, user_id="user-high-risk", product_id="prod-expensive", stock_level=1
    )

    assert answer.status_code == 403
    assert answer.json()["detail"] == "Suspicious transaction detected: high-risk user"


@both_checks
async def test_expensive_item_with_low_stock_is_suspicious(fraud: httpx.AsyncClient, path: str) -> None:
    few = await send_purchase(fraud, path, product_id="prod-expensive", stock_level=9)
    enough = await send_purchase(fraud, path, product_id="prod-expensive", stock_level=10)

    assert few.status_code == 403
    assert few.json()["detail"] == "Suspicious transaction: expensive item with low stock"
    assert enough.status_code == 200


async def test_only_assessment_takes_payment_id(fraud: httpx.AsyncClient) -> None:
    assert (await fraud.post("/assessments", json=PURCHASE)).status_code == 422
    assert (await fraud.post("/screenings", json={**PURCHASE, "payment_id": "pm-789"})).status_code == 422


@pytest.mark.parametrize(
    ("account", "risk_level"), [("acc-001", "Low"), ("acc-high-risk", "High"), ("acc-none", "Low")]
)
async def test_risk_profile_has_level_of_account(
    fraud: httpx.AsyncClient, account: str, risk_level: str
) -> None:
    answer = await fraud.get(f"/risk-profiles/{account}")

    assert answer.json() == {"account_id": account, "risk_level": risk_level}


@pytest.mark.parametrize("amount", ["0.01", "10000.00"])
async def test_transfer_up_to_limit_is_safe(fraud: httpx.AsyncClient, amount: str) -> None:
    answer = await fraud.post("/transfer-checks", json={**TRANSFER, "amount": amount})

    assert answer.status_code == 200
    assert answer.json() == SAFE


@pytest.mark.parametrize(
    ("changes", "detail"),
    [
        ({"risk_level": "High"}, "Suspicious transfer: high-risk account"),
        ({"amount": "10000.01"}, "Suspicious transfer: amount over limit"),
        ({"risk_level": "High", "amount": "10000.01"}, "Suspicious transfer: high-risk account"),
    ],
)
async def test_high_risk_or_large_transfer_is_suspicious(
    fraud: httpx.AsyncClient, changes: dict[str, str], detail: str
) -> None:
    answer = await fraud.post("/transfer-checks", json={**TRANSFER, **changes})

    assert answer.status_code == 403
    assert answer.json()["detail"] == detail


async def test_sanctioned_destination_fails_compliance(fraud: httpx.AsyncClient) -> None:
    usual = await fraud.post("/compliance-checks", json=COMPLIANCE)
    sanctioned = await fraud.post("/compliance-checks", json={**COMPLIANCE, "to_account": "acc-sanctioned"})

    assert usual.json() == {"is_compliant": True}
    assert sanctioned.status_code == 403
    assert sanctioned.json()["detail"] == "Compliance: destination account is sanctioned"


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"stock_level": "100"}, "stock_level"),
        ({"stock_level": 100.0}, "stock_level"),
        ({"stock_level": True}, "stock_level"),
        ({"stock_level": -1}, "stock_level"),
        ({"stock_level": None}, "stock_level"),
        ({"user_id": "../etc"}, "user_id"),
        ({"user_id": "u" * 65}, "user_id"),
        ({"user_id": "user-123\n"}, "user_id"),
        ({"user_id": 123}, "user_id"),
        ({"colour": "red"}, "colour"),
    ],
)
async def test_invalid_field_is_named_in_detail(
    fraud: httpx.AsyncClient, changes: dict[str, object], field: str
) -> None:
    answer = await send_purchase(fraud, "/screenings", **changes)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 422
    assert answer.json()["detail"].startswith(f"{field}: ")


async def test_detail_names_every_invalid_field(fraud: httpx.AsyncClient) -> None:
    answer = await send_purchase(fraud, "/screenings", user_id="", stock_level="1")

    assert [part.split(":")[0] for part in answer.json()["detail"].split("; ")] == ["user_id", "stock_level"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"user_id": "\\ud800"}'])
async def test_non_json_body_returns_400(fraud: httpx.AsyncClient, body: bytes) -> None:
    answer = await fraud.post("/screenings", content=body)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Invalid JSON")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"'])
async def test_non_object_body_is_rejected(fraud: httpx.AsyncClient, body: bytes) -> None:
    assert (await fraud.post("/screenings", content=body)).status_code == 422


async def test_duplicate_json_key_takes_last_value(fraud: httpx.AsyncClient) -> None:
    body = b'{"user_id": "user-high-risk", "product_id": "prod-456", "stock_level": 1, "user_id": "user-123"}'

    assert (await fraud.post("/screenings", content=body)).status_code == 200
