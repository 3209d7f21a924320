"""Bodies of the checkout and of its services, for the peers in Python."""

import os
from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Final, TypeAlias

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, PlainSerializer

__all__ = (
    "URLS",
    "CheckoutRequest",
    "CheckoutResult",
    "Discount",
    "Payment",
    "Quote",
    "Risk",
    "Stock",
    "Tax",
    "User",
)

URLS: Final[Mapping[str, str]] = {
    name.removeprefix("GATEWAY_").removesuffix("_URL").lower(): url
    for name, url in os.environ.items()
    if name.startswith("GATEWAY_") and name.endswith("_URL")
}
"""The URLs of the services by name."""


def _require_text(value: str) -> str:
    if not value.strip():
        msg = "must not be blank"
        raise ValueError(msg)
    return value


Id: TypeAlias = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$")]
Money: TypeAlias = Annotated[
    Decimal,
    Field(strict=False, ge=0, max_digits=17, decimal_places=2),
    PlainSerializer(lambda amount: f"{amount:.2f}", return_type=str, when_used="json"),
]
"""An amount of money, a string with two decimals in JSON."""


class CheckoutRequest(BaseModel):
    """The body of `POST /checkout`."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)

    user_id: Id
    product_id: Id
    payment_id: Id
    address: Annotated[str, Field(min_length=1, max_length=500), AfterValidator(_require_text)]
    quantity: Annotated[int, Field(ge=1, le=1000)] = 1
    discount_code: Annotated[str, Field(max_length=64)] | None = None


class _Body(BaseModel):
    model_config = ConfigDict(strict=True, frozen=True)


class User(_Body):
    """Answer of `GET /users/{user_id}`."""

    user_id: str
    email: str
    is_active: bool


class Stock(_Body):
    """Answer of `GET /inventory/{product_id}`."""

    product_id: str
    stock_level: Annotated[int, Field(ge=0)]
    available: bool
    unit_price: Money


class Payment(_Body):
    """Answer of `GET /payments/{payment_id}`."""

    payment_id: str
    is_valid: bool


class Risk(_Body):
    """Answer of `POST /assessments`."""

    is_safe: bool
    risk_level: str


class Quote(_Body):
    """Answer of `POST /quotes`."""

    carrier: str
    rate: Money


class Tax(_Body):
    """Answer of `POST /tax`."""

    rate: Annotated[
        Decimal,
        Field(strict=False, ge=0, max_digits=9, decimal_places=6),
        PlainSerializer(str, return_type=str, when_used="json"),
    ]
    amount: Money


class Discount(_Body):
    """Answer of `POST /discounts`."""

    code: str | None
    amount: Money


class CheckoutResult(_Body):
    """The body of a successful checkout."""

    user: User
    inventory: Stock
    payment: Payment
    fraud_check: Risk
    shipping: Quote
    tax: Tax
    discount: Discount
    subtotal: Money
    total: Money
