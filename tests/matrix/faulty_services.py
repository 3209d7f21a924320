"""Stand-ins for the services of an app, with faults in place of the network."""

import asyncio
from collections.abc import AsyncIterator, Callable, Collection, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any, Final, final
from urllib.parse import urlsplit

import httpx
from typing_extensions import override

from gateway.client.service import Service
from tests.matrix.faults import NO_FAULT, Fault, UndoFault
from tests.matrix.request_identity import read_key
from tests.matrix.subject import PathParameters, Sample, Subject

__all__ = ("SECRET", "ReceivedRequest", "Script", "Services")

SECRET: Final = "internal details of a service"  # noqa: S105 - must not leak to clients
"""Text in the responses of faulty services that must not reach clients."""

_LATENCY: Final = 0.01
_MUCH_LATER: Final = 12.0
_HEALTH: Final = "/health"


@final
@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request that a service received: the name of its call, undo or look-up, and its key."""

    name: str
    key: str | None


@final
@dataclass(frozen=True, slots=True)
class Script:
    """The faults and latencies (seconds) of a run; *name_of* identifies the call of a request.

    *undo_faults* are those of undos and their look-ups.
    """

    name_of: Callable[[httpx.Request], str]
    faults: Mapping[str, Fault] = field(default_factory=dict[str, Fault])
    undo_faults: Mapping[str, UndoFault] = field(default_factory=dict[str, UndoFault])
    latencies: Mapping[str, float] = field(default_factory=dict[str, float])


@final
class _Body(httpx.AsyncByteStream):
    """A body that reports when it is closed, and may be truncated."""

    def __init__(self, content: bytes, on_close: Callable[[], None], *, is_truncated: bool) -> None:
        self._content = content
        self._on_close = on_close
        self._is_truncated = is_truncated

    @override
    async def __aiter__(self) -> AsyncIterator[bytes]:
        if self._is_truncated:
            yield self._content[: len(self._content) // 2]
            raise httpx.RemoteProtocolError(SECRET)
        yield self._content

    @override
    async def aclose(self) -> None:
        self._on_close()
        self._on_close = _ignore


@final
class Services(httpx.AsyncBaseTransport):
    """All services of *subject* in this process, in their initial state at the start of each script."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._by_port = {urlsplit(service.url).port: service for service in subject.services}
        self._late: set[asyncio.Task[httpx.Response]] = set()
        self.tasks: Final[set[asyncio.Task[Any]]] = set()
        """Tasks of the services, if they run on a network."""
        self._reset(Script(lambda request: request.url.path))

    async def begin(self, script: Script, sample: Sample) -> PathParameters:
        """Reset all services, prepare them for *sample* and start *script*; return the path parameters."""
        self._reset(script)
        self._start = asyncio.get_running_loop().time()
        return await sample.fill_path(self.stand_ins)

    def find_service(self, request: httpx.Request) -> Service[object]:
        """Return the service to which *request* is sent."""
        return self._by_port[request.url.port]

    @property
    def ports(self) -> Collection[int | None]:
        """Return the ports of the services."""
        return self._by_port.keys()

    def refuses_connection(self, request: httpx.Request) -> bool:
        """Return True if the connection for the next attempt of *request* is refused."""
        if request.url.path == _HEALTH:
            return False
        name = self._script.name_of(request)
        return self._find_fault(name, self._attempts.get(name, 0) + 1).kind == "refused"

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == _HEALTH:  # always healthy, and not a call
            return httpx.Response(HTTPStatus.OK)
        script, service = self._script, self.find_service(request)
        name = script.name_of(request)
        self.received.append(ReceivedRequest(name, read_key(service, request)))
        attempt = self._attempts[name] = self._attempts.get(name, 0) + 1
        await asyncio.sleep(script.latencies.get(name, _LATENCY))
        undo_fault = script.undo_faults.get(name, "none")
        if undo_fault == "page" and attempt == 1:
            return self._stream(_build_page(HTTPStatus.OK), is_truncated=False)
        if undo_fault == "always" or (undo_fault == "once" and attempt == 1):
            raise httpx.ReadError(SECRET)
        fault = self._find_fault(name, attempt)
        response = await self._respond(fault, service.name, request)
        return self._stream(response, is_truncated=fault.kind == "truncated")

    def _find_fault(self, name: str, attempt: int) -> Fault:
        fault = self._script.faults.get(name, NO_FAULT)
        return fault if attempt == 1 else _fault_of_retry(fault)

    async def _respond(self, fault: Fault, service: str, request: httpx.Request) -> httpx.Response:
        match fault.kind:
            case "none" | "truncated":
                return await self.stand_ins.handle(service, request)
            case "status" | "page" | "bare":
                return self._build_refusal(service, fault)
            case "empty":
                return httpx.Response(HTTPStatus.OK, json=[])
            case "garbage":
                return httpx.Response(
                    HTTPStatus.OK, headers={"content-type": "application/json"}, content=SECRET
                )
            case "refused":
                raise httpx.ConnectError(SECRET)
            case "dropped":
                raise httpx.RemoteProtocolError(SECRET)
            case "lost":
                await self.stand_ins.handle(service, request)
                raise httpx.RemoteProtocolError(SECRET)
            case "late":
                await self._respond_late(service, request)
            case "hang":
                await asyncio.Event().wait()
        raise AssertionError

    async def _respond_late(self, service: str, request: httpx.Request) -> None:
        """Wait until the client gives up, and let the service handle the request even later."""
        loop, subject = asyncio.get_running_loop(), self._subject
        is_lost = loop.time() < self._start + subject.late_from
        try:
            await asyncio.Event().wait()
        finally:
            if not is_lost:
                delay = subject.lateness.get(service, _MUCH_LATER)
                loop.call_later(delay, self._handle_late, service, request)

    def _handle_late(self, service: str, request: httpx.Request) -> None:
        task = asyncio.ensure_future(self.stand_ins.handle(service, request))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _reset(self, script: Script) -> None:
        self._script = script
        self.stand_ins = self._subject.create_stand_ins()
        self._attempts: dict[str, int] = {}
        self.received: list[ReceivedRequest] = []
        self.open = 0

    def _build_refusal(self, service: str, fault: Fault) -> httpx.Response:
        if fault.kind == "page":
            return _build_page(fault.status)
        if fault.kind == "bare":
            return httpx.Response(fault.status)
        detail = fault.title if fault.is_declared else SECRET
        response = self.stand_ins.build_error(service, fault.status, detail)
        if fault.retry_after is not None:
            response.headers["retry-after"] = str(fault.retry_after)
        return response

    def _stream(self, response: httpx.Response, *, is_truncated: bool) -> httpx.Response:
        """Return *response* with a body that counts as open until it is closed."""
        self.open += 1
        body = _Body(response.content, self._count_closed, is_truncated=is_truncated)
        return httpx.Response(response.status_code, headers=response.headers, stream=body)

    def _count_closed(self) -> None:
        self.open -= 1


def _ignore() -> None:
    """Ignore further closing."""


def _fault_of_retry(fault: Fault) -> Fault:
    """Return the fault of attempts after the first."""
    if fault.then is not None:
        return Fault(fault.title, "status", fault.then, is_declared=True)
    return NO_FAULT if fault.is_once else fault


def _build_page(status: int) -> httpx.Response:
    return httpx.Response(status, html=f"<title>{SECRET}</title>")
