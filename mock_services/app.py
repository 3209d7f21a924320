"""A mock service as an ASGI application: its endpoints with latency, faults and a call log.

Plain ASGI rather than FastAPI, so that load tests of the gateway do not measure the cost of the mocks.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from starlette.types import Receive, Scope, Send

from mock_services.call_log import Call
from mock_services.control import Control
from mock_services.faults import Fault
from mock_services.http.connection import Connection
from mock_services.http.endpoints import Endpoint, MockService, Routes
from mock_services.http.request import Request
from mock_services.http.response import Response
from mock_services.instance import Instance, InstanceHolder
from mock_services.write_log import WriteLog

__all__ = ["ServiceApp"]

_MILLISECOND: Final = 0.001


class ServiceApp:
    """A mock service as an ASGI application.

    *create* builds the service with its seed data, at the start and at each reset. *latency_scale* multiplies
    the latency of every endpoint. *write_log* persists the writes, which are replayed at the start.
    """

    def __init__(
        self,
        create: Callable[[], MockService],
        latency_scale: float = 1.0,
        write_log: WriteLog | None = None,
    ) -> None:
        self._seconds_per_ms = latency_scale * _MILLISECOND
        self._instances = InstanceHolder(create, write_log)
        self._control = Routes(Control(self._instances).endpoints())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Handle a request."""
        connection = Connection(scope, receive, send)
        instance, method, path = self._instances.current, scope["method"], scope["path"]
        is_control = Control.is_control_path(path)
        endpoint, params = (self._control if is_control else instance.routes).find(method, path)
        body = await connection.read_body()
        request = Request(method, path, scope["query_string"], scope["headers"], params, body or b"")
        if is_control:
            await connection.send(endpoint.handle(request))
            return
        exchange = _Exchange(instance, connection, endpoint, request, instance.faults.take(method, path))
        if body is None:
            exchange.log("disconnected")
        else:
            await exchange.run(endpoint.latency_ms * self._seconds_per_ms)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """A request and its response, with the fault that applies to the request."""

    instance: Instance
    connection: Connection
    endpoint: Endpoint
    request: Request
    fault: Fault | None

    async def run(self, seconds: float) -> None:
        """Wait for *seconds*, or as long as the fault requires; then respond unless the client has left."""
        if await self._wait(self.fault.delay(default=seconds) if self.fault else seconds):
            await self._send(self._handle())

    def log(self, outcome: Literal["answered", "disconnected"], status: int | None = None) -> None:
        """Log the call, before its response is sent: a client that has the response finds the call logged."""
        self.instance.calls.add(
            Call(
                operation=self.endpoint.operation,
                method=self.request.method,
                path=self.request.path,
                idempotency_key=self.request.header(b"idempotency-key"),
                status=status,
                outcome=outcome,
            )
        )

    async def _wait(self, seconds: float | None) -> bool:
        """Wait for *seconds* (None: forever), and return True.

        If the client disconnects, log the call and return False at once; a write still takes effect after
        *seconds*.
        """
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        try:
            is_connected = seconds == 0 or await self.connection.wait_until(deadline)
        except asyncio.CancelledError:  # how a client in the same process disconnects
            self._continue_without_client(deadline)
            raise
        if not is_connected:
            self._continue_without_client(deadline)
        return is_connected

    def _continue_without_client(self, deadline: float | None) -> None:
        self.log("disconnected")
        if self.endpoint.is_write and deadline is not None:
            asyncio.get_running_loop().call_at(deadline, self._handle)

    def _handle(self) -> Response:
        if self.fault is None or self.fault.reaches_handler:
            return self.instance.handle(self.endpoint, self.request)
        return self.fault.to_response()

    async def _send(self, response: Response) -> None:
        match self.fault.kind if self.fault else None:
            case "drop" | "drop_after_write":
                self.log("disconnected")
                await self.connection.close()
            case "truncate":
                self.log("disconnected", response.status)
                await self.connection.send_truncated(response)
            case _:
                self.log("answered", response.status)
                await self.connection.send(response)
