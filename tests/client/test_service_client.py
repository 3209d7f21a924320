import asyncio
from importlib.metadata import version

import httpx
import pytest

from gateway.client.service_client import ServiceClient
from gateway.railway import Err, NotFound, Ok, RunContext, TimedOut, change_context
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

AGENT = f"fanout-gateway/{version('fanout-gateway')}"


async def test_a_call_gives_what_the_service_answers() -> None:
    assert await fetch(Answering()) == Ok(LAMP)


async def test_a_call_is_made_once_each_time_it_is_awaited() -> None:
    transport = Answering()
    call = fetch(transport)
    unmade = len(transport.requests)
    await call
    await call

    assert call.name == "things.fetch"
    assert (unmade, len(transport.requests)) == (0, 2)


async def test_a_get_has_these_headers_and_no_others() -> None:
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


async def test_a_post_says_what_and_how_much_it_sends() -> None:
    transport = Answering()
    await client(transport).post("things.wish", ("wishes",), Wish(text="é"), answer=THING)
    (request,) = transport.requests

    assert (request.method, request.content) == ("POST", '{"text":"é"}'.encode())
    assert request.headers["content-type"] == "application/json"
    assert request.headers["content-length"] == "13"


async def test_a_call_passes_the_baggage_of_its_run_on() -> None:
    transport = Answering()
    change_context(RunContext(baggage={"X-Request-Id": "req-1", "tracestate": "a=é"}))
    await fetch(transport)
    (request,) = transport.requests

    assert request.headers["x-request-id"] == "req-1"
    assert request.headers["tracestate"] == "a=é"


async def test_query_names_may_be_repeated() -> None:
    transport = Answering()
    query = (("author", "a&b"), ("author", "c d"), ("limit", 3))
    await client(transport).get("things.list", ("things",), query=query, answer=THING)
    (request,) = transport.requests

    assert request.url.raw_path == b"/api/things?author=a%26b&author=c%20d&limit=3"


async def test_headers_of_a_call_are_sent_besides_those_of_every_call() -> None:
    transport = Answering()
    await client(transport).get("things.list", ("things",), headers={"X-Colour": "dark blue"}, answer=THING)
    (request,) = transport.requests

    assert request.headers["x-colour"] == "dark blue"
    assert request.headers["host"] == "things.test"


@pytest.mark.parametrize("value", ["", " a", "a ", "a\nb", "a\tb", "é"])
def test_a_header_that_cannot_be_sent_is_refused_when_the_call_is_described(value: str) -> None:
    with pytest.raises(ValueError, match="cannot be sent as X-Colour"):
        _ = client(Answering()).get("things.list", ("things",), headers={"X-Colour": value}, answer=THING)


async def test_a_redirect_is_not_followed() -> None:
    transport = Answering(httpx.Response(307, headers={"location": "http://elsewhere.test"}))
    await fetch(transport)

    assert len(transport.requests) == 1


async def test_no_cookie_is_kept_between_calls() -> None:
    transport = Answering(httpx.Response(200, json={"name": "lamp"}, headers={"set-cookie": "a=b"}))
    await fetch(transport)
    await fetch(transport)

    assert "cookie" not in transport.requests[1].headers


async def test_a_path_in_the_place_of_its_segments_is_a_bug_of_the_call() -> None:
    call = client(Answering()).get("things.fetch", "things/lamp", answer=THING)

    with pytest.raises(ValueError, match="is no sequence of segments"):
        await call


@pytest.mark.parametrize("segment", ["", ".", ".."])
async def test_a_segment_that_would_change_the_path_is_a_bug_of_the_call(segment: str) -> None:
    call = client(Answering()).get("things.fetch", ("things", segment), answer=THING)

    with pytest.raises(ValueError, match="is no segment of a path"):
        await call


async def test_a_call_has_no_more_time_than_its_run() -> None:
    transport = Answering()
    now = asyncio.get_running_loop().time()
    change_context(RunContext(deadline=now + 0.25))
    await fetch(transport)
    (request,) = transport.requests

    assert request.headers["x-envoy-expected-rq-timeout-ms"] == "250"
    assert request.extensions["timeout"] == {"connect": 0.125, "pool": 0.125}


