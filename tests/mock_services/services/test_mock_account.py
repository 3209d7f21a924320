import httpx
import pytest

from mock_services.services.account import MAX_TRANSACTIONS
from tests.mock_services.in_process_client import create_client, fetch_state, write

RENT = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
    "reference": "rent",
}
SEEDS = {
    "acc-001": "1000.00",
    "acc-002": "250.00",
    "acc-empty": "0.00",
    "acc-high-risk": "5000.00",
    "acc-sanctioned": "0.00",
    "acc-frozen": "100.00",
}


@pytest.fixture
def accounts() -> httpx.AsyncClient:
    return create_client("account")


async def post(accounts: httpx.AsyncClient, key: str, **changes: object) -> httpx.Response:
    return await write(accounts, "/postings", key, {**RENT, **changes})


async def fetch_history(accounts: httpx.AsyncClient, account_id: str) -> list[tuple[str, str]]:
    transactions = (await accounts.get(f"/accounts/{account_id}/transactions")).json()
    return [(item["direction"], item["amount"]) for item in transactions]


@pytest.mark.parametrize(
    ("account_id", "owner", "balance", "status"),
    [
        ("acc-001", "user-123", "1000.00", "active"),
        ("acc-002", "user-456", "250.00", "active"),
        ("acc-empty", "user-789", "0.00", "active"),
        ("acc-high-risk", "user-high-risk", "5000.00", "active"),
        ("acc-sanctioned", "user-high-risk", "0.00", "active"),
        ("acc-frozen", "user-123", "100.00", "frozen"),
    ],
)
async def test_fetch_returns_seeded_account(
    accounts: httpx.AsyncClient, account_id: str, owner: str, balance: str, status: str
) -> None:
    answer = await accounts.get(f"/accounts/{account_id}")

    assert answer.status_code == 200
    assert answer.json() == {
        "account_id": account_id,
        "owner": owner,
        "balance": balance,
        "currency": "USD",
        "status": status,
    }


async def test_unknown_account_is_404_and_has_no_history(
    accounts: httpx.AsyncClient,
) -> None:
    answer = await accounts.get("/accounts/acc-none")

    assert answer.status_code == 404
    assert answer.json()["detail"] == "Account not found: acc-none"
    assert await fetch_history(accounts, "acc-none") == []


async def test_posting_moves_money_between_accounts(
    accounts: httpx.AsyncClient,
) -> None:
    answer = await post(accounts, "key-1")
    receipt = answer.json()

    assert answer.status_code == 201
    assert receipt == {
        "posting_id": receipt["posting_id"],
        "from_account": {"account_id": "acc-001", "balance": "975.00"},
        "to_account": {"account_id": "acc-002", "balance": "275.00"},
    }
    assert await fetch_state(accounts) == {
        "balances": {**SEEDS, "acc-001": "975.00", "acc-002": "275.00"},
        "postings": [{"key": "key-1", "posting_id": receipt["posting_id"], "status": "posted", **RENT}],
    }


async def test_undone_posting_is_reversed(accounts: httpx.AsyncClient) -> None:
    posting_id = (await post(accounts, "key-1")).json()["posting_id"]

    answer = await accounts.delete("/postings/key-1")

    assert answer.status_code == 204
    assert await fetch_state(accounts) == {
        "balances": SEEDS,
        "postings": [{"key": "key-1", "posting_id": posting_id, "status": "reversed", **RENT}],
    }


async def test_transactions_include_reversals(accounts: httpx.AsyncClient) -> None:
    posting_id = (await post(accounts, "key-1")).json()["posting_id"]
    await post(accounts, "key-2", amount="7")
    await accounts.delete("/postings/key-1")
    first, *_ = (await accounts.get("/accounts/acc-002/transactions")).json()

    assert first == {"transfer_id": posting_id, "amount": "25.00", "direction": "credit"}
    assert await fetch_history(accounts, "acc-001") == [
        ("debit", "25.00"),
        ("debit", "7.00"),
        ("credit", "25.00"),
    ]
    assert await fetch_history(accounts, "acc-002") == [
        ("credit", "25.00"),
        ("credit", "7.00"),
        ("debit", "25.00"),
    ]
    assert await fetch_history(accounts, "acc-empty") == []


async def test_transactions_are_limited_to_latest(accounts: httpx.AsyncClient) -> None:
    await post(accounts, "key-0", amount="9.00")

    for number in range(1, MAX_TRANSACTIONS + 1):
        await post(accounts, f"key-{number}", amount="0.01")

    assert await fetch_history(accounts, "acc-001") == [("debit", "0.01")] * MAX_TRANSACTIONS


async def test_posting_can_empty_account(accounts: httpx.AsyncClient) -> None:
    answer = await post(accounts, "key-1", amount="1000.00")

    assert answer.status_code == 201
    assert answer.json()["from_account"]["balance"] == "0.00"


async def test_undo_can_overdraw_account(
    accounts: httpx.AsyncClient,
) -> None:
    """An undo does not fail if the money has been spent in the meantime."""
    await post(accounts, "key-1", to_account="acc-empty", amount="25.00")
    await post(accounts, "key-2", from_account="acc-empty", amount="20.00")

    undone = await accounts.delete("/postings/key-1")
    refused = await post(accounts, "key-3", from_account="acc-empty", amount="0.01")

    assert undone.status_code == 204
    assert (await accounts.get("/accounts/acc-empty")).json()["balance"] == "-20.00"
    assert refused.json()["detail"] == "Insufficient funds"


@pytest.mark.parametrize(
    ("changes", "status", "detail"),
    [
        ({"amount": "1000.01"}, 409, "Insufficient funds"),
        ({"from_account": "acc-empty", "amount": "0.01"}, 409, "Insufficient funds"),
        ({"from_account": "acc-none"}, 404, "Account not found: acc-none"),
        ({"to_account": "acc-none"}, 404, "Account not found: acc-none"),
        ({"from_account": "acc-frozen"}, 409, "Account is frozen"),
        ({"to_account": "acc-frozen"}, 409, "Account is frozen"),
        ({"currency": "EUR"}, 409, "Account is not in EUR"),
        ({"from_account": "acc-none", "to_account": "acc-frozen"}, 404, "Account not found: acc-none"),
        ({"from_account": "acc-frozen", "currency": "EUR"}, 409, "Account is frozen"),
        ({"amount": "1000.01", "currency": "EUR"}, 409, "Account is not in EUR"),
    ],
)
async def test_rejected_posting_changes_nothing(
    accounts: httpx.AsyncClient, changes: dict[str, str], status: int, detail: str
) -> None:
    answer = await post(accounts, "key-1", **changes)

    assert answer.status_code == status
    assert answer.json()["detail"] == detail
    assert await fetch_state(accounts) == {"balances": SEEDS, "postings": []}
    assert await fetch_history(accounts, "acc-001") == []
