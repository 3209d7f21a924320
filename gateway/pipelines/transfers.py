"""Transfers: is this payment in order, then the money moves. All of it, or none."""

from typing import Literal, TypeAlias

from pydantic import ValidationInfo, field_validator

from gateway.api.pipeline_route.models import Id, RequestBody, ResponseBody
from gateway.client.models import example
from gateway.pipelines.fields import Amount, Currency, Reference
from gateway.railway import (
    FAIL_FAST,
    Aggregate,
    Conflict,
    Err,
    Forbidden,
    NotFound,
    Ok,
    Result,
    Run,
    Stuck,
    UpstreamFault,
    railway,
)
from gateway.services import Upstreams
from gateway.services.accounts import Account, AccountBalance
from gateway.services.fraud import Compliance, Risk
from gateway.services.money import Money
from gateway.services.transfer_terms import TransferTerms

__all__ = ("TransferError", "TransferRequest", "TransferResult", "transfers")

TransferError: TypeAlias = NotFound | Forbidden | Conflict | UpstreamFault | Stuck | Aggregate


class TransferRequest(RequestBody):
    """How much goes from where to where, and what for."""

    model_config = example(
        from_account="acc-001",
        to_account="acc-002",
        amount="25.00",
        currency="USD",
        reference="rent",
    )

    from_account: Id
    to_account: Id
    amount: Amount
    currency: Currency
    reference: Reference | None = None

    @field_validator("to_account")
    @classmethod
    def _differs(cls, to_account: str, info: ValidationInfo) -> str:
        if to_account == info.data.get("from_account"):
            msg = "must be another account than from_account"
            raise ValueError(msg)
        return to_account


class TransferResult(ResponseBody):
    """What was moved, and what both accounts hold after it."""

    transfer_id: str
    status: Literal["completed"]
    from_account: AccountBalance
    to_account: AccountBalance
    amount: Money
    currency: str
    fraud_check: Risk
    compliance_check: Compliance


@railway
async def transfers(run: Run[TransferError], transfer: TransferRequest, up: Upstreams) -> TransferResult:
    """Look at the account that pays, have the transfer checked, then move the money."""
    account, history, profile = await run.stage(
        "account data",
        up.accounts.fetch(transfer.from_account),
        up.accounts.history(transfer.from_account),
        up.fraud.risk_profile(transfer.from_account),
        policy=FAIL_FAST,
    )
    run.unwrap(_able_to_pay(account, transfer))
    risk, compliance = await run.stage(
        "checks",
        up.fraud.check_transfer(profile, transfer.amount, len(history)),
        up.fraud.check_compliance(transfer.from_account, transfer.to_account, transfer.amount),
    )
    terms = TransferTerms(**dict(transfer))
    executed, posting = await run.commit(
        "settlement",
        up.payments.execute_transfer(terms),
        up.accounts.post(terms),
    )
    return TransferResult(
        transfer_id=executed.transfer_id,
        status="completed",
        from_account=posting.from_account,
        to_account=posting.to_account,
        amount=transfer.amount,
        currency=transfer.currency,
        fraud_check=risk,
        compliance_check=compliance,
    )


def _able_to_pay(account: Account, transfer: TransferRequest) -> Result[Account, Conflict]:
    """Decide what can be decided before anybody else is asked."""
    if account.status == "frozen":
        reason = "Account is frozen"
    elif account.currency != transfer.currency:
        reason = f"Account is not in {transfer.currency}"
    elif account.balance < transfer.amount:
        reason = "Insufficient funds"
    else:
        return Ok(account)
    return Err(Conflict(reason, source="accounts.fetch"))
