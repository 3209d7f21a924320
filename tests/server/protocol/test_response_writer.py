"""The writer of a response: what it joins, and when it sends."""

import asyncio
from typing import cast

import pytest

from gateway.server.protocol.response_writer import ResponseWriter


class Recorder:
    """Transport that records what is written to it."""

    def __init__(self) -> None:
        self.written: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes) -> None:
        self.written.append(data)

    def close(self) -> None:
        self.is_closed = True

    def is_closing(self) -> bool:
        return self.is_closed


@pytest.fixture
def recorder() -> Recorder:
    return Recorder()


@pytest.fixture
async def writer(recorder: Recorder) -> ResponseWriter:
    # Sound: the writer calls only methods that the recorder has.
    return ResponseWriter(cast("asyncio.Transport", recorder), asyncio.get_running_loop())


async def test_head_is_sent_with_the_first_part_of_the_body(
    recorder: Recorder, writer: ResponseWriter
) -> None:
    for part in (b"head", b"first", b"second"):
        writer.write(part)
    await asyncio.sleep(0)

    assert recorder.written == [b"headfirst", b"second"]


async def test_head_does_not_wait_for_a_late_body(recorder: Recorder, writer: ResponseWriter) -> None:
    writer.write(b"head")
    await asyncio.sleep(0)
    assert recorder.written == [b"head"]
    writer.write(b"body")

    assert recorder.written == [b"head", b"body"]


async def test_flush_sends_head_of_response_without_body(recorder: Recorder, writer: ResponseWriter) -> None:
    writer.write(b"head")
    writer.flush()
    assert recorder.written == [b"head"]
    await asyncio.sleep(0)

    assert recorder.written == [b"head"]


async def test_interim_response_is_sent_at_once(recorder: Recorder, writer: ResponseWriter) -> None:
    writer.write(b"HTTP/1.1 100 Continue\r\n\r\n")
    assert recorder.written == [b"HTTP/1.1 100 Continue\r\n\r\n"]
    writer.write(b"HTTP/1.1 200 OK\r\n\r\n")
    writer.write(b"body")

    assert recorder.written[1:] == [b"HTTP/1.1 200 OK\r\n\r\nbody"]


async def test_head_is_sent_before_the_connection_is_closed(
    recorder: Recorder, writer: ResponseWriter
) -> None:
    writer.write(b"head")
    writer.close()
    await asyncio.sleep(0)

    assert (recorder.written, writer.is_closing()) == ([b"head"], True)


async def test_head_is_not_sent_on_closed_connection(recorder: Recorder, writer: ResponseWriter) -> None:
    writer.write(b"head")
    recorder.close()
    await asyncio.sleep(0)

    assert recorder.written == []
