"""Fraud service: fraud and compliance checks of orders and transfers."""

from decimal import Decimal
from typing import Annotated, Final, final

from pydantic import Field, TypeAdapter

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
    risk_level: str


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


_RISK: Final = TypeAdapter(Risk)
_PROFILE: Final = TypeAdapter(RiskProfile)
_COMPLIANCE: Final = TypeAdapter(Compliance)


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
        self._client = client

    def assess(self, user: User, payment: Payment, stock: Stock) -> Call[Risk, Forbidden | UpstreamFault]:
        """Check a sale with its payment method (`POST /assessments`); `Forbidden` if it is rejected."""
        call: Call[Risk, Forbidden | UpstreamFault] = self._client.post(
            "fraud.assess",
            ("assessments",),
            _AssessmentRequest(
                user_id=user.user_id,
                product_id=stock.product_id,
                stock_level=stock.stock_level,
                payment_id=payment.payment_id,
            ),
            answer=_RISK,
            declared={403: Forbidden},
        )
        return _require_safe(call)

    def screen(self, user: User, stock: Stock) -> Call[Risk, Forbidden | UpstreamFault]:
        """Check a sale without its payment method (`POST /screenings`); `Forbidden` if it is rejected."""
        call: Call[Risk, Forbidden | UpstreamFault] = self._client.post(
            "fraud.screen",
            ("screenings",),
            _ScreeningRequest(
                user_id=user.user_id, product_id=stock.product_id, stock_level=stock.stock_level
            ),
            answer=_RISK,
            declared={403: Forbidden},
        )
        return _require_safe(call)

    def risk_profile(self, account_id: str) -> Call[RiskProfile, UpstreamFault]:
        """Fetch the risk profile of an account (`GET /risk-profiles/{account_id}`)."""
        return self._client.get("fraud.risk_profile", ("risk-profiles", account_id), answer=_PROFILE)

    def check_transfer(
        self, profile: RiskProfile, amount: Decimal, recent_transactions: int
    ) -> Call[Risk, Forbidden | UpstreamFault]:
        """Check a payment from the account of *profile* (`POST /transfer-checks`).

        *amount* is in the account's currency, and *recent_transactions* is the number of the account's recent
        transactions. `Forbidden` if the payment is rejected.
        """
        call: Call[Risk, Forbidden | UpstreamFault] = self._client.post(
            "fraud.check_transfer",
            ("transfer-checks",),
            _TransferCheckRequest(
                account_id=profile.account_id,
                risk_level=profile.risk_level,
                amount=amount,
                recent_transactions=recent_transactions,
            ),
            answer=_RISK,
            declared={403: Forbidden},
        )
        return _require_safe(call)

    def check_compliance(
        self, from_account: str, to_account: str, amount: Decimal
    ) -> Call[Compliance, Forbidden | UpstreamFault]:
        """Check that a payment is lawful (`POST /compliance-checks`); `Forbidden` if it is not."""
        call: Call[Compliance, Forbidden | UpstreamFault] = self._client.post(
            "fraud.check_compliance",
            ("compliance-checks",),
            _ComplianceCheckRequest(from_account=from_account, to_account=to_account, amount=amount),
            answer=_COMPLIANCE,
            declared={403: Forbidden},
        )
        return call.ensure(lambda compliance: compliance.is_compliant, _refuse_noncompliance)


def _require_safe(call: Call[Risk, Forbidden | UpstreamFault]) -> Call[Risk, Forbidden | UpstreamFault]:
    return call.ensure(
        lambda risk: risk.is_safe, lambda _: Forbidden("Rejected by the fraud check", source=call.name)
    )


def _refuse_noncompliance(_: Compliance) -> Forbidden:
    return Forbidden("Rejected by the compliance check", source="fraud.check_compliance")
