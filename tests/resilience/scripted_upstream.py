"""A service that does as it is told, one request after the other, and what asks it."""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, TypeVar

import httpx
from typing_extensions import override

from gateway.client.service_client import ServiceClient
from gateway.railway import (
    Call,
    Err,
    Failure,
    Fault,
    Ok,
    Result,
    TimedOut,
    Unavailable,
    UpstreamFault,
    change_context,
)
from gateway.resilience.circuit_breaker import BreakerTerms
from gateway.resilience.evidence import Attempted, Evidence
from gateway.resilience.policies import Making
from tests.client.scripted_service import BUSY, LAMP_JSON, LATE, THING, UNAVAILABLE, Declared, Thing

T = TypeVar("T")

FOREVER: Final = 3600.0
"""An hour: nothing that is right waits for it."""

Attempt: TypeAlias = Attempted[str, Fault]

WELL: Final[Attempt] = Attempted(Ok("a lamp"), Evidence.WELL)
ILL: Final[Attempt] = Attempted(Err(Unavailable("down")), Evidence.ILL)
NOTHING_KNOWN: Final[Attempt] = Attempted(Err(TimedOut("cut short")), Evidence.NONE)


def now() -> float:
    """Give the seconds since the test began."""
    return asyncio.get_running_loop().time()


def have_left(seconds: float) -> None:
    """Give what is done from here on so many seconds."""
    change_context(deadline=now() + seconds)


async def settle() -> None:
    """Let everything go on that can."""
    for _ in range(10):
        await asyncio.sleep(0)


def makes(attempt: Attempt, after: float = 0.0) -> Making[str, Fault]:
    """Give what makes attempts that come to this, *after* so many seconds."""

    async def make() -> Attempt:
        await asyncio.sleep(after)
        return attempt

    return make


@dataclass(frozen=True)
class Does:
    """What a service does with a request: it answers, or *raised* is raised, *after* so many seconds."""

    status: int = 200
    after: float = 0.0
    raised: Exception | None = None
    retry_after: str | None = None
    content: bytes = LAMP_JSON

    @property
    def response(self) -> httpx.Response:
        headers = {} if self.retry_after is None else {"retry-after": self.retry_after}
        return httpx.Response(self.status, headers=headers, content=self.content)


FINE: Final = Does()
HANGS: Final = Does(after=FOREVER)
REFUSES: Final = Does(raised=httpx.ConnectError("refused"))
HANGS_UP: Final = Does(raised=httpx.ReadError("reset"))
IS_AWAY: Final = Does(503)


class Service(httpx.AsyncBaseTransport):
    """Does one thing after the other, and the last one for ever; knows what it was sent and when."""

    def __init__(self, *does: Does) -> None:
        self.does = list(does)
        self.requests: list[httpx.Request] = []
        self.times: list[float] = []
        self.in_flight = 0

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.times.append(now())
        does = self.does.pop(0) if len(self.does) > 1 else self.does[0]
        self.in_flight += 1
        try:
            await asyncio.sleep(does.after)
        finally:
            self.in_flight -= 1
        if does.raised is not None:
            raise does.raised
        return does.response

    @property
    def pauses(self) -> Sequence[float]:
        """Give the seconds from each request to the next."""
        return [after - before for before, after in zip(self.times, self.times[1:], strict=False)]

    @property
    def budgets(self) -> Sequence[int]:
        """Give the milliseconds that it was told each request has."""
        return [int(request.headers["x-envoy-expected-rq-timeout-ms"]) for request in self.requests]


def client(
    service: Service, *, timeout: float = 1.0, at_once: int = 200, breaker: BreakerTerms | None = None
) -> ServiceClient:
    return ServiceClient(
        "things",
        "http://things.test",
        service,
        timeout=timeout,
        max_concurrency=at_once,
        breaker=breaker,
    )


def fetch(things: ServiceClient, declared: Declared | None = None) -> Call[Thing, Fault | UpstreamFault]:
    return things.get("things.fetch", ("things", "lamp"), answer=THING, declared=declared or {})


def away(retry_after: float | None = None, *, was_sent: bool = True) -> Err[Unavailable]:
    """Give what a call comes to whose service is not there, or not to be asked."""
    fault = Unavailable(UNAVAILABLE, source="things.fetch", retry_after=retry_after, was_sent=was_sent)
    return Err(fault)


def refused_for_want_of_a_place() -> Err[Unavailable]:
    """Give what a call comes to for which there is no place."""
    return Err(Unavailable(BUSY, source="things.fetch", retry_after=1.0, was_sent=False))


def late(budget: float, *, was_sent: bool = True) -> Err[TimedOut]:
    """Give what a call comes to whose time is up."""
    return Err(TimedOut(LATE, source="things.fetch", budget=budget, was_sent=was_sent))


async def crowd(size: int, make: Callable[[], Call[T, Failure]]) -> Sequence[Result[T, Failure]]:
    """Make so many calls at once."""
    return await asyncio.gather(*(make().make() for _ in range(size)))


async def open_breaker(things: ServiceClient, service: Service) -> None:
    """Have *service* fail until it is left alone; then it is well again, and has seen no request."""
    service.does = [Does(500)]
    await crowd(20, lambda: fetch(things))
    service.does = [FINE]
    service.requests.clear()
    service.times.clear()
