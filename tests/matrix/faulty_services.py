"""The services, with faults where the network would be."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, final
from urllib.parse import urlsplit

import httpx
from typing_extensions import override

from gateway.settings import Settings
from mock_services.answers import Answer, Problem
from mock_services.catalogue import SERVICES
from mock_services.requests import Request
from mock_services.world import World
from tests.matrix.faults import FINE, Fault

__all__ = ("SECRET", "Script", "Seen", "Services")

SECRET: Final = "the innards of a service"  # noqa: S105 - what no caller may see
"""Stands in everything that a faulty service says but in what is meant for callers."""

_LATENCY: Final = 0.01
_MUCH_LATER: Final = 12.0
_HEALTH: Final = "/health"
_NAMES: Final = {urlsplit(url).port: name for name, url in Settings().urls.items()}


@final
@dataclass(frozen=True, slots=True)
class Seen:
    """A request as it came in: the call or undo that it was, and under which key."""

    name: str
    key: str | None


@final
@dataclass(frozen=True, slots=True)
class Script:
    """What is to happen: *name_of* says which call a request is, by method and path; seconds by call."""

    name_of: Callable[[httpx.Request], str]
    faults: Mapping[str, Fault] = field(default_factory=dict[str, Fault])
    undo_faults: Mapping[str, Fault] = field(default_factory=dict[str, Fault])
    latencies: Mapping[str, float] = field(default_factory=dict[str, float])


@final
class _Body(httpx.AsyncByteStream):
    """A body that tells that it was closed, and may break off."""

    def __init__(self, content: bytes, on_close: Callable[[], None], *, breaks_off: bool) -> None:
        self._content = content
        self._on_close = on_close
        self._breaks_off = breaks_off

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._breaks_off:
            yield self._content[: len(self._content) // 2]
            raise httpx.RemoteProtocolError(SECRET)
        yield self._content

    @override
    async def aclose(self) -> None:
        self._on_close()
        self._on_close = _nothing


@final
class Services(httpx.AsyncBaseTransport):
    """All mock services in this process, as new whenever a script begins."""

    def __init__(self) -> None:
        self.begin(Script(lambda request: request.url.path))

    def begin(self, script: Script) -> None:
        """Forget everything and play *script*."""
        self._script = script
        self._worlds: dict[str, World] = {}
        self._attempts: dict[str, int] = {}
        self.seen: list[Seen] = []
        self.open = 0

    @property
    def states(self) -> Mapping[str, Mapping[str, object]]:
        """Give what each service that was asked has written."""
        return {name: world.domain.state() for name, world in self._worlds.items()}

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == _HEALTH:  # which is always good, and no call
            return httpx.Response(HTTPStatus.OK)
        script = self._script
        name = script.name_of(request)
        self.seen.append(Seen(name, request.headers.get("idempotency-key")))
        attempt = self._attempts[name] = self._attempts.get(name, 0) + 1
        await asyncio.sleep(script.latencies.get(name, _LATENCY))
        if (undo := script.undo_faults.get(name)) and (undo.undo == "always" or attempt == 1):
            raise httpx.ReadError(SECRET)
        fault = script.faults.get(name, FINE)
        if attempt > 1:
            fault = _later(fault)
        answer = await self._faulty(fault, request)
        return self._response(answer, breaks_off=fault.trouble == "halved")

    async def _faulty(self, fault: Fault, request: httpx.Request) -> Answer:
        match fault.trouble:
            case "none" | "halved":
                return self._answer(request)
            case "status":
                return _refusal(fault)
            case "garbage":
                return Answer(HTTPStatus.OK, ((b"content-type", b"application/json"),), SECRET.encode())
            case "refused":
                raise httpx.ConnectError(SECRET)
            case "dropped":
                raise httpx.RemoteProtocolError(SECRET)
            case "lost":
                self._answer(request)
                raise httpx.RemoteProtocolError(SECRET)
            case "late":
                asyncio.get_running_loop().call_later(_MUCH_LATER, self._answer, request)
                await asyncio.Event().wait()
            case "hang":
                await asyncio.Event().wait()
        raise AssertionError

    def _answer(self, request: httpx.Request) -> Answer:
        """Have the service handle *request*."""
        name = _NAMES[request.url.port]
        world = self._worlds.setdefault(name, World(SERVICES[name]()))
        method, path = request.method, request.url.path
        endpoint, params = world.routes.find(method, path)
        headers = [(header.lower(), value) for header, value in request.headers.raw]
        return endpoint.answer(Request(method, path, request.url.query, headers, params, request.content))

    def _response(self, answer: Answer, *, breaks_off: bool) -> httpx.Response:
        self.open += 1
        body = _Body(answer.body, self._closed, breaks_off=breaks_off)
        return httpx.Response(answer.status, headers=[*answer.headers], stream=body)

    def _closed(self) -> None:
        self.open -= 1


def _nothing() -> None:
    """Close a body that is closed."""


def _later(fault: Fault) -> Fault:
    """Give what is left of *fault* after the first attempt."""
    if fault.then is not None:
        return Fault(fault.title, "status", fault.then, is_declared=True)
    return FINE if fault.is_once else fault


def _refusal(fault: Fault) -> Answer:
    after = () if fault.retry_after is None else ((b"retry-after", str(fault.retry_after).encode()),)
    return Problem(fault.status, fault.title if fault.is_declared else SECRET, after).answer()
