"""POST /transfers as it is wired, in one process with the mock services."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

import httpx
import pytest

from tests.integration.in_process import InProcess, Json, gateway

RENT: Final[Mapping[str, Json]] = {
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
def services() -> InProcess:
    return InProcess()


@pytest.fixture
async def client(services: InProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with gateway(services, commit_budget_ms=3000) as client:
        yield client


async def balances(services: InProcess) -> Mapping[str, str]:
    return {**(await services.state_of("account"))["balances"]}


async def written(services: InProcess) -> Sequence[Any]:
    """Give the status of every transfer and of every posting that has ever been made."""
    transfers = (await services.state_of("payment"))["transfers"]
    postings = (await services.state_of("account"))["postings"]
    return [one["status"] for one in (*transfers, *postings)]


async def test_a_transfer_is_answered_with_what_both_accounts_hold_after_it(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/transfers", json=RENT)

    (transfer,) = (await services.state_of("payment"))["transfers"]
    assert answer.status_code == 201
    assert answer.json() == {
        "transfer_id": transfer["transfer_id"],
        "status": "completed",
        "from_account": {"account_id": "acc-001", "balance": "975.00"},
        "to_account": {"account_id": "acc-002", "balance": "275.00"},
        "amount": "25.00",
        "currency": "USD",
        "fraud_check": {"is_safe": True, "risk_level": "Low"},
        "compliance_check": {"is_compliant": True},
    }


async def test_a_transfer_takes_as_long_as_its_critical_path_and_shows_each_call(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/transfers", json=RENT)

    calls = [entry.partition(";")[0] for entry in answer.headers["server-timing"].split(", ")]
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
    assert answer.headers["gateway-completed"] == "true"
    assert asyncio.get_running_loop().time() == pytest.approx(0.05 + 0.04 + 0.04 + 0.04)


async def test_the_money_has_moved_once_in_both_books(services: InProcess, client: httpx.AsyncClient) -> None:
    answer = await client.post("/transfers", json=RENT)

    execution_id = answer.headers["location"].removeprefix("/executions/")
    (transfer,) = (await services.state_of("payment"))["transfers"]
    (posting,) = (await services.state_of("account"))["postings"]
    assert await balances(services) == AFTER
    assert (transfer["status"], posting["status"]) == ("executed", "posted")
    assert transfer["key"] == f"{execution_id}.settlement.0.payments.execute_transfer"
    assert posting["key"] == f"{execution_id}.settlement.1.accounts.post"
    assert {**transfer, **RENT} == transfer
    assert {**posting, **RENT} == posting


async def test_an_execution_can_be_looked_up(client: httpx.AsyncClient) -> None:
    answer = await client.post("/transfers", json=RENT)
    execution = (await client.get(answer.headers["location"])).json()

    assert (execution["pipeline"], execution["state"]) == ("transfers", "committed")
    assert execution["writes"] == [
        {"name": "payments.execute_transfer", "outcome": "done"},
        {"name": "accounts.post", "outcome": "done"},
    ]


@pytest.mark.parametrize("again", [RENT, {**RENT, "amount": "25"}, {**RENT, "amount": "25.0"}])
async def test_the_same_transfer_again_moves_no_more_money(
    services: InProcess, client: httpx.AsyncClient, again: Mapping[str, Json]
) -> None:
    first = await client.post("/transfers", json=RENT, headers=KEY)
    second = await client.post("/transfers", json=again, headers=KEY)

    assert (second.status_code, second.content) == (201, first.content)
    assert second.headers["location"] == first.headers["location"]
    assert second.headers["idempotent-replayed"] == "true"
    assert await balances(services) == AFTER


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
async def test_a_transfer_that_must_not_be_is_refused_and_no_money_moves(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json], refusal: tuple[int, str, str]
) -> None:
    answer = await client.post("/transfers", json={**RENT, **change})

    problem = answer.json()
    assert (answer.status_code, problem["source"], problem["detail"]) == refusal
    assert "execution_id" not in problem
    assert (await balances(services), await written(services)) == (BEFORE, [])


@pytest.mark.parametrize(
    "change", [{"from_account": "acc-frozen"}, {"currency": "EUR"}, {"amount": "1000.01"}]
)
async def test_what_the_account_itself_forbids_is_never_checked(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json]
) -> None:
    await client.post("/transfers", json={**RENT, **change})

    assert await services.calls_of("fraud") == ["GET /risk-profiles/{account}"]


async def test_a_transfer_over_the_limit_is_suspicious(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    rich: Json = {
        "account_id": "acc-001",
        "owner": "user-123",
        "balance": "20000.00",
        "currency": "USD",
        "status": "active",
    }
    services.answer("account", "/accounts/acc-001", rich)
    answers = [
        await client.post("/transfers", json={**RENT, "amount": amount}) for amount in ("10000.01", "10000")
    ]

    assert [(answer.status_code, answer.json()["detail"]) for answer in answers] == [
        (403, "Suspicious transfer: amount over limit"),
        (409, "Insufficient funds"),
    ]


async def test_both_checks_are_told_of(services: InProcess, client: httpx.AsyncClient) -> None:
    change = {"from_account": "acc-high-risk", "to_account": "acc-sanctioned"}
    answer = await client.post("/transfers", json={**RENT, **change})

    parts = [(part["status"], part["source"]) for part in answer.json()["errors"]]
    assert (answer.status_code, parts) == (
        207,
        [(403, "fraud.check_transfer"), (403, "fraud.check_compliance")],
    )
    assert await balances(services) == BEFORE


@pytest.mark.parametrize(
    ("path", "no", "source"),
    [
        ("/transfer-checks", {"is_safe": False, "risk_level": "High"}, "fraud.check_transfer"),
        ("/compliance-checks", {"is_compliant": False}, "fraud.check_compliance"),
    ],
)
async def test_a_check_that_says_no_in_a_success_keeps_the_money_where_it_is(
    services: InProcess, client: httpx.AsyncClient, path: str, no: Json, source: str
) -> None:
    services.answer("fraud", path, no)
    answer = await client.post("/transfers", json=RENT)

    assert (answer.status_code, answer.json()["source"]) == (403, source)
    assert (await balances(services), await written(services)) == (BEFORE, [])


@pytest.mark.parametrize(
    ("destination", "status", "detail"),
    [("acc-999", 404, "Account not found: acc-999"), ("acc-frozen", 409, "Account is frozen")],
)
async def test_a_transfer_to_an_account_that_cannot_be_paid_is_reversed(
    services: InProcess, client: httpx.AsyncClient, destination: str, status: int, detail: str
) -> None:
    answer = await client.post("/transfers", json={**RENT, "to_account": destination})

    problem = answer.json()
    execution = (await client.get(f"/executions/{problem['execution_id']}")).json()
    assert (answer.status_code, problem["source"], problem["detail"]) == (status, "accounts.post", detail)
    assert (await balances(services), await written(services)) == (BEFORE, ["reversed"])
    assert execution["state"] == "undone"
    assert [write["outcome"] for write in execution["writes"]] == ["undone", "refused"]


async def test_a_failure_after_the_commit_began_is_the_answer_for_good(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    transfer = {**RENT, "to_account": "acc-999"}
    first = await client.post("/transfers", json=transfer, headers=KEY)
    again = await client.post("/transfers", json=transfer, headers=KEY)

    assert (again.status_code, again.content) == (404, first.content)
    assert again.headers["content-type"] == "application/problem+json"
    assert again.headers["idempotent-replayed"] == "true"
    assert await written(services) == ["reversed"]


async def test_a_failure_before_it_began_frees_the_key(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("fraud", ("/", "status"), times=3)
    failed = await client.post("/transfers", json=RENT, headers=KEY)
    answer = await client.post("/transfers", json=RENT, headers=KEY)

    assert (failed.status_code, answer.status_code) == (503, 201)
    assert "idempotent-replayed" not in answer.headers
    assert await balances(services) == AFTER


@pytest.mark.parametrize(("service", "path"), [("payment", "/transfers"), ("account", "/postings")])
async def test_an_answer_that_is_lost_once_is_asked_for_again_and_nothing_moves_twice(
    services: InProcess, client: httpx.AsyncClient, service: str, path: str
) -> None:
    await services.break_down(service, (path, "drop_after_write"), times=1)
    answer = await client.post("/transfers", json=RENT)

    assert answer.status_code == 201
    assert (await balances(services), await written(services)) == (AFTER, ["executed", "posted"])


@pytest.mark.parametrize("kind", ["drop_after_write", "truncate"])
@pytest.mark.parametrize(
    "lost", [("payment", "/transfers", ["reversed"]), ("account", "/postings", ["reversed", "reversed"])]
)
async def test_a_write_whose_answer_is_always_lost_is_undone_and_nothing_is_left_standing(
    services: InProcess, client: httpx.AsyncClient, lost: tuple[str, str, Sequence[str]], kind: str
) -> None:
    service, path, left = lost
    await services.break_down(service, (path, kind), method="POST")
    answer = await client.post("/transfers", json=RENT)

    assert answer.status_code == 503
    assert (await balances(services), await written(services)) == (BEFORE, left)


@pytest.mark.parametrize(
    ("kind", "status"), [("hang", 504), ("status", 503), ("garbage", 502), ("drop", 503)]
)
async def test_a_transfer_that_cannot_be_posted_for_a_fault_is_reversed(
    services: InProcess, client: httpx.AsyncClient, kind: str, status: int
) -> None:
    await services.break_down("account", ("/postings", kind), method="POST")
    answer = await client.post("/transfers", json=RENT)

    assert (answer.status_code, answer.json()["source"]) == (status, "accounts.post")
    assert (await balances(services), await written(services)) == (BEFORE, ["reversed"])


@pytest.mark.parametrize("kind", ["drop_after_write", "drop", "status", "garbage"])
async def test_an_undo_that_is_not_answered_is_made_again(
    services: InProcess, client: httpx.AsyncClient, kind: str
) -> None:
    await services.break_down("payment", ("/transfers", kind), method="DELETE", times=1)
    answer = await client.post("/transfers", json={**RENT, "to_account": "acc-999"})

    assert answer.status_code == 404
    assert await written(services) == ["reversed"]


async def test_money_that_cannot_be_taken_back_is_stuck_until_an_operator_tries_again(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("payment", ("/transfers", "status"), method="DELETE")
    transfer = {**RENT, "to_account": "acc-999"}
    headers = {**KEY, "X-Request-Timeout-Ms": "1000"}
    running = await client.post("/transfers", json=transfer, headers=headers)
    while (stuck := await client.post("/transfers", json=transfer, headers=KEY)).status_code == 202:
        pass
    await services.break_down("payment")
    retried = await client.post(f"{running.headers['location']}/retry")

    assert (stuck.status_code, stuck.json()["code"]) == (500, "stuck")
    assert (retried.status_code, retried.json()["state"]) == (200, "undone")
    assert await written(services) == ["reversed"]


async def test_who_cannot_wait_for_a_commit_is_told_where_to_look_and_asks_again(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("account", ("/postings", "drop_after_write"), times=4)
    running = await client.post("/transfers", json=RENT, headers={**KEY, "X-Request-Timeout-Ms": "700"})
    state = (await client.get(running.headers["location"])).json()["state"]
    answer = await client.post("/transfers", json=RENT, headers=KEY)

    assert (running.status_code, running.json()["state"], state) == (202, "running", "running")
    assert running.headers["retry-after"] == "1"
    assert (answer.status_code, answer.headers["location"]) == (201, running.headers["location"])
    assert (await balances(services), await written(services)) == (AFTER, ["executed", "posted"])


async def test_a_commit_that_cannot_be_waited_for_does_not_begin(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    answer = await client.post("/transfers", json=RENT, headers={**KEY, "X-Request-Timeout-Ms": "550"})

    assert (answer.status_code, "execution_id" in answer.json()) == (503, False)
    assert (await balances(services), await written(services)) == (BEFORE, [])


async def test_of_many_transfers_at_once_as_many_are_made_as_there_is_money_for(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    transfer = {**RENT, "amount": "100.00"}
    answers = await asyncio.gather(*(client.post("/transfers", json=transfer) for _ in range(15)))

    after = await balances(services)
    assert Counter(answer.status_code for answer in answers) == {201: 10, 409: 5}
    assert (after["acc-001"], after["acc-002"]) == ("0.00", "1250.00")
    assert Counter(await written(services)) == {"executed": 10, "posted": 10, "reversed": 5}


async def test_no_money_is_made_or_lost_whatever_fails(
    services: InProcess, client: httpx.AsyncClient
) -> None:
    await services.break_down("account", ("/postings", "drop_after_write"), method="POST", times=7)
    await asyncio.gather(*(client.post("/transfers", json=RENT) for _ in range(20)))

    after = await balances(services)
    assert sum(map(Decimal, after.values())) == sum(map(Decimal, BEFORE.values()))


@pytest.mark.parametrize(
    ("amount", "written_as"), [("25.5", "25.50"), ("25", "25.00"), ("0.01", "0.01"), ("1000.00", "1000.00")]
)
async def test_an_amount_is_answered_with_two_decimals(
    client: httpx.AsyncClient, amount: str, written_as: str
) -> None:
    answer = await client.post("/transfers", json={**RENT, "amount": amount})

    assert (answer.status_code, answer.json()["amount"]) == (201, written_as)


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
async def test_a_field_that_breaks_a_rule_is_named(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json], field: str, message: str
) -> None:
    answer = await client.post("/transfers", json={**RENT, **change})

    assert answer.status_code == 422
    assert answer.json()["violations"] == [{"field": field, "messages": [message]}]
    assert await services.calls_of("account") == []


@pytest.mark.parametrize("change", [{"reference": "x" * 140}, {"reference": None}])
async def test_a_reference_may_be_long_or_missing(
    services: InProcess, client: httpx.AsyncClient, change: Mapping[str, Json]
) -> None:
    answer = await client.post("/transfers", json={**RENT, **change})

    (posting,) = (await services.state_of("account"))["postings"]
    assert (answer.status_code, posting["reference"]) == (201, change["reference"])


async def test_the_documentation_says_what_a_transfer_can_be_answered_with(client: httpx.AsyncClient) -> None:
    document = (await client.get("/openapi.json")).json()
    responses = document["paths"]["/transfers"]["post"]["responses"]

    assert sorted(responses) == [
        "201", "202", "207", "400", "403", "404", "408",
        "409", "413", "415", "422", "429", "500", "502", "503", "504",
    ]  # fmt: skip
    example = responses["201"]["content"]["application/json"]["example"]
    assert list(example) == document["components"]["schemas"]["TransferResult"]["required"]
