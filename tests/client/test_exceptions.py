"""Mapping of transport exceptions to upstream faults."""

import logging
import socket
import ssl
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Final, TypeAlias

import httpx
import pytest
from typing_extensions import override

from gateway.railway import BadAnswer, Err, Fault, TimedOut, Unavailable, UpstreamFault
from tests.client.scripted_service import LATE, UNAVAILABLE, UNUSABLE, Answering, Content, Raising, fetch

UNBUILT: Final = "The request to the things service would be too long or invalid"

Kind: TypeAlias = type[Exception]

ROOTS: tuple[Kind, ...] = (httpx.HTTPError, httpx.InvalidURL, httpx.CookieConflict, httpx.StreamError)
DETAILS: Mapping[type[UpstreamFault], str] = {
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


def list_subclasses(kind: Kind) -> Iterator[Kind]:
    yield kind
    for child in kind.__subclasses__():
        yield from list_subclasses(child)


def build_exception(kind: Kind) -> Exception:
    """Build an exception of *kind*, with a text that must stay secret."""
    text = "SECRET 10.0.0.7\nat line 3"
    if issubclass(kind, httpx.HTTPStatusError):
        return kind(text, request=httpx.Request("GET", "http://things.test"), response=httpx.Response(200))
    if issubclass(
        kind, httpx.StreamConsumed | httpx.StreamClosed | httpx.ResponseNotRead | httpx.RequestNotRead
    ):
        return kind()
    return kind(text)


def mark_sent(error: Fault) -> Fault:
    """Return *error* as if the service may have received the request."""
    return replace(error, was_sent=True) if isinstance(error, Unavailable) else error


NOT_BUILT = (httpx.InvalidURL, httpx.UnsupportedProtocol, httpx.LocalProtocolError)
NEVER_SENT = (
    httpx.ConnectError,
    httpx.ConnectTimeout,
    httpx.PoolTimeout,
    httpx.InvalidURL,
    httpx.UnsupportedProtocol,
)
ALL_KINDS = sorted({kind for root in ROOTS for kind in list_subclasses(root)} | set(EXPECTED), key=str)


@pytest.mark.parametrize("kind", ALL_KINDS)
async def test_transport_exception_becomes_upstream_fault(kind: Kind) -> None:
    result = await fetch(Raising(build_exception(kind)))

    assert isinstance(result, Err)
    assert isinstance(result.error, UpstreamFault)
    assert result.error.source == "things.fetch"
    assert result.error.detail == (UNBUILT if kind in NOT_BUILT else DETAILS[type(result.error)])


@pytest.mark.parametrize("kind", ALL_KINDS)
async def test_exception_in_body_becomes_fault_marked_sent(kind: Kind) -> None:
    body = Content([b"{", build_exception(kind)])
    result = await fetch(Answering(httpx.Response(200, stream=body)))
    unread = await fetch(Raising(build_exception(kind)))

    assert isinstance(result, Err)
    assert isinstance(unread, Err)
    assert isinstance(unread.error, UpstreamFault)
    assert result.error == replace(mark_sent(unread.error), detail=DETAILS[type(unread.error)])
    assert body.is_closed


@pytest.mark.parametrize("kind", ALL_KINDS)
async def test_only_connect_failures_count_as_unsent(kind: Kind) -> None:
    result = await fetch(Raising(build_exception(kind)))

    assert isinstance(result, Err)
    assert (result.error == mark_sent(result.error)) is not issubclass(kind, NEVER_SENT)


async def test_request_to_unknown_host_counts_as_unsent() -> None:
    lookup = httpx.ConnectError("Name or service not known")
    lookup.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert await fetch(Raising(lookup)) == Err(
        Unavailable(UNAVAILABLE, source="things.fetch", was_sent=False)
    )


@pytest.mark.parametrize(("kind", "fault"), EXPECTED.items())
async def test_exception_maps_to_expected_fault(kind: Kind, fault: type[UpstreamFault]) -> None:
    result = await fetch(Raising(build_exception(kind)))

    assert isinstance(result, Err)
    assert type(result.error) is fault


@pytest.mark.parametrize("kind", [httpx.TimeoutException, httpx.NetworkError, httpx.RequestError])
async def test_unlisted_exception_maps_like_base_class(
    kind: type[httpx.RequestError],
) -> None:
    unknown = type("Unknown", (kind,), {})

    result = await fetch(Raising(unknown("SECRET")))

    assert result == await fetch(Raising(kind("SECRET")))


async def test_read_timeout_carries_budget() -> None:
    result = await fetch(Raising(httpx.ReadTimeout("")), timeout=0.5)

    assert result == Err(TimedOut(LATE, source="things.fetch", budget=0.5))


async def test_exception_in_aclose_becomes_unavailable() -> None:
    class Unclosable(Content):
        @override
        async def aclose(self) -> None:
            raise build_exception(httpx.CloseError)

    result = await fetch(Answering(httpx.Response(200, stream=Unclosable([b"{}"]))))

    assert result == Err(Unavailable(UNAVAILABLE, source="things.fetch"))


async def test_exception_is_logged_per_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await fetch(Raising(build_exception(httpx.ConnectError)))

    line = "things.fetch: unavailable: ConnectError"
    assert caplog.record_tuples == [("gateway.client", logging.WARNING, line)] * 3
