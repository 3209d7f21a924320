"""Endpoints that show, list and retry executions."""

import asyncio
from collections.abc import AsyncIterator
from datetime import datetime
from typing import Any

import httpx
import pytest

from gateway.railway import BadAnswer, Conflict, Err, Ok, Unavailable
from tests.api.fake_bank import Bank, BankProcess, build_bank_gateway, create_client, post_payment
from tests.executions.scripted_database import FINISH_UNDO

LIST = "/executions"
OPERATOR = {"Authorization": "Bearer secret"}
DOWN = Err(Unavailable("down"))


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def client(bank: Bank) -> AsyncIterator[httpx.AsyncClient]:
    """Yield a client on the gateway's host, without a token."""
    async with create_client(build_bank_gateway(bank, deadline=60)) as client:
        yield client


async def create_stuck_execution(bank: Bank, client: httpx.AsyncClient) -> str:
    """Create an execution that is stuck after a failed undo; repair the undo and return the id."""
    bank.pay.outcome, bank.repay.outcome = Err(BadAnswer("what?")), DOWN
    response = await post_payment(client)
    execution_id: str = response.json()["execution_id"]
    bank.repay.outcome = Ok("gone")
    bank.repay.keys.clear()
    return execution_id


async def create_execution(client: httpx.AsyncClient, key: str | None = None) -> str:
    return (await post_payment(client, key)).headers["location"].removeprefix("/executions/")


def list_ids(page: httpx.Response) -> list[str]:
    return [execution["execution_id"] for execution in page.json()["executions"]]


async def test_execution_has_state_writes_and_times(client: httpx.AsyncClient) -> None:
    execution_id = await create_execution(client)

    response = await client.get(f"/executions/{execution_id}")

    body: dict[str, Any] = response.json()
    started_at, ended_at = body.pop("started_at"), body.pop("ended_at")
    assert body == {
        "execution_id": execution_id,
        "pipeline": "pay",
        "state": "committed",
        "writes": [{"name": "bank.pay", "outcome": "done"}],
    }
    assert datetime.fromisoformat(started_at) <= datetime.fromisoformat(ended_at)
    assert (response.headers["content-type"], response.headers["cache-control"]) == (
        "application/json",
        "no-store",
    )


async def test_unknown_execution_id_is_404(client: httpx.AsyncClient) -> None:
    response = await client.get("/executions/exe-1")

    assert (response.status_code, response.json()["code"]) == (404, "not-found")
    assert response.json()["instance"] == "/executions/exe-1"


@pytest.mark.parametrize("method", ["GET", "POST"])
async def test_malformed_execution_id_is_422(client: httpx.AsyncClient, method: str) -> None:
    path = "/executions/exe%201" + ("/retry" if method == "POST" else "")

    response = await client.request(method, path)

    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert [violation["field"] for violation in response.json()["violations"]] == ["execution_id"]


