"""HTTP/1.1 protocol of a client connection: uvicorn's, with a timeout for request heads."""

import asyncio
from typing import ClassVar, Final, cast

import h11
from typing_extensions import override
from uvicorn.protocols.http.h11_impl import H11Protocol

__all__ = ("IDLE_GRACE", "HeadTimeoutProtocol")

IDLE_GRACE: Final = 0.5
"""Seconds that an idle connection stays open during shutdown, for a request already on its way."""


class HeadTimeoutProtocol(H11Protocol):
    """HTTP/1.1 protocol that closes connections of slow clients, and frees the memory of lost connections.

    uvicorn limits only the time between two requests (keep-alive), so a client that sends a byte now and
    then could hold its connection forever (https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)). Here
    *head_timeout* limits, in seconds:

    - the head of the first request, from the moment the client connects;
    - the head of each later request, from its first byte;
    - the rest of a request body, if the response has been sent without waiting for the body.

    A body that the application reads is limited by the deadline of the request instead.

    A client that closes its sending half after a request counts as disconnected, because the server cannot
    distinguish this from a client that has gone (RFC 9293, section 3.6).
    """

    head_timeout: ClassVar[float] = 10.0

    _head_timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        super().connection_made(cast("asyncio.Transport", transport))
        self._start_head_timer()

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        # A pending timer would keep the protocol in memory until it fires.
        for timer in (self._head_timer, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()

    @override
    def data_received(self, data: bytes) -> None:
        state_before = self.conn.our_state
        super().data_received(data)
        if self.conn.our_state is not state_before and self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None
        if self._is_request_incomplete:
            self._start_head_timer()
        elif self._is_idle:  # the rest of a body has arrived after the response
            self.timeout_keep_alive_task = self.loop.call_later(
                self.timeout_keep_alive, self.timeout_keep_alive_handler
            )

    @override
    def send_400_response(self, msg: str) -> None:
        """Reject malformed HTTP with a 400; if a response has already begun, just close the connection."""
        if self.conn.our_state in {h11.IDLE, h11.SEND_RESPONSE}:
            super().send_400_response(msg)
        else:
            self.transport.close()

    @override
    def on_response_complete(self) -> None:
        super().on_response_complete()
        if self._is_request_incomplete:
            self._start_head_timer()

    @override
    def shutdown(self) -> None:
        """Close the connection after the current request, or after `IDLE_GRACE` if there is none.

        An idle client may have sent a request that has not arrived yet: closing at once would reset the
        connection instead of answering the request.
        """
        if self._is_idle:
            self.loop.call_later(IDLE_GRACE, self._close_if_idle)
        else:
            super().shutdown()

    def abort(self) -> None:
        """Close the connection at once; a request in progress ends as if its client had disconnected."""
        self.transport.abort()

    def _close_if_idle(self) -> None:
        if self._is_idle and not self._is_request_incomplete:
            self.timeout_keep_alive_handler()

    def _start_head_timer(self) -> None:
        if self._head_timer is None:
            self._head_timer = self.loop.call_later(self.head_timeout, self.timeout_keep_alive_handler)

    @property
    def _is_idle(self) -> bool:
        """Return True between requests, also while the head of the next request is incomplete."""
        return self.conn.our_state is h11.IDLE

    @property
    def _is_request_incomplete(self) -> bool:
        """Return True if the rest of a head is missing, or the rest of a body after the response."""
        is_head_incomplete = self._is_idle and self.conn.trailing_data[0] != b""
        return is_head_incomplete or self.conn.our_state is h11.DONE
