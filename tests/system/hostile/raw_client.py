"""Client that sends any bytes over a raw socket, and reads HTTP responses."""

import socket
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass
from json import dumps, loads
from types import TracebackType
from typing import Any, Self, TypeAlias

__all__ = ("Address", "RawClient", "RawResponse", "build_request", "exchange")

Address: TypeAlias = tuple[str, int]

_PATIENCE_SECONDS = 10.0


@dataclass(frozen=True)
class RawResponse:
    """A response of the gateway; names of headers are in lower case."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def problem(self) -> Mapping[str, Any]:
        """Return the body, which must be a problem."""
        assert self.headers["content-type"] == "application/problem+json"
        problem: Mapping[str, Any] = loads(self.body)
        return problem


class RawClient:
    """Connection to *address*; the end of the `with` block closes it."""

    def __init__(self, address: Address) -> None:
        self._socket = socket.create_connection(address, timeout=_PATIENCE_SECONDS)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._received = self._socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        with closing(self._socket):
            self._received.close()

    def send(self, data: bytes) -> Self:
        """Send *data*, whatever it is."""
        self._socket.sendall(data)
        return self

    def can_send(self, data: bytes) -> bool:
        """Send *data*; return False if the gateway closes the connection meanwhile."""
        try:
            self._socket.sendall(data)
        except ConnectionError:
            return False
        return True

    def read_response(self) -> RawResponse:
        """Read the next response; raise `ConnectionError` if the connection is closed before its end."""
        line = self._received.readline()
        if not line:
            message = "the connection is closed"
            raise ConnectionError(message)
        headers: dict[str, str] = {}
        while (field := self._received.readline()) not in {b"\r\n", b""}:
            name, _, value = field.decode("latin-1").partition(":")
            headers[name.lower()] = value.strip()
        body = self._received.read(int(headers.get("content-length", 0)))
        return RawResponse(int(line.split()[1]), headers, body)

    def is_closed(self) -> bool:
        """Return whether the gateway closes the connection without sending anything else."""
        try:
            return self._received.read(1) == b""
        except ConnectionError:
            return True


def exchange(address: Address, data: bytes) -> RawResponse:
    """Send *data* on a new connection, and read one response."""
    with RawClient(address) as client:
        return client.send(data).read_response()


def build_request(
    method: str, path: str, headers: Mapping[str, str] | None = None, json: object = None
) -> bytes:
    """Build a request to *path*, which is sent as it is written, with *headers* and a JSON body."""
    body = b"" if json is None else dumps(json).encode()
    fields = {"Host": "127.0.0.1", **(headers or {})}
    if json is not None:
        fields |= {"Content-Type": "application/json", "Content-Length": str(len(body))}
    head = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode("latin-1") + body
