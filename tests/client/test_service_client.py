"""Requests of a service client, their timeouts and their cancellation."""

import asyncio
from importlib.metadata import version

import httpx
import pytest

from gateway.railway import CallMode, Err, NotFound, Ok, RunContext, TimedOut, change_context
from tests.client.scripted_service import (
    LAMP,
    LATE,
    PROBLEM,
    THING,
    Answering,
    Content,
    Hanging,
    Raising,
    Wish,
    client,
    fetch,
)
from tests.service_clients import service_client

AGENT = f"fanout-gateway/{version('fanout-gateway')}"


async def test_call_returns_parsed_answer() -> None:
    assert await fetch(Answering()) == Ok(LAMP)


async def test_each_await_makes_call_again() -> None:
    transport = Answering()
    call = fetch(transport)
    sent_before = len(transport.requests)
    await call
    await call

    assert call.name == "things.fetch"
    assert (sent_before, len(transport.requests)) == (0, 2)


async def test_get_sends_fixed_headers() -> None:
    transport = Answering()
    await fetch(transport)
    (request,) = transport.requests

    assert str(request.url) == "http://things.test/api/things/lamp"
    assert (request.method, request.content) == ("GET", b"")
    assert dict(request.headers) == {
        "host": "things.test",
        "accept": "application/json, application/problem+json",
        "accept-encoding": "identity",
        "user-agent": AGENT,
        "x-envoy-expected-rq-timeout-ms": "1000",
    }


async def test_post_sends_content_type_and_length() -> None:
    transport = Answering()
    await client(transport).post("things.wish", "/wishes", answer=THING)(Wish(text="é"))
    (request,) = transport.requests

    assert (request.method, request.content) == ("POST", '{"text":"é"}'.encode())
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == "13"


async def test_call_sends_baggage_of_run() -> None:
    transport = Answering()
    change_context(RunContext(baggage={"X-Request-Id": "req-1", "tracestate": "a=é"}))
    await fetch(transport)
    (request,) = transport.requests

    assert request.headers["x-request-id"] == "req-1"
    assert request.headers["tracestate"] == "a=é"


async def test_query_may_repeat_names() -> None:
    transport = Answering()
    query = (("author", "a&b"), ("author", "c d"), ("limit", 3))
    await client(transport).get("things.list", "/things", answer=THING)(query=query)
    (request,) = transport.requests

    assert request.url.raw_path == b"/api/things?author=a%26b&author=c%20d&limit=3"


async def test_get_sends_additional_headers() -> None:
    transport = Answering()
    await client(transport).get("things.list", "/things", answer=THING)(headers={"X-Colour": "dark blue"})
    (request,) = transport.requests

    assert request.headers["x-colour"] == "dark blue"
    assert request.headers["host"] == "things.test"


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "a\tb", "é"])
def test_get_refuses_invalid_header_value(value: str) -> None:
    operation = client(Answering()).get("things.list", "/things", answer=THING)

    with pytest.raises(ValueError, match=r"^invalid value of header X-Colour: expected visible ASCII"):
        _ = operation(headers={"X-Colour": value})


async def test_client_follows_no_redirect() -> None:
    transport = Answering(httpx.Response(307, headers={"location": "http://elsewhere.test"}))
    await fetch(transport)

    assert len(transport.requests) == 1


async def test_client_stores_no_cookies() -> None:
    transport = Answering(httpx.Response(200, json={"name": "lamp"}, headers={"set-cookie": "a=b"}))
    await fetch(transport)
    await fetch(transport)

    assert "cookie" not in transport.requests[1].headers


async def test_call_budget_is_clipped_to_deadline() -> None:
    transport = Answering()
    now = asyncio.get_running_loop().time()
    change_context(RunContext(deadline=now + 0.25))
    await fetch(transport)
    (request,) = transport.requests

    assert request.headers["x-envoy-expected-rq-timeout-ms"] == "250"
    assert request.extensions["timeout"] == {"connect": 0.125, "pool": 0.125}


async def test_distant_deadline_keeps_call_budget() -> None:
    transport = Answering()
    change_context(RunContext(deadline=asyncio.get_running_loop().time() + 9))
    await fetch(transport)

    assert transport.requests[0].headers["x-envoy-expected-rq-timeout-ms"] == "1000"


async def test_budget_header_is_at_least_1_ms() -> None:
    transport = Answering()
    await fetch(transport, timeout=0.0001)

    assert transport.requests[0].headers["x-envoy-expected-rq-timeout-ms"] == "1"


