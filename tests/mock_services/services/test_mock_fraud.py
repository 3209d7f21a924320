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


async def judge(fraud: httpx.AsyncClient, path: str, **changes: object) -> httpx.Response:
    payment = {"payment_id": "pm-789"} if path == "/assessments" else {}
    return await fraud.post(path, json={**PURCHASE, **payment, **changes})


both = pytest.mark.parametrize("path", ["/assessments", "/screenings"])


@both
async def test_an_ordinary_purchase_is_safe(fraud: httpx.AsyncClient, path: str) -> None:
    answer = await judge(fraud, path)

    assert answer.status_code == 200
    assert answer.json() == SAFE


@both
async def test_a_high_risk_user_is_suspicious(fraud: httpx.AsyncClient, path: str) -> None:
    answer = await judge(fraud, path, user_id="user-high-risk", product_id="prod-expensive", stock_level=1)

    assert answer.status_code == 403
    assert answer.json()["detail"] == "Suspicious transaction detected: high-risk user"


@both
async def test_an_expensive_item_is_suspicious_when_few_are_left(fraud: httpx.AsyncClient, path: str) -> None:
    few = await judge(fraud, path, product_id="prod-expensive", stock_level=9)
    enough = await judge(fraud, path, product_id="prod-expensive", stock_level=10)

    assert few.status_code == 403
    assert few.json()["detail"] == "Suspicious transaction: expensive item with low stock"
    assert enough.status_code == 200


async def test_an_assessment_needs_a_payment_and_a_screening_has_none(fraud: httpx.AsyncClient) -> None:
    assert (await fraud.post("/assessments", json=PURCHASE)).status_code == 422
    assert (await fraud.post("/screenings", json={**PURCHASE, "payment_id": "pm-789"})).status_code == 422


@pytest.mark.parametrize(
    ("account", "risk_level"), [("acc-001", "Low"), ("acc-high-risk", "High"), ("acc-none", "Low")]
)
async def test_a_risk_profile_is_low_but_for_one_account(
    fraud: httpx.AsyncClient, account: str, risk_level: str
) -> None:
    answer = await fraud.get(f"/risk-profiles/{account}")

    assert answer.json() == {"account_id": account, "risk_level": risk_level}


@pytest.mark.parametrize("amount", ["0.01", "10000.00"])
async def test_a_transfer_up_to_the_limit_is_safe(fraud: httpx.AsyncClient, amount: str) -> None:
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
async def test_a_risky_transfer_is_suspicious(
    fraud: httpx.AsyncClient, changes: dict[str, str], detail: str
) -> None:
    answer = await fraud.post("/transfer-checks", json={**TRANSFER, **changes})

    assert answer.status_code == 403
    assert answer.json()["detail"] == detail


async def test_a_transfer_complies_unless_its_destination_is_sanctioned(fraud: httpx.AsyncClient) -> None:
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
async def test_a_field_of_the_wrong_kind_is_refused_by_name(
    fraud: httpx.AsyncClient, changes: dict[str, object], field: str
) -> None:
    answer = await judge(fraud, "/screenings", **changes)

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["status"] == 422
    assert answer.json()["detail"].startswith(f"{field}: ")


async def test_every_field_at_fault_is_named(fraud: httpx.AsyncClient) -> None:
    answer = await judge(fraud, "/screenings", user_id="", stock_level="1")

    assert [part.split(":")[0] for part in answer.json()["detail"].split("; ")] == ["user_id", "stock_level"]


@pytest.mark.parametrize("body", [b"", b"{", b"\xff", b'{"user_id": "\\ud800"}'])
async def test_a_body_that_is_not_json_is_malformed(fraud: httpx.AsyncClient, body: bytes) -> None:
    answer = await fraud.post("/screenings", content=body)

    assert answer.status_code == 400
    assert answer.json()["detail"].startswith("Invalid JSON")


@pytest.mark.parametrize("body", [b"[]", b"null", b'"text"'])
async def test_a_body_that_is_not_an_object_is_refused(fraud: httpx.AsyncClient, body: bytes) -> None:
    assert (await fraud.post("/screenings", content=body)).status_code == 422


async def test_of_a_repeated_key_the_last_one_counts(fraud: httpx.AsyncClient) -> None:
    body = b'{"user_id": "user-high-risk", "product_id": "prod-456", "stock_level": 1, "user_id": "user-123"}'

    assert (await fraud.post("/screenings", content=body)).status_code == 200
