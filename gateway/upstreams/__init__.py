"""The services behind the gateway: one module each, and the client they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, final

from gateway.upstreams.accounts import Account, Accounts, Transaction
from gateway.upstreams.auth import Auth, Session
from gateway.upstreams.client import ServiceClient
from gateway.upstreams.fraud import Compliance, Fraud, Risk, RiskProfile
from gateway.upstreams.inventory import Inventory, Stock
from gateway.upstreams.money import Balance, Money, Rate
from gateway.upstreams.payments import Payment, Payments
from gateway.upstreams.pricing import Discount, Pricing, Tax
from gateway.upstreams.shipping import Quote, Shipping
from gateway.upstreams.social import Engagement, Friend, Notification, Post, Social
from gateway.upstreams.users import User, Users, UserSettings

__all__ = (
    "Account",
    "Accounts",
    "Auth",
    "Balance",
    "Compliance",
    "Discount",
    "Engagement",
    "Fraud",
    "Friend",
    "Inventory",
    "Money",
    "Notification",
    "Payment",
    "Payments",
    "Post",
    "Pricing",
    "Quote",
    "Rate",
    "Risk",
    "RiskProfile",
    "ServiceClient",
    "Session",
    "Shipping",
    "Social",
    "Stock",
    "Tax",
    "Transaction",
    "Upstreams",
    "User",
    "UserSettings",
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
    social: Social
    accounts: Accounts
    auth: Auth

    @classmethod
    def behind(cls, clients: Mapping[str, ServiceClient]) -> Self:
        """Make each service of its client; *clients* are named as in the gateway's settings."""
        return cls(
            users=Users(clients["user"]),
            inventory=Inventory(clients["inventory"]),
            payments=Payments(clients["payment"]),
            fraud=Fraud(clients["fraud"]),
            shipping=Shipping(clients["shipping"]),
            pricing=Pricing(clients["pricing"]),
            social=Social(clients["social"]),
            accounts=Accounts(clients["account"]),
            auth=Auth(clients["auth"]),
        )
