"""Transfer pipeline: its checks, its writes, and their undos."""

from decimal import Decimal
from itertools import permutations
from typing import Any, Final

import httpx
import pytest
from pydantic import ValidationError

from gateway.pipelines.transfers import TransferRequest, TransferResult, transfers
from gateway.railway import (
    Aggregate,
    BadAnswer,
    Conflict,
    Err,
    Fault,
    Forbidden,
    NotFound,
    Ok,
    RunContext,
    Stuck,
    TimedOut,
    Unavailable,
)
from gateway.services.accounts import AccountBalance
from gateway.services.fraud import Compliance, Risk
from tests.pipelines.scripted_services import (
    FOREVER,
    PERMUTED_DELAYS,
    AnswerSequence,
    FakeServices,
    list_repeats,
    now,
)

ACCOUNT: Final = "/accounts/acc-1"
HISTORY: Final = "/accounts/acc-1/transactions"
PROFILE: Final = "/risk-profiles/acc-1"
FRAUD: Final = "/transfer-checks"
COMPLIANCE: Final = "/compliance-checks"
TRANSFER: Final = "/transfers"
POSTING: Final = "/postings"
REVERSE: Final = "DELETE /transfers"
POST_BACK: Final = "DELETE /postings"

ACCOUNT_DATA: Final = (ACCOUNT, HISTORY, PROFILE)
CHECKS: Final = (FRAUD, COMPLIANCE)
SETTLEMENT: Final = (TRANSFER, POSTING)

PAYER: Final = {
    "account_id": "acc-1",
    "owner": "user-1",
    "balance": "25.50",
    "currency": "USD",
    "status": "active",
}
PAST_TRANSACTION: Final = {"transfer_id": "pst-0", "amount": "1.00", "direction": "debit"}
POSTED: Final = {
    "posting_id": "pst-1",
    "from_account": {"account_id": "acc-1", "balance": "0.00"},
    "to_account": {"account_id": "acc-2", "balance": "25.50"},
}
REQUEST: Final = TransferRequest(
    from_account="acc-1", to_account="acc-2", amount=Decimal("25.50"), currency="USD", reference="rent"
)
RESULT: Final = TransferResult(
    transfer_id="trf-1",
    status="completed",
    from_account=AccountBalance(account_id="acc-1", balance=Decimal("0.00")),
    to_account=AccountBalance(account_id="acc-2", balance=Decimal("25.50")),
    amount=Decimal("25.50"),
    currency="USD",
    fraud_check=Risk(is_safe=True, risk_level="Low"),
    compliance_check=Compliance(is_compliant=True),
)
transfer = transfers.on(RunContext(execution_id="exe-1"))


@pytest.fixture
def fake() -> FakeServices:
    return FakeServices(
        {
            ACCOUNT: PAYER,
            HISTORY: [PAST_TRANSACTION, PAST_TRANSACTION],
            PROFILE: {"account_id": "acc-1", "risk_level": "Low"},
            FRAUD: {"is_safe": True, "risk_level": "Low"},
            COMPLIANCE: {"is_compliant": True},
            TRANSFER: {"transfer_id": "trf-1", "status": "executed"},
            POSTING: POSTED,
        }
    )


def find_body(fake: FakeServices, path: str) -> bytes:
    """Return the body of the request to *path*."""
    return next(request.content for request in fake.requests if request.url.path == path)


async def test_transfer_makes_writes_in_order(fake: FakeServices) -> None:
    fake.delays = {HISTORY: 0.5, PROFILE: 0.25, FRAUD: 0.125, COMPLIANCE: 0.25, TRANSFER: 0.5, POSTING: 0.25}

    assert await fake.services.run(transfer, REQUEST) == Ok(RESULT)
    assert fake.paths == [*ACCOUNT_DATA, *CHECKS, *SETTLEMENT]
    assert now() == 0.5 + 0.25 + 0.5 + 0.25


async def test_transfer_checks_get_account_data(fake: FakeServices) -> None:
    await fake.services.run(transfer, REQUEST)

    assert find_body(fake, FRAUD) == (
        b'{"account_id":"acc-1","risk_level":"Low","amount":"25.50","recent_transactions":2}'
    )
    assert find_body(fake, COMPLIANCE) == b'{"from_account":"acc-1","to_account":"acc-2","amount":"25.50"}'


