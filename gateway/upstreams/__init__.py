"""The services behind the gateway: one module each, and the client they share."""

from dataclasses import dataclass
from typing import final

from gateway.upstreams.client import ServiceClient
from gateway.upstreams.fraud import Fraud, Risk
from gateway.upstreams.inventory import Inventory, Stock
from gateway.upstreams.money import Money, Rate
from gateway.upstreams.payments import Payment, Payments
from gateway.upstreams.pricing import Discount, Pricing, Tax
from gateway.upstreams.shipping import Quote, Shipping
from gateway.upstreams.users import User, Users

__all__ = (
    "Discount",
    "Fraud",
    "Inventory",
    "Money",
    "Payment",
    "Payments",
    "Pricing",
    "Quote",
    "Rate",
    "Risk",
    "ServiceClient",
    "Shipping",
    "Stock",
    "Tax",
    "Upstreams",
    "User",
    "Users",
)


@final
@dataclass(frozen=True, slots=True)
class Upstreams:
    """Every service that pipelines can call."""

    users: Users
    inventory: Inventory
    payments: Payments
    fraud: Fraud
    shipping: Shipping
    pricing: Pricing
