"""A prepared request is an `httpx.Request` for every transport."""

import json

import httpx
import pytest
import respx

from gateway.http1 import Origin, PreparedRequest, format_headers
from gateway.http1.request_writer import write_request

HEADERS = [(b"host", b"users.test"), (b"content-type", b"application/json"), (b"content-length", b"8")]
ORIGIN = Origin("http", "users.test", None)
HEAD = b"host: users.test\r\ncontent-type: application/json\r\ncontent-length: 8\r\n"


def build(origin: Origin = ORIGIN) -> PreparedRequest:
    extensions = {"timeout": {"connect": 1.0}}
    return PreparedRequest("POST", origin, b"/users?a=b%26", format_headers(HEADERS), b'{"a": 1}', extensions)


async def test_request_has_parts_of_httpx_request() -> None:
    request = build()

    assert isinstance(request, httpx.Request)
    assert (request.method, request.url.path) == ("POST", "/users")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers.raw == HEADERS
    assert (request.headers, request.url) == (request.headers, request.url)
    assert request.extensions == {"timeout": {"connect": 1.0}}
    assert request.content == request.read() == await request.aread() == b'{"a": 1}'
    assert repr(request) == "<PreparedRequest('POST', 'http://users.test/users?a=b%26')>"


async def test_stream_has_the_body() -> None:
    request = build()
    assert isinstance(request.stream, httpx.AsyncByteStream)

    assert b"".join([part async for part in request.stream]) == b'{"a": 1}'


@pytest.mark.parametrize(
    "url", ["http://users.test/", "https://users.test:8443/", "http://[::1]:81/", "http://127.0.0.1/"]
)
def test_origin_is_that_of_its_url(url: str) -> None:
    request = build(Origin.of(httpx.URL(url)))

    assert request.url == httpx.URL(url).join("/users?a=b%26")
    assert request.url.raw_path == b"/users?a=b%26"


def test_request_is_encoded_as_given() -> None:
    assert build().encoded == b"POST /users?a=b%26 HTTP/1.1\r\n" + HEAD + b'\r\n{"a": 1}'


async def test_looked_at_request_is_written_as_before() -> None:
    request = build()
    assert request.headers["host"] == request.url.host

    assert request.encoded is None
    assert write_request(request, await request.aread()) == build().encoded


async def test_parts_can_be_replaced() -> None:
    request, stream = build(), httpx.ByteStream(b"{}")
    request.headers = httpx.Headers({"x": "y"})
    request.url = httpx.URL("https://others.test/a")
    request.stream = stream

    assert request.encoded is None
    assert request.headers["x"] == "y"
    assert (request.url.host, request.origin) == ("others.test", Origin("https", "others.test", None))
    assert request.stream is stream
    with pytest.raises(httpx.RequestNotRead):
        _ = request.content
    assert await request.aread() == request.content == b"{}"


def test_replaced_body_can_be_read_at_once() -> None:
    request = build()
    request.stream = httpx.ByteStream(b"{}")

    assert request.read() == b"{}"


async def test_replaced_body_is_sent() -> None:
    """A transport that compresses bodies replaces the stream and the length, and passes the request on."""
    request = build()
    request.stream = httpx.ByteStream(b"{}")
    request.headers["Content-Length"] = "2"

    written = write_request(request, await request.aread())
    assert written.endswith(b"Content-Length: 2\r\n\r\n{}")


async def test_header_can_be_added() -> None:
    """A transport that signs requests adds a header, and passes the request on."""
    request = build()
    request.headers["X-Signature"] = "abc"

    written = write_request(request, await request.aread())
    assert b"content-length: 8\r\nX-Signature: abc\r\n\r\n" in written


async def test_respx_matches_prepared_request() -> None:
    router = respx.Router()
    router.post("http://users.test/users", params={"a": "b&"}, json={"a": 1}).respond(json={"id": 1})

    response = await httpx.MockTransport(router.async_handler).handle_async_request(build())

    assert json.loads(await response.aread()) == {"id": 1}