async def test_failure_before_commit_is_not_listed(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.outcome = Err(Conflict("no"))
    await post_payment(client, "rent")

    assert (await client.get(LIST)).json() == {"executions": [], "cursor": None}


async def test_executions_are_paged_newest_first(client: httpx.AsyncClient) -> None:
    created = [await create_execution(client) for _ in range(5)]

    first = await client.get(LIST, params={"limit": 3})
    await post_payment(client)
    second = await client.get(LIST, params={"limit": 3, "cursor": first.json()["cursor"]})

    assert list_ids(first) + list_ids(second) == created[::-1]
    assert second.json()["cursor"] is None
    assert first.headers["cache-control"] == "no-store"


async def test_page_has_20_executions_by_default_at_most_100(
    client: httpx.AsyncClient,
) -> None:
    for _ in range(101):
        await post_payment(client)

    assert len(list_ids(await client.get(LIST))) == 20
    assert len(list_ids(await client.get(LIST, params={"limit": 100}))) == 100


async def test_executions_are_filtered_by_state(bank: Bank, client: httpx.AsyncClient) -> None:
    committed = await create_execution(client)
    stuck = await create_stuck_execution(bank, client)
    bank.pay.outcome = Err(Conflict("frozen"))
    undone = (await post_payment(client)).json()["execution_id"]

    listed = [list_ids(await client.get(LIST, params={"state": state})) for state in STATES]
    assert listed == [[], [committed], [undone], [stuck]]


STATES = ("running", "committed", "undone", "stuck")


@pytest.mark.parametrize(
    ("params", "field"),
    [
        ({"state": ""}, "state"),
        ({"state": "gone"}, "state"),
        ({"state": "STUCK"}, "state"),
        ({"limit": "0"}, "limit"),
        ({"limit": "101"}, "limit"),
        ({"limit": "-1"}, "limit"),
        ({"limit": "x"}, "limit"),
        ({"limit": ""}, "limit"),
        ({"cursor": ""}, "cursor"),
        ({"cursor": "0"}, "cursor"),
        ({"cursor": "-1"}, "cursor"),
        ({"cursor": "x"}, "cursor"),
        ({"cursor": "1\n"}, "cursor"),
        ({"cursor": "9" * 19}, "cursor"),
    ],
)
async def test_invalid_list_parameter_is_422(
    client: httpx.AsyncClient, params: dict[str, str], field: str
) -> None:
    response = await client.get(LIST, params=params)

    assert (response.status_code, response.json()["code"]) == (422, "invalid")
    assert [violation["field"] for violation in response.json()["violations"]] == [field]


@pytest.mark.parametrize("cursor", ["1", "9" * 18])
async def test_unissued_cursor_is_accepted(client: httpx.AsyncClient, cursor: str) -> None:
    """A cursor is a position in the list, which need not come from a response."""
    execution_id = await create_execution(client)

    assert list_ids(await client.get(LIST, params={"cursor": cursor})) == [execution_id]


async def test_retry_undoes_stuck_execution(bank: Bank, client: httpx.AsyncClient) -> None:
    execution_id = await create_stuck_execution(bank, client)

    response = await client.post(f"/executions/{execution_id}/retry")

    assert (response.status_code, response.json()["state"]) == (200, "undone")
    assert response.json()["writes"] == [{"name": "bank.pay", "outcome": "undone"}]
    assert response.json() == (await client.get(f"/executions/{execution_id}")).json()
    assert len(bank.repay.keys) == 1


async def test_failed_retry_leaves_execution_stuck(bank: Bank, client: httpx.AsyncClient) -> None:
    execution_id = await create_stuck_execution(bank, client)
    bank.repay.outcome = DOWN

    response = await client.post(f"/executions/{execution_id}/retry")

    assert (response.status_code, response.json()["state"]) == (200, "stuck")
    assert list_ids(await client.get(LIST, params={"state": "stuck"})) == [execution_id]


async def test_failed_retry_keeps_stored_response(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.outcome, bank.repay.outcome = Err(BadAnswer("what?")), DOWN
    first = await post_payment(client, "rent")
    await client.post(f"/executions/{first.json()['execution_id']}/retry")

    replayed = await post_payment(client, "rent")

    assert (replayed.status_code, replayed.content) == (500, first.content)


async def test_successful_retry_frees_key(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.outcome, bank.repay.outcome = Err(BadAnswer("what?")), DOWN
    execution_id = (await post_payment(client, "rent")).json()["execution_id"]
    stuck_key = bank.pay.keys[0]
    bank.pay.outcome, bank.repay.outcome = Ok("receipt-2"), Ok("gone")
    await client.post(f"/executions/{execution_id}/retry")

    second = await post_payment(client, "rent")

    assert (second.status_code, second.json()["receipt"]) == (201, "receipt-2")
    assert second.headers["location"] == f"/executions/{execution_id}"
    assert bank.pay.keys[-1] != stuck_key


async def test_retry_of_committed_execution_is_409(client: httpx.AsyncClient) -> None:
    response = await client.post(f"/executions/{await create_execution(client)}/retry")

    assert (response.status_code, response.json()["code"]) == (409, "conflict")


async def test_retry_of_unknown_execution_is_404(client: httpx.AsyncClient) -> None:
    response = await client.post("/executions/exe-1/retry")

    assert (response.status_code, response.json()["code"]) == (404, "not-found")


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("POST", "/executions/exe-1/retry")])
async def test_list_and_retry_require_operator_token(bank: Bank, method: str, path: str) -> None:
    """The token is checked before the parameters."""
    async with create_client(build_bank_gateway(bank, operator_token="secret")) as client:  # noqa: S106 - a test value
        refused = await client.request(method, f"{path}?limit=0")
        authorized = await client.request(method, path, headers=OPERATOR)

    assert (refused.status_code, refused.json()["code"]) == (401, "unauthorized")
    assert refused.headers["www-authenticate"] == "Bearer"
    assert refused.headers["cache-control"] == "no-store"
    assert authorized.status_code in {200, 404}


@pytest.mark.parametrize(("method", "path"), [("GET", LIST), ("POST", "/executions/exe-1/retry")])
async def test_remote_list_or_retry_is_403_if_no_token_is_set(bank: Bank, method: str, path: str) -> None:
    async with create_client(build_bank_gateway(bank), peer="10.0.0.1") as client:
        response = await client.request(method, path, headers=OPERATOR)

    assert (response.status_code, response.json()["code"]) == (403, "forbidden")


async def test_single_execution_needs_no_token(bank: Bank) -> None:
    app = build_bank_gateway(bank, operator_token="secret")  # noqa: S106 - a test value
    async with create_client(app, peer="10.0.0.1") as client:
        response = await client.get(f"/executions/{await create_execution(client)}")

    assert response.status_code == 200


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        (LIST, "GET, HEAD, OPTIONS"),
        ("/executions/exe-1", "GET, HEAD, OPTIONS"),
        ("/executions/exe-1/retry", "POST, OPTIONS"),
    ],
)
async def test_execution_paths_list_allowed_methods(
    client: httpx.AsyncClient, path: str, allowed: str
) -> None:
    options, refused = await client.options(path), await client.put(path)

    assert (options.status_code, options.headers["allow"]) == (204, allowed)
    assert (refused.status_code, refused.headers["allow"]) == (405, allowed)


