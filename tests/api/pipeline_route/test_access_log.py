"""Access log: a line for each request for a pipeline."""

import asyncio
import logging
from collections.abc import AsyncIterator, Mapping

import httpx
import pytest
from starlette.requests import Request
from typing_extensions import override

from gateway.api.admission.admission import Admission
from gateway.railway import Conflict, Err, Unavailable
from tests.api.fake_bank import (
    PAYMENT,
    Bank,
    add_key,
    build_bank_gateway,
    create_client,
    post_payment,
    start_payment,
)

TRACE_ID = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = f"00-{TRACE_ID}-00f067aa0ba902b7-01"
REQUEST = {"X-Request-Id": "request-1"}


@pytest.fixture
async def bank() -> Bank:
    return Bank()


@pytest.fixture
async def client(bank: Bank, caplog: pytest.LogCaptureFixture) -> AsyncIterator[httpx.AsyncClient]:
    """A client of a gateway whose log is captured."""
    caplog.set_level(logging.INFO, "gateway.access")
    async with create_client(build_bank_gateway(bank, has_access_log=True)) as client:
        yield client


def read_fields(caplog: pytest.LogCaptureFixture) -> Mapping[str, object]:
    """Return the fields of the last line."""
    fields: Mapping[str, object] = vars(caplog.records[-1])["fields"]
    return fields


async def test_success_is_logged(
    bank: Bank, client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    bank.check.seconds, bank.pay.seconds = 0.1, 0.2

    response = await client.post("/payments?token=s3cret", json=PAYMENT, headers=REQUEST)

    (message,) = caplog.messages
    assert message == (
        "POST /payments 201 in 300.0 ms, 0.0 ms of that in the gateway; "
        "3 calls, 0 retries, slowest bank.pay 200.0 ms (request request-1)"
    )
    assert read_fields(caplog) == {
        "request_id": "request-1",
        "method": "POST",
        "path": "/payments",
        "status": 201,
        "pipeline": "pay",
        "duration_ms": 300.0,
        "gateway_ms": 0.0,
        "calls": 3,
        "retries": 0,
        "slowest_call": "bank.pay",
        "slowest_ms": 200.0,
        "execution_id": response.headers["location"].removeprefix("/executions/"),
    }


async def test_request_that_makes_no_call_is_logged(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture
) -> None:
    await client.post("/payments", json={}, headers={**REQUEST, "traceparent": PARENT})

    (message,) = caplog.messages
    assert message.startswith("POST /payments 422 in 0.0 ms")
    assert message.endswith("; 0 calls (request request-1)")
    assert "slowest_call" not in read_fields(caplog)
    assert read_fields(caplog)["trace_id"] == TRACE_ID


@pytest.mark.parametrize("parent", ["", "00-zz-00f067aa0ba902b7-01", PARENT + "x" * 600])
async def test_invalid_trace_id_is_not_logged(
    client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture, parent: str
) -> None:
    await client.post("/payments", json={}, headers={"traceparent": parent})

    assert "trace_id" not in read_fields(caplog)


@pytest.mark.parametrize(
    ("result", "status"), [(Err(Conflict("frozen")), 409), (Err(Unavailable("down", was_sent=False)), 503)]
)
async def test_failure_is_logged(
    bank: Bank,
    client: httpx.AsyncClient,
    caplog: pytest.LogCaptureFixture,
    result: Err[Conflict | Unavailable],
    status: int,
) -> None:
    bank.check.outcome = result

    await post_payment(client)

    assert read_fields(caplog)["status"] == status


async def test_replay_is_marked(client: httpx.AsyncClient, caplog: pytest.LogCaptureFixture) -> None:
    first = await post_payment(client, "rent")
    assert "replayed" not in read_fields(caplog)

    await post_payment(client, "rent")

    assert read_fields(caplog)["replayed"] is True
    execution_id = first.headers["location"].removeprefix("/executions/")
    assert read_fields(caplog)["execution_id"] == execution_id


async def test_disconnected_client_is_499(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")
    bank.check.can_finish.clear()
    connection, responding = start_payment(build_bank_gateway(bank, has_access_log=True))
    await bank.check.has_started.wait()

    connection.disconnect()
    await responding

    assert read_fields(caplog)["status"] == 499


async def test_requests_are_not_logged_by_default(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")
    async with create_client(build_bank_gateway(bank)) as client:
        await client.post("/payments", json=PAYMENT, headers=add_key("rent"))
    await asyncio.sleep(0)

    assert caplog.messages == []


class BrokenFilter(logging.Filter):
    """Filter with a bug."""

    @override
    def filter(self, record: logging.LogRecord) -> bool:
        raise ZeroDivisionError


async def test_bug_in_logging_does_not_fail_request(bank: Bank, client: httpx.AsyncClient) -> None:
    log, broken = logging.getLogger("gateway.access"), BrokenFilter()
    log.addFilter(broken)
    try:
        assert (await post_payment(client)).status_code == 201
    finally:
        log.removeFilter(broken)

    assert len(bank.pay.keys) == 1


async def identify(_: Request) -> str:
    await asyncio.sleep(0.2)
    return "alice"


async def test_refused_request_has_caller_and_duration(bank: Bank, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "gateway.access")
    app = build_bank_gateway(bank, caller=identify, admission=Admission(256, 1), has_access_log=True)
    async with create_client(app) as client:
        await client.post("/payments", json=PAYMENT)
        response = await client.post("/payments", json=PAYMENT)

    assert response.status_code == 429
    fields = read_fields(caplog)
    assert (fields["status"], fields["caller"], fields["duration_ms"]) == (429, "alice", 200.0)
