"""The services behind the gateway: one module each, and the client they share."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self, final

from gateway.client.service_client import ServiceClient
from gateway.railway import Undo
from gateway.services.accounts import Account, AccountBalance, Accounts, Posting, Transaction
from gateway.services.analytics import Analytics, Event
from gateway.services.auth import Auth, Session
from gateway.services.fraud import Compliance, Fraud, Risk, RiskProfile
from gateway.services.inventory import Inventory, Reservation, Stock
from gateway.services.money import Balance, Money, Rate
from gateway.services.notifications import Notice, Notifications
from gateway.services.orders import Order, Orders
from gateway.services.payments import Payment, Payments, Transfer
from gateway.services.pricing import Discount, Pricing, Tax
from gateway.services.shipping import Quote, Shipping
from gateway.services.social import Engagement, Friend, Notification, Post, Social
from gateway.services.transfer_terms import TransferTerms
from gateway.services.users import User, Users, UserSettings

__all__ = (
    "Account",
    "AccountBalance",
    "Accounts",
    "Analytics",
    "Auth",
    "Balance",
    "Compliance",
    "Discount",
    "Engagement",
    "Event",
    "Fraud",
    "Friend",
    "Inventory",
    "Money",
    "Notice",
    "Notification",
    "Notifications",
    "Order",
    "Orders",
    "Payment",
    "Payments",
    "Post",
    "Posting",
    "Pricing",
    "Quote",
    "Rate",
    "Reservation",
    "Risk",
    "RiskProfile",
    "ServiceClient",
    "Session",
    "Shipping",
    "Social",
    "Stock",
    "Tax",
    "Transaction",
    "Transfer",
    "TransferTerms",
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
    orders: Orders
    notifications: Notifications
    analytics: Analytics

    @property
    def undos(self) -> Mapping[str, Undo]:
        """Give what takes writes back, by name: all that is needed to undo one whose run is lost."""
        undos = (
            self.inventory.release,
            self.payments.reverse_transfer,
            self.accounts.reverse_posting,
            self.orders.cancel,
        )
        return {undo.name: undo for undo in undos}

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
            orders=Orders(clients["order"]),
            notifications=Notifications(clients["notification"]),
            analytics=Analytics(clients["analytics"]),
        )
