"""Transfer pipeline: checks a transfer between two accounts, then executes and posts it."""

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
from gateway.services.accounts import Account, AccountBalance, Accounts
from gateway.services.fraud import Compliance, Fraud, Risk
from gateway.services.money import Money
from gateway.services.payments import Payments
from gateway.services.transfer_terms import TransferTerms

__all__ = ("TransferError", "TransferRequest", "TransferResult", "transfers")

TransferError: TypeAlias = NotFound | Forbidden | Conflict | UpstreamFault | Stuck | Aggregate


class TransferRequest(RequestBody):
    """The transfer to make. *currency* (ISO 4217) must be the currency of *from_account*."""

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
    def _require_different(cls, to_account: str, info: ValidationInfo) -> str:
        if to_account == info.data.get("from_account"):
            msg = "must differ from from_account"
            raise ValueError(msg)
        return to_account


class TransferResult(ResponseBody):
    """The completed transfer, with the balances of both accounts after it."""

    transfer_id: str
    status: Literal["completed"]
    from_account: AccountBalance
    to_account: AccountBalance
    amount: Money
    currency: str
    fraud_check: Risk
    compliance_check: Compliance


@railway
async def transfers(
    run: Run[TransferError], transfer: TransferRequest, accounts: Accounts, fraud: Fraud, payments: Payments
) -> TransferResult:
    """Transfer money between two accounts, after fraud and compliance checks.

    The last stage commits: the transfer is executed and then posted to both accounts. If it cannot be posted,
    it is reversed.
    """
    account, history, profile = await run.stage(
        "account data",
        accounts.fetch(transfer.from_account),
        accounts.history(transfer.from_account),
        fraud.risk_profile(transfer.from_account),
        policy=FAIL_FAST,
    )
    run.unwrap(_check_source_account(account, transfer))
    risk, compliance = await run.stage(
        "checks",
        fraud.check_transfer(profile, transfer.amount, len(history)),
        fraud.check_compliance(transfer.from_account, transfer.to_account, transfer.amount),
    )
    terms = TransferTerms(
        from_account=transfer.from_account,
        to_account=transfer.to_account,
        amount=transfer.amount,
        currency=transfer.currency,
        reference=transfer.reference,
    )
    executed, posting = await run.commit(
        "settlement",
        payments.execute_transfer(terms),
        accounts.post(terms),
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


def _check_source_account(account: Account, transfer: TransferRequest) -> Result[Account, Conflict]:
    """Return *account*, the source account, or a `Conflict` if it cannot pay for *transfer*."""
    if account.status == "frozen":
        reason = "Account is frozen"
    elif account.status != "active":
        reason = "Account is not active"
    elif account.currency != transfer.currency:
        reason = f"Account is not in {transfer.currency}"
    elif account.balance < transfer.amount:
        reason = "Insufficient funds"
    else:
        return Ok(account)
    return Err(Conflict(reason, source="accounts.fetch"))