@pytest.mark.parametrize("left", [0.0, -1.0])
@pytest.mark.parametrize("mode", [CallMode.NORMAL, CallMode.BYPASS_POLICIES])
async def test_call_after_deadline_sends_nothing(left: float, mode: CallMode) -> None:
    transport = Answering()
    change_context(RunContext(deadline=asyncio.get_running_loop().time() + left, mode=mode))
    result = await fetch(transport)

    assert result == Err(TimedOut(LATE, source="things.fetch", budget=0.0, was_sent=False))
    assert transport.requests == []


async def test_call_to_hanging_service_takes_three_timeouts() -> None:
    result = await fetch(Hanging(), timeout=1.5)

    pauses = asyncio.get_running_loop().time() - 3 * 1.5
    assert result == Err(TimedOut(LATE, source="things.fetch", budget=1.5))
    assert 0 < pauses <= 0.15


@pytest.mark.parametrize("status", [200, 404])
async def test_call_timeout_covers_body(status: int) -> None:
    body = Content([b"{", asyncio.Event()])
    transport = Answering(httpx.Response(status, headers=PROBLEM, stream=body))
    result = await fetch(transport, {404: NotFound})

    assert result == Err(TimedOut(LATE, source="things.fetch", budget=1.0))
    assert body.is_closed


async def test_cancelled_call_cancels_request() -> None:
    transport = Hanging()
    call = asyncio.create_task(fetch(transport).make())
    await transport.has_request.wait()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


@pytest.mark.parametrize("status", [None, 200], ids=["before the response", "in its body"])
async def test_cancellation_at_the_timeout_is_not_lost(status: int | None) -> None:
    """The caller gives up in the turn of the loop in which the attempt times out; nothing is sent again."""
    body = Content([b"{", asyncio.Event()])
    transport = Hanging() if status is None else Answering(httpx.Response(status, stream=body))
    things = client(transport)
    call = asyncio.create_task(things.get("things.fetch", "/things/lamp", answer=THING)().make())
    asyncio.get_running_loop().call_at(1.0, call.cancel)

    with pytest.raises(asyncio.CancelledError):
        await call
    assert asyncio.get_running_loop().time() == 1.0
    assert (things.policies.counts.attempts, things.policies.in_flight) == (1, 0)
    assert body.is_closed is (status is not None)


async def test_cancelled_read_closes_response() -> None:
    body = Content([b"{", asyncio.Event()])
    call = asyncio.create_task(fetch(Answering(httpx.Response(200, stream=body))).make())
    await asyncio.sleep(0.5)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert body.is_closed


async def test_transport_bug_is_raised() -> None:
    with pytest.raises(TypeError, match="oops"):
        await fetch(Raising(TypeError("oops")))


async def test_bug_while_reading_closes_response() -> None:
    body = Content([TypeError("oops")])

    with pytest.raises(TypeError, match="oops"):
        await fetch(Answering(httpx.Response(200, stream=body)))
    assert body.is_closed


@pytest.mark.parametrize(
    "base_url",
    [
        "things.test",
        "ftp://things.test",
        "http://",
        "http://ada:secret@things.test",
        "http://things.test?a=b",
        "http://things.test#a",
    ],
)
def test_client_refuses_invalid_base_url(base_url: str) -> None:
    with pytest.raises(ValueError, match="a service's URL"):
        service_client("things", base_url, Answering())


@pytest.mark.parametrize("timeout", [0, -1, float("nan"), float("inf")])
def test_client_refuses_invalid_timeout(timeout: float) -> None:
    with pytest.raises(ValueError, match="timeout must be a positive, finite number of seconds, got"):
        client(Answering(), timeout=timeout)


@pytest.mark.parametrize("status", [200, 204, 302, 404, 499])
async def test_ping_accepts_any_status_below_500(status: int) -> None:
    transport = Answering(httpx.Response(status))

    assert await client(transport).ping()
    assert str(transport.requests[0].url) == "http://things.test/api/health"


@pytest.mark.parametrize(
    "transport",
    [
        pytest.param(Answering(httpx.Response(500)), id="status 500"),
        pytest.param(Raising(httpx.ConnectError("refused")), id="refused connection"),
        pytest.param(Raising(RuntimeError("closed")), id="bug"),
    ],
)
async def test_ping_fails_on_5xx_and_exceptions(transport: httpx.AsyncBaseTransport) -> None:
    assert not await client(transport).ping()


async def test_ping_times_out_after_500_ms() -> None:
    assert not await client(Hanging()).ping()
    assert asyncio.get_running_loop().time() == 0.5


async def test_ping_closes_response_unread() -> None:
    body = Content([AssertionError("the body must not be read")])

    assert await client(Answering(httpx.Response(200, stream=body))).ping()
    assert body.is_closed
