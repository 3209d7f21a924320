"""Admission control for pipeline requests: in-flight limit (load shedding) and rate limit per caller."""

import math
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from types import MappingProxyType, TracebackType
from typing import Final, final

from starlette.types import Scope

from gateway.api.admission.client_address import identify_caller
from gateway.api.admission.in_flight import InFlightLimit
from gateway.api.admission.rate_limit import RateLimit, RateLimitDecision
from gateway.api.problems.refusal import Refusal

__all__ = ("OVERLOADED", "RATE_LIMITED", "RETRY_AFTER_OVERLOAD", "Admission", "AdmissionSlot")

OVERLOADED: Final = "The gateway is overloaded; retry shortly"
RATE_LIMITED: Final = "Too many requests from this caller; retry after the time in Retry-After"

_MINUTE: Final = 60
_MAX_STATIC: Final = 16
"""Responses with static content that are sent at the same time."""
RETRY_AFTER_OVERLOAD: Final[Mapping[str, str]] = MappingProxyType({"Retry-After": "1"})
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})


@final
class Admission:
    """Admission control: at most *max_in_flight* concurrent requests, and *per_minute* requests per caller.

    *per_minute* is None if there is no rate limit. A request over the rate limit takes no slot. A request
    that is refused because no slot is free still counts against its caller's rate limit; otherwise a caller
    could overload the gateway at no cost.

    Static content, such as the OpenAPI document, has a small limit of its own, *static*.
    """

    def __init__(self, max_in_flight: int, per_minute: int | None = None) -> None:
        self.in_flight: Final = InFlightLimit(max_in_flight)
        self.static: Final = InFlightLimit(_MAX_STATIC)
        self.rate_limited = 0
        """Requests that were refused because their caller was over its rate limit."""
        self._rate_limit = None if per_minute is None else RateLimit(per_minute, _MINUTE)
        self._policy = f'"caller";q={per_minute};w={_MINUTE}'

    @property
    def has_rate_limit(self) -> bool:
        """Return whether there is a rate limit per caller."""
        return self._rate_limit is not None

    def request_slot(self, scope: Scope, now: float, principal: str | None = None) -> "AdmissionSlot":
        """Count a request against its caller's rate limit; return a slot that is not taken yet.

        The caller is the authenticated *principal*, or the client address if there is none. *now* is in
        seconds on a monotonic clock.
        """
        if self._rate_limit is None:
            return AdmissionSlot(self.in_flight)
        caller = identify_caller(scope) if principal is None else f"principal {principal}"
        decision = self._rate_limit.admit(caller, now)
        self.rate_limited += not decision.is_admitted
        return AdmissionSlot(self.in_flight, decision, self._policy)


@final
class AdmissionSlot:
    """A request's slot in the in-flight limit; `with slot:` takes the slot while the request is handled.

    `check` and `with` raise `Refusal` if the request is not admitted. `with` is for the time after the body
    has been read, so that slow uploads cannot use up the limit.
    """

    __slots__ = ("_decision", "_in_flight", "_policy")

    def __init__(
        self, in_flight: InFlightLimit, decision: RateLimitDecision | None = None, policy: str = ""
    ) -> None:
        self._in_flight = in_flight
        self._decision = decision
        self._policy = policy

    @property
    def headers(self) -> Mapping[str, str]:
        """Return the RateLimit headers of the response; empty if there is no rate limit.

        They follow draft-ietf-httpapi-ratelimit-headers-11.
        """
        if self._decision is None:
            return _NO_HEADERS
        remaining = f'"caller";r={self._decision.remaining};t={math.ceil(self._decision.wait)}'
        return {"RateLimit-Policy": self._policy, "RateLimit": remaining}

    def check(self) -> None:
        """Raise `Refusal` if the caller is over its rate limit or no slot is free."""
        if self._decision is not None and not self._decision.is_admitted:
            retry_after = {"Retry-After": str(math.ceil(self._decision.wait))}
            raise Refusal(code="rate-limited", detail=RATE_LIMITED, headers=retry_after)
        if self._in_flight.is_full:
            raise self._refuse()

    @contextmanager
    def pause(self) -> Generator[None]:
        """Free the slot while the request only waits for another one.

        Afterwards it has a slot again, even if none is free: it has been admitted before.
        """
        self._in_flight.release()
        try:
            yield
        finally:
            self._in_flight.count += 1

    def __enter__(self) -> None:
        if not self._in_flight.try_acquire():
            raise self._refuse()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight.release()

    def _refuse(self) -> Refusal:
        """Count and return the refusal of a request for which no slot is free."""
        self._in_flight.refused += 1
        return Refusal(code="unavailable", detail=OVERLOADED, headers=RETRY_AFTER_OVERLOAD)
