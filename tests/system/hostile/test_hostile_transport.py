"""Headers, codings, interim responses and addresses of services, which the HTTP transport decides about."""

import asyncio
import gzip
import json
import socket
import zlib
from collections.abc import Iterator

import httpx
import pytest
from aiohttp.abc import AbstractResolver, ResolveResult
from typing_extensions import override

from gateway.client.transport import create_transport
from tests.system.hostile.marks import AWAITS_TRANSPORT
from tests.system.hostile.raw_upstream import build_answer, listen
from tests.system.hostile.target import Target

FETCH = "/users/user-123"
PROFILE = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
BODY = json.dumps(PROFILE).encode()


@AWAITS_TRANSPORT
@pytest.mark.parametrize("name", ["set_cookie", "content_security_policy", "x_large"])
@pytest.mark.parametrize("size", [9_000, 12_000])
def test_header_over_8_kib_is_read(target: Target, name: str, size: int) -> None:
    target.upstream.answers[FETCH] = build_answer(BODY, **{name: "a" * size})

    assert target.get_feed().status == 200


@AWAITS_TRANSPORT
@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity, gzip", "deflate", "gzip, gzip"])
def test_compressed_answer_is_read(target: Target, coding: str) -> None:
    """Proxies compress although the request does not ask for it."""
    body = zlib.compress(BODY) if coding == "deflate" else BODY
    for _ in range(coding.lower().count("gzip")):
        body = gzip.compress(body)
    target.upstream.answers[FETCH] = build_answer(body, content_encoding=coding)

    assert target.get_feed().status == 200


@AWAITS_TRANSPORT
@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_endless_interim_responses_are_502(target: Target, status: str) -> None:
    def answer_forever() -> Iterator[bytes]:
        while True:
            yield f"HTTP/1.1 {status}\r\n\r\n".encode() * 100

    target.upstream.answers[FETCH] = answer_forever()

    response = target.get_feed(**{"X-Request-Timeout-Ms": "500"})

    assert (response.status, response.problem["code"]) == (502, "bad-answer")


class ForgetfulResolver(AbstractResolver):
    """Resolver that finds 127.0.0.1 once; then its name server is gone."""

    def __init__(self) -> None:
        self._is_lost = False

    @override
    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        if self._is_lost:
            raise OSError
        self._is_lost = True
        return [ResolveResult(hostname=host, host="127.0.0.1", port=port, family=family, proto=0, flags=0)]

    @override
    async def close(self) -> None: ...


@AWAITS_TRANSPORT
def test_last_address_is_used_without_name_server() -> None:
    """Every service with a name would be lost with the name server, although its address still works."""

    async def fetch(transport: httpx.AsyncBaseTransport, port: int) -> int:
        request = httpx.Request("GET", f"http://users.test:{port}/users/user-1", extensions={"timeout": {}})
        response = await transport.handle_async_request(request)
        await response.aread()
        return response.status_code

    async def fetch_after_restart() -> int:
        async with create_transport(ForgetfulResolver()) as transport:
            with listen() as upstream:
                assert await fetch(transport, upstream.port) == 200
            with pytest.raises(httpx.TransportError):
                await fetch(transport, upstream.port)
            with listen(upstream.port):
                return await fetch(transport, upstream.port)

    assert asyncio.run(fetch_after_restart()) == 200


def test_usual_answer_is_still_read(target: Target) -> None:
    """The answers of this module differ from answers that are read only in the part under test."""
    target.upstream.answers[FETCH] = build_answer(BODY, x_small="a" * 1000)

    assert target.get_feed().status == 200
