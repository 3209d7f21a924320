"""Writer of a response, which sends the head together with the first part of the body."""

import asyncio
from typing import Final, final

__all__ = ("ResponseWriter",)

_INTERIM: Final = b"HTTP/1.1 1"


@final
class ResponseWriter:
    """Writer of one response to *transport*.

    uvicorn writes the head and the body of a response separately, which takes two system calls and two TCP
    segments. This writer holds the head back until the body comes, or until the next turn of *loop*. Interim
    responses (1xx) are sent at once.
    """

    __slots__ = ("_has_begun", "_head", "_loop", "_transport")

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        self._transport = transport
        self._loop = loop
        self._head = b""
        self._has_begun = False

    def write(self, data: bytes) -> None:
        """Write *data*: first a head, then parts of the body."""
        if not self._has_begun and not data.startswith(_INTERIM):
            self._has_begun = True
            self._head = data
            self._loop.call_soon(self.flush)
        elif self._head:
            self._transport.write(self._head + data)
            self._head = b""
        else:
            self._transport.write(data)

    def flush(self) -> None:
        """Send the head if it is still held back."""
        if self._head and not self._transport.is_closing():
            self._transport.write(self._head)
        self._head = b""

    def close(self) -> None:
        """Close the connection once everything has been sent."""
        self.flush()
        self._transport.close()

    def is_closing(self) -> bool:
        """Return whether the connection is being closed, or is closed."""
        return self._transport.is_closing()
