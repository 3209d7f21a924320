"""Circuit breakers and retry budgets of operations: what fails at one of them leaves the others alone."""

import asyncio
import errno
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Final

import httpx
import pytest
from typing_extensions import override

from gateway.railway import (
    BadAnswer,
    Call,
    Err,
    Failure,
    NotFound,
    Ok,
    RunContext,
    Unavailable,
    change_context,
)
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.terms import BreakerTerms, PolicyTerms, RetryTerms
from tests.client.scripted_service import LAMP, THING, Content, Thing
from tests.resilience.scripted_upstream import (
    FINE,
    HANGS,
    HANGS_UP,
    REFUSES,
    Service,
    Step,
    build_terms,
    call_at_once,
)
from tests.service_clients import service_client

CLOSED, OPEN = BreakerState.CLOSED, BreakerState.OPEN
TOKEN: Final = "a" * 5000


class Shop(httpx.AsyncBaseTransport):
    """Service whose paths have a script each."""

    def __init__(self, scripts: Mapping[str, Step]) -> None:
        self.services = {path: Service(step) for path, step in scripts.items()}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return await self.services[request.url.path].handle_async_request(request)


class TruncatedShop(httpx.AsyncBaseTransport):
    """Service that closes the connection in the middle of every answer."""

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        return httpx.Response(200, stream=Content([b"{", httpx.ReadError("reset")]))


class Things:
    """Client with two operations, of which `buy` fails as *step* says."""

    def __init__(self, step: Step, *, terms: PolicyTerms | None = None, timeout: float = 1.0) -> None:
        self.shop = Shop({"/lamp": FINE, "/sold": step})
        self.client = service_client(
            "things", "http://things.test", self.shop, timeout=timeout, terms=terms or build_terms()
        )
        self._look = self.client.get("things.look", "/lamp", answer=THING)
        self._buy = self.client.get("things.buy", "/sold", answer=THING)

    def look(self) -> Call[Thing, Failure]:
        return self._look()

    def buy(self, token: str = "") -> Call[Thing, Failure]:
        return self._buy(headers={"Authorization": f"Bearer {token}"} if token else None)


def caused(error: Exception, cause: Exception) -> Exception:
    error.__cause__ = cause
    return error


async def buy(things: Things, token: str = "") -> Sequence[BreakerState]:
    """Buy a hundred times; return the states of the breakers of the host and of both operations."""
    await things.look()
    await call_at_once(100, lambda: things.buy(token))
    states = things.client.breakers
    return states.host, states.operations["things.look"], states.operations["things.buy"]


@pytest.mark.parametrize(
    "step",
    [
        Step(500),
        Step(502),
        Step(503),
        HANGS,
        HANGS_UP,
        Step(raised=httpx.RemoteProtocolError("closed")),
        Step(raised=httpx.DecodingError("malformed")),
        Step(content=b"<html>"),
        Step(content=b""),
        Step(content=b'{"name": 1}'),
    ],
    ids=["500", "502", "503", "hangs", "reset", "closed", "malformed", "page", "empty", "invalid"],
)
async def test_failing_operation_leaves_others_alone(step: Step) -> None:
    things = Things(step)

    assert await buy(things) == (CLOSED, CLOSED, OPEN)
    assert await call_at_once(50, things.look) == [Ok(LAMP)] * 50


@pytest.mark.parametrize(
    "raised", [httpx.ConnectError("refused"), httpx.ConnectTimeout(""), httpx.ProxyError("no route")]
)
async def test_connection_failures_block_all_operations(raised: Exception) -> None:
    things = Things(Step(raised=raised))

    assert await buy(things) == (OPEN, CLOSED, CLOSED)
    assert things.client.has_failed_recently
    assert isinstance(await things.look(), Err)
    assert len(things.shop.services["/lamp"].requests) == 1


async def test_host_breaker_of_optional_calls_is_separate() -> None:
    things = Things(REFUSES)
    await call_at_once(100, lambda: things.buy().optional())

    assert (things.client.optional_breakers.host, things.client.breakers.host) == (OPEN, CLOSED)
    assert await things.look() == Ok(LAMP)


async def test_operations_have_own_retry_budgets() -> None:
    things = Things(Step(503), terms=build_terms(breaker=BreakerTerms(minimum=1000, volume=1000)))
    await call_at_once(100, things.buy)
    denied, things.shop.services["/lamp"].steps = (
        things.client.policies.counts.retries_denied,
        [Step(503), FINE],
    )

    assert denied > 0
    assert await things.look() == Ok(LAMP)
    assert things.client.policies.counts.retries_denied == denied


