"""Idempotency-Key over several processes and their trouble, sentence by sentence of the contract."""

import asyncio
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest

from gateway.api.admission.admission import Admission
from gateway.executions.health import JOURNAL_UNAVAILABLE
from gateway.executions.waiting import MAX_PER_KEY
from gateway.railway import (
    Aggregate,
    BadAnswer,
    CommitState,
    Conflict,
    Err,
    NotFound,
    Ok,
    TimedOut,
    Unavailable,
)
from tests.api.fake_bank import (
    PAID,
    PAYMENT,
    Bank,
    BankProcess,
    PayError,
    add_key,
    build_bank_gateway,
    create_client,
    post_payment,
)
from tests.executions.scripted_database import AMEND, BEGIN, FIND, SEAL, ScriptedDatabase

DOWN = Err(Unavailable("down"))
REPLAYED_HEADERS = ("content-type", "location", "gateway-completed")


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def database() -> ScriptedDatabase:
    return ScriptedDatabase()


@pytest.fixture
async def process(bank: Bank, database: ScriptedDatabase) -> BankProcess:
    return BankProcess(bank, database)


@pytest.fixture
async def client(bank: Bank, process: BankProcess) -> AsyncIterator[httpx.AsyncClient]:
    async with create_client(build_bank_gateway(bank, process=process)) as client:
        yield client


@pytest.fixture
async def other(bank: Bank, database: ScriptedDatabase) -> AsyncIterator[httpx.AsyncClient]:
    """A client of another process with the same journal."""
    process = BankProcess(bank, database)
    async with create_client(build_bank_gateway(bank, process=process, deadline=60)) as client:
        yield client


def get_final(response: httpx.Response) -> tuple[int, bytes, Mapping[str, str | None]]:
    """Return what a replay must repeat."""
    return (
        response.status_code,
        response.content,
        {name: response.headers.get(name) for name in REPLAYED_HEADERS},
    )


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (None, 201),
        (Err(Conflict("frozen")), 409),
        (Err(NotFound("user-1")), 404),
        (Err(Aggregate((Conflict("frozen"), NotFound("user-1")))), 207),
        (KeyError("a bug"), 500),
    ],
)
async def test_final_response_is_replayed_by_other_process(
    bank: Bank,
    client: httpx.AsyncClient,
    other: httpx.AsyncClient,
    outcome: Err[PayError] | Exception | None,
    status: int,
) -> None:
    """Once a commit began, its final answer, success or failure, comes back."""
    if outcome is not None:
        bank.pay.outcome = outcome
    first = await post_payment(client, "rent")
    replayed = await post_payment(other, '"rent"')

    assert first.status_code == status
    assert get_final(replayed) == get_final(first)
    assert "idempotent-replayed" not in first.headers
    assert replayed.headers["idempotent-replayed"] == "true"
    assert len(bank.pay.keys) == 1


@pytest.mark.parametrize(
    ("outcome", "status"),
    [
        (Err(BadAnswer("what?")), 502),
        (Err(Unavailable("down", was_sent=False)), 503),
        (Err(TimedOut("late", budget=1, was_sent=False)), 504),
    ],
)
async def test_undone_transient_failure_frees_key(
    bank: Bank, client: httpx.AsyncClient, other: httpx.AsyncClient, outcome: Err[PayError], status: int
) -> None:
    """The same request makes a new attempt under the same execution id, with new keys of writes."""
    bank.pay.outcome = outcome
    first = await post_payment(client, "rent")
    bank.pay.outcome = Ok("receipt-1")

    second = await post_payment(other, "rent")

    assert (first.status_code, second.status_code, second.json()) == (status, 201, PAID)
    assert "idempotent-replayed" not in second.headers
    assert second.headers["location"] == f"/executions/{first.json()['execution_id']}"
    first_key, *_, last_key = bank.pay.keys
    assert first_key != last_key
    assert get_final(await post_payment(client, "rent")) == get_final(second)


