"""What a transfer asks, in which order, what it decides by itself, and when it takes money back."""

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
from tests.pipelines.scripted_services import FOREVER, ORDERS, InTurn, World, again, now

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
PAST: Final = {"transfer_id": "pst-0", "amount": "1.00", "direction": "debit"}
POSTED: Final = {
    "posting_id": "pst-1",
    "from_account": {"account_id": "acc-1", "balance": "0.00"},
    "to_account": {"account_id": "acc-2", "balance": "25.50"},
}
RENT: Final = TransferRequest(
    from_account="acc-1", to_account="acc-2", amount=Decimal("25.50"), currency="USD", reference="rent"
)
MOVED: Final = TransferResult(
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
def world() -> World:
    return World(
        {
            ACCOUNT: PAYER,
            HISTORY: [PAST, PAST],
            PROFILE: {"account_id": "acc-1", "risk_level": "Low"},
            FRAUD: {"is_safe": True, "risk_level": "Low"},
            COMPLIANCE: {"is_compliant": True},
            TRANSFER: {"transfer_id": "trf-1", "status": "executed"},
            POSTING: POSTED,
        }
    )


def sent(world: World, path: str) -> bytes:
    """Give what was sent to *path*."""
    return next(request.content for request in world.requests if request.url.path == path)


async def test_a_transfer_asks_in_three_stages_and_moves_the_money_in_order(world: World) -> None:
    world.delays = {HISTORY: 0.5, PROFILE: 0.25, FRAUD: 0.125, COMPLIANCE: 0.25, TRANSFER: 0.5, POSTING: 0.25}

    assert await transfer(RENT, world.up) == Ok(MOVED)
    assert world.asked == [*ACCOUNT_DATA, *CHECKS, *SETTLEMENT]
    assert now() == 0.5 + 0.25 + 0.5 + 0.25


async def test_the_checks_are_told_what_was_found_out(world: World) -> None:
    await transfer(RENT, world.up)

    assert sent(world, FRAUD) == (
        b'{"account_id":"acc-1","risk_level":"Low","amount":"25.50","recent_transactions":2}'
    )
    assert sent(world, COMPLIANCE) == b'{"from_account":"acc-1","to_account":"acc-2","amount":"25.50"}'


async def test_both_writes_have_the_terms_of_the_request_each_under_its_own_key(world: World) -> None:
    await transfer(RENT, world.up)

    terms = (
        b'{"from_account":"acc-1","to_account":"acc-2","amount":"25.50","currency":"USD","reference":"rent"}'
    )
    assert sent(world, TRANSFER) == sent(world, POSTING) == terms
    assert world.keys(TRANSFER) == ["exe-1.settlement.0.payments.execute_transfer"]
    assert world.keys(POSTING) == ["exe-1.settlement.1.accounts.post"]


@pytest.mark.parametrize(
    ("account", "reason"),
    [
        ({"status": "frozen", "currency": "EUR", "balance": "0.00"}, "Account is frozen"),
        ({"status": "frozen"}, "Account is frozen"),
        ({"currency": "EUR", "balance": "0.00"}, "Account is not in USD"),
        ({"currency": "EUR"}, "Account is not in USD"),
        ({"balance": "25.49"}, "Insufficient funds"),
        ({"balance": "-25.50"}, "Insufficient funds"),
    ],
)
async def test_an_account_that_cannot_pay_is_a_conflict_before_anybody_checks_it(
    world: World, account: dict[str, str], reason: str
) -> None:
    world.answers[ACCOUNT] = {**PAYER, **account}

    assert await transfer(RENT, world.up) == Err(Conflict(reason, source="accounts.fetch"))
    assert world.asked == [*ACCOUNT_DATA]


@pytest.mark.parametrize("delays", ORDERS)
async def test_an_unknown_account_is_the_only_failure_whatever_comes_first(
    world: World, delays: tuple[float, ...]
) -> None:
    world.delays = dict(zip(ACCOUNT_DATA, delays, strict=True))
    world.answers |= {ACCOUNT: 404, HISTORY: 503, PROFILE: 500}
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (NotFound, "accounts.fetch")
    assert now() == delays[0]


@pytest.mark.parametrize("delays", [*permutations((0.1, 0.2), 2)])
async def test_both_checks_are_told_of_whatever_comes_first(world: World, delays: tuple[float, ...]) -> None:
    world.delays = dict(zip(CHECKS, delays, strict=True))
    world.answers |= {FRAUD: 403, COMPLIANCE: 403}
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Aggregate)
    assert [fault.source for fault in result.error.errors] == [
        "fraud.check_transfer",
        "fraud.check_compliance",
    ]
    assert now() == 0.2


