"""Service clients with default terms, for tests whose subject is not the client."""

from typing import Final

import httpx

from gateway.client.operations.conventions import Conventions
from gateway.client.service_client import ServiceClient
from gateway.resilience.policies import Policies
from gateway.resilience.terms import ConcurrencyTerms, PolicyTerms

__all__ = ("DEFAULT_TERMS", "service_client")

CONVENTIONS: Final = Conventions()
DEFAULT_TERMS: Final = PolicyTerms(ConcurrencyTerms(200))


def service_client(  # noqa: PLR0913 - the parts of a client, most of them by keyword
    name: str,
    base_url: str,
    transport: httpx.AsyncBaseTransport,
    *,
    timeout: float = 1.0,
    terms: PolicyTerms = DEFAULT_TERMS,
    conventions: Conventions = CONVENTIONS,
) -> ServiceClient:
    """Build the client of the service *name*."""
    return ServiceClient(
        name, base_url, transport, Policies(name, terms), timeout=timeout, conventions=conventions
    )
