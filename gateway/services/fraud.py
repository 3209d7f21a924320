"""Fraud service: fraud and compliance checks of orders and transfers."""

from decimal import Decimal
from typing import Annotated, final

from pydantic import Field

from gateway.client.answers.leniency import Text
from gateway.client.models import UpstreamRequest, UpstreamResponse, example
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Forbidden, UpstreamFault
from gateway.services.inventory import Stock
from gateway.services.money import Money
from gateway.services.payments import Payment
from gateway.services.users import User

__all__ = ("Compliance", "Fraud", "Risk", "RiskProfile")


@final
class Risk(UpstreamResponse):
    """The result of a fraud check. *risk_level* is a word, such as `Low` or `High`."""

    model_config = example(is_safe=True, risk_level="Low")

    is_safe: bool
    risk_level: Text


@final
class RiskProfile(UpstreamResponse):
    """The risk profile of an account. *risk_level* is a word, such as `Low` or `High`."""

    model_config = example(account_id="acc-001", risk_level="Low")

    account_id: str
    risk_level: str


@final
class Compliance(UpstreamResponse):
    """The result of a compliance check."""

    model_config = example(is_compliant=True)

    is_compliant: bool


class _ScreeningRequest(UpstreamRequest):
    user_id: str
    product_id: str
    stock_level: int


@final
class _AssessmentRequest(_ScreeningRequest):
    payment_id: str


@final
class _TransferCheckRequest(UpstreamRequest):
    account_id: str
    risk_level: str
    amount: Money
    recent_transactions: Annotated[int, Field(ge=0)]


@final
class _ComplianceCheckRequest(UpstreamRequest):
    from_account: str
    to_account: str
    amount: Money


@final
class Fraud:
    """Client of the fraud service.

    A check fails with `Forbidden` if the service responds with 403, or `is_safe` or `is_compliant` is false.
    """

    def __init__(self, client: ServiceClient) -> None:
        declared = {403: Forbidden}
        self._assess = client.post("fraud.assess", "/assessments", answer=Risk, declared=declared)
        self._screen = client.post("fraud.screen", "/screenings", answer=Risk, declared=declared)
        self._risk_profile = client.get(
            "fraud.risk_profile", "/risk-profiles/{account_id}", answer=RiskProfile
        )
        self._check_transfer = client.post(
            "fraud.check_transfer", "/transfer-checks", answer=Risk, declared=declared
        )
        self._check_compliance = client.post(
            "fraud.check_compliance", "/compliance-checks", answer=Compliance, declared=declared
        )

    def assess(self, user: User, payment: Payment, stock: Stock) -> Call[Risk, Forbidden | UpstreamFault]:
        """Check a sale with its payment method (`POST /assessments`); `Forbidden` if it is rejected."""
        request = _AssessmentRequest(
            user_id=user.user_id,
            product_id=stock.product_id,
            stock_level=stock.stock_level,
            payment_id=payment.payment_id,
        )
        return _require_safe(self._assess(request))

    def screen(self, user: User, stock: Stock) -> Call[Risk, Forbidden | UpstreamFault]:
        """Check a sale without its payment method (`POST /screenings`); `Forbidden` if it is rejected."""
        request = _ScreeningRequest(
            user_id=user.user_id, product_id=stock.product_id, stock_level=stock.stock_level
        )
        return _require_safe(self._screen(request))

    def risk_profile(self, account_id: str) -> Call[RiskProfile, UpstreamFault]:
        """Fetch the risk profile of an account (`GET /risk-profiles/{account_id}`)."""
        return self._risk_profile(
            account_id=account_id, fits=lambda profile: profile.account_id == account_id
        )

    def check_transfer(
        self, profile: RiskProfile, amount: Decimal, recent_transactions: int
    ) -> Call[Risk, Forbidden | UpstreamFault]:
        """Check a payment from the account of *profile* (`POST /transfer-checks`).

        *amount* is in the account's currency, and *recent_transactions* is the number of the account's recent
        transactions. `Forbidden` if the payment is rejected.
        """
        request = _TransferCheckRequest(
            account_id=profile.account_id,
            risk_level=profile.risk_level,
            amount=amount,
            recent_transactions=recent_transactions,
        )
        return _require_safe(self._check_transfer(request))

    def check_compliance(
        self, from_account: str, to_account: str, amount: Decimal
    ) -> Call[Compliance, Forbidden | UpstreamFault]:
        """Check that a payment is lawful (`POST /compliance-checks`); `Forbidden` if it is not."""
        request = _ComplianceCheckRequest(from_account=from_account, to_account=to_account, amount=amount)
        return self._check_compliance(request).ensure(
            lambda compliance: compliance.is_compliant, _refuse_noncompliance
        )


def _require_safe(call: Call[Risk, Forbidden | UpstreamFault]) -> Call[Risk, Forbidden | UpstreamFault]:
    return call.ensure(
        lambda risk: risk.is_safe, lambda _: Forbidden("Rejected by the fraud check", source=call.name)
    )


def _refuse_noncompliance(_: Compliance) -> Forbidden:
    return Forbidden("Rejected by the compliance check", source="fraud.check_compliance")
