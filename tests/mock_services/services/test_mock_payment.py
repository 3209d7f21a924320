import httpx
import pytest

from tests.mock_services.in_process_client import create_client, fetch_state, write


async def test_seeded_payment_method_is_valid() -> None:
    answer = await create_client("payment").get("/payments/pm-789")

    assert answer.status_code == 200
    assert answer.json() == {"payment_id": "pm-789", "is_valid": True}


@pytest.mark.parametrize(
    ("payment_id", "status", "detail"),
    [
        ("pm-expired", 422, "Payment method expired"),
        ("pm-none", 404, "Payment method not found: pm-none"),
    ],
)
async def test_unusable_payment_method_is_rejected(payment_id: str, status: int, detail: str) -> None:
    answer = await create_client("payment").get(f"/payments/{payment_id}")

    assert answer.status_code == status
    assert answer.json()["detail"] == detail


TRANSFER = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
    "reference": "rent",
}


@pytest.fixture
def payments() -> httpx.AsyncClient:
    return create_client("payment")


async def test_transfer_is_executed(payments: httpx.AsyncClient) -> None:
    answer = await write(payments, "/transfers", "key-1", TRANSFER)
    execution = answer.json()

    assert answer.status_code == 201
    assert execution == {"transfer_id": execution["transfer_id"], "status": "executed"}
    assert execution["transfer_id"].startswith("trf-")
    assert await fetch_state(payments) == {"transfers": [{"key": "key-1", **execution, **TRANSFER}]}


async def test_undone_transfer_is_kept_as_reversed(payments: httpx.AsyncClient) -> None:
    execution = (await write(payments, "/transfers", "key-1", TRANSFER)).json()

    answer = await payments.delete("/transfers/key-1")

    assert answer.status_code == 204
    assert await fetch_state(payments) == {
        "transfers": [{"key": "key-1", **execution, **TRANSFER, "status": "reversed"}]
    }


async def test_transfer_reference_is_optional(payments: httpx.AsyncClient) -> None:
    without = {name: value for name, value in TRANSFER.items() if name != "reference"}

    first = await write(payments, "/transfers", "key-1", without)
    second = await write(payments, "/transfers", "key-1", {**without, "reference": None, "amount": "25"})

    assert first.status_code == 201
    assert second.content == first.content


@pytest.mark.parametrize("service", ["payment", "account"])
@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("amount", "0"),
        ("amount", "0.00"),
        ("amount", "-1.00"),
        ("amount", 25),
        ("amount", "25.001"),
        ("currency", "usd"),
        ("currency", "USD\n"),
        ("currency", "DOLLAR"),
        ("reference", "x" * 141),
        ("from_account", "acc 1"),
        ("to_account", None),
        ("to_account", "acc-001"),
        ("colour", "red"),
    ],
)
async def test_invalid_transfer_is_rejected(service: str, field: str, value: object) -> None:
    path = "/transfers" if service == "payment" else "/postings"

    answer = await write(create_client(service), path, "key-1", {**TRANSFER, field: value})

    assert answer.status_code == 422
    assert answer.json()["detail"].startswith(f"{field}: ")
