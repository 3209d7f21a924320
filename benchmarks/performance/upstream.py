"""Upstream services with canned responses, as a program that costs little CPU.

    .venv/bin/python -m benchmarks.performance.upstream

One process answers the calls of a checkout and of an order with the responses of the mock services. The
services have a port each, as in production, so that a peer needs a pool of connections for each; every port
answers every path. There is no framework: a response is found by the request line, and requests are not
validated.

Responses come at once. A number on standard input, in a line of its own, scales the latencies of the mock
services from then on, so that 1 stands for their own; the program confirms it by printing the line.
"""

import asyncio
import json
import re
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, cast, final

import uvloop
from typing_extensions import override

__all__ = ("ANSWERS", "SERVICES", "Answer")

SERVICES: Final = ("user", "inventory", "payment", "fraud", "shipping", "pricing")
_BACKLOG: Final = 4096
_HEAD_END: Final = b"\r\n\r\n"
_CONTENT_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)
_REASONS: Final[Mapping[int, str]] = {200: "OK", 201: "Created", 204: "No Content", 404: "Not Found"}


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """A canned response, and its latency in milliseconds."""

    latency_ms: int
    status: int
    body: Mapping[str, object] | None

    @property
    def wire(self) -> bytes:
        """The response as bytes."""
        content = b"" if self.body is None else json.dumps(self.body, separators=(",", ":")).encode()
        head = f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\n"
        if self.body is not None:
            head += f"Content-Type: application/json\r\nContent-Length: {len(content)}\r\n"
        return f"{head}\r\n".encode() + content


_RESERVATION: Final = {
    "reservation_id": "res-8d2f1c7a",
    "product_id": "prod-456",
    "quantity": 1,
    "is_reserved": True,
}
_STOCK: Final = {"product_id": "prod-456", "stock_level": 100, "available": True, "unit_price": "49.99"}
_RISK: Final = {"is_safe": True, "risk_level": "Low"}

ANSWERS: Final[Mapping[bytes, Answer]] = {
    b"GET /users/user-123": Answer(
        50, 200, {"user_id": "user-123", "email": "user@example.com", "is_active": True}
    ),
    b"GET /inventory/prod-456?quantity=1": Answer(50, 200, _STOCK),
    b"GET /payments/pm-789": Answer(50, 200, {"payment_id": "pm-789", "is_valid": True}),
    b"POST /assessments": Answer(30, 200, _RISK),
    b"POST /screenings": Answer(30, 200, _RISK),
    b"POST /quotes": Answer(40, 200, {"carrier": "USPS", "rate": "12.99"}),
    b"POST /tax": Answer(20, 200, {"rate": "0.0825", "amount": "4.12"}),
    b"POST /discounts": Answer(20, 200, {"code": None, "amount": "0.00"}),
    b"POST /reservations": Answer(25, 201, _RESERVATION),
}
"""The responses by method and target."""

_RELEASED: Final = Answer(25, 204, None)
_UNKNOWN: Final = Answer(0, 404, {"status": 404, "detail": "the benchmark has no such resource"})


@final
class Upstream:
    """The responses as bytes, with their latencies in seconds at the current *scale*."""

    def __init__(self) -> None:
        self.responses: dict[bytes, tuple[bytes, float]] = {}
        self.scale = 0.0
        self.set_scale(0.0)

    def set_scale(self, scale: float) -> None:
        """Scale the latencies of all responses."""
        self.scale = scale
        for operation, answer in ANSWERS.items():
            self.responses[operation] = answer.wire, answer.latency_ms * scale / 1000

    def prepare(self, operation: bytes) -> tuple[bytes, float]:
        """Return the response to an operation that is not in `ANSWERS`."""
        answer = _RELEASED if operation.startswith(b"DELETE /reservations/") else _UNKNOWN
        return answer.wire, answer.latency_ms * self.scale / 1000


@final
class Connection(asyncio.Protocol):
    """A connection to one of the services."""

    def __init__(self, upstream: Upstream) -> None:
        self._upstream = upstream
        self._responses = upstream.responses
        self._loop = asyncio.get_running_loop()
        self._received = b""

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)

    @override
    def data_received(self, data: bytes) -> None:
        data = self._received + data
        while (head := data.find(_HEAD_END) + len(_HEAD_END)) >= len(_HEAD_END):
            end = head
            if not data.startswith(b"GET") and (length := _CONTENT_LENGTH.search(data, 0, head)):
                end += int(length[1])
                if len(data) < end:
                    break
            self._respond(data[: data.index(b" HTTP/")])
            data = data[end:]
        self._received = data

    def _respond(self, operation: bytes) -> None:
        response, latency = self._responses.get(operation) or self._upstream.prepare(operation)
        if latency:
            self._loop.call_later(latency, self._write, response)
        else:
            self._transport.write(response)

    def _write(self, response: bytes) -> None:
        if not self._transport.is_closing():
            self._transport.write(response)


async def serve() -> None:
    """Serve until standard input is closed; print the URL of each service once all are ready."""
    loop = asyncio.get_running_loop()
    upstream, is_stopped = Upstream(), asyncio.Event()
    words: list[str] = []
    for service in SERVICES:
        server = await loop.create_server(lambda: Connection(upstream), "127.0.0.1", 0, backlog=_BACKLOG)
        words += service, f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"

    def read_scale() -> None:
        if line := sys.stdin.readline().strip():
            upstream.set_scale(float(line))
            print(line, flush=True)
        else:
            is_stopped.set()

    loop.add_reader(sys.stdin, read_scale)
    print(*words, flush=True)
    await is_stopped.wait()


if __name__ == "__main__":
    uvloop.run(serve())
