"""Registration of an upstream service: its name, class, address and terms."""

import re
from collections.abc import Callable
from dataclasses import KW_ONLY, dataclass, field
from typing import Final, Generic, TypeVar, final

import httpx

from gateway.client.sender import USER_AGENT
from gateway.client.service_client import ServiceClient
from gateway.client.url import normalize_base_url
from gateway.resilience.policies import Policies
from gateway.resilience.terms import BreakerTerms, ConcurrencyTerms, PolicyTerms, RetryTerms
from gateway.resilience.validation import check_whole

__all__ = ("Service", "ServiceConnection")

T_co = TypeVar("T_co", covariant=True)

_NAME: Final = re.compile(r"[a-z][a-z0-9]*(_[a-z0-9]+)*")


@final
@dataclass(frozen=True, slots=True)
class ServiceConnection:
    """A connected service: its *client*, and the *instance* of its class that pipelines call."""

    name: str
    client: ServiceClient
    instance: object


@final
@dataclass(frozen=True, slots=True)
class Service(Generic[T_co]):
    """Registration of one upstream service.

    *name* is singular and in snake case: settings (`GATEWAY_LOYALTY_URL`, `GATEWAY_LOYALTY_TIMEOUT_MS`,
    `GATEWAY_LOYALTY_MAX_CONCURRENCY`), readiness checks and messages use it. *kind* is the class of the
    service; it is constructed with a `ServiceClient`, and pipelines take parameters annotated with it.

    A setting in the environment takes precedence over *url*, *timeout_ms* (of one attempt) and
    *max_concurrency*. Without a default here, the two limits are those of all services,
    `GATEWAY_CALL_TIMEOUT_MS` and `GATEWAY_MAX_CONCURRENCY`. The terms of the circuit *breaker* and of
    *retries*, and *queue_ms*, how long a call may queue at the concurrency limit, are set here alone.

    Raise `ValueError` for a name that is not in snake case, a URL that is not plain http or https, and a
    number that is not whole or out of range, and `TypeError` for terms that are not terms.
    """

    name: str
    kind: Callable[[ServiceClient], T_co]
    _: KW_ONLY
    url: str
    timeout_ms: int | None = None
    max_concurrency: int | None = None
    queue_ms: int | None = None
    breaker: BreakerTerms = field(default_factory=BreakerTerms)
    retries: RetryTerms = field(default_factory=RetryTerms)

    def __post_init__(self) -> None:
        if _NAME.fullmatch(self.name) is None:
            msg = f"invalid service name {self.name!r}: expected snake case, such as 'loyalty'"
            raise ValueError(msg)
        try:
            normalize_base_url(self.url)
        except ValueError as error:
            msg = f"invalid URL of service {self.name!r}: {error}"
            raise ValueError(msg) from None
        for term, value, minimum in (
            ("timeout_ms", self.timeout_ms, 1),
            ("max_concurrency", self.max_concurrency, 1),
            ("queue_ms", self.queue_ms, 0),
        ):
            if value is not None:
                check_whole(f"{term} of service {self.name!r}", value, minimum)
        self._check_terms("breaker", self.breaker, BreakerTerms)
        self._check_terms("retries", self.retries, RetryTerms)

    def connect(
        self,
        transport: httpx.AsyncBaseTransport,
        *,
        url: str,
        timeout: float,
        max_concurrency: int,
        user_agent: str = USER_AGENT,
    ) -> ServiceConnection:
        """Connect to the service at *url*, with *timeout* in seconds for one attempt of a call."""
        terms = PolicyTerms(self._limit_concurrency(max_concurrency), self.breaker, self.retries)
        policies = Policies(self.name, terms)
        client = ServiceClient(self.name, url, transport, policies, timeout=timeout, user_agent=user_agent)
        return ServiceConnection(self.name, client, self.kind(client))

    def _check_terms(self, name: str, value: object, expected: type) -> None:
        if not isinstance(value, expected):
            msg = f"{name} of service {self.name!r} must be {expected.__name__}, got {value!r}"
            raise TypeError(msg)

    def _limit_concurrency(self, max_concurrency: int) -> ConcurrencyTerms:
        if self.queue_ms is None:
            return ConcurrencyTerms(max_concurrency)
        return ConcurrencyTerms(max_concurrency, self.queue_ms / 1000)
