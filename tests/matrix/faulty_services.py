"""The services of a subject in process, with faults in place of the network."""

import asyncio
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, final

import httpx
from typing_extensions import override

from mock_services.http.response import Response
from tests.matrix.faults import NO_FAULT, Fault
from tests.matrix.subject import States, Subject

__all__ = ("SECRET", "ReceivedRequest", "Script", "Services")

SECRET: Final = "internal details of a service"  # noqa: S105 - must not leak to clients
"""Text in the responses of faulty services that must not reach clients."""

_LATENCY: Final = 0.01
_HEALTH: Final = "/health"


@final
@dataclass(frozen=True, slots=True)
class ReceivedRequest:
    """A request that a service received: the name of its call or undo, and its key."""

    name: str
    key: str | None


@final
@dataclass(frozen=True, slots=True)
class Script:
    """The faults and latencies (seconds) of a run; *name_of* identifies the call of a request."""

    name_of: Callable[[httpx.Request], str]
    faults: Mapping[str, Fault] = field(default_factory=dict[str, Fault])
    undo_faults: Mapping[str, Fault] = field(default_factory=dict[str, Fault])
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
    """All services of *subject* in this process, with new data at the start of each script."""

    def __init__(self, subject: Subject) -> None:
        self._subject = subject
        self._late: set[asyncio.Task[Response]] = set()
        self.begin(Script(lambda request: request.url.path))

    def begin(self, script: Script) -> None:
        """Reset all services and start *script*."""
        self._script = script
        self._backend = self._subject.create_backend()
        self._attempts: dict[str, int] = {}
        self.received: list[ReceivedRequest] = []
        self.open = 0

    @property
    def states(self) -> States:
        """The state of each service that received a request."""
        return self._backend.states

    @property
    def initial_states(self) -> States:
        """The state of each of these services before the first request."""
        return self._backend.initial_states

    def find_key(self, request: httpx.Request) -> str | None:
        """Return the idempotency key of *request*; None if it has none."""
        return self._backend.find_key(request)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        if request.url.path == _HEALTH:  # always healthy, and not a call
            return httpx.Response(HTTPStatus.OK)
        script = self._script
        name = script.name_of(request)
        self.received.append(ReceivedRequest(name, self.find_key(request)))
        attempt = self._attempts[name] = self._attempts.get(name, 0) + 1
        await asyncio.sleep(script.latencies.get(name, _LATENCY))
        if (undo := script.undo_faults.get(name)) and (undo.undo == "always" or attempt == 1):
            raise httpx.ReadError(SECRET)
        fault = script.faults.get(name, NO_FAULT)
        if attempt > 1:
            fault = _fault_of_retry(fault)
        answer = await self._respond(fault, request)
        return self._to_httpx_response(answer, is_truncated=fault.kind == "truncated")

    async def _respond(self, fault: Fault, request: httpx.Request) -> Response:
        match fault.kind:
            case "none" | "truncated":
                return await self._backend.handle(request)
            case "status":
                detail = fault.title if fault.is_declared else SECRET
                return self._backend.refuse(request, fault.status, detail, fault.retry_after)
            case "garbage":
                return Response(HTTPStatus.OK, ((b"content-type", b"application/json"),), SECRET.encode())
            case "refused":
                raise httpx.ConnectError(SECRET)
            case "dropped":
                raise httpx.RemoteProtocolError(SECRET)
            case "lost":
                await self._backend.handle(request)
                raise httpx.RemoteProtocolError(SECRET)
            case "late":
                asyncio.get_running_loop().call_later(self._subject.lateness, self._handle_late, request)
                await asyncio.Event().wait()
            case "hang":
                await asyncio.Event().wait()
        raise AssertionError

    def _handle_late(self, request: httpx.Request) -> None:
        task = asyncio.create_task(self._backend.handle(request))
        self._late.add(task)
        task.add_done_callback(self._late.discard)

    def _to_httpx_response(self, answer: Response, *, is_truncated: bool) -> httpx.Response:
        self.open += 1
        body = _Body(answer.body, self._count_closed, is_truncated=is_truncated)
        return httpx.Response(answer.status, headers=[*answer.headers], stream=body)

    def _count_closed(self) -> None:
        self.open -= 1


def _ignore() -> None:
    """Ignore further closing."""


def _fault_of_retry(fault: Fault) -> Fault:
    """Return the fault of attempts after the first."""
    if fault.then is not None:
        return Fault(fault.title, "status", fault.then, is_declared=True)
    return NO_FAULT if fault.is_once else fault
