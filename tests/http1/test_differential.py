"""Thousands of generated responses, read by this transport and by httpx's own.

Both must have the same status, headers and body, or both must fail; `DIFFERENCES` lists the exceptions.
"""

import asyncio
import random
from asyncio import StreamReader, StreamWriter
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Final, NamedTuple

import httpx

from gateway.http1 import Http1Transport
from tests.http1.raw_server import serve

CASES: Final = 3_000
BODY: Final = b'{"user_id": "user-123"}'
CHUNKED: Final = b"5\r\n" + BODY[:5] + b"\r\n%x;ext=1\r\n" % len(BODY[5:]) + BODY[5:] + b"\r\n0\r\n\r\n"

DIFFERENCES: Final[Mapping[str, str]] = {
    "bare line feeds": "llhttp refuses them: proxies and servers disagree about such lines",
    "folded header": "obsolete (RFC 9112, 5.2), and a way to hide a header from a proxy",
    "both framings": "RFC 9112, 6.3: may be an attempt at request or response smuggling",
    "repeated length": "RFC 9110, 8.6 allows both; refused, because proxies differ",
    "length in a list": "the same",
    "many interim responses": "at most 16, so that a server cannot keep a client reading for ever",
    "large header": "at most 32 KiB; h11 has one limit of 100 KiB for the head",
    "many headers": "at most 1000",
    "large body": "httpx reads any body; here its limit is 1 MiB",
    "control character": "llhttp refuses it in a value",
    "unknown version": "h11 accepts HTTP/1 versions that do not exist",
}
"""Responses that this transport refuses, although httpx reads them, with the reasons."""


class Case(NamedTuple):
    """Response of a server, and the name of its oddity, which may be one of `DIFFERENCES`."""

    oddity: str
    data: bytes


def respond(
    *headers: bytes, body: bytes = b"", status: bytes = b"200 OK", version: bytes = b"HTTP/1.1"
) -> bytes:
    return b"".join(
        (version, b" ", status, b"\r\n", *(header + b"\r\n" for header in headers), b"\r\n", body)
    )


def frame(rng: random.Random) -> tuple[tuple[bytes, ...], bytes]:
    """Return the headers and the bytes of a body in some framing."""
    return rng.choice(
        [
            ((b"Content-Length: %d" % len(BODY),), BODY),
            ((b"transfer-encoding: chunked",), CHUNKED),
            ((b"Transfer-Encoding: chunked",), CHUNKED),
            ((), BODY),
            ((b"Connection: close",), BODY),
            ((b"content-length: 0",), b""),
        ]
    )


def build_plain(rng: random.Random) -> Case:
    headers, body = frame(rng)
    fields = [
        b"content-type: application/json",
        b"X-Empty:",
        b"x-many: a",
        b"X-Many: b",
        b"date: today  ",
        b"a: \xe4",
    ]
    others = rng.sample(fields, rng.randint(0, len(fields)))
    statuses = [
        b"200 OK",
        b"201 Created",
        b"404 Not Found",
        b"503 Service Unavailable",
        b"299 ",
        b"599 x",
        b"200",
    ]
    version = rng.choice([b"HTTP/1.1"] * 4 + [b"HTTP/1.0"])
    return Case("none", respond(*others, *headers, body=body, status=rng.choice(statuses), version=version))


def build_bodiless(rng: random.Random) -> Case:
    status = rng.choice([b"204 No Content", b"304 Not Modified"])
    headers = rng.choice([(), (b"content-length: 5",), (b"etag: a",)])
    return Case("none", respond(*headers, status=status))


def build_interim(rng: random.Random) -> Case:
    interim = b"HTTP/1.1 103 Early Hints\r\nlink: </a>\r\n\r\n" * rng.randint(1, 16)
    return Case("none", interim + build_plain(rng).data)


def build_cut(rng: random.Random) -> Case:
    headers, body = rng.choice([frame(rng) for _ in range(3)])
    data = respond(*headers, body=body)
    end = rng.randrange(data.index(b"\r\n\r\n") + 4) if not headers else rng.randrange(len(data))
    return Case("none", data[:end])


