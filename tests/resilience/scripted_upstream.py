"""Upstream service with a scripted step for each request, and calls to that service."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

import httpx
from typing_extensions import override

from gateway.client.service_client import ServiceClient
from gateway.railway import (
    Call,
    Err,
    Failure,
    Fault,
    Result,
    TimedOut,
    Unavailable,
    UpstreamFault,
    change_context,
)
from gateway.resilience.terms import BreakerTerms, ConcurrencyTerms, PolicyTerms, RetryTerms
from tests.client.scripted_service import AT_LIMIT, LAMP_JSON, LATE, THING, UNAVAILABLE, Declared, Thing
from tests.service_clients import service_client

T = TypeVar("T")

BREAKER: Final = BreakerTerms()
RETRIES: Final = RetryTerms()
FOREVER: Final = 3600.0
"""An hour: longer than any test may wait."""


def now() -> float:
    """Return the seconds since the test began."""
    return asyncio.get_running_loop().time()


def set_deadline(seconds: float) -> None:
    """Set the deadline of the rest of the test, *seconds* from now."""
    change_context(deadline=now() + seconds)


async def settle() -> None:
    """Run every task until it waits."""
    for _ in range(10):
        await asyncio.sleep(0)


@dataclass(frozen=True)
class Step:
    """Reaction to a request, *after* some seconds: a response, or the exception *raised*."""

    status: int = 200
    after: float = 0.0
    raised: Exception | None = None
    retry_after: str | None = None
    content: bytes = LAMP_JSON
    media_type: str = "application/json"

    @property
    def response(self) -> httpx.Response:
        headers = {"content-type": self.media_type}
        if self.retry_after is not None:
            headers["retry-after"] = self.retry_after
        return httpx.Response(self.status, headers=headers, content=self.content)


FINE: Final = Step()
HANGS: Final = Step(after=FOREVER)
REFUSES: Final = Step(raised=httpx.ConnectError("refused"))
HANGS_UP: Final = Step(raised=httpx.ReadError("reset"))
IS_UNAVAILABLE: Final = Step(503)


class Service(httpx.AsyncBaseTransport):
    """Transport that takes one step per request, repeats the last step, and records requests and times."""

    def __init__(self, *steps: Step) -> None:
        self.steps = list(steps)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        self.in_flight = 0

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.times.append(now())
        step = self.steps.pop(0) if len(self.steps) > 1 else self.steps[0]
        self.in_flight += 1
        try:
            await asyncio.sleep(step.after)
        finally:
            self.in_flight -= 1
        if step.raised is not None:
            raise step.raised
        return step.response

    @property
    def pauses(self) -> Sequence[float]:
        """Return the seconds from each request to the next."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]

    @property
    def budgets(self) -> Sequence[int]:
        """Return the budget that each request announced, in milliseconds."""
        return [int(request.headers["x-envoy-expected-rq-timeout-ms"]) for request in self.requests]


def build_terms(
    *, max_concurrency: int = 200, breaker: BreakerTerms = BREAKER, retries: RetryTerms = RETRIES
) -> PolicyTerms:
    return PolicyTerms(ConcurrencyTerms(max_concurrency), breaker, retries)


def build_client(
    service: Service,
    *,
    timeout: float = 1.0,
    max_concurrency: int = 200,
    breaker: BreakerTerms = BREAKER,
    retries: RetryTerms = RETRIES,
) -> ServiceClient:
    terms = build_terms(max_concurrency=max_concurrency, breaker=breaker, retries=retries)
    return service_client("things", "http://things.test", service, timeout=timeout, terms=terms)


def fetch(things: ServiceClient, declared: Declared | None = None) -> Call[Thing, Fault | UpstreamFault]:
    return things.get("things.fetch", "/things/lamp", answer=THING, declared=declared or {})()


def build_unavailable(retry_after: float | None = None, *, was_sent: bool = True) -> Err[Unavailable]:
    """Return the error of a call to a service that is unavailable or has an open circuit breaker."""
    fault = Unavailable(UNAVAILABLE, source="things.fetch", retry_after=retry_after, was_sent=was_sent)
    return Err(fault)


def build_shed() -> Err[Unavailable]:
    """Return the error of a call that the concurrency limit rejected."""
    return Err(Unavailable(AT_LIMIT, source="things.fetch", retry_after=1.0, was_sent=False))


def build_timed_out(budget: float, *, was_sent: bool = True) -> Err[TimedOut]:
    """Return the error of a call that timed out."""
    return Err(TimedOut(LATE, source="things.fetch", budget=budget, was_sent=was_sent))


async def call_at_once(size: int, make: Callable[[], Call[T, Failure]]) -> Sequence[Result[T, Failure]]:
    """Make *size* calls at once and return their results."""
    return await asyncio.gather(*(make().make() for _ in range(size)))


async def open_breaker(things: ServiceClient, service: Service) -> None:
    """Open the circuit breaker of `things.fetch`; then make *service* healthy, and clear its requests."""
    await _fail(things, service, Step(500))


async def open_host_breaker(things: ServiceClient, service: Service) -> None:
    """Open the circuit breaker of the host; then make *service* healthy, and clear its requests."""
    await _fail(things, service, REFUSES)


async def _fail(things: ServiceClient, service: Service, step: Step) -> None:
    service.steps = [step]
    await call_at_once(20, lambda: fetch(things))
    service.steps = [FINE]
    service.requests.clear()
    service.times.clear()
