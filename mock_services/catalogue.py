"""Which services there are, and on which ports they listen."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from mock_services.account import Accounts
from mock_services.analytics import Analytics
from mock_services.auth import Auth
from mock_services.endpoints import Domain
from mock_services.fraud import Fraud
from mock_services.inventory import Inventory
from mock_services.memory import Memory
from mock_services.notification import Notifications
from mock_services.order import Orders
from mock_services.payment import Payments
from mock_services.pricing import Pricing
from mock_services.service import Service
from mock_services.shipping import Shipping
from mock_services.social import Social
from mock_services.user import Users

__all__ = ["BASE_PORT", "SERVICES", "create_service", "port_of"]

BASE_PORT: Final = 8101
"""The port of the first service; the others follow."""

SERVICES: Final[Mapping[str, Callable[[], Domain]]] = MappingProxyType(
    {
        "user": Users,
        "inventory": Inventory,
        "payment": Payments,
        "fraud": Fraud,
        "shipping": Shipping,
        "pricing": Pricing,
        "social": Social,
        "account": Accounts,
        "auth": Auth,
        "order": Orders,
        "notification": Notifications,
        "analytics": Analytics,
    }
)
"""What makes the domain of each service, in the order of the ports."""


def create_service(name: str, *, latency_scale: float = 1.0, memory: Memory | None = None) -> Service:
    """Make a service as an ASGI application, with the seeds of the contract and what `memory` has.

    Raises KeyError for a name that is not in SERVICES.
    """
    return Service(SERVICES[name], latency_scale, memory)


def port_of(name: str, base_port: int = BASE_PORT) -> int:
    """Tell the port of a service; 0, which is any free port, if the base port is 0."""
    return base_port and base_port + list(SERVICES).index(name)