async def test_a_deadline_further_off_gives_a_call_no_more_time() -> None:
    transport = Answering()
    change_context(RunContext(deadline=asyncio.get_running_loop().time() + 9))
    await fetch(transport)

    assert transport.requests[0].headers["x-envoy-expected-rq-timeout-ms"] == "1000"


async def test_what_is_sent_as_budget_is_a_millisecond_at_least() -> None:
    transport = Answering()
    await fetch(transport, timeout=0.0001)

    assert transport.requests[0].headers["x-envoy-expected-rq-timeout-ms"] == "1"


@pytest.mark.parametrize("left", [0.0, -1.0])
async def test_a_call_without_time_left_sends_nothing(left: float) -> None:
    transport = Answering()
    change_context(RunContext(deadline=asyncio.get_running_loop().time() + left))
    result = await fetch(transport)

    assert result == Err(TimedOut(LATE, source="things.fetch", budget=0.0, was_sent=False))
    assert transport.requests == []


async def test_a_service_that_hangs_has_its_timeout_three_times_and_no_more() -> None:
    result = await fetch(Hanging(), timeout=1.5)

    pauses = asyncio.get_running_loop().time() - 3 * 1.5
    assert result == Err(TimedOut(LATE, source="things.fetch", budget=1.5))
    assert 0 < pauses <= 0.15


@pytest.mark.parametrize("status", [200, 404])
async def test_the_timeout_covers_the_body(status: int) -> None:
    body = Content([b"{", asyncio.Event()])
    transport = Answering(httpx.Response(status, headers=PROBLEM, stream=body))
    result = await fetch(transport, {404: NotFound})

    assert result == Err(TimedOut(LATE, source="things.fetch", budget=1.0))
    assert body.is_closed


async def test_a_cancelled_call_is_cancelled() -> None:
    transport = Hanging()
    call = asyncio.create_task(fetch(transport).make())
    await transport.was_asked.wait()
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call


async def test_a_call_cancelled_while_it_reads_gives_its_connection_back() -> None:
    body = Content([b"{", asyncio.Event()])
    call = asyncio.create_task(fetch(Answering(httpx.Response(200, stream=body))).make())
    await asyncio.sleep(0.5)
    call.cancel()

    with pytest.raises(asyncio.CancelledError):
        await call
    assert body.is_closed


async def test_a_bug_in_the_transport_stays_a_bug() -> None:
    with pytest.raises(TypeError, match="oops"):
        await fetch(Raising(TypeError("oops")))


async def test_a_body_that_is_a_bug_is_closed_all_the_same() -> None:
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
def test_an_address_that_is_more_or_less_than_one_is_refused(base_url: str) -> None:
    with pytest.raises(ValueError, match="a service's address"):
        ServiceClient("things", base_url, Answering(), timeout=1.0)


@pytest.mark.parametrize("status", [200, 204, 302, 404, 499])
async def test_a_service_is_there_if_it_answers_anything_below_500(status: int) -> None:
    transport = Answering(httpx.Response(status))

    assert await client(transport).ping()
    assert str(transport.requests[0].url) == "http://things.test/api/health"


@pytest.mark.parametrize(
    "transport",
    [
        pytest.param(Answering(httpx.Response(500)), id="broken"),
        pytest.param(Raising(httpx.ConnectError("refused")), id="refused"),
        pytest.param(Raising(RuntimeError("closed")), id="a bug"),
    ],
)
async def test_a_service_is_not_there_otherwise(transport: httpx.AsyncBaseTransport) -> None:
    assert not await client(transport).ping()


async def test_a_ping_takes_half_a_second_at_most() -> None:
    assert not await client(Hanging()).ping()
    assert asyncio.get_running_loop().time() == 0.5


async def test_a_ping_gives_its_connection_back_without_reading() -> None:
    body = Content([AssertionError("nobody should read this")])

    assert await client(Answering(httpx.Response(200, stream=body))).ping()
    assert body.is_closed