async def test_transfer_writes_have_distinct_keys(fake: FakeServices) -> None:
    """Both writes send the same terms, each under its own key."""
    await fake.services.run(transfer, REQUEST)

    terms = (
        b'{"from_account":"acc-1","to_account":"acc-2","amount":"25.50","currency":"USD","reference":"rent"}'
    )
    assert find_body(fake, TRANSFER) == find_body(fake, POSTING) == terms
    assert fake.list_keys(TRANSFER) == ["exe-1.settlement.0.payments.execute_transfer"]
    assert fake.list_keys(POSTING) == ["exe-1.settlement.1.accounts.post"]


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ({"status": "frozen", "currency": "EUR", "balance": "0.00"}, "Account is frozen"),
        ({"status": "frozen"}, "Account is frozen"),
        ({"status": "dormant"}, "Account is not active"),
        ({"status": "unknown", "balance": "0.00"}, "Account is not active"),
        ({"currency": "EUR", "balance": "0.00"}, "Account is not in USD"),
        ({"currency": "EUR"}, "Account is not in USD"),
        ({"balance": "25.49"}, "Insufficient funds"),
        ({"balance": "-25.50"}, "Insufficient funds"),
    ],
)
async def test_source_account_unable_to_pay_ends_transfer(
    fake: FakeServices, account: dict[str, str], reason: str
) -> None:
    """The source account is rejected before any fraud or compliance check."""
    fake.answers[ACCOUNT] = {**PAYER, **account}

    assert await fake.services.run(transfer, REQUEST) == Err(Conflict(reason, source="accounts.fetch"))
    assert fake.paths == [*ACCOUNT_DATA]


@pytest.mark.parametrize("delays", PERMUTED_DELAYS)
async def test_missing_source_account_hides_other_failures(
    fake: FakeServices, delays: tuple[float, ...]
) -> None:
    fake.delays = dict(zip(ACCOUNT_DATA, delays, strict=True))
    fake.answers |= {ACCOUNT: 404, HISTORY: 503, PROFILE: 500}
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (NotFound, "accounts.fetch")
    assert now() == delays[0]


@pytest.mark.parametrize("delays", [*permutations((0.1, 0.2), 2)])
async def test_transfer_reports_both_failed_checks(fake: FakeServices, delays: tuple[float, ...]) -> None:
    fake.delays = dict(zip(CHECKS, delays, strict=True))
    fake.answers |= {FRAUD: 403, COMPLIANCE: 403}
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [fault.source for fault in result.error.errors] == [
        "fraud.check_transfer",
        "fraud.check_compliance",
    ]
    assert now() == 0.2


@pytest.mark.parametrize(
    ("path", "answer", "error", "expected_paths"),
    [
        (ACCOUNT, 404, NotFound, ACCOUNT_DATA),
        (ACCOUNT, {**PAYER, "status": "closed"}, Conflict, ACCOUNT_DATA),
        (ACCOUNT, {**PAYER, "status": "Active"}, Conflict, ACCOUNT_DATA),
        (ACCOUNT, {**PAYER, "status": ""}, Conflict, ACCOUNT_DATA),
        (ACCOUNT, {**PAYER, "status": None}, BadAnswer, ACCOUNT_DATA),
        (ACCOUNT, {**PAYER, "balance": "1.000"}, BadAnswer, ACCOUNT_DATA),
        (HISTORY, 404, BadAnswer, ACCOUNT_DATA),
        (PROFILE, 503, Unavailable, ACCOUNT_DATA),
        (FRAUD, 403, Forbidden, (*ACCOUNT_DATA, *CHECKS)),
        (FRAUD, {"is_safe": False, "risk_level": "High"}, Forbidden, (*ACCOUNT_DATA, *CHECKS)),
        (FRAUD, 504, TimedOut, (*ACCOUNT_DATA, *CHECKS)),
        (COMPLIANCE, 403, Forbidden, (*ACCOUNT_DATA, *CHECKS)),
        (COMPLIANCE, {"is_compliant": False}, Forbidden, (*ACCOUNT_DATA, *CHECKS)),
        (COMPLIANCE, 409, BadAnswer, (*ACCOUNT_DATA, *CHECKS)),
    ],
)
async def test_failed_check_moves_no_money(
    fake: FakeServices, path: str, answer: object, error: type[Fault], expected_paths: tuple[str, ...]
) -> None:
    fake.answers[path] = answer
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert type(result.error) is error
    assert fake.paths == [*expected_paths, *list_repeats(path, error)]


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (409, Conflict)])
async def test_refused_posting_reverses_transfer(fake: FakeServices, status: int, error: type[Fault]) -> None:
    fake.answers[POSTING] = status
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "accounts.post")
    assert fake.paths == [*ACCOUNT_DATA, *CHECKS, *SETTLEMENT, REVERSE]
    assert fake.list_undone_keys(TRANSFER) == fake.list_keys(TRANSFER)


