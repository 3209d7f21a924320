"""The shipped services, in the order of their mock services' ports."""

from typing import Final

from gateway.client.service import Service
from gateway.services.accounts import Accounts
from gateway.services.analytics import Analytics
from gateway.services.auth import Auth
from gateway.services.fraud import Fraud
from gateway.services.inventory import Inventory
from gateway.services.notifications import Notifications
from gateway.services.orders import Orders
from gateway.services.payments import Payments
from gateway.services.pricing import Pricing
from gateway.services.shipping import Shipping
from gateway.services.social import Social
from gateway.services.users import Users

__all__ = ("SERVICES",)

SERVICES: Final[tuple[Service[object], ...]] = (
    Service("user", Users, url="http://127.0.0.1:8101"),
    Service("inventory", Inventory, url="http://127.0.0.1:8102"),
    Service("payment", Payments, url="http://127.0.0.1:8103"),
    Service("fraud", Fraud, url="http://127.0.0.1:8104"),
    Service("shipping", Shipping, url="http://127.0.0.1:8105"),
    Service("pricing", Pricing, url="http://127.0.0.1:8106"),
    Service("social", Social, url="http://127.0.0.1:8107"),
    Service("account", Accounts, url="http://127.0.0.1:8108"),
    Service("auth", Auth, url="http://127.0.0.1:8109"),
    Service("order", Orders, url="http://127.0.0.1:8110"),
    Service("notification", Notifications, url="http://127.0.0.1:8111"),
    Service("analytics", Analytics, url="http://127.0.0.1:8112"),
)
"""Registrations of the shipped services: their names, classes, addresses and limits are set only here."""
