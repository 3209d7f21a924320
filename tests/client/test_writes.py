"""Requests, responses and refusals of the sample services' writes."""

import asyncio
import json
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Final, NamedTuple, TypeAlias

import httpx
import pytest
from pydantic import BaseModel, ValidationError
from pydantic_core import to_jsonable_python

from gateway.railway import (
    BadAnswer,
    CallMode,
    Conflict,
    Err,
    Failure,
    Fault,
    Key,
    NotFound,
    Ok,
    RunContext,
    TimedOut,
    Unavailable,
    Write,
    change_context,
)
from gateway.services.accounts import AccountBalance, Posting
from gateway.services.analytics import Event
from gateway.services.inventory import Reservation
from gateway.services.notifications import Notice
from gateway.services.orders import PlacedOrder
from gateway.services.payments import Transfer
from gateway.services.transfer_terms import TransferTerms
from tests.client.scripted_service import PROBLEM, Answering, Hanging, Raising
from tests.shipped_services import NAMES, ShippedServices

Thing: TypeAlias = "Mapping[str, Thing | str | int | bool]"

KEY: Final = Key("exe-1.fulfilment.1.inventory.reserve")
TERMS: Final = TransferTerms(
    from_account="acc-001", to_account="acc-002", amount=Decimal("25.5"), currency="USD", reference="rent"
)
TERMS_SENT: Final = (
    b'{"from_account":"acc-001","to_account":"acc-002","amount":"25.50","currency":"USD","reference":"rent"}'
)


class Case(NamedTuple):
    """A write, its request, the JSON and value of its response, its declared failures, and its undo."""

    write: str
    path: str
    sent: bytes
    status: int
    response: Thing
    value: BaseModel
    declared: Mapping[int, type[Fault]]
    undo: str | None


RESERVE: Final = Case(
    "inventory.reserve",
    "/reservations",
    b'{"product_id":"prod-456","quantity":2}',
    201,
    {"reservation_id": "res-1", "is_reserved": True, "quantity": 2},
    Reservation(reservation_id="res-1", is_reserved=True, quantity=2),
    {404: NotFound, 409: Conflict},
    "inventory.release",
)
EXECUTE: Final = Case(
    "payments.execute_transfer",
    "/transfers",
    TERMS_SENT,
    201,
    {"transfer_id": "trf-1", "status": "executed"},
    Transfer(transfer_id="trf-1", status="executed"),
    {},
    "payments.reverse_transfer",
)
POST: Final = Case(
    "accounts.post",
    "/postings",
    TERMS_SENT,
    201,
    {
        "posting_id": "pst-1",
        "from_account": {"account_id": "acc-001", "balance": "974.50"},
        "to_account": {"account_id": "acc-002", "balance": "275.50"},
    },
    Posting(
        posting_id="pst-1",
        from_account=AccountBalance(account_id="acc-001", balance=Decimal("974.50")),
        to_account=AccountBalance(account_id="acc-002", balance=Decimal("275.50")),
    ),
    {404: NotFound, 409: Conflict},
    "accounts.reverse_posting",
)
CREATE: Final = Case(
    "orders.create",
    "/orders",
    b'{"user_id":"user-123","product_id":"prod-456","quantity":2}',
    201,
    {"order_id": "ord-1", "status": "created"},
    PlacedOrder(order_id="ord-1", status="created"),
    {},
    "orders.cancel",
)
SEND: Final = Case(
    "notifications.send",
    "/notifications",
    b'{"user_id":"user-123","order_id":"ord-1"}',
    202,
    {"notification_id": "ntf-1"},
    Notice(notification_id="ntf-1"),
    {},
    None,
)
TRACK: Final = Case(
    "analytics.track",
    "/events",
    b'{"event":"purchase","order_id":"ord-1"}',
    202,
    {"event_id": "evt-1"},
    Event(event_id="evt-1"),
    {},
    None,
)
CASES: Final = (RESERVE, EXECUTE, POST, CREATE, SEND, TRACK)


