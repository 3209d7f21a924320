"""A mock service: latency, faults and a call log round the endpoints of a domain.

Plain ASGI rather than FastAPI: load tests run against it, and what the mocks cost must not be taken for
the gateway's cost.
"""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from starlette.types import Receive, Scope, Send

from mock_services.answers import Answer
from mock_services.calls import Call
from mock_services.connection import Connection
from mock_services.control import Control
from mock_services.endpoints import Domain, Endpoint, Routes
from mock_services.faults import Fault
from mock_services.memory import Memory
from mock_services.requests import Request
from mock_services.world import World, Worlds

__all__ = ["Service"]

_MILLISECOND: Final = 0.001


class Service:
    """One service as an ASGI application.

    `seeded` makes its domain, once now and once at each reset. Each endpoint's latency is multiplied by
    `latency_scale`. What has been written is kept in `memory`, if there is one, and found there at the start.
    """

    def __init__(
        self, seeded: Callable[[], Domain], latency_scale: float = 1.0, memory: Memory | None = None
    ) -> None:
        self._seconds_per_ms = latency_scale * _MILLISECOND
        self._worlds = Worlds(seeded, memory)
        self._control = Routes(Control(self._worlds).endpoints())

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request."""
        connection = Connection(scope, receive, send)
        world, method, path = self._worlds.present, scope["method"], scope["path"]
        control = Control.owns(path)
        endpoint, params = (self._control if control else world.routes).find(method, path)
        body = await connection.read_body()
        request = Request(method, path, scope["query_string"], scope["headers"], params, body or b"")
        if control:
            await connection.send(endpoint.answer(request))
            return
        exchange = _Exchange(world, connection, endpoint, request, world.faults.take(method, path))
        if body is None:
            exchange.log("disconnected")
        else:
            await exchange.run(endpoint.ms * self._seconds_per_ms)


@dataclass(frozen=True, slots=True)
class _Exchange:
    """One call, the fault that is in force for it, and what becomes of both."""

    world: World
    connection: Connection
    endpoint: Endpoint
    request: Request
    fault: Fault | None

    async def run(self, seconds: float) -> None:
        """Wait, handle, answer; or let the fault have its way."""
        if await self._caller_stays(self.fault.seconds(otherwise=seconds) if self.fault else seconds):
            await self._deliver(self._answer())

    def log(self, outcome: Literal["answered", "disconnected"], status: int | None = None) -> None:
        """Write the call down; before the answer goes out, so that whoever has it finds the call logged."""
        self.world.calls.add(
            Call(
                operation=self.endpoint.operation,
                method=self.request.method,
                path=self.request.path,
                idempotency_key=self.request.header(b"idempotency-key"),
                status=status,
                outcome=outcome,
            )
        )

    async def _caller_stays(self, seconds: float | None) -> bool:
        deadline = None if seconds is None else asyncio.get_running_loop().time() + seconds
        try:
            stays = seconds == 0 or await self.connection.stays_until(deadline)
        except asyncio.CancelledError:  # so leaves a caller in this process
            self._go_on_alone(deadline)
            raise
        if not stays:
            self._go_on_alone(deadline)
        return stays

    def _go_on_alone(self, deadline: float | None) -> None:
        self.log("disconnected")
        if self.endpoint.writes and deadline is not None:
            asyncio.get_running_loop().call_at(deadline, self._answer)

    def _answer(self) -> Answer:
        if self.fault is None or self.fault.reaches_handler:
            return self.world.handle(self.endpoint, self.request)
        return self.fault.answer()

    async def _deliver(self, answer: Answer) -> None:
        match self.fault.kind if self.fault else None:
            case "drop" | "drop_after_write":
                self.log("disconnected")
                await self.connection.close()
            case "truncate":
                self.log("disconnected", answer.status)
                await self.connection.send_half(answer)
            case _:
                self.log("answered", answer.status)
                await self.connection.send(answer)
