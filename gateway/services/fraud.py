"""The fraud service."""

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
    """How likely it is that somebody cheats."""

    model_config = example(is_safe=True, risk_level="Low")

    is_safe: bool
    risk_level: str


@final
class RiskProfile(UpstreamResponse):
    """How far an account is trusted."""

    model_config = example(account_id="acc-001", risk_level="Low")

    account_id: str
    risk_level: str


@final
class Compliance(UpstreamResponse):
    """What the law says."""

    model_config = example(is_compliant=True)

    is_compliant: bool


_RISK: Final = TypeAdapter(Risk)
_PROFILE: Final = TypeAdapter(RiskProfile)
_COMPLIANCE: Final = TypeAdapter(Compliance)


class _Screening(UpstreamRequest):
    user_id: str
    product_id: str
    stock_level: int


@final
class _Assessment(_Screening):
    payment_id: str


@final
class _TransferCheck(UpstreamRequest):
    account_id: str
    risk_level: str
    amount: Money
    recent_transactions: Annotated[int, Field(ge=0)]


@final
class _ComplianceCheck(UpstreamRequest):
    from_account: str
    to_account: str
    amount: Money


@final
class Fraud:
    """Who is not to be trusted.

    To say no is a 403, but a no in an answer counts as much: it is `Forbidden` whichever way it is said.
    """

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def assess(self, user: User, payment: Payment, stock: Stock) -> Call[Risk, Forbidden | UpstreamFault]:
        """Say how risky it is to sell *stock* to *user* for *payment*; `Forbidden` if it must not be done."""
        asked: Call[Risk, Forbidden | UpstreamFault] = self._client.post(
            "fraud.assess",
            ("assessments",),
            _Assessment(
                user_id=user.user_id,
                product_id=stock.product_id,
                stock_level=stock.stock_level,
                payment_id=payment.payment_id,
            ),
            answer=_RISK,
            declared={403: Forbidden},
        )
        return _safe(asked)

    def screen(self, user: User, stock: Stock) -> Call[Risk, Forbidden | UpstreamFault]:
        """Do as `assess` does, before anybody knows how *user* pays."""
        asked: Call[Risk, Forbidden | UpstreamFault] = self._client.post(
            "fraud.screen",
            ("screenings",),
            _Screening(user_id=user.user_id, product_id=stock.product_id, stock_level=stock.stock_level),
            answer=_RISK,
            declared={403: Forbidden},
        )
        return _safe(asked)

    def risk_profile(self, account_id: str) -> Call[RiskProfile, UpstreamFault]:
        """Say how far *account_id* is trusted."""
        return self._client.get("fraud.risk_profile", ("risk-profiles", account_id), answer=_PROFILE)

    def check_transfer(
        self, profile: RiskProfile, amount: Decimal, recent_transactions: int
    ) -> Call[Risk, Forbidden | UpstreamFault]:
        """Say how risky it is that the account of *profile* pays *amount*; `Forbidden` if it must not.

        *recent_transactions* is how many there were of late.
        """
        asked: Call[Risk, Forbidden | UpstreamFault] = self._client.post(
            "fraud.check_transfer",
            ("transfer-checks",),
            _TransferCheck(
                account_id=profile.account_id,
                risk_level=profile.risk_level,
                amount=amount,
                recent_transactions=recent_transactions,
            ),
            answer=_RISK,
            declared={403: Forbidden},
        )
        return _safe(asked)

    def check_compliance(
        self, from_account: str, to_account: str, amount: Decimal
    ) -> Call[Compliance, Forbidden | UpstreamFault]:
        """Say whether the law allows *from_account* to pay *amount* to *to_account*; else `Forbidden`."""
        asked: Call[Compliance, Forbidden | UpstreamFault] = self._client.post(
            "fraud.check_compliance",
            ("compliance-checks",),
            _ComplianceCheck(from_account=from_account, to_account=to_account, amount=amount),
            answer=_COMPLIANCE,
            declared={403: Forbidden},
        )
        return asked.ensure(lambda compliance: compliance.is_compliant, _not_compliant)


def _safe(asked: Call[Risk, Forbidden | UpstreamFault]) -> Call[Risk, Forbidden | UpstreamFault]:
    return asked.ensure(lambda risk: risk.is_safe, lambda _: Forbidden("This is not safe", source=asked.name))


def _not_compliant(_: Compliance) -> Forbidden:
    return Forbidden("This is not compliant", source="fraud.check_compliance")
