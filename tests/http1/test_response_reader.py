"""Responses as bytes: framing, limits, and what belongs to no response."""

from collections.abc import Sequence
from itertools import pairwise
from typing import NamedTuple

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from gateway.http1.response_reader import ResponseReader
from gateway.http1.terms import TransportTerms

MAX_BODY = 1000


class Read(NamedTuple):
    """A response that has been read, and whether its connection can be reused."""

    status: int
    body: bytes
    is_complete: bool
    can_reuse: bool


def read(*parts: bytes, method: str = "GET", ends: bool = False, terms: TransportTerms | None = None) -> Read:
    """Read a response in *parts*, and the end of the connection if it *ends*."""
    reader = ResponseReader(terms or TransportTerms())
    message = reader.expect(method, MAX_BODY)
    for part in parts:
        reader.feed(part)
    if ends:
        reader.feed_eof()
    return Read(message.status, b"".join(message.body), message.is_complete, reader.can_reuse)


WHOLE = {
    "length": b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    "no reason": b"HTTP/1.1 200\r\nContent-Length: 2\r\n\r\n{}",
    "chunks": b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"
    b"1\r\n{\r\n1;a=b\r\n}\r\n0\r\nx: y\r\n\r\n",
    "interim": b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n"
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
}


@pytest.mark.parametrize("name", WHOLE)
def test_framed_response_is_read(name: str) -> None:
    assert read(WHOLE[name]) == Read(200, b"{}", is_complete=True, can_reuse=True)


@given(name=st.sampled_from(sorted(WHOLE)), cuts=st.lists(st.integers(0, 120), max_size=12))
def test_response_is_the_same_in_any_pieces(name: str, cuts: Sequence[int]) -> None:
    data, edges = WHOLE[name], [0, *sorted(cuts), len(WHOLE[name])]
    pieces = [data[start:end] for start, end in pairwise(edges) if data[start:end]]

    assert read(*pieces) == read(data)


@given(st.binary(max_size=200), st.sampled_from(sorted(WHOLE)))
def test_no_bytes_break_the_reader(noise: bytes, name: str) -> None:
    reader = ResponseReader(TransportTerms())
    message = reader.expect("GET", MAX_BODY)
    try:
        reader.feed(WHOLE[name][:20] + noise + WHOLE[name][20:])
    except httpx.DecodingError:
        assert not reader.can_reuse
    else:
        assert message.status in range(600)


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"HTTP/1.1 204 No Content\r\n\r\n", 204),
        (b"HTTP/1.1 304 Not Modified\r\ncontent-length: 5\r\n\r\n", 304),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n", 200),
    ],
)
def test_response_without_body_is_complete(data: bytes, status: int) -> None:
    assert read(data) == Read(status, b"", is_complete=True, can_reuse=True)


def test_trailer_is_no_header() -> None:
    reader = ResponseReader(TransportTerms())
    message = reader.expect("GET", MAX_BODY)

    assert reader.feed(WHOLE["chunks"])
    assert message.headers == [(b"transfer-encoding", b"chunked")]


@pytest.mark.parametrize("unit", [b"0\r\nx: ", b"2;", b"0\r\n" + b"x: y\r\n" * 10_000])
def test_overhead_of_chunks_is_bounded(unit: bytes) -> None:
    """Neither trailers nor extensions of chunks are kept, and a server may send them without end."""
    head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

    with pytest.raises(httpx.DecodingError, match="more than 65536 bytes of head"):
        read(head, unit, *[b"a" * 10_000] * 7)


def test_chunks_of_any_number_are_read() -> None:
    parts = [b"1;a=b\r\nx\r\n"] * MAX_BODY
    data = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n"

    assert read(data, *parts, b"0\r\n\r\n").body == b"x" * MAX_BODY


def test_response_to_head_has_no_body() -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-length: 5000\r\n\r\n"

    assert read(data, method="HEAD") == Read(200, b"", is_complete=True, can_reuse=False)


