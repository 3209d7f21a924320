"""The fraud service: risk and compliance checks."""

from collections.abc import Sequence
from decimal import Decimal
from http import HTTPStatus
from typing import Final, Literal, TypeAlias, TypedDict

from typing_extensions import override

from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from mock_services.http.response import Problem
from mock_services.values.fields import Id, Level, RequestModel
from mock_services.values.money import Money

__all__ = [
    "Assessment",
    "Compliance",
    "ComplianceCheck",
    "Fraud",
    "RiskLevel",
    "RiskProfile",
    "Screening",
    "TransferCheck",
    "Verdict",
]

RiskLevel: TypeAlias = Literal["Low", "High"]

HIGH_RISK_USER: Final = "user-high-risk"
HIGH_RISK_ACCOUNT: Final = "acc-high-risk"
SANCTIONED_ACCOUNT: Final = "acc-sanctioned"
EXPENSIVE_PRODUCT: Final = "prod-expensive"
LOW_STOCK: Final = 10
TRANSFER_LIMIT: Final = Decimal("10000.00")


class Screening(RequestModel):
    """A purchase to be screened."""

    user_id: Id
    product_id: Id
    stock_level: Level


class Assessment(Screening):
    """A purchase to be assessed with its payment method."""

    payment_id: Id


class TransferCheck(RequestModel):
    """A transfer to be checked for fraud, with the number of recent transactions of the source account."""

    account_id: Id
    risk_level: RiskLevel
    amount: Money
    recent_transactions: Level


class ComplianceCheck(RequestModel):
    """A transfer to be checked for compliance."""

    from_account: Id
    to_account: Id
    amount: Money


class Verdict(TypedDict):
    """The result of a fraud check that finds no fraud."""

    is_safe: bool
    risk_level: RiskLevel


class RiskProfile(TypedDict):
    """The risk level of an account."""

    account_id: str
    risk_level: RiskLevel


class Compliance(TypedDict):
    """The result of a compliance check that finds no violation."""

    is_compliant: bool


class Fraud(MockService):
    """Fraud service: checks purchases and transfers by fixed rules; it has no writes."""

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("POST /assessments", 30, self._assess),
            Endpoint("POST /screenings", 30, self._screen),
            Endpoint("GET /risk-profiles/{account}", 50, self._fetch_risk_profile),
            Endpoint("POST /transfer-checks", 30, self._check_transfer),
            Endpoint("POST /compliance-checks", 40, self._check_compliance),
        )

    def _assess(self, request: Request) -> Verdict | Problem:
        return self._judge(Assessment.model_validate_json(request.body))

    def _screen(self, request: Request) -> Verdict | Problem:
        return self._judge(Screening.model_validate_json(request.body))

    def _judge(self, purchase: Screening) -> Verdict | Problem:
        if purchase.user_id == HIGH_RISK_USER:
            return Problem(HTTPStatus.FORBIDDEN, "Suspicious transaction detected: high-risk user")
        if purchase.product_id == EXPENSIVE_PRODUCT and purchase.stock_level < LOW_STOCK:
            return Problem(HTTPStatus.FORBIDDEN, "Suspicious transaction: expensive item with low stock")
        return Verdict(is_safe=True, risk_level="Low")

    def _fetch_risk_profile(self, request: Request) -> RiskProfile:
        account_id = request.params["account"]
        risk_level: RiskLevel = "High" if account_id == HIGH_RISK_ACCOUNT else "Low"
        return RiskProfile(account_id=account_id, risk_level=risk_level)

    def _check_transfer(self, request: Request) -> Verdict | Problem:
        transfer = TransferCheck.model_validate_json(request.body)
        if transfer.risk_level == "High":
            return Problem(HTTPStatus.FORBIDDEN, "Suspicious transfer: high-risk account")
        if transfer.amount > TRANSFER_LIMIT:
            return Problem(HTTPStatus.FORBIDDEN, "Suspicious transfer: amount over limit")
        return Verdict(is_safe=True, risk_level=transfer.risk_level)

    def _check_compliance(self, request: Request) -> Compliance | Problem:
        if ComplianceCheck.model_validate_json(request.body).to_account == SANCTIONED_ACCOUNT:
            return Problem(HTTPStatus.FORBIDDEN, "Compliance: destination account is sanctioned")
        return Compliance(is_compliant=True)
