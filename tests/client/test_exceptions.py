"""Whatever httpx can raise, a pipeline meets a value."""

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


def made(kind: Kind) -> Exception:
    """Give an exception of *kind*, with a text that no caller may see."""
    text = "SECRET 10.0.0.7\nat line 3"
    if issubclass(kind, httpx.HTTPStatusError):
        return kind(text, request=httpx.Request("GET", "http://things.test"), response=httpx.Response(200))
    if issubclass(
        kind, httpx.StreamConsumed | httpx.StreamClosed | httpx.ResponseNotRead | httpx.RequestNotRead
    ):
        return kind()
    return kind(text)


def sent(error: Fault) -> Fault:
    """Give *error* as it is if the service may have seen the request."""
    return replace(error, was_sent=True) if isinstance(error, Unavailable) else error


NEVER_SENT = (httpx.ConnectError, httpx.ConnectTimeout, httpx.PoolTimeout, httpx.InvalidURL)
EVERY = sorted({kind for root in ROOTS for kind in family(root)} | set(EXPECTED), key=str)


@pytest.mark.parametrize("kind", EVERY)
async def test_every_exception_of_a_transport_is_a_fault_of_the_service(kind: Kind) -> None:
    result = await fetch(Raising(made(kind)))

    assert isinstance(result, Err)
    assert isinstance(result.error, UpstreamFault)
    assert result.error.source == "things.fetch"
    assert result.error.detail == SENTENCES[type(result.error)]


@pytest.mark.parametrize("kind", EVERY)
async def test_so_is_every_one_that_is_raised_while_the_body_is_read(kind: Kind) -> None:
    body = Content([b"{", made(kind)])
    result = await fetch(Answering(httpx.Response(200, stream=body)))
    unread = await fetch(Raising(made(kind)))

    assert isinstance(result, Err)
    assert isinstance(unread, Err)
    assert result.error == sent(unread.error)
    assert body.is_closed


@pytest.mark.parametrize("kind", EVERY)
async def test_a_request_was_not_sent_only_if_there_was_no_connection_to_send_it_on(kind: Kind) -> None:
    result = await fetch(Raising(made(kind)))

    assert isinstance(result, Err)
    assert (result.error == sent(result.error)) is not issubclass(kind, NEVER_SENT)


async def test_nor_was_one_to_a_name_that_nobody_knows() -> None:
    lookup = httpx.ConnectError("Name or service not known")
    lookup.__cause__ = socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    assert await fetch(Raising(lookup)) == Err(
        Unavailable(UNAVAILABLE, source="things.fetch", was_sent=False)
    )


@pytest.mark.parametrize(("kind", "meaning"), EXPECTED.items())
async def test_an_exception_means_what_its_name_says(kind: Kind, meaning: type[UpstreamFault]) -> None:
    result = await fetch(Raising(made(kind)))

    assert isinstance(result, Err)
    assert type(result.error) is meaning


@pytest.mark.parametrize("kind", [httpx.TimeoutException, httpx.NetworkError, httpx.RequestError])
async def test_an_exception_that_nobody_has_heard_of_means_what_its_parent_does(
    kind: type[httpx.RequestError],
) -> None:
    unheard = type("Unheard", (kind,), {})

    result = await fetch(Raising(unheard("SECRET")))

    assert result == await fetch(Raising(kind("SECRET")))


async def test_a_read_timeout_names_the_budget_that_ran_out() -> None:
    result = await fetch(Raising(httpx.ReadTimeout("")), timeout=0.5)

    assert result == Err(TimedOut(LATE, source="things.fetch", budget=0.5))


async def test_an_exception_while_the_body_is_closed_is_a_fault_as_well() -> None:
    class Sticking(Content):
        @override
        async def aclose(self) -> None:
            raise made(httpx.CloseError)

    result = await fetch(Answering(httpx.Response(200, stream=Sticking([b"{}"]))))

    assert result == Err(Unavailable(UNAVAILABLE, source="things.fetch"))


async def test_the_operator_finds_its_text_in_one_line_of_the_log_for_each_attempt(
    caplog: pytest.LogCaptureFixture,
) -> None:
    await fetch(Raising(made(httpx.ConnectError)))

    line = "things.fetch: unavailable: ConnectError: SECRET 10.0.0.7 at line 3"
    assert caplog.record_tuples == [("gateway.services", logging.WARNING, line)] * 3
