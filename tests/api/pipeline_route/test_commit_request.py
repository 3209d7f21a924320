"""Requests for a pipeline that writes, from bytes to bytes."""

import asyncio
import re
from collections.abc import AsyncIterator

import httpx
import pytest
from fastapi import FastAPI

from gateway.railway import BadAnswer, Conflict, Err, NotFound, Ok, TimedOut, Unavailable
from tests.api.fake_bank import PAID, PAYMENT, Bank, client_of, connected, gateway, posted

DOWN = Err(Unavailable("down"))
KEY = (b"idempotency-key", b"rent")


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def app(bank: Bank) -> FastAPI:
    return gateway(bank)


@pytest.fixture
async def client(app: FastAPI) -> AsyncIterator[httpx.AsyncClient]:
    async with client_of(app) as client:
        yield client


def now() -> float:
    return asyncio.get_running_loop().time()


async def state_of(client: httpx.AsyncClient, answer: httpx.Response) -> tuple[str, list[str]]:
    """Look up what has become of an execution."""
    found = (await client.get(answer.headers["location"])).json()
    return found["state"], [write["outcome"] for write in found["writes"]]


async def test_a_success_says_where_its_writes_can_be_looked_up(client: httpx.AsyncClient) -> None:
    answer = await posted(client)

    assert (answer.status_code, answer.json()) == (201, PAID)
    assert re.fullmatch(r"/executions/exe-[0-9a-f]{32}", answer.headers["location"])
    assert answer.headers["gateway-completed"] == "true"
    assert "idempotent-replayed" not in answer.headers
    assert await state_of(client, answer) == ("committed", ["done"])


