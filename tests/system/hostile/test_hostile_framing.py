"""Framing, request lines and sizes of requests, which the HTTP server decides about."""

import json

import pytest

from gateway.cli.dev_stack import SAMPLE_ORDER as ORDER
from tests.system.hostile.raw_client import RawClient, build_request, exchange
from tests.system.hostile.target import Target

LIVE = b"GET /health/live HTTP/1.1\r\nHost: g\r\n"
CHECKOUT = json.dumps(ORDER).encode()
POST = b"POST /checkout HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
CHUNKED = b"%x\r\n%b\r\n0\r\n\r\n" % (len(CHECKOUT), CHECKOUT)
SMUGGLED = b"GET /feed/smuggled HTTP/1.1\r\nHost: g\r\n\r\n"
TRACE = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"


@pytest.mark.parametrize(
    "framing",
    [
        b"Content-Length: 4\r\nTransfer-Encoding: chunked\r\n",
        b"Transfer-Encoding: chunked\r\nContent-Length: 4\r\n",
        b"Content-Length: 4\r\nTransfer-Encoding:\r\n chunked\r\n",
        b"Content-Length: %d\r\nTransfer-Encoding: chunked\r\n" % len(CHUNKED),
    ],
)
def test_two_framings_are_400_and_close(target: Target, framing: bytes) -> None:
    """A proxy that goes by the other framing would take the rest for another client's request."""
    with RawClient(target.address) as client:
        response = client.send(POST + framing + b"\r\n" + CHUNKED + SMUGGLED).read_response()

        assert response.status == 400
        assert client.is_closed()


@pytest.mark.parametrize("size", [33_000, 60_000, 100_000])
@pytest.mark.parametrize("segment", [1400, 200_000])
def test_large_header_is_431_however_it_is_cut(target: Target, size: int, segment: int) -> None:
    data = LIVE + b"X-Large: " + b"a" * size + b"\r\n\r\n"
    with RawClient(target.address) as client:
        all(client.can_send(data[start : start + segment]) for start in range(0, len(data), segment))
        response = client.read_response()

    assert (response.status, response.problem["code"]) == (431, "headers-too-large")


@pytest.mark.parametrize("segment", [1400, 200_000])
def test_head_within_limit_is_served_however_it_is_cut(target: Target, segment: int) -> None:
    data = LIVE + b"X-Large: " + b"a" * 32_000 + b"\r\n\r\n"
    with RawClient(target.address) as client:
        for start in range(0, len(data), segment):
            client.send(data[start : start + segment])

        assert client.read_response().status == 200


def test_too_many_headers_are_431(target: Target) -> None:
    headers = b"".join(b"x-%d: a\r\n" % number for number in range(1500))

    response = exchange(target.address, LIVE + headers + b"\r\n")

    assert (response.status, response.problem["code"]) == (431, "headers-too-large")


@pytest.mark.parametrize("path", [b"/" + b"a" * 20_000, b"/feed/user-123?" + b"a" * 20_000])
def test_long_request_line_is_414(target: Target, path: bytes) -> None:
    response = exchange(target.address, b"GET %b HTTP/1.1\r\nHost: g\r\n\r\n" % path)

    assert (response.status, response.problem["code"]) == (414, "uri-too-long")


@pytest.mark.parametrize(
    "data",
    [
        b"GET /health/live HTTP/1.1 junk\r\nHost: g\r\n\r\n",
        b"GET /health/live\r\n\r\n",
        b"GET  /health/live HTTP/1.1\r\nHost: g\r\n\r\n",
        LIVE + b"Host: h\r\n\r\n",
        b"GET /health/live HTTP/1.1\r\n\r\n",
        LIVE + b"Bad Name: a\r\n\r\n",
        LIVE + b"Content-Length: 1, 2\r\n\r\n",
        LIVE + b"Content-Length: -1\r\n\r\n",
        LIVE + b"X-Nul: \x00\r\n\r\n",
        POST + b"Transfer-Encoding: gzip\r\n\r\n",
        POST + b"Transfer-Encoding: chunked\r\n\r\nxyz\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
    ],
)
def test_unreadable_request_is_a_problem(target: Target, data: bytes) -> None:
    with RawClient(target.address) as client:
        response = client.send(data).read_response()

        assert (response.status, response.problem["code"]) == (400, "malformed")
        assert response.headers["x-request-id"] == response.problem["request_id"]
        assert client.is_closed()


@pytest.mark.parametrize(
    "data",
    [
        b"GET http://g/health/live HTTP/1.1\r\nHost: g\r\n\r\n",
        b"GET HTTP://g:8000/health/live?a=b HTTP/1.1\r\nHost: other\r\n\r\n",
        b"OPTIONS http://g/checkout HTTP/1.1\r\nHost: g\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: g\r\n\r\n",
        b"\r\n" + LIVE + b"\r\n",
        b"\r\n\r\n" + LIVE + b"\r\n",
    ],
)
def test_other_form_of_request_line_is_served(target: Target, data: bytes) -> None:
    """A server must accept the absolute form (RFC 9112, 3.2.2), and should skip empty lines (2.2)."""
    assert exchange(target.address, data).status in {200, 204}


@pytest.mark.parametrize("count", [30_000, 60_000])
def test_body_of_tiny_chunks_is_refused(target: Target, count: int) -> None:
    """The limit of a body counts its bytes, but each chunk of one byte costs as much as a large one."""
    padding = b"1\r\n \r\n" * count
    data = POST + b"Transfer-Encoding: chunked\r\n\r\n" + padding + CHUNKED

    assert exchange(target.address, data).status in {400, 413}


@pytest.mark.parametrize("unit", [b"1\r\nx\r\n" * 1000, b"%x\r\n%b\r\n" % (8000, b"x" * 8000)])
def test_endless_unread_body_closes_connection(target: Target, unit: bytes) -> None:
    start = b"POST /health/live HTTP/1.1\r\nHost: g\r\nTransfer-Encoding: chunked\r\n\r\n"
    with RawClient(target.address) as client:
        assert not client.can_send(start + unit * (20_000_000 // len(unit)))


@pytest.mark.parametrize("size", [513, 2000, 8000])
def test_long_tracestate_is_not_forwarded(target: Target, size: int) -> None:
    """Services that take heads of 8 KB would refuse every call, and open their circuit breakers."""
    target.get_feed(traceparent=TRACE, tracestate=f"a={'b' * (size - 2)}")

    head = target.upstream.find_head("/SECRET-PATH/users/user-123").lower()
    assert "traceparent" in head
    assert "tracestate" not in head


@pytest.mark.parametrize("size", [8193, 10_000])
def test_long_token_is_401(target: Target, size: int) -> None:
    body = {"user_id": "user-123", "product_id": "prod-456", "quantity": 1}
    token = {"Authorization": f"Bearer {'a' * size}"}

    response = exchange(target.address, build_request("POST", "/purchases", token, body))

    assert (response.status, response.problem.get("source")) == (401, None)


def test_whole_request_is_still_served(target: Target) -> None:
    """The requests of this module differ from requests that are served only in the part under test."""
    assert exchange(target.address, LIVE + b"\r\n").status == 200
    assert exchange(target.address, POST + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNKED).status == 200
