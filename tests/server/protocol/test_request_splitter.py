"""Splitter of received bytes, by random requests that TCP cuts anywhere."""

import asyncio
import tracemalloc
from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st

from gateway.server.protocol.request_splitter import RequestSplitter
from tests.server.connection import Connection

HEAD = b"POST / HTTP/1.1\r\nHost: gateway\r\n"

bodies = st.lists(st.sampled_from([b"\r\n", b"\r", b"\n", b"0", b"a", b"0\r\n\r\n"]), max_size=9).map(
    b"".join
)
"""Data that looks like the end of a head, or of a chunked body."""

Request = tuple[bytes, bytes]
"""The body of a request, and the request as it is sent."""


def send_whole(body: bytes) -> Request:
    return body, HEAD + b"Content-Length: %d\r\n\r\n%b" % (len(body), body)


def send_chunked(parts: Sequence[bytes], trailer: bytes) -> Request:
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts if part)
    return b"".join(parts), HEAD + b"Transfer-Encoding: chunked\r\n\r\n%b0\r\n%b\r\n" % (chunks, trailer)


requests = st.builds(send_whole, bodies) | st.builds(
    send_chunked, st.lists(bodies, max_size=4), st.sampled_from([b"", b"A: 0\r\n", b"A: b\r\nC: d\r\n"])
)


@given(st.lists(requests, max_size=5), st.lists(st.integers(1, 60), min_size=1))
def test_requests_are_read_wherever_they_are_cut(sent: list[Request], sizes: list[int]) -> None:
    async def read_bodies() -> list[bytes]:
        connection = Connection()
        connection.reads_body = True
        rest = b"".join(data for _, data in sent)
        while rest:
            size = sizes[len(rest) % len(sizes)]
            connection.receive(rest[:size])
            rest = rest[size:]
        for _ in range(20 * len(sent)):
            await asyncio.sleep(0)
        return connection.bodies

    assert asyncio.run(read_bodies()) == [body for body, _ in sent]


def test_head_is_taken_when_it_is_complete() -> None:
    splitter = RequestSplitter()
    splitter.add(b"\r\n\r\nGET / HTTP/1.1\r\n")
    splitter.skip_empty_lines()
    assert splitter.take_head() is None
    splitter.add(b"\r\nrest")

    assert splitter.take_head() == b"GET / HTTP/1.1\r\n\r\n"
    assert (len(splitter), splitter.take_body(9)) == (4, b"rest")


def test_bytes_that_have_been_taken_are_not_kept() -> None:
    """An idle connection does not hold the memory of its last request."""
    splitter = RequestSplitter()
    tracemalloc.start()
    try:
        before, _ = tracemalloc.get_traced_memory()
        splitter.add(bytes(1_000_000))
        for _ in range(10):
            splitter.take_body(100_000)
        after, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()

    assert after - before < 1_000