async def test_without_a_key_every_request_is_another_execution(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    first, second = await posted(client), await posted(client)

    assert first.headers["location"] != second.headers["location"]
    assert len(bank.pay.asked) == 2


async def test_what_is_missing_after_the_commit_is_null_and_the_answer_is_not_completed(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.note.answer = DOWN

    answer = await posted(client)

    assert (answer.status_code, answer.json()) == (201, {**PAID, "note": None})
    assert answer.headers["gateway-completed"] == "false"
    assert await state_of(client, answer) == ("committed", ["done"])


async def test_a_failure_before_the_commit_began_has_no_execution(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.check.answer = Err(NotFound("nobody"))

    answer = await posted(client)

    assert answer.status_code == 404
    assert "execution_id" not in answer.json()
    assert "location" not in answer.headers


async def test_a_failure_after_the_commit_began_says_what_the_execution_is_known_as(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.answer = Err(Conflict("frozen", source="bank.pay"))

    answer = await posted(client)

    found = (await client.get(f"/executions/{answer.json()['execution_id']}")).json()
    assert (answer.status_code, answer.json()["source"]) == (409, "bank.pay")
    assert answer.headers["gateway-completed"] == "false"
    assert (found["state"], found["writes"]) == ("undone", [{"name": "bank.pay", "outcome": "refused"}])


async def test_a_bug_before_the_commit_began_is_a_500_without_an_execution(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.check.answer = KeyError("password")

    answer = await posted(client)

    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "execution_id" not in answer.json()
    assert "password" not in answer.text


async def test_a_bug_after_the_commit_began_is_a_500_with_its_execution_which_is_undone(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.answer = KeyError("password")

    answer = await posted(client)

    found = (await client.get(f"/executions/{answer.json()['execution_id']}")).json()
    assert (answer.status_code, answer.json()["code"]) == (500, "unexpected")
    assert "password" not in answer.text
    assert found["state"] == "undone"


async def test_what_could_not_be_undone_is_a_500_of_its_own(bank: Bank) -> None:
    bank.pay.answer = Err(BadAnswer("what?"))
    bank.repay.answer = DOWN

    async with client_of(gateway(bank, deadline=60)) as patient:
        answer = await posted(patient)
        found = (await patient.get(f"/executions/{answer.json()['execution_id']}")).json()

    assert (answer.status_code, answer.json()["code"]) == (500, "stuck")
    assert (found["state"], found["writes"]) == ("stuck", [{"name": "bank.pay", "outcome": "stuck"}])


async def test_an_answer_that_cannot_be_written_is_a_bug_after_the_commit(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.answer = Ok("\ud800")

    first, again = await posted(client, "rent"), await posted(client, "rent")

    assert (first.status_code, first.json()["code"]) == (500, "unexpected")
    assert again.content == first.content
    assert len(bank.pay.asked) == 1


async def test_at_the_deadline_a_commit_goes_on_and_the_answer_says_where_to_look(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 7

    answer = await posted(client)

    execution_id = answer.headers["location"].removeprefix("/executions/")
    assert (answer.status_code, now()) == (202, 5)
    assert answer.json() == {"execution_id": execution_id, "pipeline": "pay", "state": "running"}
    assert (answer.headers["retry-after"], answer.headers["gateway-completed"]) == ("1", "false")
    assert answer.headers["content-type"] == "application/json"
    assert "bank.pay;dur=" in answer.headers["server-timing"]
    assert await state_of(client, answer) == ("running", ["pending"])
    await asyncio.sleep(2)
    assert await state_of(client, answer) == ("committed", ["done"])


async def test_a_caller_may_leave_earlier(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.seconds = 7

    answer = await posted(client, **{"X-Request-Timeout-Ms": "1500"})

    assert (answer.status_code, now()) == (202, 1.5)


async def test_with_too_little_time_left_nothing_is_written(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.check.seconds = 0.6

    answer = await posted(client, "rent", **{"X-Request-Timeout-Ms": "1000"})

    assert (answer.status_code, answer.json()["code"]) == (503, "unavailable")
    assert "execution_id" not in answer.json()
    assert bank.pay.asked == []
    assert (await posted(client, "rent")).status_code == 201


async def test_what_nobody_knows_at_the_deadline_is_repeated_and_then_undone(
    bank: Bank, client: httpx.AsyncClient
) -> None:
    bank.pay.answer = Err(TimedOut("late", budget=1))

    answer = await posted(client, "rent")

    assert (answer.status_code, now()) == (202, 5)
    assert (await posted(client, "rent")).status_code == 504
    assert await state_of(client, answer) == ("undone", ["undone"])
    assert now() <= 10


async def test_before_its_commit_a_run_ends_with_a_client_that_hangs_up(bank: Bank, app: FastAPI) -> None:
    bank.check.goes_on.clear()
    connection, request = connected(app)
    await bank.check.is_asked.wait()

    connection.hang_up()
    await request

    assert (bank.pay.asked, connection.sent) == ([], [])
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_once_its_commit_has_begun_a_run_goes_on_without_its_client(
    bank: Bank, app: FastAPI, client: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 3
    connection, request = connected(app, KEY)
    await bank.pay.is_asked.wait()

    connection.hang_up()
    await request

    assert (connection.sent, now()) == ([], 0)
    answer = await posted(client, "rent")
    assert (answer.status_code, answer.json(), now()) == (201, PAID, 3)
    assert answer.headers["idempotent-replayed"] == "true"


async def test_who_waits_has_the_answer_though_who_asked_first_hangs_up(
    bank: Bank, app: FastAPI, client: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 3
    connection, request = connected(app, KEY)
    await bank.pay.is_asked.wait()
    waiting = asyncio.create_task(posted(client, "rent"))
    await asyncio.sleep(1)

    connection.hang_up()
    await request

    answer = await waiting
    assert (answer.status_code, answer.headers["idempotent-replayed"]) == (201, "true")
    assert len(bank.pay.asked) == 1


async def test_who_waits_makes_a_run_if_who_asked_first_hangs_up_before_the_commit(
    bank: Bank, app: FastAPI, client: httpx.AsyncClient
) -> None:
    bank.check.goes_on.clear()
    connection, request = connected(app, KEY)
    await bank.check.is_asked.wait()
    waiting = asyncio.create_task(posted(client, "rent"))
    await asyncio.sleep(1)

    connection.hang_up()
    await request
    bank.check.goes_on.set()

    answer = await waiting
    assert answer.status_code == 201
    assert "idempotent-replayed" not in answer.headers


async def test_a_pipeline_that_writes_may_fail_in_the_same_ways_as_any_other(
    client: httpx.AsyncClient,
) -> None:
    answer = await client.post("/payments", json={**PAYMENT, "amount": 25})

    assert answer.status_code == 422
    assert answer.json()["violations"] == [{"field": "amount", "messages": ["must be a string"]}]
