"""Every exception of a transport becomes an upstream fault."""

import logging
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import TypeAlias

import httpx
import pytest
from typing_extensions import override

from gateway.railway import BadAnswer, Err, Fault, TimedOut, Unavailable, UpstreamFault
from tests.client.scripted_service import LATE, UNAVAILABLE, UNUSABLE, Answering, Content, Raising, fetch

Kind: TypeAlias = type[Exception]

ROOTS: tuple[Kind, ...] = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
SENTENCES: Mapping[type[UpstreamFault], str] = {
    BadAnswer: UNUSABLE,
    Unavailable: UNAVAILABLE,
    TimedOut: LATE,
}
EXPECTED: Mapping[Kind, type[UpstreamFault]] = {
    httpx.HTTPError: BadAnswer,
    httpx.RequestError: BadAnswer,
    httpx.TransportError: Unavailable,
    httpx.TimeoutException: TimedOut,
    httpx.ConnectTimeout: Unavailable,
    httpx.ReadTimeout: TimedOut,
    httpx.WriteTimeout: TimedOut,
    httpx.PoolTimeout: Unavailable,
    httpx.NetworkError: Unavailable,
    httpx.ConnectError: Unavailable,
    httpx.ReadError: Unavailable,
    httpx.WriteError: Unavailable,
    httpx.CloseError: Unavailable,
    httpx.ProtocolError: Unavailable,
    httpx.LocalProtocolError: Unavailable,
    httpx.RemoteProtocolError: Unavailable,
    httpx.ProxyError: Unavailable,
    httpx.UnsupportedProtocol: Unavailable,
    httpx.DecodingError: BadAnswer,
    httpx.TooManyRedirects: BadAnswer,
    httpx.HTTPStatusError: BadAnswer,
    httpx.InvalidURL: Unavailable,
    httpx.CookieConflict: BadAnswer,
    httpx.StreamError: BadAnswer,
    httpx.StreamConsumed: BadAnswer,
    httpx.StreamClosed: BadAnswer,
    httpx.ResponseNotRead: BadAnswer,
    httpx.RequestNotRead: BadAnswer,
    OSError: Unavailable,
    ConnectionResetError: Unavailable,
    TimeoutError: Unavailable,
    ssl.SSLError: Unavailable,
}


def family(kind: Kind) -> Iterator[Kind]:
    yield kind
    for child in kind.__subclasses__():
        yield from family(child)


def build(kind: Kind) -> Exception:
    """Return an exception of *kind*, with a text that no caller may see."""
    text = "SECRET 10.0.0.7\nat line 3"
    if issubclass(kind, httpx.HTTPStatusError):
        return kind(text, request=httpx.Request("GET", "http://things.test"), response=httpx.Response(200))
    if issubclass(
        kind, httpx.StreamConsumed | httpx.StreamClosed | httpx.ResponseNotRead | httpx.RequestNotRead
    ):
        return kind()
    return kind(text)


def as_sent(error: Fault) -> Fault:
    """Return *error* as it is if the service may have received the request."""
    return replace(error, was_sent=True) if isinstance(error, Unavailable) else error


NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL)
EVERY = sorted({kind for root in ROOTS for kind in family(root)} | set(EXPECTED), key=str)


@pytest.mark.parametrize("kind", EVERY)
async def test_every_transport_exception_is_an_upstream_fault(kind: Kind) -> None:
    result = await fetch(Raising(build(kind)))

    assert isinstance(result, Err)
    assert isinstance(result.error, UpstreamFault)
    assert result.error.source == "things.fetch"
    assert result.error.detail == SENTENCES[type(result.error)]


@pytest.mark.parametrize("kind", EVERY)
async def test_exception_while_reading_the_body_is_the_same_fault(kind: Kind) -> None:
    body = Content([b"{", build(kind)])
    result = await fetch(Answering(httpx.Response(200, stream=body)))
    unread = await fetch(Raising(build(kind)))

    assert isinstance(result, Err)
    assert isinstance(unread, Err)
    assert result.error == as_sent(unread.error)
    assert body.is_closed


@pytest.mark.parametrize("kind", EVERY)
async def test_request_was_not_sent_only_without_a_connection(kind: Kind) -> None:
    result = await fetch(Raising(build(kind)))

    assert isinstance(result, Err)
    assert (result.error == as_sent(result.error)) is not issubclass(kind, NEVER_SENT)


async def test_request_to_an_unknown_host_was_not_sent() -> None:
    lookup = httpx.ConnectError("Name or service not known")
    lookup.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert await fetch(Raising(lookup)) == Err(
        Unavailable(UNAVAILABLE, source="things.fetch", was_sent=False)
    )


@pytest.mark.parametrize(("kind", "fault"), EXPECTED.items())
async def test_each_exception_maps_to_its_fault(kind: Kind, fault: type[UpstreamFault]) -> None:
    result = await fetch(Raising(build(kind)))

    assert isinstance(result, Err)
    assert type(result.error) is fault


@pytest.mark.parametrize("kind", [httpx.TimeoutException, httpx.NetworkError, httpx.RequestError])
async def test_unknown_exception_maps_like_its_base_class(
    kind: type[httpx.RequestError],
) -> None:
    unknown = type("Unknown", (kind,), {})

    result = await fetch(Raising(unknown("SECRET")))

    assert result == await fetch(Raising(kind("SECRET")))


async def test_read_timeout_carries_its_budget() -> None:
    result = await fetch(Raising(httpx.ReadTimeout("")), timeout=0.5)

    assert result == Err(TimedOut(LATE, source="things.fetch", budget=0.5))


async def test_exception_while_closing_the_body_is_a_fault() -> None:
    class Unclosable(Content):
        @override
        async def aclose(self) -> None:
            raise build(httpx.CloseError)

    result = await fetch(Answering(httpx.Response(200, stream=Unclosable([b"{}"]))))

    assert result == Err(Unavailable(UNAVAILABLE, source="things.fetch"))


async def test_exception_is_logged_in_one_line_per_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await fetch(Raising(build(httpx.ConnectError)))

    line = "things.fetch: unavailable: ConnectError: SECRET 10.0.0.7 at line 3"
    assert caplog.record_tuples == [("gateway.client", logging.WARNING, line)] * 3