def test_end_of_connection_is_end_of_body() -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n"

    assert read(data, b"{}", ends=True) == Read(200, b"{}", is_complete=True, can_reuse=False)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"HTTP/1.1 200",
        b"HTTP/1.1 200 OK\r\n",
        b"HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\n{}\r\n",
    ],
)
def test_cut_off_response_is_incomplete(data: bytes) -> None:
    assert not read(*([data] if data else []), ends=True).is_complete


@pytest.mark.parametrize(
    "data",
    [
        b"HTTP/1.0 200 OK\r\ncontent-length: 2\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: 2\r\n\r\n{}",
    ],
)
def test_connection_that_server_closes_is_not_reused(data: bytes) -> None:
    assert read(data) == Read(200, b"{}", is_complete=True, can_reuse=False)


@pytest.mark.parametrize(
    "surplus", [WHOLE["length"], b"x", b"\x00", b"HTTP/1.1 2", b"HTTP/1.1 103 E\r\n\r\n"]
)
def test_surplus_in_same_piece_is_dropped(surplus: bytes) -> None:
    assert read(WHOLE["length"] + surplus) == Read(200, b"{}", is_complete=True, can_reuse=False)


def test_body_of_response_without_body_is_dropped() -> None:
    data = b"HTTP/1.1 204 No Content\r\ncontent-length: 5\r\n\r\nhello"

    assert read(data) == Read(204, b"", is_complete=True, can_reuse=False)


def test_data_without_request_is_refused() -> None:
    reader = ResponseReader(TransportTerms())

    with pytest.raises(httpx.DecodingError, match="data without a request"):
        reader.feed(WHOLE["length"])
    assert not reader.can_reuse
    assert not reader.feed_eof()


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"garbage", "malformed response"),
        (b"HTTP/2 200 OK\r\n\r\n", "malformed response"),
        (b"HTTP/1.1 200 OK\r\na b: c\r\n\r\n", "malformed response"),
        (b"HTTP/1.1 200 OK\r\nx: \x00\r\n\r\n", "malformed response"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: -2\r\n\r\n", "malformed response"),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ncontent-length: 3\r\n\r\n{}", "malformed response"),
        (
            b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n",
            "malformed response",
        ),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nx\r\n", "malformed response"),
        (b"HTTP/1.1 101 Switching\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n", "101 Switching Protocols"),
        (b"HTTP/1.1 100 Continue\r\n\r\n" * 17, "more than 16 interim responses"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 32_768 + b"\r\n\r\n", "a header of more than 32768 bytes"),
        (b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 1001 + b"\r\n", "more than 1000 headers"),
        (b"HTTP/1.1 200 OK\r\n" + (b"x: " + b"a" * 30_000 + b"\r\n") * 4, "more than 65536 bytes of head"),
        (b"HTTP/1.1 200 OK\r\nx: " + b"a" * 66_000, "more than 65536 bytes of head"),
        (b"HTTP/1.1 200 " + b"a" * 66_000 + b"\r\n\r\n", "more than 65536 bytes of head"),
        (b"HTTP/1.1 099 Odd\r\n\r\n", "status 99"),
        (b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n{}", "an unknown Transfer-Encoding"),
        (
            b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip, chunked\r\n\r\n2\r\n{}\r\n0\r\n\r\n",
            "an unknown Transfer-Encoding",
        ),
        (
            b"HTTP/1.1 200 OK\r\n" + b"transfer-encoding: chunked\r\n" * 2 + b"\r\n0\r\n\r\n",
            "an unknown Transfer-Encoding",
        ),
        (b"HTTP/1.1 200 OK\r\ncontent-length: 1001\r\n\r\n", "a body of more than 1000 bytes"),
        (b"HTTP/1.1 200 OK\r\n\r\n" + b"x" * 1001, "a body of more than 1000 bytes"),
    ],
)
def test_unusable_response_is_refused(data: bytes, reason: str) -> None:
    with pytest.raises(httpx.DecodingError, match=reason):
        read(data)


def test_limits_are_inclusive() -> None:
    head = b"HTTP/1.1 200 OK\r\nx: " + b"a" * 32_767 + b"\r\n" + b"x: y\r\n" * 998
    data = b"HTTP/1.1 100 Continue\r\n\r\n" * 16 + head + b"content-length: 1000\r\n\r\n" + b"x" * 1000

    assert read(data).is_complete
