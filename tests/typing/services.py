"""Services that the type tests call."""

from dataclasses import dataclass
from typing import TypeAlias

from gateway.railway import (
    Aggregate,
    Conflict,
    Err,
    Forbidden,
    Invalid,
    Key,
    NotFound,
    Ok,
    Result,
    SentWrite,
    Stuck,
    Unavailable,
    Undo,
    UpstreamFault,
    Write,
    call,
)

CheckoutError: TypeAlias = Invalid | NotFound | Conflict | Forbidden | UpstreamFault | Aggregate
RewardError: TypeAlias = NotFound | Conflict | UpstreamFault | Aggregate
TransferError: TypeAlias = NotFound | Conflict | UpstreamFault | Stuck | Aggregate


class InsufficientPoints(Conflict, code="insufficient-points"):
    """An own error with a member."""

    balance: int


class CardExpired(Invalid, code="card-expired"):
    """An own error without members."""


@dataclass(frozen=True)
class User:
    name: str


@dataclass(frozen=True)
class Stock:
    level: int


@dataclass(frozen=True)
class Payment:
    method: str


@dataclass(frozen=True)
class Risk:
    is_safe: bool


@dataclass(frozen=True)
class Quote:
    rate: str


@dataclass(frozen=True)
class Receipt:
    key: Key


@dataclass(frozen=True)
class CheckoutSummary:
    risk: Risk
    quote: Quote


class Users:
    @call
    async def fetch(self, user: str) -> Result[User, NotFound | UpstreamFault]:
        return Ok(User(user)) if user else Err(NotFound())


class Inventory:
    @call
    async def check(
        self, product: str, quantity: int = 1
    ) -> Result[Stock, NotFound | Conflict | UpstreamFault]:
        return Ok(Stock(quantity)) if product else Err(Conflict())


class Payments:
    @call
    async def validate(self, payment: str) -> Result[Payment, NotFound | Invalid | UpstreamFault]:
        return Ok(Payment(payment))


class Fraud:
    @call
    async def assess(
        self, user: User, payment: Payment, stock: Stock
    ) -> Result[Risk, Forbidden | UpstreamFault]:
        return Ok(Risk(is_safe=user.name != payment.method and stock.level > 0))


class Shipping:
    @call(name="delivery.quote")
    async def quote(self, address: str, stock: Stock) -> Result[Quote, Invalid | UpstreamFault]:
        return Ok(Quote(f"{address}{stock.level}")) if address else Err(Unavailable())


class Transfers:
    def execute(self, amount: int) -> Write[Receipt, Conflict | UpstreamFault]:
        async def attempt(key: Key) -> Result[Receipt, Conflict | UpstreamFault]:
            return Ok(Receipt(key)) if amount else Err(Conflict())

        async def undo(_write: SentWrite) -> Result[None, UpstreamFault]:
            return Ok(None)

        return Write("transfers.execute", attempt, Undo("transfers.reverse", undo))


@dataclass(frozen=True)
class Upstreams:
    users: Users
    inventory: Inventory
    payments: Payments
    fraud: Fraud
    shipping: Shipping
    transfers: Transfers
