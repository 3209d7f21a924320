"""Headers, codings, interim responses and addresses of services, which the HTTP transport decides about."""

import asyncio
import gzip
import json
import zlib
from collections.abc import Iterator, Sequence

import httpx
import pytest

from gateway.client.transport import create_transport
from gateway.http1 import Resolver
from tests.system.hostile.raw_upstream import build_answer, listen
from tests.system.hostile.target import Target

FETCH = "/users/user-123"
PROFILE = {"user_id": "user-123", "email": "user@example.com", "is_active": True}
BODY = json.dumps(PROFILE).encode()


@pytest.mark.parametrize("name", ["set_cookie", "content_security_policy", "x_large"])
@pytest.mark.parametrize("size", [9_000, 12_000])
def test_header_over_8_kib_is_read(target: Target, name: str, size: int) -> None:
    target.upstream.answers[FETCH] = build_answer(BODY, **{name: "a" * size})

    assert target.get_feed().status == 200


@pytest.mark.parametrize("coding", ["gzip", "GZIP", "x-gzip", "identity, gzip", "deflate", "gzip, gzip"])
def test_compressed_answer_is_read(target: Target, coding: str) -> None:
    """Proxies compress although the request does not ask for it."""
    body = zlib.compress(BODY) if coding == "deflate" else BODY
    for _ in range(coding.lower().count("gzip")):
        body = gzip.compress(body)
    target.upstream.answers[FETCH] = build_answer(body, content_encoding=coding)

    assert target.get_feed().status == 200


@pytest.mark.parametrize("status", ["100 Continue", "102 Processing", "103 Early Hints"])
def test_endless_interim_responses_are_502(target: Target, status: str) -> None:
    def answer_forever() -> Iterator[bytes]:
        while True:
            yield f"HTTP/1.1 {status}\r\n\r\n".encode() * 100

    target.upstream.answers[FETCH] = answer_forever()

    response = target.get_feed(**{"X-Request-Timeout-Ms": "500"})

    assert (response.status, response.problem["code"]) == (502, "bad-answer")


class ForgetfulNameServer:
    """Name server that knows 127.0.0.1 once; then it is gone."""

    def __init__(self) -> None:
        self._is_lost = False

    def look_up(self, _: str) -> Sequence[str]:
        if self._is_lost:
            raise OSError
        self._is_lost = True
        return ["127.0.0.1"]


def test_last_address_is_used_without_name_server() -> None:
    """Every service with a name would be lost with the name server, although its address still works."""

    async def fetch(transport: httpx.AsyncBaseTransport, port: int) -> int:
        request = httpx.Request("GET", f"http://users.test:{port}/users/user-1", extensions={"timeout": {}})
        response = await transport.handle_async_request(request)
        await response.aread()
        return response.status_code

    async def fetch_after_restart() -> int:
        async with create_transport(resolver=Resolver(0.0, ForgetfulNameServer().look_up)) as transport:
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
