"""HTTP/1.1 protocol of a client connection: uvicorn's on httptools, strict, and with limits."""

import asyncio
import sys
from enum import Enum
from typing import Any, ClassVar, Final, cast

import uvicorn
from typing_extensions import override
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle
from uvicorn.server import ServerState

from gateway.server.connections import ServerConnections  # noqa: TC001 - of an attribute
from gateway.server.protocol.rejection import build_rejection
from gateway.server.protocol.request_head import NO_HEAD, UNREADABLE, RequestError, check_fields, prepare_head
from gateway.server.protocol.request_splitter import RequestSplitter
from gateway.server.protocol.response_writer import ResponseWriter
from gateway.server.protocol.write_timeout import WriteTimeout

__all__ = ("IDLE_GRACE", "MAX_FRAMING", "MAX_PIPELINED", "MAX_UNREAD", "HttpProtocol")

IDLE_GRACE: Final = 0.5
"""Seconds that an idle connection stays open during shutdown, for a request already on its way."""

MAX_UNREAD: Final = 65_536
"""Bytes that are discarded after the response to a request, while the client may still be sending."""

MAX_PIPELINED: Final = 65_536
"""Bytes of further requests that are read, but not parsed, before the response to a request."""

MAX_FRAMING: Final = 65_536
"""Bytes of a chunked body besides its data (sizes, extensions, trailers), in excess of an eighth of the data.

Without this limit, a body of chunks with one byte each would take as much CPU as one 60 times as large. An
empty line counts as `_PIECE` bytes more: data that consists of them is parsed in tiny pieces.
"""

_PIECE: Final = 8

_CLOSE: Final = (b"connection", b"close")
_TOO_MUCH_FRAMING: Final = "The chunks of the body are too small, or its trailers too large"


class _Phase(Enum):
    """Part of a request that is parsed next."""

    HEAD = "head"
    BODY = "body"
    REFUSED = "refused"
    """Nothing is parsed: the connection is about to be closed, because of a request that cannot be read."""


