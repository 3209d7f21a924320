"""A prepared request is an `httpx.Request` for every transport."""

import json

import httpx
import respx

from gateway.http1 import PreparedRequest

HEADERS = [(b"host", b"users.test"), (b"content-type", b"application/json"), (b"content-length", b"8")]


def build() -> PreparedRequest:
    extensions = {"timeout": {"connect": 1.0}}
    return PreparedRequest("POST", httpx.URL("http://users.test/users?a=b"), HEADERS, b'{"a": 1}', extensions)


async def test_request_has_parts_of_httpx_request() -> None:
    request = build()

    assert isinstance(request, httpx.Request)
    assert (request.method, request.url.path) == ("POST", "/users")
    assert request.headers["Content-Type"] == "application/json"
    assert request.headers is request.headers
    assert request.extensions == {"timeout": {"connect": 1.0}}
    assert request.content == request.read() == await request.aread() == b'{"a": 1}'
    assert repr(request) == "<PreparedRequest('POST', 'http://users.test/users?a=b')>"


async def test_stream_has_the_body() -> None:
    request = build()
    assert isinstance(request.stream, httpx.AsyncByteStream)

    assert b"".join([part async for part in request.stream]) == b'{"a": 1}'


def test_parts_can_be_replaced() -> None:
    request, stream = build(), httpx.ByteStream(b"{}")
    request.headers = httpx.Headers({"x": "y"})
    request.stream = stream

    assert request.raw_headers == [(b"x", b"y")]
    assert request.headers["x"] == "y"
    assert request.stream is stream


async def test_respx_matches_prepared_request() -> None:
    router = respx.Router()
    router.post("http://users.test/users", params={"a": "b"}, json={"a": 1}).respond(json={"id": 1})

    response = await httpx.MockTransport(router.async_handler).handle_async_request(build())

    assert json.loads(await response.aread()) == {"id": 1}
