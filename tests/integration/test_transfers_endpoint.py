"""POST /transfers of the sample gateway, with in-process mock services."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest

from tests.integration.in_process import InProcessServices, Json, run_gateway

TRANSFER: Final[Mapping[str, Json]] = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
    "reference": "rent",
}
KEY: Final = {"Idempotency-Key": "rent-1"}
BEFORE: Final = {
    "acc-001": "1000.00",
    "acc-002": "250.00",
    "acc-empty": "0.00",
    "acc-high-risk": "5000.00",
    "acc-sanctioned": "0.00",
    "acc-frozen": "100.00",
}
AFTER: Final = {**BEFORE, "acc-001": "975.00", "acc-002": "275.00"}


@pytest.fixture
def services() -> InProcessServices:
    return InProcessServices()


@pytest.fixture
async def client(services: InProcessServices) -> AsyncIterator[httpx.AsyncClient]:
    async with run_gateway(services, commit_budget_ms=3000) as client:
        yield client


async def fetch_balances(services: InProcessServices) -> Mapping[str, str]:
    return {**(await services.fetch_state("account"))["balances"]}


async def fetch_write_statuses(services: InProcessServices) -> Sequence[Any]:
    """Return the status of every transfer, then of every posting."""
    transfers = (await services.fetch_state("payment"))["transfers"]
    postings = (await services.fetch_state("account"))["postings"]
    return [write["status"] for write in (*transfers, *postings)]


async def test_transfer_response_has_new_balances(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    response = await client.post("/transfers", json=TRANSFER)

    (transfer,) = (await services.fetch_state("payment"))["transfers"]
    assert response.status_code == 201
    assert response.json() == {
        "transfer_id": transfer["transfer_id"],
        "status": "completed",
        "from_account": {"account_id": "acc-001", "balance": "975.00"},
        "to_account": {"account_id": "acc-002", "balance": "275.00"},
        "amount": "25.00",
        "currency": "USD",
        "fraud_check": {"is_safe": True, "risk_level": "Low"},
        "compliance_check": {"is_compliant": True},
    }


async def test_transfer_takes_time_of_critical_path(
    client: httpx.AsyncClient,
) -> None:
    """`Server-Timing` lists every call."""
    response = await client.post("/transfers", json=TRANSFER)

    calls = [entry.partition(";")[0] for entry in response.headers["server-timing"].split(", ")]
    assert calls == [
        "accounts.fetch",
        "accounts.history",
        "fraud.risk_profile",
        "fraud.check_transfer",
        "fraud.check_compliance",
        "payments.execute_transfer",
        "accounts.post",
        "gateway",
    ]
    assert response.headers["gateway-completed"] == "true"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.04 + 0.04 + 0.04)


async def test_transfer_moves_money_once(services: InProcessServices, client: httpx.AsyncClient) -> None:
    response = await client.post("/transfers", json=TRANSFER)

    execution_id = response.headers["location"].removeprefix("/executions/")
    (transfer,) = (await services.fetch_state("payment"))["transfers"]
    (posting,) = (await services.fetch_state("account"))["postings"]
    assert await fetch_balances(services) == AFTER
    assert (transfer["status"], posting["status"]) == ("executed", "posted")
    assert transfer["key"] == f"{execution_id}.settlement.0.payments.execute_transfer"
    assert posting["key"] == f"{execution_id}.settlement.1.accounts.post"
    assert {**transfer, **TRANSFER} == transfer
    assert {**posting, **TRANSFER} == posting


async def test_transfer_execution_can_be_fetched(client: httpx.AsyncClient) -> None:
    response = await client.post("/transfers", json=TRANSFER)
    execution = (await client.get(response.headers["location"])).json()

    assert (execution["pipeline"], execution["state"]) == ("transfers", "committed")
    assert execution["writes"] == [
        {"name": "payments.execute_transfer", "outcome": "done"},
        {"name": "accounts.post", "outcome": "done"},
    ]


@pytest.mark.parametrize("repeated", [TRANSFER, {**TRANSFER, "amount": "25"}, {**TRANSFER, "amount": "25.0"}])
async def test_repeated_transfer_gets_first_response(
    services: InProcessServices, client: httpx.AsyncClient, repeated: Mapping[str, Json]
) -> None:
    first = await client.post("/transfers", json=TRANSFER, headers=KEY)
    second = await client.post("/transfers", json=repeated, headers=KEY)

    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    assert await fetch_balances(services) == AFTER


@pytest.mark.parametrize(
    ("change", "refusal"),
    [
        ({"from_account": "acc-999"}, (404, "accounts.fetch", "Account not found: acc-999")),
        ({"from_account": "acc-frozen", "currency": "EUR"}, (409, "accounts.fetch", "Account is frozen")),
        ({"currency": "EUR", "amount": "5000"}, (409, "accounts.fetch", "Account is not in EUR")),
        ({"amount": "1000.01"}, (409, "accounts.fetch", "Insufficient funds")),
        ({"from_account": "acc-empty"}, (409, "accounts.fetch", "Insufficient funds")),
        (
            {"from_account": "acc-high-risk"},
            (403, "fraud.check_transfer", "Suspicious transfer: high-risk account"),
        ),
        (
            {"to_account": "acc-sanctioned"},
            (403, "fraud.check_compliance", "Compliance: destination account is sanctioned"),
        ),
    ],
)
async def test_refused_transfer_moves_no_money(
    services: InProcessServices,
    client: httpx.AsyncClient,
    change: Mapping[str, Json],
    refusal: tuple[int, str, str],
) -> None:
    response = await client.post("/transfers", json={**TRANSFER, **change})

    problem = response.json()
    assert (response.status_code, problem["source"], problem["detail"]) == refusal
    assert "execution_id" not in problem
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (BEFORE, [])


@pytest.mark.parametrize(
    "change", [{"from_account": "acc-frozen"}, {"currency": "EUR"}, {"amount": "1000.01"}]
)
async def test_refused_account_skips_fraud_checks(
    services: InProcessServices, client: httpx.AsyncClient, change: Mapping[str, Json]
) -> None:
    await client.post("/transfers", json={**TRANSFER, **change})

    assert await services.fetch_calls("fraud") == ["GET /risk-profiles/{account}"]


async def test_transfer_over_fraud_limit_is_403(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    account: Json = {
        "account_id": "acc-001",
        "owner": "user-123",
        "balance": "20000.00",
        "currency": "USD",
        "status": "active",
    }
    services.set_response("account", "/accounts/acc-001", account)
    responses = [
        await client.post("/transfers", json={**TRANSFER, "amount": amount})
        for amount in ("10000.01", "10000")
    ]

    assert [(response.status_code, response.json()["detail"]) for response in responses] == [
        (403, "Suspicious transfer: amount over limit"),
        (409, "Insufficient funds"),
    ]


async def test_transfer_reports_both_failed_checks(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    change = {"from_account": "acc-high-risk", "to_account": "acc-sanctioned"}
    response = await client.post("/transfers", json={**TRANSFER, **change})

    parts = [(part["status"], part["source"]) for part in response.json()["errors"]]
    assert (response.status_code, parts) == (
        207,
        [(403, "fraud.check_transfer"), (403, "fraud.check_compliance")],
    )
    assert await fetch_balances(services) == BEFORE


@pytest.mark.parametrize(
    ("path", "body", "source"),
    [
        ("/transfer-checks", {"is_safe": False, "risk_level": "High"}, "fraud.check_transfer"),
        ("/compliance-checks", {"is_compliant": False}, "fraud.check_compliance"),
    ],
)
async def test_negative_check_with_200_refuses_transfer(
    services: InProcessServices, client: httpx.AsyncClient, path: str, body: Json, source: str
) -> None:
    services.set_response("fraud", path, body)
    response = await client.post("/transfers", json=TRANSFER)

    assert (response.status_code, response.json()["source"]) == (403, source)
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (BEFORE, [])


@pytest.mark.parametrize(
    ("destination", "status", "detail"),
    [("acc-999", 404, "Account not found: acc-999"), ("acc-frozen", 409, "Account is frozen")],
)
async def test_refused_posting_reverses_transfer(
    services: InProcessServices, client: httpx.AsyncClient, destination: str, status: int, detail: str
) -> None:
    response = await client.post("/transfers", json={**TRANSFER, "to_account": destination})

    problem = response.json()
    execution = (await client.get(f"/executions/{problem['execution_id']}")).json()
    assert (response.status_code, problem["source"], problem["detail"]) == (status, "accounts.post", detail)
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (BEFORE, ["reversed"])
    assert execution["state"] == "undone"
    assert [write["outcome"] for write in execution["writes"]] == ["undone", "refused"]


async def test_repeated_request_gets_failure_of_commit(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    transfer = {**TRANSFER, "to_account": "acc-999"}
    first = await client.post("/transfers", json=transfer, headers=KEY)
    replayed = await client.post("/transfers", json=transfer, headers=KEY)

    assert (replayed.status_code, replayed.content) == (404, first.content)
    assert replayed.headers["content-type"] == "application/problem+json"
    assert replayed.headers["idempotent-replayed"] == "true"
    assert await fetch_write_statuses(services) == ["reversed"]


async def test_failure_before_commit_frees_idempotency_key(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("fraud", ("/", "status"), times=3)
    failed = await client.post("/transfers", json=TRANSFER, headers=KEY)
    response = await client.post("/transfers", json=TRANSFER, headers=KEY)

    assert (failed.status_code, response.status_code) == (503, 201)
    assert "idempotent-replayed" not in response.headers
    assert await fetch_balances(services) == AFTER


@pytest.mark.parametrize(("service", "path"), [("payment", "/transfers"), ("account", "/postings")])
async def test_write_with_lost_response_is_retried(
    services: InProcessServices, client: httpx.AsyncClient, service: str, path: str
) -> None:
    await services.set_faults(service, (path, "drop_after_write"), times=1)
    response = await client.post("/transfers", json=TRANSFER)

    assert response.status_code == 201
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (
        AFTER,
        ["executed", "posted"],
    )


@pytest.mark.parametrize("kind", ["drop_after_write", "truncate"])
@pytest.mark.parametrize(
    "unconfirmed",
    [("payment", "/transfers", ["reversed"]), ("account", "/postings", ["reversed", "reversed"])],
)
async def test_write_with_unknown_outcome_is_undone(
    services: InProcessServices,
    client: httpx.AsyncClient,
    unconfirmed: tuple[str, str, Sequence[str]],
    kind: str,
) -> None:
    service, path, remaining = unconfirmed
    await services.set_faults(service, (path, kind), method="POST")
    response = await client.post("/transfers", json=TRANSFER)

    assert response.status_code == 503
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (BEFORE, remaining)


@pytest.mark.parametrize(
    ("kind", "status"), [("hang", 504), ("status", 503), ("garbage", 502), ("drop", 503)]
)
async def test_failed_posting_reverses_transfer(
    services: InProcessServices, client: httpx.AsyncClient, kind: str, status: int
) -> None:
    await services.set_faults("account", ("/postings", kind), method="POST")
    response = await client.post("/transfers", json=TRANSFER)

    assert (response.status_code, response.json()["source"]) == (status, "accounts.post")
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (BEFORE, ["reversed"])


@pytest.mark.parametrize("kind", ["drop_after_write", "drop", "status", "garbage"])
async def test_failed_undo_is_retried(
    services: InProcessServices, client: httpx.AsyncClient, kind: str
) -> None:
    await services.set_faults("payment", ("/transfers", kind), method="DELETE", times=1)
    response = await client.post("/transfers", json={**TRANSFER, "to_account": "acc-999"})

    assert response.status_code == 404
    assert await fetch_write_statuses(services) == ["reversed"]


async def test_operator_retry_undoes_stuck_transfer(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("payment", ("/transfers", "status"), method="DELETE")
    transfer = {**TRANSFER, "to_account": "acc-999"}
    headers = {**KEY, "X-Request-Timeout-Ms": "1000"}
    running = await client.post("/transfers", json=transfer, headers=headers)
    while (stuck := await client.post("/transfers", json=transfer, headers=KEY)).status_code == 202:
        pass
    await services.set_faults("payment")
    retried = await client.post(f"{running.headers['location']}/retry")

    assert (stuck.status_code, stuck.json()["code"]) == (500, "stuck")
    assert (retried.status_code, retried.json()["state"]) == (200, "undone")
    assert await fetch_write_statuses(services) == ["reversed"]


async def test_slow_transfer_is_202_and_can_be_resent(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("account", ("/postings", "drop_after_write"), times=4)
    running = await client.post("/transfers", json=TRANSFER, headers={**KEY, "X-Request-Timeout-Ms": "700"})
    state = (await client.get(running.headers["location"])).json()["state"]
    response = await client.post("/transfers", json=TRANSFER, headers=KEY)

    assert (running.status_code, running.json()["state"], state) == (202, "running", "running")
    assert running.headers["retry-after"] == "1"
    assert (response.status_code, response.headers["location"]) == (201, running.headers["location"])
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (
        AFTER,
        ["executed", "posted"],
    )


async def test_short_client_timeout_prevents_commit(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    response = await client.post("/transfers", json=TRANSFER, headers={**KEY, "X-Request-Timeout-Ms": "550"})

    assert (response.status_code, "execution_id" in response.json()) == (503, False)
    assert (await fetch_balances(services), await fetch_write_statuses(services)) == (BEFORE, [])


async def test_concurrent_transfers_cannot_overdraw(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    transfer = {**TRANSFER, "amount": "100.00"}
    responses = await asyncio.gather(*(client.post("/transfers", json=transfer) for _ in range(15)))

    after = await fetch_balances(services)
    assert Counter(response.status_code for response in responses) == {201: 10, 409: 5}
    assert (after["acc-001"], after["acc-002"]) == ("0.00", "1250.00")
    assert Counter(await fetch_write_statuses(services)) == {"executed": 10, "posted": 10, "reversed": 5}


async def test_lost_responses_preserve_total_balance(
    services: InProcessServices, client: httpx.AsyncClient
) -> None:
    await services.set_faults("account", ("/postings", "drop_after_write"), method="POST", times=7)
    await asyncio.gather(*(client.post("/transfers", json=TRANSFER) for _ in range(20)))

    after = await fetch_balances(services)
    assert sum(map(Decimal, after.values())) == sum(map(Decimal, BEFORE.values()))


@pytest.mark.parametrize(
    ("amount", "formatted"), [("25.5", "25.50"), ("25", "25.00"), ("0.01", "0.01"), ("1000.00", "1000.00")]
)
async def test_transfer_amount_has_two_decimals(
    client: httpx.AsyncClient, amount: str, formatted: str
) -> None:
    response = await client.post("/transfers", json={**TRANSFER, "amount": amount})

    assert (response.status_code, response.json()["amount"]) == (201, formatted)


AMOUNT: Final = 'must be an amount of money such as "12.99": at most seven digits and two decimals'
LIMITS: Final = "must be more than 0 and at most 1000000.00"
ID: Final = (
    "must be an id: at most 64 letters, digits, hyphens and underscores, the first a letter or a digit"
)
CURRENCY: Final = "must be a currency: three capital letters such as USD"


@pytest.mark.parametrize(
    ("change", "field", "message"),
    [
        *[({"amount": amount}, "amount", LIMITS) for amount in ("0", "0.00", "1000000.01", "9999999.99")],
        *[({"amount": amount}, "amount", AMOUNT) for amount in ("0.001", "01", "-1", "+1", "1e3", "", " 1")],
        *[({"amount": amount}, "amount", "must be a string") for amount in (25, True, None)],
        *[({"currency": currency}, "currency", CURRENCY) for currency in ("usd", "US", "USDT", "USD\n")],
        ({"to_account": "acc-001"}, "to_account", "must differ from from_account"),
        ({"to_account": ""}, "to_account", ID),
        ({"from_account": "../acc-001"}, "from_account", ID),
        ({"reference": "x" * 141}, "reference", "must have at most 140 characters"),
        ({"memo": "x"}, "memo", "is not a known field"),
    ],
)
async def test_invalid_transfer_field_is_named(
    services: InProcessServices,
    client: httpx.AsyncClient,
    change: Mapping[str, Json],
    field: str,
    message: str,
) -> None:
    response = await client.post("/transfers", json={**TRANSFER, **change})

    assert response.status_code == 422
    assert response.json()["violations"] == [{"field": field, "messages": [message]}]
    assert await services.fetch_calls("account") == []


@pytest.mark.parametrize("change", [{"reference": "x" * 140}, {"reference": None}])
async def test_transfer_reference_may_be_long_or_null(
    services: InProcessServices, client: httpx.AsyncClient, change: Mapping[str, Json]
) -> None:
    response = await client.post("/transfers", json={**TRANSFER, **change})

    (posting,) = (await services.fetch_state("account"))["postings"]
    assert (response.status_code, posting["reference"]) == (201, change["reference"])


async def test_openapi_lists_transfer_responses(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/transfers"]["post"]["responses"]

    assert sorted(responses) == [
        "201", "202", "207", "400", "403", "404", "408",
        "409", "413", "415", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    example = responses["201"]["content"]["application/json"]["example"]
    assert list(example) == document["components"]["schemas"]["TransferResult"]["required"]
