"""A client's connection: how long it may say nothing, and how it ends when the server does."""

import asyncio
from typing import ClassVar, Final, cast

import h11
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ("LAST_CALL", "Connection")

LAST_CALL: Final = 0.5
"""Seconds in which a request can still come on a connection that has none, when the server stops."""


class Connection(H11Protocol):
    """uvicorn's, which closes as well what never sends a request, or sends the head of one too slowly.

    A new connection may be silent for as long as one that is kept alive. From its first byte on the head of a
    request has *head_seconds*; the body has its own deadline.

    A client that closes only its own half, after a request, is taken for one that hangs up: they look the
    same (RFC 9293, 3.6), and whoever hangs up must not be worked for.
    """

    head_seconds: ClassVar[float] = 10.0

    _head_ends: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )

    @override
    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        is_amid_head = self._has_no_request and self.conn.trailing_data[0] != b""
        if self._head_ends is None:
            if is_amid_head:
                self._head_ends = self.loop.call_later(self.head_seconds, self.timeout_keep_alive_handler)
        elif not is_amid_head:
            self._head_ends.cancel()
            self._head_ends = None

    @override
    def shutdown(self) -> None:
        """End once the request that is under way is answered, or one that is still to come, if it does soon.

        It may have been sent already: to close at once would reset the connection instead of an answer.
        """
        if self._has_no_request:
            self.loop.call_later(LAST_CALL, self._leave)
        else:
            super().shutdown()

    def hang_up(self) -> None:
        """End now; to the request that is under way this is a client that hangs up."""
        self.transport.abort()

    def _leave(self) -> None:
        if self._has_no_request and self._head_ends is None:
            self.timeout_keep_alive_handler()

    @property
    def _has_no_request(self) -> bool:
        return self.conn.our_state is h11.IDLE