def connect_services(transport: httpx.AsyncBaseTransport) -> ShippedServices:
    return ShippedServices.over(transport, dict.fromkeys(NAMES, "http://mock.test"))


def describe_writes(transport: httpx.AsyncBaseTransport) -> Mapping[str, Write[object, Failure]]:
    services = connect_services(transport)
    writes: list[Write[object, Failure]] = [
        services.inventory.reserve("prod-456", 2),
        services.payments.execute_transfer(TERMS),
        services.accounts.post(TERMS),
        services.orders.create("user-123", "prod-456", 2),
        services.notifications.send("user-123", "ord-1"),
        services.analytics.track("purchase", "ord-1"),
    ]
    return {write.name: write for write in writes}


def respond_with(status: int, body: object) -> Answering:
    return Answering(httpx.Response(status, json=body, headers=PROBLEM if status >= 400 else {}))


def get_name(case: object) -> str:
    return case.write if isinstance(case, Case) else str(case)


def damage_fields(answer: Thing) -> Iterator[Thing]:
    """Yield copies of *answer* in which a field, at any depth, is missing or has another type."""
    for field, value in answer.items():
        rest = {name: kept for name, kept in answer.items() if name != field}
        yield rest
        yield {**rest, field: str(value) if isinstance(value, int) else 4}
        if isinstance(value, Mapping):
            yield from ({**rest, field: damaged} for damaged in damage_fields(value))


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_write_sends_documented_request_and_returns_value(case: Case) -> None:
    transport = respond_with(case.status, case.response)
    result = await describe_writes(transport)[case.write].attempt(KEY)
    (request,) = transport.requests

    assert result == Ok(case.value)
    assert (request.method, str(request.url)) == ("POST", f"http://mock.test{case.path}")
    assert request.content == case.sent


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_write_sends_idempotency_key(case: Case) -> None:
    transport = respond_with(case.status, case.response)
    await describe_writes(transport)[case.write].attempt(KEY)
    headers = dict(transport.requests[0].headers)

    del headers["user-agent"]
    assert headers == {
        "host": "mock.test",
        "accept": "application/json, application/problem+json",
        "accept-encoding": "identity",
        "x-envoy-expected-rq-timeout-ms": "1000",
        "idempotency-key": KEY,
        "content-type": "application/json",
        "content-length": str(len(case.sent)),
    }


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_write_can_be_made_under_many_keys(case: Case) -> None:
    """Describing a write sends nothing; every attempt sends the same body under its own key."""
    transport = respond_with(case.status, case.response)
    write = describe_writes(transport)[case.write]
    sent_before = len(transport.requests)
    for key in ("exe-1.a.0.b", "exe-1.a.0.b", "exe-2.a.0.b"):
        await write.attempt(Key(key))

    assert sent_before == 0
    assert [request.headers["idempotency-key"][:5] for request in transport.requests] == [
        "exe-1",
        "exe-1",
        "exe-2",
    ]
    assert {request.content for request in transport.requests} == {case.sent}


@pytest.mark.parametrize("case", CASES, ids=get_name)
def test_write_value_serializes_as_received(case: Case) -> None:
    assert to_jsonable_python(case.value) == case.response


