"""A received response is an `httpx.Response` for all other code."""

import gzip
from collections.abc import Sequence

import httpx
import pytest

from gateway.http1 import ReceivedResponse
from gateway.http1.received_response import index_headers

HEADERS = [(b"Content-Type", b"application/json"), (b"x-many", b"a"), (b"X-Many", b"b")]
EXTENSIONS = {"http_version": b"HTTP/1.0", "reason_phrase": b"Fine"}


def build() -> ReceivedResponse:
    return ReceivedResponse(200, HEADERS, b'{"a": 1}', extensions=EXTENSIONS)


async def test_response_has_parts_of_httpx_response() -> None:
    response = build()

    assert isinstance(response, httpx.Response)
    assert (response.status_code, response.is_success, response.is_closed) == (200, True, False)
    assert response.headers.raw == HEADERS
    assert response.headers["x-many"] == "a, b"
    assert (response.http_version, response.reason_phrase) == ("HTTP/1.0", "Fine")
    assert repr(response) == "<Response [200 Fine]>"
    assert response.history == []
    assert await response.aread() == response.content == b'{"a": 1}'
    assert (response.json(), response.text, response.num_bytes_downloaded) == ({"a": 1}, '{"a": 1}', 8)


def test_body_is_read_by_others_as_usual() -> None:
    response = build()

    with pytest.raises(httpx.ResponseNotRead):
        _ = response.content
    with pytest.raises(AttributeError, match="unknown"):
        _ = response.unknown


async def test_content_is_decoded_for_others() -> None:
    body = gzip.compress(b"{}")
    response = ReceivedResponse(200, [(b"content-encoding", b"gzip")], body)

    assert response.body == body
    assert await response.aread() == b"{}"


def test_assigned_parts_stay() -> None:
    response, request = build(), httpx.Request("GET", "http://users.test")
    response.request = request
    response.status_code = 201
    response.default_encoding = "ascii"

    assert response.headers
    assert (response.request, response.status_code, response.default_encoding) == (request, 201, "ascii")


async def test_closed_response_is_closed() -> None:
    response = build()
    await response.aclose()

    assert response.is_closed
    with pytest.raises(httpx.StreamClosed):
        await response.aread()


async def test_error_is_raised_after_its_body() -> None:
    error = httpx.ReadError("reset")
    response = ReceivedResponse(200, [], b"{", error=error)
    parts: list[bytes] = []

    with pytest.raises(httpx.ReadError):
        parts.extend([part async for part in response.aiter_raw()])
    with pytest.raises(httpx.ReadError):
        _ = response.body


async def test_response_serves_httpx_client() -> None:
    def respond(_: httpx.Request) -> httpx.Response:
        return build()

    async with httpx.AsyncClient(transport=httpx.MockTransport(respond)) as client:
        response = await client.get("http://users.test/")

    assert (response.json(), str(response.url)) == ({"a": 1}, "http://users.test/")


@pytest.mark.parametrize(
    ("headers", "fields"),
    [
        ([], {}),
        ([(b"A", b"1"), (b"b", b"2")], {b"a": b"1", b"b": b"2"}),
        ([(b"a", b"1"), (b"A", b""), (b"a", b"3")], {b"a": b"1, , 3"}),
    ],
)
def test_headers_are_indexed(headers: Sequence[tuple[bytes, bytes]], fields: dict[bytes, bytes]) -> None:
    assert index_headers(headers) == fields
    assert ReceivedResponse(200, headers).fields == fields
