"""The fraud service."""

from typing import Final, final

from pydantic import TypeAdapter

from gateway.railway import Call, Forbidden, UpstreamFault
from gateway.upstreams.client import ServiceClient
from gateway.upstreams.inventory import Stock
from gateway.upstreams.payments import Payment
from gateway.upstreams.shapes import Answer, Body
from gateway.upstreams.users import User

__all__ = ("Fraud", "Risk")


@final
class Risk(Answer):
    """How likely it is that somebody cheats."""

    is_safe: bool
    risk_level: str


_RISK: Final = TypeAdapter(Risk)


@final
class _Assessment(Body):
    user_id: str
    product_id: str
    stock_level: int
    payment_id: str


@final
class Fraud:
    """Who is not to be trusted."""

    def __init__(self, client: ServiceClient) -> None:
        self._client = client

    def assess(self, user: User, payment: Payment, stock: Stock) -> Call[Risk, Forbidden | UpstreamFault]:
        """Say how risky it is to sell *stock* to *user* for *payment*; `Forbidden` if it must not be done."""
        return self._client.post(
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