async def test_head_of_executions_has_no_body(client: httpx.AsyncClient) -> None:
    for path in (LIST, f"/executions/{await create_execution(client)}"):
        get, head = await client.get(path), await client.head(path)

        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == get.headers["content-length"]


@pytest.mark.parametrize("part", ["open", ""])
@pytest.mark.parametrize(
    ("method", "path"), [("GET", "/executions/exe-1"), ("GET", LIST), ("POST", "/executions/exe-1/retry")]
)
async def test_executions_are_503_without_journal(bank: Bank, method: str, path: str, part: str) -> None:
    process = BankProcess(bank)
    async with create_client(build_bank_gateway(bank, process=process)) as client:
        if not part:
            await process.store.open()
        process.database.fail(part)
        refused = await client.request(method, path)
        process.database.repair()
        found = await client.request(method, path)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert found.status_code in {200, 404}


async def test_retry_that_loses_its_journal_is_503(bank: Bank) -> None:
    """The undos have succeeded, but that is not recorded: the recovery repeats them."""
    process = BankProcess(bank)
    async with create_client(build_bank_gateway(bank, deadline=60, process=process)) as client:
        execution_id = await create_stuck_execution(bank, client)
        process.database.fail(FINISH_UNDO, times=1)
        refused = await client.post(f"/executions/{execution_id}/retry")
        await process.recovery.look()
        await asyncio.sleep(1)
        execution = (await client.get(f"/executions/{execution_id}")).json()

    assert (refused.status_code, execution["state"]) == (503, "undone")


@pytest.mark.parametrize("path", ["/executions/", "/executions/exe-1/", "/executions/exe-1/undo"])
async def test_other_path_under_executions_is_404(client: httpx.AsyncClient, path: str) -> None:
    response = await client.get(path)

    assert (response.status_code, response.json()["code"]) == (404, "route-not-found")
