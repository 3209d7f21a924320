"""Requests for a pipeline that writes: responses, deadlines, disconnects and stuck writes."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from gateway.railway import BadAnswer, Conflict, Err, NotFound, Ok, TimedOut, Unavailable
from tests.api.fake_bank import (
    PAID,
    PAYMENT,
    Bank,
    build_bank_gateway,
    create_client,
    post_payment,
    start_payment,
)

DOWN = Err(Unavailable("down"))
KEY = (b"idempotency-key", b"rent")


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def app(bank: Bank) -> FastAPI:
    return build_bank_gateway(bank)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with create_client(app) as client:
        yield client


def get_time() -> float:
    return asyncio.get_running_loop().time()


async def fetch_state(client: httpx.AsyncClient, response: httpx.Response) -> tuple[str, list[str]]:
    """Fetch the execution that *response* links to; return its state and the outcomes of its writes."""
    execution = (await client.get(response.headers["location"])).json()
    return execution["state"], [write["outcome"] for write in execution["writes"]]


async def test_committed_response_links_its_execution(client: httpx.AsyncClient) -> None:
    response = await post_payment(client)

    assert (response.status_code, response.json()) == (201, PAID)
    assert re.fullmatch(r"/executions/exe-[0-9a-f]{32}", response.headers["location"])
    assert response.headers["gateway-completed"] == "true"
    assert "idempotent-replayed" not in response.headers
    assert await fetch_state(client, response) == ("committed", ["done"])


async def test_keyless_requests_run_separately(bank: Bank, client: httpx.AsyncClient) -> None:
    first, second = await post_payment(client), await post_payment(client)

    assert first.headers["location"] != second.headers["location"]
    assert len(bank.pay.keys) == 2


async def test_failed_best_effort_write_is_null(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.note.outcome = DOWN

    response = await post_payment(client)

    assert (response.status_code, response.json()) == (201, {**PAID, "note": None})
    assert response.headers["gateway-completed"] == "false"
    assert await fetch_state(client, response) == ("committed", ["done"])


async def test_failure_before_commit_has_no_execution(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.outcome = Err(NotFound("user-1"))

    response = await post_payment(client)

    assert response.status_code == 404
    assert "execution_id" not in response.json()
    assert "location" not in response.headers


async def test_failure_in_commit_has_execution_id(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.outcome = Err(Conflict("frozen", source="bank.pay"))

    response = await post_payment(client)

    execution = (await client.get(f"/executions/{response.json()['execution_id']}")).json()
    assert (response.status_code, response.json()["source"]) == (409, "bank.pay")
    assert response.headers["gateway-completed"] == "false"
    assert (execution["state"], execution["writes"]) == (
        "undone",
        [{"name": "bank.pay", "outcome": "refused"}],
    )


async def test_bug_before_commit_has_no_execution_id(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.outcome = KeyError("password")

    response = await post_payment(client)

    assert (response.status_code, response.json()["code"]) == (500, "unexpected")
    assert "execution_id" not in response.json()
    assert "password" not in response.text


async def test_bug_in_commit_undoes_its_execution(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.outcome = KeyError("password")

    response = await post_payment(client)

    execution = (await client.get(f"/executions/{response.json()['execution_id']}")).json()
    assert (response.status_code, response.json()["code"]) == (500, "unexpected")
    assert "password" not in response.text
    assert execution["state"] == "undone"


async def test_failed_undo_is_500_stuck(bank: Bank) -> None:
    bank.pay.outcome = Err(BadAnswer("what?"))
    bank.repay.outcome = DOWN

    async with create_client(build_bank_gateway(bank, deadline=60)) as client:
        response = await post_payment(client)
        execution = (await client.get(f"/executions/{response.json()['execution_id']}")).json()

    assert (response.status_code, response.json()["code"]) == (500, "stuck")
    assert (execution["state"], execution["writes"]) == ("stuck", [{"name": "bank.pay", "outcome": "stuck"}])


async def test_unserializable_result_is_500_after_commit(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.outcome = Ok("\ud800")

    first, replayed = await post_payment(client, "rent"), await post_payment(client, "rent")

    assert (first.status_code, first.json()["code"]) == (500, "unexpected")
    assert replayed.content == first.content
    assert len(bank.pay.keys) == 1


async def test_wait_for_other_request_is_not_time_of_gateway(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 3
    first = asyncio.create_task(post_payment(client, "rent"))
    await bank.pay.has_started.wait()

    repeated = await post_payment(client, "rent")

    assert repeated.headers["idempotent-replayed"] == "true"
    assert repeated.headers["server-timing"] == "gateway;dur=0.0"
    assert "bank.pay;dur=3000.0" in (await first).headers["server-timing"]


async def test_commit_past_deadline_is_202_and_continues(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 7

    response = await post_payment(client)

    execution_id = response.headers["location"].removeprefix("/executions/")
    assert (response.status_code, get_time()) == (202, 5)
    assert response.json() == {"execution_id": execution_id, "pipeline": "pay", "state": "running"}
    assert (response.headers["retry-after"], response.headers["gateway-completed"]) == ("1", "false")
    assert response.headers["content-type"] == "application/json"
    assert "bank.pay;dur=" in response.headers["server-timing"]
    assert await fetch_state(client, response) == ("running", ["pending"])
    await asyncio.sleep(3)
    assert await fetch_state(client, response) == ("committed", ["done"])


async def test_client_timeout_shortens_wait_for_commit(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 7

    response = await post_payment(client, **{"X-Request-Timeout-Ms": "1500"})

    assert (response.status_code, get_time()) == (202, 1.5)


async def test_commit_is_503_if_less_than_reserve_is_left(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.seconds = 0.6

    response = await post_payment(client, "rent", **{"X-Request-Timeout-Ms": "1000"})

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert "execution_id" not in response.json()
    assert bank.pay.keys == []
    assert (await post_payment(client, "rent")).status_code == 201


async def test_timed_out_write_is_retried_then_undone(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.outcome = Err(TimedOut("late", budget=1))

    response = await post_payment(client, "rent")

    assert (response.status_code, get_time()) == (202, 5)
    assert (await post_payment(client, "rent")).status_code == 504
    assert await fetch_state(client, response) == ("undone", ["undone"])
    assert get_time() <= 10


async def test_disconnect_before_commit_cancels_run(bank: Bank, app: FastAPI) -> None:
    bank.check.can_finish.clear()
    connection, request = start_payment(app)
    await bank.check.has_started.wait()

    connection.disconnect()
    await request

    assert (bank.pay.keys, connection.sent) == ([], [])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_run_survives_disconnect_during_commit(
    bank: Bank, app: FastAPI, client: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 3
    connection, request = start_payment(app, KEY)
    await bank.pay.has_started.wait()

    connection.disconnect()
    await request

    assert (connection.sent, get_time()) == ([], 0)
    response = await post_payment(client, "rent")
    assert (response.status_code, response.json(), get_time()) == (201, PAID, 3)
    assert response.headers["idempotent-replayed"] == "true"


async def test_waiting_request_gets_response_if_first_disconnects(
    bank: Bank, app: FastAPI, client: httpx.AsyncClient
) -> None:
    """The first client disconnects during the commit, which the second request waits for."""
    bank.pay.seconds = 3
    connection, request = start_payment(app, KEY)
    await bank.pay.has_started.wait()
    waiting = asyncio.create_task(post_payment(client, "rent"))
    await asyncio.sleep(1)

    connection.disconnect()
    await request

    response = await waiting
    assert (response.status_code, response.headers["idempotent-replayed"]) == (201, "true")
    assert len(bank.pay.keys) == 1


async def test_waiting_request_takes_over_if_first_disconnects(
    bank: Bank, app: FastAPI, client: httpx.AsyncClient
) -> None:
    """The first client disconnects before the commit, so its run ends; the second request makes a new run."""
    bank.check.can_finish.clear()
    connection, request = start_payment(app, KEY)
    await bank.check.has_started.wait()
    waiting = asyncio.create_task(post_payment(client, "rent"))
    await asyncio.sleep(1)

    connection.disconnect()
    await request
    bank.check.can_finish.set()

    response = await waiting
    assert response.status_code == 201
    assert "idempotent-replayed" not in response.headers


async def test_invalid_commit_request_is_422(
    client: httpx.AsyncClient,
) -> None:
    response = await client.post("/payments", json={**PAYMENT, "amount": 25})

    assert response.status_code == 422
    assert response.json()["violations"] == [{"field": "amount", "messages": ["must be a string"]}]
