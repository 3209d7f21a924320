"""Each write as the contract has it: what is sent under its key, what is answered, what is refused."""

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
    """A write, the request it makes, the answer to that and what it means, the refusals, and its undo."""

    write: str
    path: str
    sent: bytes
    status: int
    answered: Thing
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


def behind(transport: httpx.AsyncBaseTransport) -> ShippedServices:
    return ShippedServices.over(transport, dict.fromkeys(NAMES, "http://mock.test"))


def writes(transport: httpx.AsyncBaseTransport) -> Mapping[str, Write[object, Failure]]:
    up = behind(transport)
    described: list[Write[object, Failure]] = [
        up.inventory.reserve("prod-456", 2),
        up.payments.execute_transfer(TERMS),
        up.accounts.post(TERMS),
        up.orders.create("user-123", "prod-456", 2),
        up.notifications.send("user-123", "ord-1"),
        up.analytics.track("purchase", "ord-1"),
    ]
    return {write.name: write for write in described}


def answering(status: int, answered: object) -> Answering:
    return Answering(httpx.Response(status, json=answered, headers=PROBLEM if status >= 400 else {}))


def named(case: object) -> str:
    return case.write if isinstance(case, Case) else str(case)


def spoilt(answer: Thing) -> Iterator[Thing]:
    """Give *answer* without each of its fields, and with each of them of another type, however deep."""
    for field, value in answer.items():
        rest = {name: kept for name, kept in answer.items() if name != field}
        yield rest
        yield {**rest, field: str(value) if isinstance(value, int) else 4}
        if isinstance(value, Mapping):
            yield from ({**rest, field: worse} for worse in spoilt(value))


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_sends_and_understands_what_the_contract_says(case: Case) -> None:
    transport = answering(case.status, case.answered)
    result = await writes(transport)[case.write].attempt(KEY)
    (request,) = transport.requests

    assert result == Ok(case.value)
    assert (request.method, str(request.url)) == ("POST", f"http://mock.test{case.path}")
    assert request.content == case.sent


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_is_known_to_the_service_by_its_key(case: Case) -> None:
    transport = answering(case.status, case.answered)
    await writes(transport)[case.write].attempt(KEY)
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


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_is_described_before_it_is_made_and_made_under_any_key(case: Case) -> None:
    transport = answering(case.status, case.answered)
    write = writes(transport)[case.write]
    unmade = len(transport.requests)
    for key in ("exe-1.a.0.b", "exe-1.a.0.b", "exe-2.a.0.b"):
        await write.attempt(Key(key))

    assert unmade == 0
    assert [request.headers["idempotency-key"][:5] for request in transport.requests] == [
        "exe-1",
        "exe-1",
        "exe-2",
    ]
    assert {request.content for request in transport.requests} == {case.sent}


@pytest.mark.parametrize("case", CASES, ids=named)
def test_the_arguments_of_a_write_are_the_json_that_it_sends(case: Case) -> None:
    write = writes(Answering())[case.write]

    assert json.loads(json.dumps(write.arguments)) == json.loads(case.sent)


@pytest.mark.parametrize("case", CASES, ids=named)
def test_what_a_write_came_to_is_written_as_it_was_read(case: Case) -> None:
    assert to_jsonable_python(case.value) == case.answered