@pytest.mark.parametrize(
    ("path", "answer", "error", "asked"),
    [
        (ACCOUNT, 404, NotFound, ACCOUNT_DATA),
        (ACCOUNT, {**PAYER, "status": "closed"}, BadAnswer, ACCOUNT_DATA),
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
async def test_no_money_moves_unless_everybody_has_agreed(
    world: World, path: str, answer: object, error: type[Fault], asked: tuple[str, ...]
) -> None:
    world.answers[path] = answer
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert type(result.error) is error
    assert world.asked == [*asked, *again(path, error)]


@pytest.mark.parametrize(("status", "error"), [(404, NotFound), (409, Conflict)])
async def test_a_transfer_that_cannot_be_posted_is_reversed(
    world: World, status: int, error: type[Fault]
) -> None:
    world.answers[POSTING] = status
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "accounts.post")
    assert world.asked == [*ACCOUNT_DATA, *CHECKS, *SETTLEMENT, REVERSE]
    assert world.undone(TRANSFER) == world.keys(TRANSFER)


@pytest.mark.parametrize(
    "answer",
    [
        500,
        {},
        {**POSTED, "to_account": {"account_id": "acc-9", "balance": "25.50"}},
    ],
)
async def test_a_posting_of_which_nobody_knows_is_posted_back_before_the_transfer_is_reversed(
    world: World, answer: object
) -> None:
    world.answers[POSTING] = answer
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (BadAnswer, "accounts.post")
    assert world.asked[-3:] == [POSTING, POST_BACK, REVERSE]
    assert (world.undone(POSTING), world.undone(TRANSFER)) == (world.keys(POSTING), world.keys(TRANSFER))


async def test_a_posting_that_overdraws_the_account_is_the_services_own_business(world: World) -> None:
    world.answers[POSTING] = {**POSTED, "from_account": {"account_id": "acc-1", "balance": "-1.00"}}
    result = await transfer(RENT, world.up)

    overdrawn = AccountBalance(account_id="acc-1", balance=Decimal("-1.00"))
    assert result == Ok(MOVED.model_copy(update={"from_account": overdrawn}))


@pytest.mark.parametrize(
    ("answer", "error"), [(409, BadAnswer), ({"transfer_id": "trf-1", "status": "pending"}, BadAnswer)]
)
async def test_a_transfer_that_was_not_executed_is_never_posted(
    world: World, answer: object, error: type[Fault]
) -> None:
    world.answers[TRANSFER] = answer
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert (type(result.error), result.error.source) == (error, "payments.execute_transfer")
    assert world.asked[-2:] == [TRANSFER, REVERSE]


async def test_a_transfer_that_reached_nobody_leaves_nothing_to_reverse(world: World) -> None:
    world.answers[TRANSFER] = httpx.ConnectError("refused")
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert world.asked == [*ACCOUNT_DATA, *CHECKS, TRANSFER, *again(TRANSFER, Unavailable)]


@pytest.mark.parametrize("path", SETTLEMENT)
async def test_a_write_whose_answer_was_lost_is_made_again_under_its_key(world: World, path: str) -> None:
    world.answers[path] = InTurn(httpx.ReadError("reset"), world.answers[path])

    assert await transfer(RENT, world.up) == Ok(MOVED)
    assert len(world.keys(path)) == 2
    assert len(set(world.keys(path))) == 1


@pytest.mark.parametrize(("path", "undone"), [(TRANSFER, [REVERSE]), (POSTING, [POST_BACK, REVERSE])])
async def test_a_write_that_is_never_answered_is_undone_with_all_before_it(
    world: World, path: str, undone: list[str]
) -> None:
    world.delays[path] = FOREVER
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, TimedOut)
    assert world.asked[-len(undone) :] == undone


async def test_money_that_cannot_be_taken_back_is_stuck(world: World) -> None:
    world.answers |= {POSTING: 404, REVERSE: 500}
    result = await transfer(RENT, world.up)

    assert isinstance(result, Err)
    assert isinstance(result.error, Stuck)
    assert now() == pytest.approx(30.0, abs=1.5)


@pytest.mark.parametrize("amount", ["0.01", "25", "25.5", "1000000.00"])
def test_an_amount_is_more_than_nothing_and_at_most_a_million(amount: str) -> None:
    assert TransferRequest.model_validate({**dict(RENT), "amount": amount}).amount == Decimal(amount)


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
def test_what_is_no_transfer_is_none(change: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        TransferRequest.model_validate({**dict(RENT), **change})


def test_a_transfer_promises_what_can_go_wrong() -> None:
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