@pytest.mark.parametrize("status", [200, 202, 299])
@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_write_succeeds_on_any_2xx(case: Case, status: int) -> None:
    assert await describe_writes(respond_with(status, case.response))[case.write].attempt(KEY) == Ok(
        case.value
    )


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 422])
@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_only_declared_statuses_refuse_write(case: Case, status: int) -> None:
    refused = respond_with(status, {"detail": "No way", "status": status})
    result = await describe_writes(refused)[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert type(result.error) is case.declared.get(status, BadAnswer)
    assert result.error.source == case.write
    assert (result.error.detail == "No way") is (status in case.declared)


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        (408, TimedOut),
        (504, TimedOut),
        (429, Unavailable),
        (503, Unavailable),
        (500, BadAnswer),
        (502, BadAnswer),
        (524, BadAnswer),
        (302, BadAnswer),
    ],
)
@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_write_with_undeclared_status_counts_as_sent(
    case: Case, status: int, kind: type[Fault]
) -> None:
    """A status that is not declared leaves open whether the write was made."""
    result = await describe_writes(respond_with(status, {}))[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert type(result.error) is kind
    assert getattr(result.error, "was_sent", True)


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_write_needs_every_response_field(case: Case) -> None:
    for response in damage_fields(case.response):
        result = await describe_writes(respond_with(case.status, response))[case.write].attempt(KEY)

        assert isinstance(result, Err)
        assert isinstance(result.error, BadAnswer)


@pytest.mark.parametrize(
    ("case", "change"),
    [
        pytest.param(RESERVE, {"is_reserved": False}, id="not reserved"),
        pytest.param(RESERVE, {"quantity": 1}, id="too few reserved"),
        pytest.param(RESERVE, {"product_id": "prod-999"}, id="other product"),
        pytest.param(EXECUTE, {"status": "pending"}, id="not executed yet"),
        pytest.param(EXECUTE, {"status": "reversed"}, id="reversed"),
        pytest.param(CREATE, {"status": "cancelled"}, id="cancelled"),
        pytest.param(POST, {"from_account": {"account_id": "acc-009", "balance": "1.00"}}, id="other payer"),
        pytest.param(POST, {"to_account": {"account_id": "acc-009", "balance": "1.00"}}, id="other payee"),
        pytest.param(
            POST, {"to_account": {"account_id": "acc-002", "balance": "1.001"}}, id="three decimals"
        ),
    ],
)
async def test_answer_that_contradicts_write_is_bad_answer(case: Case, change: Thing) -> None:
    transport = respond_with(case.status, {**case.response, **change})
    result = await describe_writes(transport)[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, case.write)


async def test_posting_accepts_negative_balance() -> None:
    overdrawn: Thing = {"account_id": "acc-001", "balance": "-25.50"}
    transport = respond_with(201, {**POST.response, "from_account": overdrawn})
    result = await connect_services(transport).accounts.post(TERMS).attempt(KEY)

    assert isinstance(result, Ok)
    assert result.value.from_account.balance == Decimal("-25.50")


async def test_transfer_sends_null_reference() -> None:
    transport = respond_with(201, EXECUTE.response)
    terms = TERMS.model_copy(update={"reference": None})
    await connect_services(transport).payments.execute_transfer(terms).attempt(KEY)

    assert json.loads(transport.requests[0].content)["reference"] is None


@pytest.mark.parametrize("amount", [25.5, "25.505", Decimal(-1), Decimal("0.001"), True])
def test_transfer_terms_refuse_invalid_amount(amount: object) -> None:
    with pytest.raises(ValidationError):
        TransferTerms.model_validate({**dict(TERMS), "amount": amount})


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_send_once_write_times_out_once(case: Case) -> None:
    change_context(RunContext(mode=CallMode.SEND_ONCE))
    result = await describe_writes(Hanging())[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert isinstance(result.error, TimedOut)
    assert result.error.budget == 1.0
    assert asyncio.get_running_loop().time() == 1.0


async def test_write_timeout_is_clipped_to_deadline() -> None:
    transport = respond_with(201, CREATE.response)
    change_context(RunContext(deadline=0.25, baggage={"X-Request-Id": "req-1"}))
    await describe_writes(transport)["orders.create"].attempt(KEY)
    (request,) = transport.requests

    assert request.headers["x-envoy-expected-rq-timeout-ms"] == "250"
    assert request.headers["x-request-id"] == "req-1"


@pytest.mark.parametrize("case", CASES, ids=get_name)
async def test_write_on_refused_connection_counts_as_unsent(case: Case) -> None:
    result = await describe_writes(Raising(httpx.ConnectError("refused")))[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert not result.error.was_sent


@pytest.mark.parametrize("case", CASES, ids=get_name)
def test_sample_write_has_expected_undo(case: Case) -> None:
    undo = describe_writes(Answering())[case.write].undo

    assert (undo and undo.name) == case.undo