@pytest.mark.parametrize("status", [200, 202, 299])
@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_that_is_answered_with_any_2xx_is_done(case: Case, status: int) -> None:
    assert await writes(answering(status, case.answered))[case.write].attempt(KEY) == Ok(case.value)


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 410, 412, 422])
@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_is_refused_with_what_it_declares_and_nothing_else(case: Case, status: int) -> None:
    refused = answering(status, {"detail": "No way", "status": status})
    result = await writes(refused)[case.write].attempt(KEY)

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
        (302, BadAnswer),
    ],
)
@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_that_a_service_could_not_make_may_have_been_made(
    case: Case, status: int, kind: type[Fault]
) -> None:
    result = await writes(answering(status, {}))[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert type(result.error) is kind
    assert getattr(result.error, "was_sent", True)


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_every_field_of_an_answer_is_needed_and_has_a_type(case: Case) -> None:
    for answered in spoilt(case.answered):
        result = await writes(answering(case.status, answered))[case.write].attempt(KEY)

        assert isinstance(result, Err)
        assert isinstance(result.error, BadAnswer)


@pytest.mark.parametrize(
    ("case", "otherwise"),
    [
        pytest.param(RESERVE, {"is_reserved": False}, id="not reserved"),
        pytest.param(RESERVE, {"quantity": 1}, id="fewer than wanted"),
        pytest.param(EXECUTE, {"status": "pending"}, id="not executed yet"),
        pytest.param(EXECUTE, {"status": "reversed"}, id="reversed"),
        pytest.param(CREATE, {"status": "cancelled"}, id="cancelled"),
        pytest.param(POST, {"from_account": {"account_id": "acc-009", "balance": "1.00"}}, id="other payer"),
        pytest.param(POST, {"to_account": {"account_id": "acc-009", "balance": "1.00"}}, id="other payee"),
        pytest.param(POST, {"to_account": {"account_id": "acc-002", "balance": "1.001"}}, id="no balance"),
    ],
)
async def test_a_success_that_says_something_else_is_a_bad_answer(case: Case, otherwise: Thing) -> None:
    transport = answering(case.status, {**case.answered, **otherwise})
    result = await writes(transport)[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, case.write)


async def test_a_balance_below_zero_is_what_the_service_says_it_is() -> None:
    overdrawn: Thing = {"account_id": "acc-001", "balance": "-25.50"}
    transport = answering(201, {**POST.answered, "from_account": overdrawn})
    result = await behind(transport).accounts.post(TERMS).attempt(KEY)

    assert isinstance(result, Ok)
    assert result.value.from_account.balance == Decimal("-25.50")


async def test_a_transfer_for_nothing_in_particular_says_so() -> None:
    transport = answering(201, EXECUTE.answered)
    terms = TERMS.model_copy(update={"reference": None})
    await behind(transport).payments.execute_transfer(terms).attempt(KEY)

    assert json.loads(transport.requests[0].content)["reference"] is None


@pytest.mark.parametrize("amount", [25.5, "25.505", Decimal(-1), Decimal("0.001"), True])
def test_terms_have_an_exact_amount(amount: object) -> None:
    with pytest.raises(ValidationError):
        TransferTerms.model_validate({**dict(TERMS), "amount": amount})


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_that_hangs_has_its_timeout_once_where_it_must_not_be_repeated(case: Case) -> None:
    change_context(RunContext(mode=CallMode.SEND_ONCE))
    result = await writes(Hanging())[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert isinstance(result.error, TimedOut)
    assert result.error.budget == 1.0
    assert asyncio.get_running_loop().time() == 1.0


async def test_a_write_has_no_more_time_than_its_commit() -> None:
    transport = answering(201, CREATE.answered)
    change_context(RunContext(deadline=0.25, baggage={"X-Request-Id": "req-1"}))
    await writes(transport)["orders.create"].attempt(KEY)
    (request,) = transport.requests

    assert request.headers["x-envoy-expected-rq-timeout-ms"] == "250"
    assert request.headers["x-request-id"] == "req-1"


@pytest.mark.parametrize("case", CASES, ids=named)
async def test_a_write_to_a_service_that_is_not_there_was_not_sent(case: Case) -> None:
    result = await writes(Raising(httpx.ConnectError("refused")))[case.write].attempt(KEY)

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert not result.error.was_sent


@pytest.mark.parametrize("case", CASES, ids=named)
def test_a_write_names_the_undo_that_takes_it_back(case: Case) -> None:
    undo = writes(Answering())[case.write].undo

    assert (undo and undo.name) == case.undo
