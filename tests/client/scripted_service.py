"""Fake service with a single call, and scripted transports: canned answers, exceptions, silence."""

import asyncio
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Final, Never, TypeAlias

import httpx
from pydantic import TypeAdapter
from typing_extensions import override

from gateway.client.models import UpstreamRequest, UpstreamResponse
from gateway.client.service_client import ServiceClient
from gateway.railway import Call, Fault, UpstreamFault
from tests.service_clients import service_client

Declared: TypeAlias = Mapping[int, type[Fault]]


class Thing(UpstreamResponse):
    name: str
    size: int = 0


class Wish(UpstreamRequest):
    text: str


THING: Final = TypeAdapter(Thing)
LAMP: Final = Thing(name="lamp", size=3)
LAMP_JSON: Final = b'{"name": "lamp", "size": 3}'
PROBLEM: Final = {"content-type": "application/problem+json"}

UNUSABLE: Final = "The things service sent an unusable answer"
UNAVAILABLE: Final = "The things service is unavailable"
AT_LIMIT: Final = "The things service is at its concurrency limit"
LATE: Final = "The things service did not answer in time"


def client(transport: httpx.AsyncBaseTransport, *, timeout: float = 1.0) -> ServiceClient:
    return service_client("things", "http://things.test/api", transport, timeout=timeout)


def fetch(
    transport: httpx.AsyncBaseTransport, declared: Declared | None = None, *, timeout: float = 1.0
) -> Call[Thing, Fault | UpstreamFault]:
    operation = client(transport, timeout=timeout).get(
        "things.fetch", "/things/{name}", answer=THING, declared=declared or {}
    )
    return operation(name="lamp")


class Answering(httpx.AsyncBaseTransport):
    """Answers every request with a fresh copy of *response*, and records the requests."""

    def __init__(self, response: httpx.Response | None = None) -> None:
        self.response = response or httpx.Response(200, content=LAMP_JSON)
        self.requests: list[httpx.Request] = []

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        template = self.response
        return httpx.Response(template.status_code, headers=template.headers, stream=template.stream)


class Raising(httpx.AsyncBaseTransport):
    """Raises *error* instead of answering."""

    def __init__(self, error: BaseException) -> None:
        self.error = error

    @override
    async def handle_async_request(self, request: httpx.Request) -> Never:
        raise self.error


class Hanging(httpx.AsyncBaseTransport):
    """Sets *has_request* when a request arrives, and never answers."""

    def __init__(self) -> None:
        self.has_request = asyncio.Event()

    @override
    async def handle_async_request(self, request: httpx.Request) -> Never:
        self.has_request.set()
        await asyncio.Event().wait()
        raise AssertionError


class Content(httpx.AsyncByteStream):
    """Body of *parts*: yields bytes, raises exceptions and waits for events."""

    def __init__(self, parts: Sequence[bytes | BaseException | asyncio.Event]) -> None:
        self.parts = parts
        self.is_closed = False

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        for part in self.parts:
            match part:
                case bytes():
                    yield part
                case asyncio.Event():
                    await part.wait()
                case BaseException():
                    raise part

    @override
    async def aclose(self) -> None:
        self.is_closed = True