async def test_failure_before_commit_frees_key(
    bank: Bank, client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    bank.check.outcome = Err(NotFound("user-1"))
    assert (await post_payment(client, "rent")).status_code == 404
    bank.check.outcome = Ok("fine")

    assert (await post_payment(other, "rent")).status_code == 201


async def test_key_with_other_body_is_422_in_other_process(
    client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    await post_payment(client, "rent")

    response = await other.post("/payments", json={**PAYMENT, "amount": "26.00"}, headers=add_key("rent"))

    assert (response.status_code, response.json()["code"]) == (422, "idempotency-mismatch")


async def test_key_with_other_body_is_422_while_other_process_runs(
    bank: Bank, client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    bank.pay.can_finish.clear()
    first = asyncio.create_task(post_payment(client, "rent"))
    await bank.pay.has_started.wait()

    response = await other.post("/payments", json={**PAYMENT, "amount": "26.00"}, headers=add_key("rent"))
    bank.pay.can_finish.set()

    assert response.status_code == 422
    assert (await first).status_code == 201


async def test_20_requests_to_two_processes_have_one_effect(
    bank: Bank, client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 3

    responses = await asyncio.gather(
        *(post_payment(each, "rent") for each in (client, other) for _ in range(10))
    )

    assert {get_final(response)[:2] for response in responses} == {(201, responses[0].content)}
    assert sum("idempotent-replayed" not in response.headers for response in responses) == 1
    assert (len(bank.pay.keys), len(bank.note.keys)) == (1, 1)


async def test_running_key_is_202_at_deadline_in_other_process(
    bank: Bank, client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    bank.pay.seconds = 4
    first = asyncio.create_task(post_payment(client, "rent"))
    await bank.pay.has_started.wait()

    response = await post_payment(other, "rent", **{"X-Request-Timeout-Ms": "1000"})

    assert (response.status_code, response.json()["state"]) == (202, "running")
    assert response.headers["location"] == (await first).headers["location"]


async def test_33rd_waiting_request_is_202_at_once(bank: Bank, client: httpx.AsyncClient) -> None:
    bank.pay.can_finish.clear()
    requests = [asyncio.create_task(post_payment(client, "rent")) for _ in range(1 + MAX_PER_KEY)]
    await bank.pay.has_started.wait()
    await asyncio.sleep(1)

    response = await post_payment(client, "rent")
    bank.pay.can_finish.set()

    assert (response.status_code, asyncio.get_running_loop().time()) == (202, 1)
    assert {(await request).status_code for request in requests} == {201}


async def test_waiting_requests_hold_no_place_in_the_limit(bank: Bank) -> None:
    """Waiters must not keep out other requests."""
    admission = Admission(max_in_flight=2)
    async with create_client(build_bank_gateway(bank, admission=admission)) as client:
        bank.pay.can_finish.clear()
        requests = [asyncio.create_task(post_payment(client, "rent"))]
        await bank.pay.has_started.wait()
        for _ in range(5):
            requests.append(asyncio.create_task(post_payment(client, "rent")))
            await asyncio.sleep(0.1)
        food = asyncio.create_task(post_payment(client, "food"))
        await asyncio.sleep(0.1)
        bank.pay.can_finish.set()

        assert {(await request).status_code for request in [*requests, food]} == {201}
        assert len(bank.pay.keys) == 2


async def test_stuck_key_is_500_until_undone(
    bank: Bank, client: httpx.AsyncClient, other: httpx.AsyncClient
) -> None:
    bank.pay.outcome, bank.repay.outcome = Err(BadAnswer("what?")), DOWN
    first = await post_payment(other, "rent")
    replayed = await post_payment(client, "rent")
    assert (first.status_code, replayed.status_code) == (500, 500)
    assert replayed.content == first.content

    bank.pay.outcome, bank.repay.outcome = Ok("receipt-1"), Ok("gone")
    await client.post(f"/executions/{first.json()['execution_id']}/retry")

    assert (await post_payment(other, "rent")).status_code == 201


async def test_execution_id_cannot_be_computed_from_key(bank: Bank) -> None:
    locations: set[str] = set()
    for _ in range(2):
        async with create_client(build_bank_gateway(bank)) as client:
            locations.add((await post_payment(client, "rent")).headers["location"])

    assert len(locations) == 2


@pytest.mark.parametrize("part", ["open", FIND])
async def test_unreadable_journal_is_503(
    bank: Bank, database: ScriptedDatabase, client: httpx.AsyncClient, part: str
) -> None:
    """Without the journal, the key may be free or not: not even a read is made."""
    database.fail(part)

    response = await post_payment(client, "rent")

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.json()["detail"] == JOURNAL_UNAVAILABLE
    assert (response.headers["retry-after"], "execution_id" in response.json()) == ("1", False)
    assert bank.check.keys == []


@pytest.mark.parametrize("key", ["rent", None])
async def test_begin_without_journal_is_503(
    bank: Bank, database: ScriptedDatabase, client: httpx.AsyncClient, key: str | None
) -> None:
    database.fail(BEGIN)

    response = await post_payment(client, key)

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert (response.headers["retry-after"], "execution_id" in response.json()) == ("1", False)
    assert bank.pay.keys == []
    database.repair()
    assert (await post_payment(client, key)).status_code == 201


@pytest.mark.parametrize("part", [SEAL, AMEND])
async def test_decision_without_journal_is_202(
    bank: Bank, database: ScriptedDatabase, client: httpx.AsyncClient, part: str
) -> None:
    """The answer is not heard before it is decided."""
    database.fail(part)
    response = await post_payment(client, "rent")
    assert (response.status_code, asyncio.get_running_loop().time()) == (202, 5)

    database.repair()
    await asyncio.sleep(1)

    assert (await post_payment(client, "rent")).json() == PAID
    assert len(bank.pay.keys) == 1


async def test_full_journal_is_503_for_new_keys(bank: Bank) -> None:
    process = BankProcess(bank, max_bytes=3000)
    async with create_client(build_bank_gateway(bank, process=process)) as client:
        first = await post_payment(client, "rent")
        refused = [await post_payment(client, key) for key in ("food", None)]
        replayed = await post_payment(client, "rent")

    assert [(response.status_code, response.json()["code"]) for response in refused] == [
        (503, "unavailable")
    ] * 2
    assert replayed.content == first.content
    assert len(bank.pay.keys) == 1


@pytest.mark.parametrize("key", ["rent", None])
async def test_request_of_zombie_is_503(
    bank: Bank, process: BankProcess, database: ScriptedDatabase, client: httpx.AsyncClient, key: str | None
) -> None:
    """Another process has undone the execution in the meantime: the client may try again."""
    bank.pay.can_finish.clear()
    request = asyncio.create_task(post_payment(client, key))
    await bank.pay.has_started.wait()
    await undo_elsewhere(process, database, CommitState.UNDONE)

    bank.pay.can_finish.set()
    response = await request

    assert (response.status_code, response.json()["code"]) == (503, "unavailable")
    assert response.headers["retry-after"] == "1"
    assert response.json()["execution_id"].startswith("exe-")


async def test_stuck_request_of_zombie_is_500(
    bank: Bank, process: BankProcess, database: ScriptedDatabase, client: httpx.AsyncClient
) -> None:
    bank.pay.can_finish.clear()
    request = asyncio.create_task(post_payment(client, "rent"))
    await bank.pay.has_started.wait()
    await undo_elsewhere(process, database, CommitState.STUCK)

    bank.pay.can_finish.set()
    response = await request

    assert (response.status_code, response.json()["code"]) == (500, "stuck")
    assert (await post_payment(client, "rent")).json()["code"] == "stuck"


async def undo_elsewhere(process: BankProcess, database: ScriptedDatabase, state: CommitState) -> None:
    """Let another process take over the only execution, and end its undo in *state*."""
    other = BankProcess(process.bank, database)
    await other.store.open()
    page = await other.store.page(None, 1, None)
    record = await other.store.find(page.executions[0].execution_id)
    assert record is not None
    await database.run("update gateway_owners set seen_at = 0")
    assert await other.store.take_over(record)
    assert await other.store.finish_undo(record, state, record.execution.writes)
