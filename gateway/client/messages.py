"""Details of upstream faults, as clients of the gateway read them.

*service* is the registered name of a service, such as "user".
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final

from gateway.railway import BadAnswer, TimedOut, Unavailable, UpstreamFault

__all__ = ("describe_concurrency_limit", "describe_fault", "describe_unbuilt_request")

_DETAILS: Final[Mapping[type[UpstreamFault], str]] = MappingProxyType(
    {
        BadAnswer: "The {service} service sent an unusable answer",
        Unavailable: "The {service} service is unavailable",
        TimedOut: "The {service} service did not answer in time",
    }
)


def describe_fault(kind: type[UpstreamFault], service: str) -> str:
    """Return the detail that clients read if a call to *service* fails with a fault of class *kind*."""
    return _DETAILS[kind].format(service=service)


def describe_concurrency_limit(service: str) -> str:
    """Return the detail that clients read if the concurrency limit of *service* rejects a call."""
    return f"The {service} service is at its concurrency limit"


def describe_unbuilt_request(service: str) -> str:
    """Return the detail that clients read if the gateway cannot build a request to *service*."""
    return f"The request to the {service} service would be too long or invalid"