@pytest.mark.parametrize(
    "answer",
    [
        500,
        {},
        {**POSTED, "to_account": {"account_id": "acc-9", "balance": "25.50"}},
    ],
)
async def test_posting_with_unusable_answer_is_undone_first(fake: FakeServices, answer: object) -> None:
    fake.answers[POSTING] = answer
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "accounts.post")
    assert fake.paths[-3:] == [POSTING, POST_BACK, REVERSE]
    assert (fake.list_undone_keys(POSTING), fake.list_undone_keys(TRANSFER)) == (
        fake.list_keys(POSTING),
        fake.list_keys(TRANSFER),
    )


async def test_posting_may_overdraw_account(fake: FakeServices) -> None:
    fake.answers[POSTING] = {**POSTED, "from_account": {"account_id": "acc-1", "balance": "-1.00"}}
    result = await fake.services.run(transfer, REQUEST)

    overdrawn = AccountBalance(account_id="acc-1", balance=Decimal("-1.00"))
    assert result == Ok(RESULT.model_copy(update={"from_account": overdrawn}))


@pytest.mark.parametrize(
    ("answer", "error"), [(409, BadAnswer), ({"transfer_id": "trf-1", "status": "pending"}, BadAnswer)]
)
async def test_unexecuted_transfer_is_not_posted(
    fake: FakeServices, answer: object, error: type[Fault]
) -> None:
    fake.answers[TRANSFER] = answer
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "payments.execute_transfer")
    assert fake.paths[-2:] == [TRANSFER, REVERSE]


async def test_transfer_with_refused_connection_is_not_reversed(fake: FakeServices) -> None:
    fake.answers[TRANSFER] = httpx.ConnectError("refused")
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert fake.paths == [*ACCOUNT_DATA, *CHECKS, TRANSFER, *list_repeats(TRANSFER, Unavailable)]


@pytest.mark.parametrize("path", SETTLEMENT)
async def test_write_with_lost_response_is_repeated(fake: FakeServices, path: str) -> None:
    fake.answers[path] = AnswerSequence(httpx.ReadError("reset"), fake.answers[path])

    assert await fake.services.run(transfer, REQUEST) == Ok(RESULT)
    assert len(fake.list_keys(path)) == 2
    assert len(set(fake.list_keys(path))) == 1


@pytest.mark.parametrize(("path", "undone"), [(TRANSFER, [REVERSE]), (POSTING, [POST_BACK, REVERSE])])
async def test_hanging_write_undoes_transfer(fake: FakeServices, path: str, undone: list[str]) -> None:
    """A write without a response is undone, and so are the writes before it."""
    fake.delays[path] = FOREVER
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert isinstance(result.error, TimedOut)
    assert fake.paths[-len(undone) :] == undone


async def test_failed_reversal_makes_transfer_stuck(fake: FakeServices) -> None:
    fake.answers |= {POSTING: 404, REVERSE: 500}
    result = await fake.services.run(transfer, REQUEST)

    assert isinstance(result, Err)
    assert isinstance(result.error, Stuck)
    assert now() == pytest.approx(30.0, abs=1.5)


@pytest.mark.parametrize("amount", ["0.01", "25", "25.5", "1000000.00"])
def test_transfer_accepts_valid_amount(amount: str) -> None:
    assert TransferRequest.model_validate({**dict(REQUEST), "amount": amount}).amount == Decimal(amount)


@pytest.mark.parametrize(
    "change",
    [
        *[
            {"amount": amount}
            for amount in ("0", "0.00", "0.001", "01", "1000000.01", "-1", "", "1e3", 25, 0.5)
        ],
        *[{"currency": currency} for currency in ("usd", "US", "USDT", "USD\n", "")],
        {"to_account": "acc-1"},
        {"reference": "x" * 141},
        {"reference": 7},
        {"note": "x"},
    ],
)
def test_transfer_request_refuses_invalid_field(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TransferRequest.model_validate({**dict(REQUEST), **change})


def test_transfer_declares_every_class_of_transfer_error() -> None:
    assert transfers.promised == (
        NotFound,
        Forbidden,
        Conflict,
        BadAnswer,
        Unavailable,
        TimedOut,
        Stuck,
        Aggregate,
    )
