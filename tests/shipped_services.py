"""The sample's services over a single transport, for tests that call them or run pipelines with them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self, TypeVar, cast, final

import httpx

from gateway.api.pipeline_route.binding import bind
from gateway.api.pipeline_route.registration import Route
from gateway.app import connect
from gateway.railway import Failure, Pipeline, Result, Undo
from gateway.services import SERVICES
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
from gateway.settings import default_settings

__all__ = ("NAMES", "URLS", "ShippedServices")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

NAMES = tuple(service.name for service in SERVICES)
"""The registered names, in the order of the mock services' ports."""

URLS = {service.name: service.url for service in SERVICES}
"""The default URLs, by name."""


@final
@dataclass(frozen=True, slots=True)
class ShippedServices:
    """The sample's services with default settings, and their undos by name."""

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
    undos: Mapping[str, Undo]

    @classmethod
    def over(cls, transport: httpx.AsyncBaseTransport, urls: Mapping[str, str] = URLS) -> Self:
        """Connect the services through *transport*."""
        connected = connect(SERVICES, default_settings(SERVICES).with_urls(urls), transport)
        undos = {name: undo for connection in connected for name, undo in connection.client.undos.items()}
        # The registrations are in the order of the fields.
        fields = zip(cls.__slots__, [connection.instance for connection in connected], strict=False)
        return cls(**cast("dict[str, Any]", dict(fields)), undos=undos)

    async def run(self, pipeline: Pipeline[..., T, E], *args: object) -> Result[T, E]:
        """Run *pipeline* with *args* and the services that it takes."""
        services = {name: getattr(self, name) for name in self.__slots__ if name != "undos"}
        bound = bind(Route("POST", "/", pipeline), services)
        return await pipeline(*args, **bound.services)
