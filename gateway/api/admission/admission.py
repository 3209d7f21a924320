"""Which requests for pipelines are let in; the others are refused at once."""

import math
from collections.abc import Mapping
from types import MappingProxyType, TracebackType
from typing import Final, final

from starlette.types import Scope

from gateway.api.admission.client_address import caller
from gateway.api.admission.in_flight import InFlight
from gateway.api.admission.rate_limit import Allowance, RateLimit
from gateway.api.problems.refusal import Refusal

__all__ = ("BUSY", "TOO_OFTEN", "Admission", "Visit")

BUSY: Final = "The gateway has enough to do; try again in a moment"
TOO_OFTEN: Final = "There were too many requests from this address"

_MINUTE: Final = 60
_A_MOMENT: Final[Mapping[str, str]] = MappingProxyType({"Retry-After": "1"})
_NOTHING: Final[Mapping[str, str]] = MappingProxyType({})


@final
class Admission:
    """Lets in *max_in_flight* requests at the same time, and *per_minute* from one address; None is no limit.

    A request that comes too often takes nobody's place. One that is refused for want of a place counts as a
    request of its caller: else who overruns the gateway would go on doing so for nothing.
    """

    def __init__(self, max_in_flight: int = 256, per_minute: int | None = None) -> None:
        self.in_flight: Final = InFlight(max_in_flight)
        self._rate_limit = None if per_minute is None else RateLimit(per_minute, _MINUTE)
        self._policy = f'"caller";q={per_minute};w={_MINUTE}'

    def visit(self, scope: Scope, now: float) -> "Visit":
        """Count the request with this ASGI *scope*, which has arrived *now*, on the loop's clock."""
        if self._rate_limit is None:
            return Visit(self.in_flight)
        return Visit(self.in_flight, self._rate_limit.ask(caller(scope), now), self._policy)


@final
class Visit:
    """A request at the door, which may `knock`; `with` lets it in until its answer is made.

    Both raise `Refusal`. Whoever has yet to send the body takes nobody's place meanwhile.
    """

    __slots__ = ("_allowance", "_in_flight", "_policy")

    def __init__(self, in_flight: InFlight, allowance: Allowance | None = None, policy: str = "") -> None:
        self._in_flight = in_flight
        self._allowance = allowance
        self._policy = policy

    @property
    def headers(self) -> Mapping[str, str]:
        """Give what every answer says of the caller's quota (draft-ietf-httpapi-ratelimit-headers-11)."""
        if self._allowance is None:
            return _NOTHING
        service_limit = f'"caller";r={self._allowance.left};t={math.ceil(self._allowance.wait)}'
        return {"RateLimit-Policy": self._policy, "RateLimit": service_limit}

    def knock(self) -> None:
        """Be refused at once if the request comes too often, or there is no place for it now."""
        if self._allowance is not None and not self._allowance.is_admitted:
            wait = {"Retry-After": str(math.ceil(self._allowance.wait))}
            raise Refusal(code="rate-limited", detail=TOO_OFTEN, headers=wait)
        if self._in_flight.is_full:
            raise _busy()

    def __enter__(self) -> None:
        if not self._in_flight.enter():
            raise _busy()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._in_flight.leave()


def _busy() -> Refusal:
    return Refusal(code="unavailable", detail=BUSY, headers=_A_MOMENT)
