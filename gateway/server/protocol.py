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
    """uvicorn's, which closes as well what keeps it waiting amid a request, and lets go of what is lost.

    A client has *head_seconds* for the head of a request: for the first one from when he connects, for others
    from their first byte on. He has as long for what is left of a body that was answered before it had come.
    A body that is waited for has its own deadline, and between two requests uvicorn's keep-alive holds.

    A client that closes only its own half, after a request, is taken for one that hangs up: they look the
    same (RFC 9293, 3.6), and whoever hangs up must not be worked for.
    """

    head_seconds: ClassVar[float] = 10.0

    _waits_until: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._limit_the_wait()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        for timer in (self._waits_until, self.timeout_keep_alive_task):  # they would keep it in memory
            if timer is not None:
                timer.cancel()

    @override
    def data_received(self, data: bytes) -> None:
        before = self.conn.our_state
        super().data_received(data)
        if self.conn.our_state is not before and self._waits_until is not None:
            self._waits_until.cancel()
            self._waits_until = None
        if self._is_amid_request:
            self._limit_the_wait()
        elif self._has_no_request:  # a body has ended that was answered before
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    @override
    def send_400_response(self, msg: str) -> None:
        """Answer what is no HTTP, and close; what comes amid an answer or after it cannot have one."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_amid_request:
            self._limit_the_wait()

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
        if self._has_no_request and not self._is_amid_request:
            self.timeout_keep_alive_handler()

    def _limit_the_wait(self) -> None:
        if self._waits_until is None:
            self._waits_until = self.loop.call_later(self.head_seconds, self.timeout_keep_alive_handler)

    @property
    def _has_no_request(self) -> bool:
        return self.conn.our_state is h11.IDLE

    @property
    def _is_amid_request(self) -> bool:
        """Whether nothing is to be done before more of the request comes: of its head, or of its body."""
        is_amid_head = self._has_no_request and self.conn.trailing_data[0] != b""
        return is_amid_head or self.conn.our_state is h11.DONE
