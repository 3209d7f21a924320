"""The services and their ports."""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Final

from mock_services.app import ServiceApp
from mock_services.http.endpoints import MockService
from mock_services.services.account import Accounts
from mock_services.services.analytics import Analytics
from mock_services.services.auth import Auth
from mock_services.services.fraud import Fraud
from mock_services.services.inventory import Inventory
from mock_services.services.notification import Notifications
from mock_services.services.order import Orders
from mock_services.services.payment import Payments
from mock_services.services.pricing import Pricing
from mock_services.services.shipping import Shipping
from mock_services.services.social import Social
from mock_services.services.user import Users
from mock_services.write_log import WriteLog

__all__ = ["BASE_PORT", "SERVICES", "create_service", "port_of"]

BASE_PORT: Final = 8101
"""The port of the first service; the others use the next ports."""

SERVICES: Final[Mapping[str, Callable[[], MockService]]] = MappingProxyType(
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
"""The class of each service, in the order of the ports."""


def create_service(name: str, *, latency_scale: float = 1.0, write_log: WriteLog | None = None) -> ServiceApp:
    """Create a service as an ASGI application, with the seed data and the writes in *write_log*.

    Raises KeyError for a name that is not in SERVICES.
    """
    return ServiceApp(SERVICES[name], latency_scale, write_log)


def port_of(name: str, base_port: int = BASE_PORT) -> int:
    """Return the port of a service; if the base port is 0, return 0, which means any free port."""
    return base_port and base_port + list(SERVICES).index(name)