@pytest.mark.parametrize(
    "step",
    [Step(431), Step(400), Step(500), Step(503), HANGS, HANGS_UP],
    ids=["431", "400", "500", "503", "hangs", "reset"],
)
async def test_long_token_of_caller_counts_against_nothing(step: Step) -> None:
    assert await buy(Things(step), TOKEN) == (CLOSED, CLOSED, CLOSED)


@pytest.mark.parametrize(
    "header",
    [
        {"tracestate": "vendor=" + "x" * 5000},
        {"X-Request-Id": "<script>"},
        {"X-Request-Id": "' or 1=1"},
        {"tracestate": 'vendor="}{"'},
    ],
)
async def test_unusual_forwarded_header_counts_against_nothing(header: Mapping[str, str]) -> None:
    change_context(RunContext(baggage=header))

    assert await buy(Things(HANGS_UP)) == (CLOSED, CLOSED, CLOSED)


@pytest.mark.parametrize(
    "raised",
    [
        httpx.PoolTimeout(""),
        OSError(errno.EMFILE, "Too many open files"),
        caused(httpx.ConnectError(""), OSError(errno.ENFILE, "")),
        caused(httpx.ConnectError(""), caused(OSError("all attempts"), OSError(errno.EADDRNOTAVAIL, ""))),
        caused(httpx.ReadError(""), OSError(errno.ENOBUFS, "")),
    ],
    ids=["pool", "EMFILE", "ENFILE", "EADDRNOTAVAIL", "ENOBUFS"],
)
async def test_own_limits_count_against_nothing(raised: Exception) -> None:
    assert await buy(Things(Step(raised=raised))) == (CLOSED, CLOSED, CLOSED)


@pytest.mark.parametrize("step", [Step(500), Step(503), HANGS, HANGS_UP])
async def test_unusual_header_takes_no_retry_from_others(step: Step) -> None:
    things = Things(step)
    change_context(RunContext(baggage={"X-Request-Id": "<x>"}))
    await call_at_once(30, things.buy)
    assert things.client.policies.counts.retries == 0

    change_context(RunContext())
    things.shop.services["/sold"].steps = [Step(503), FINE]
    assert await things.buy() == Ok(LAMP)


@pytest.mark.parametrize(
    "raised", [httpx.ConnectError("refused"), httpx.ConnectTimeout(""), httpx.ProxyError("no route")]
)
async def test_unusual_header_hides_no_connection_failure(raised: Exception) -> None:
    change_context(RunContext(baggage={"X-Request-Id": "<x>"}))

    assert await buy(Things(Step(raised=raised))) == (OPEN, CLOSED, CLOSED)


async def test_unbuilt_request_with_unusual_header_is_not_retried() -> None:
    things = Things(Step(raised=httpx.InvalidURL("too long")))
    change_context(RunContext(baggage={"X-Request-Id": "<x>"}))
    await things.buy()

    assert things.client.policies.counts.attempts == 1


async def test_unfit_answers_leave_breaker_closed() -> None:
    things = Things(FINE)
    find = things.client.get("things.find", "/sold", answer=THING)

    def find_other() -> Call[Thing, Failure]:
        return find(fits=lambda thing: thing.size == LAMP.size + 1)

    results = await call_at_once(100, find_other)

    assert all(isinstance(result, Err) and isinstance(result.error, BadAnswer) for result in results)
    assert things.client.breakers.operations["things.find"] is CLOSED
    assert things.client.policies.counts.attempts == 100


@pytest.mark.parametrize("raised", [httpx.ReadError("reset"), httpx.RemoteProtocolError("closed")])
async def test_connections_lost_by_two_operations_open_host_breaker(raised: Exception) -> None:
    things = Things(Step(raised=raised))
    things.shop.services["/lamp"].steps = [Step(raised=raised)] * 200
    await asyncio.gather(call_at_once(60, things.buy), call_at_once(60, things.look))

    assert things.client.breakers.host is OPEN