def build_odd(rng: random.Random) -> Case:
    length = b"content-length: %d" % len(BODY)
    odd: Sequence[tuple[str, bytes]] = [
        ("bare line feeds", respond(length, body=BODY).replace(b"\r\n", b"\n")),
        ("folded header", respond(b"x: a\r\n b", length, body=BODY)),
        ("both framings", respond(length, b"transfer-encoding: chunked", body=CHUNKED)),
        ("repeated length", respond(length, length, body=BODY)),
        ("length in a list", respond(b"content-length: 23, 23", body=BODY)),
        ("none", respond(b"content-length: +23", body=BODY)),
        ("none", respond(b"content-length:", body=BODY)),
        (
            "switching protocols",
            respond(b"connection: upgrade", b"upgrade: x", status=b"101 Switching Protocols"),
        ),
        ("many interim responses", b"HTTP/1.1 100 Continue\r\n\r\n" * 17 + respond(length, body=BODY)),
        ("large header", respond(b"x: " + b"a" * 40_000, length, body=BODY)),
        ("many headers", respond(*[b"x: y"] * 1001, length, body=BODY)),
        ("large body", respond(b"content-length: 1048577", body=b"x" * 1_048_577)),
        ("none", respond(b"x: a\rb", length, body=BODY)),
        ("control character", respond(b"x: a\x01b", length, body=BODY)),
        ("unknown version", respond(length, body=BODY, version=b"HTTP/1.7")),
        ("none", respond(b"transfer-encoding: gzip", body=BODY)),
        ("none", respond(b"x y: a", length, body=BODY)),
        ("none", respond(b"x: a\0b", length, body=BODY)),
        ("none", respond(b"content-length: -1", body=BODY)),
        ("none", respond(b"content-length: 1e3", body=BODY)),
        ("none", respond(length, b"content-length: 5", body=BODY)),
        ("none", respond(b"transfer-encoding: chunked", body=b"z\r\n")),
        ("none", respond(length, body=BODY, version=b"HTTP/2")),
        ("none", respond(length, body=BODY, status=b"20 OK")),
        ("none", respond(length, body=BODY, status=b"OK")),
        ("none", b"\x16\x03\x01\x02\x00"),
        ("none", b"<html>"),
        ("none", b""),
    ]
    return Case(*rng.choice(odd))


BUILDERS: Final[Sequence[Callable[[random.Random], Case]]] = [
    build_plain,
    build_plain,
    build_bodiless,
    build_interim,
    build_cut,
    build_odd,
    build_odd,
]


def build_cases() -> Iterator[Case]:
    rng = random.Random(1)  # noqa: S311 - no cryptography
    for _ in range(CASES):
        yield rng.choice(BUILDERS)(rng)


async def read(
    transport: httpx.AsyncBaseTransport, port: int
) -> tuple[int, list[tuple[str, str]], bytes] | None:
    """Return the status, the headers and the body of the response, or None if there is none."""
    request = httpx.Request("GET", f"http://127.0.0.1:{port}/")
    try:
        response = await transport.handle_async_request(request)
        body = await response.aread()
    except httpx.RequestError:
        return None
    # httpx decodes nothing here: there is no Content-Encoding.
    return (
        response.status_code,
        [(name.lower(), value.strip()) for name, value in response.headers.multi_items()],
        body,
    )


async def test_responses_are_read_as_by_httpx() -> None:
    current = b""

    async def answer(reader: StreamReader, writer: StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(current)
        await writer.drain()

    different = set[str]()
    unused = httpx.Limits(max_keepalive_connections=0)
    async with (
        serve(answer) as port,
        Http1Transport() as ours,
        httpx.AsyncHTTPTransport(limits=unused) as stock,
    ):
        for case in build_cases():
            current = case.data
            results = await asyncio.gather(read(ours, port), read(stock, port))
            if results[0] != results[1]:
                assert case.oddity in DIFFERENCES, (case, results)
                different.add(case.oddity)

    assert different == DIFFERENCES.keys()