class HttpProtocol(HttpToolsProtocol):
    """HTTP/1.1 protocol of a client connection, which refuses malformed requests and closes slow clients.

    A request is parsed after the response to the one before it. A head is parsed once it is complete, within
    the limits of `gateway.server.protocol.request_head`. A request that is malformed, or over a limit, gets a
    problem (400, 414 or 431), and the connection is closed.

    Times, in seconds:

    - *head_timeout*: for the head of the first request, from the moment the client connects; for the head of
      each later request, from its first byte. uvicorn limits only the time between two requests, so a client
      that sends a byte now and then could hold its connection forever
      (https://en.wikipedia.org/wiki/Slowloris_(cyber_attack)).
    - *rest_timeout*: for the rest of a request body after a response that did not wait for it. It is
      discarded, up to `MAX_UNREAD` bytes.
    - *write_timeout*: for a response that the client does not read, without progress.

    A body that the application reads is limited by the deadline of the request instead.

    A client that closes its sending half after a request counts as disconnected, because the server cannot
    distinguish this from a client that has gone (RFC 9293, section 3.6).
    """

    head_timeout: ClassVar[float] = 10.0
    rest_timeout: ClassVar[float] = 0.5
    write_timeout: ClassVar[float] = 10.0

    _writing: WriteTimeout
    """Set when the connection is made."""

    _response: ResponseWriter
    """Set when a request is passed to the application."""

    def __init__(
        self,
        config: uvicorn.Config,
        server_state: ServerState,
        app_state: dict[str, Any],
        _loop: asyncio.AbstractEventLoop | None = None,
    ) -> None:
        super().__init__(config, server_state, app_state, _loop)
        # Sound: `gateway.server.server.Server` has such a state.
        self._shared = cast("ServerConnections", server_state)
        self._splitter = RequestSplitter()
        self._phase = _Phase.HEAD
        self._head = NO_HEAD
        self._current: RequestResponseCycle | None = None
        self._body_left: int | None = 0
        """Bytes of the body that have not been received; None if the body is chunked."""
        self._framing = 0
        self._unread = 0
        self._is_refused_at_door = False
        self._pause_timer: asyncio.TimerHandle | None = None
        self._read_timer: asyncio.TimerHandle | None = None

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Sound: uvloop's transports have the methods, but are no subclasses.
        connection = cast("asyncio.Transport", transport)
        super().connection_made(connection)
        self._writing = WriteTimeout(connection, self.loop, self.write_timeout)
        self._start_read_timer(self.head_timeout)
        self._shared.admit(self)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        super().connection_lost(exc)
        self._shared.remove_idle(self)
        # A pending timer would keep the protocol in memory.
        for timer in (self._read_timer, self._pause_timer, self.timeout_keep_alive_task):
            if timer is not None:
                timer.cancel()
        self._writing.stop()

    @override
    def data_received(self, data: bytes) -> None:
        if self._phase is _Phase.REFUSED:
            self._discard(len(data))
        else:
            self._splitter.add(data)
            self._parse()

    def _parse(self) -> None:
        """Parse what has been received, to the end of the first request whose response is not complete."""
        while len(self._splitter) and not self.transport.is_closing():
            if self._phase is _Phase.BODY:
                self._parse_body()
            elif self._phase is _Phase.REFUSED or not self._parse_head():
                break

    def _parse_head(self) -> bool:
        """Parse a head; return False if that is not possible yet."""
        self._splitter.skip_empty_lines()
        if not len(self._splitter):
            return False
        if self._is_responding or self._pause_timer is not None:
            if len(self._splitter) > MAX_PIPELINED:  # until then, reading shows whether the client hangs up
                self.flow.pause_reading()
            return False
        self._stop_keep_alive()
        try:
            received = self._splitter.take_head()
            if received is None:
                self._start_read_timer(self.head_timeout)
                return False
            head = prepare_head(received)
        except RequestError as error:
            self._refuse(error)
            return False
        self._stop_read_timer()
        self._shared.remove_idle(self)
        self._head = head
        self._current = None
        super().data_received(head.data)
        if self._is_refused_at_door:
            self._is_refused_at_door = False
            if self._is_last_request:
                self.transport.close()
            self._end_response()
            self._start_pause()
        return True

    def _parse_body(self) -> None:
        """Parse a part of a body, and discard it if the response is complete."""
        is_discarded = not self._is_responding
        left = self._body_left
        if left is None:
            piece = self._splitter.take_chunks()
            self._framing += len(piece) + (_PIECE if len(self._splitter) else 0)
        else:
            piece = self._splitter.take_body(left)
            self._body_left = left - len(piece)
        super().data_received(piece)
        if self._phase is _Phase.BODY and self._framing > MAX_FRAMING:
            self._refuse(RequestError(detail=_TOO_MUCH_FRAMING))
        elif self._phase is not _Phase.REFUSED and is_discarded:
            self._discard(len(piece))
            if self._phase is _Phase.HEAD:  # it was the end of the body
                self._become_idle()

    @override
    def on_header(self, name: bytes, value: bytes) -> None:
        if self._phase is _Phase.HEAD:  # not a trailer, which must not pass for a header
            super().on_header(name, value)

    @override
    def on_headers_complete(self) -> None:
        self._body_left = check_fields(self.headers, self._head.version)
        self._framing = self._unread = 0
        self._phase = _Phase.BODY
        if (refusal := self._refuse_at_door()) is not None:
            self._is_refused_at_door = True
            self.transport.write(refusal)
            return
        if self._head.version == b"1.0":  # RFC 9110, 10.1.1
            self.expect_100_continue = False
        super().on_headers_complete()
        self._current = self.cycle
        # The application has not been started yet. Sound: the cycle calls only methods that the writer has.
        self._response = ResponseWriter(self.transport, self.loop)
        self.cycle.transport = cast("asyncio.Transport", self._response)
        self.scope["method"] = self._head.method.decode("ascii")

    @override
    def on_body(self, body: bytes) -> None:
        if self._body_left is None:
            self._framing = max(0, self._framing - len(body) - len(body) // 8)
        if self._current is not None:
            super().on_body(body)

    @override
    def on_message_complete(self) -> None:
        self._phase = _Phase.HEAD
        if self._current is not None:
            super().on_message_complete()

    @override
    def on_response_complete(self) -> None:
        self._response.flush()  # the refusal of the next request may be sent in the same turn
        super().on_response_complete()
        self._end_response()
        self._parse()

    def _end_response(self) -> None:
        """Wait for the next request, or for the rest of the body."""
        if self.transport.is_closing():
            self._writing.start()
        elif self._phase is _Phase.BODY and self.expect_100_continue:
            self._close()  # the client may never send the body, and what follows would pass for it
        elif self._phase is _Phase.BODY:
            self._stop_keep_alive()
            self._start_read_timer(self.rest_timeout)
        else:
            self._become_idle()

    @override
    def send_400_response(self, msg: str) -> None:
        """Reject a request that the parser, or a check of the head, has refused."""
        error = sys.exception()  # *msg* is always the same: the exception that uvicorn handles has the reason
        check = None if error is None else error.__context__
        if not isinstance(check, RequestError):
            check = RequestError(detail=f"{UNREADABLE}: {error}")
        self._refuse(check)

    @override
    def pause_writing(self) -> None:
        super().pause_writing()
        self._writing.start()

    @override
    def resume_writing(self) -> None:
        super().resume_writing()
        self._writing.stop()

    @override
    def timeout_keep_alive_handler(self) -> None:
        self._close()

    @override
    def shutdown(self) -> None:
        """Close the connection after the current request, or after `IDLE_GRACE` if there is none.

        An idle client may have sent a request that has not arrived yet: closing at once would reset the
        connection instead of answering the request.
        """
        if self._pause_timer is not None:
            self._pause_timer.cancel()
            self._end_pause()
        if self._is_idle:
            self.loop.call_later(IDLE_GRACE, self._close_if_unused)
        else:
            super().shutdown()

    def abort(self) -> None:
        """Close the connection at once; a request in progress ends as if its client had disconnected."""
        self.transport.abort()

    @property
    def _is_responding(self) -> bool:
        return self._current is not None and not self._current.response_complete

    @property
    def _is_idle(self) -> bool:
        """Return True between requests, also while the head of the next request is incomplete."""
        return self._phase is _Phase.HEAD and not self._is_responding

    def _become_idle(self) -> None:
        self._stop_read_timer()
        self._stop_keep_alive()
        self.timeout_keep_alive_task = self.loop.call_later(
            self.timeout_keep_alive, self.timeout_keep_alive_handler
        )
        self._shared.add_idle(self)

    def _close_if_unused(self) -> None:
        if self._is_idle and not len(self._splitter):
            self._close()

    @property
    def _is_last_request(self) -> bool:
        """Return whether the client wants the connection to be closed after this request."""
        return self._head.version == b"1.0" or any(
            name == b"connection" and b"close" in value.lower().replace(b" ", b"").split(b",")
            for name, value in self.headers
        )

    def _refuse_at_door(self) -> bytes | None:
        """Return the response of the front door, or None if the app is to handle the request."""
        door, headers = self._shared.front_door, self.headers
        if door is None or not door.is_shut:
            return None
        close = [_CLOSE] if self._is_last_request else []
        return door.refuse(self._head.method, self.url, headers, self.server_state.default_headers + close)

    def _start_pause(self) -> None:
        seconds = self._shared.refusal_pause
        # Also without a pause: other connections come first.
        self._pause_timer = self.loop.call_later(seconds, self._end_pause)
        if seconds and self._phase is _Phase.HEAD:
            self.flow.pause_reading()

    def _end_pause(self) -> None:
        self._pause_timer = None
        self.flow.resume_reading()
        self._parse()

    def _refuse(self, error: RequestError) -> None:
        """Send a problem, unless the response has begun, and close the connection.

        The client has *rest_timeout* to read the problem: if the connection were closed before the client has
        sent everything, it would be reset.
        """
        has_begun = self._phase is _Phase.BODY and (
            self._current is None or self._current.response_started  # None: refused at the front door
        )
        if self._phase is _Phase.BODY and self._current is not None:
            self._current.disconnected = True
            self._current.message_event.set()
        self._phase = _Phase.REFUSED
        self._stop_keep_alive()
        self._stop_read_timer()
        if has_begun:
            self._close()
            return
        rejection = build_rejection(error.code, error.detail, self.server_state.default_headers)
        self.transport.write(rejection)
        self.transport.write_eof()
        self._start_read_timer(self.rest_timeout)

    def _discard(self, count: int) -> None:
        self._unread += count
        if self._unread > MAX_UNREAD:
            self._close()

    def _close(self) -> None:
        """Close the connection when everything has been sent, or when the client stops reading."""
        self.transport.close()
        self._writing.start()

    def _start_read_timer(self, seconds: float) -> None:
        if self._read_timer is None:
            self._read_timer = self.loop.call_later(seconds, self._close)

    def _stop_read_timer(self) -> None:
        if self._read_timer is not None:
            self._read_timer.cancel()
            self._read_timer = None

    def _stop_keep_alive(self) -> None:
        if self.timeout_keep_alive_task is not None:
            self.timeout_keep_alive_task.cancel()
            self.timeout_keep_alive_task = None