async def test_truncated_answers_leave_host_breaker_closed() -> None:
    """The host has answered, so that its connections work."""
    client = service_client("things", "http://things.test", TruncatedShop(), terms=build_terms())
    look, buy = (client.get(f"things.{name}", f"/{name}", answer=THING) for name in ("look", "buy"))
    await asyncio.gather(call_at_once(60, look), call_at_once(60, buy))

    assert client.breakers.host is CLOSED
    assert set(client.breakers.operations.values()) == {OPEN}


async def test_foreign_refusals_open_breaker() -> None:
    things = Things(Step(404, media_type="text/html"))
    find = things.client.get("things.find", "/sold", answer=THING, declared={404: NotFound})
    await call_at_once(100, find)

    assert things.client.breakers.operations["things.find"] is OPEN


@pytest.mark.parametrize(
    "header",
    [
        {"X-Request-Id": "|37dd3dd5-4a9619fc.1."},
        {"X-Request-Id": "Root=1-67891233-abcdef012345678912345678;Self=1-2"},
        {"tracestate": "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"},
        {"traceparent": "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"},
    ],
)
async def test_usual_forwarded_header_is_no_excuse(header: Mapping[str, str]) -> None:
    change_context(RunContext(baggage=header))

    assert await buy(Things(Step(500)), "a" * 1000) == (CLOSED, CLOSED, OPEN)


@pytest.mark.parametrize(
    "raised",
    [httpx.InvalidURL("too long"), httpx.LocalProtocolError("illegal header"), httpx.UnsupportedProtocol("")],
)
async def test_unbuilt_request_counts_against_nothing(raised: Exception) -> None:
    things = Things(Step(raised=raised))
    result = await things.buy()

    assert isinstance(result, Err)
    assert isinstance(result.error, Unavailable)
    assert result.error.detail == "The request to the things service would be too long or invalid"
    assert len(things.shop.services["/sold"].requests) == 1
    assert await buy(things) == (CLOSED, CLOSED, CLOSED)


async def test_slow_calls_leave_breaker_closed_by_default() -> None:
    assert await buy(Things(Step(after=0.9))) == (CLOSED, CLOSED, CLOSED)


SLOW: Final = BreakerTerms(slow_rate=0.8, slow_after=0.5)


async def test_slow_calls_open_breaker_by_setting() -> None:
    things = Things(Step(after=0.5), terms=build_terms(breaker=SLOW))

    assert await buy(things) == (CLOSED, CLOSED, OPEN)
    assert await things.look() == Ok(LAMP)


@pytest.mark.parametrize("step", [Step(after=0.49), Step(404, after=0.49)])
async def test_calls_below_limit_are_not_slow(step: Step) -> None:
    assert await buy(Things(step, terms=build_terms(breaker=SLOW))) == (CLOSED, CLOSED, CLOSED)


async def test_few_slow_calls_leave_breaker_closed() -> None:
    things = Things(FINE, terms=build_terms(breaker=SLOW))
    await call_at_once(21, things.buy)
    things.shop.services["/sold"].steps = [Step(after=0.5)]
    await call_at_once(79, things.buy)

    assert things.client.breaker is CLOSED


async def test_slow_refusal_counts_as_slow() -> None:
    things = Things(Step(404, after=0.7), terms=build_terms(breaker=SLOW))

    assert await buy(things) == (CLOSED, CLOSED, OPEN)


async def test_slow_calls_are_forgotten_when_breaker_closes() -> None:
    things = Things(Step(after=0.5), terms=build_terms(breaker=SLOW))
    await call_at_once(100, things.buy)
    await asyncio.sleep(SLOW.pause)
    things.shop.services["/sold"].steps = [FINE]
    await call_at_once(SLOW.probes, things.buy)
    await call_at_once(SLOW.minimum, things.buy)
    things.shop.services["/sold"].steps = [Step(500)]
    await things.buy()

    assert things.client.breakers.operations["things.buy"] is CLOSED


async def test_slow_probe_opens_breaker_again() -> None:
    things = Things(Step(after=0.5), terms=build_terms(breaker=SLOW))
    await call_at_once(100, things.buy)
    await asyncio.sleep(SLOW.pause)
    await call_at_once(3, things.buy)

    assert things.client.breaker is OPEN
    assert things.client.policies.counts.breaker_opened == 2


async def test_slow_rate_does_not_change_failure_rate() -> None:
    terms = build_terms(breaker=replace(SLOW, slow_rate=1.0), retries=RetryTerms(attempts=1))

    assert await buy(Things(Step(500), terms=terms)) == (CLOSED, CLOSED, OPEN)
