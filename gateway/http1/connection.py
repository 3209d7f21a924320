"""Connection to a server, on which one request at a time is sent."""

import asyncio
import select
import ssl
from typing import Final, cast, final

import httpx
from typing_extensions import override

from gateway.http1.response_reader import Message, ResponseReader
from gateway.http1.terms import TransportTerms

__all__ = ("Connection",)

_HAS_POLL: Final = hasattr(select, "poll")  # Windows has none


@final
class Connection(asyncio.Protocol):
    """Connection to a server, usable until *expires_at*, a time of the event loop.

    A connection is not reused after an exchange that was cut short, after bytes that belong to no response,
    and after its server has closed it. So no request can get the response to another one.
    """

    __slots__ = (
        "_has_ended",
        "_loop",
        "_poll",
        "_read_timeout",
        "_reader",
        "_timer",
        "_transport",
        "_waiter",
        "_write_timeout",
        "_written",
        "closed",
        "expires_at",
        "idle_since",
    )

    def __init__(self, terms: TransportTerms, loop: asyncio.AbstractEventLoop, expires_at: float) -> None:
        self._loop = loop
        self._reader = ResponseReader(terms)
        self._waiter: asyncio.Future[None] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._read_timeout: float | None = None
        self._write_timeout: float | None = None
        self._written = 0
        self._has_ended = False
        self.expires_at: Final = expires_at
        self.idle_since = 0.0
        self.closed: Final[asyncio.Future[None]] = loop.create_future()
        """Done when the connection is closed."""

    @property
    def is_open(self) -> bool:
        """Return whether the connection can be kept for another request, as far as is known.

        It cannot if the response came before the request was sent.
        """
        transport = self._transport
        return self._reader.can_reuse and not transport.is_closing() and not transport.get_write_buffer_size()

    @property
    def is_usable(self) -> bool:
        """Return whether a request can be sent: the connection is open, and no data waits to be read."""
        return self.is_open and not self._has_data()

    async def exchange(
        self, data: bytes, method: str, max_body: int, *, read: float | None, write: float | None
    ) -> Message:
        """Send *data*, a request with *method*, and return the response as soon as it is complete.

        If the rest of a body cannot be read, or has more than *max_body* bytes, the response says so by its
        `error`. *read* and *write* are the longest times without progress, in seconds.

        Raise `httpx.RequestError` if no head of a response comes. A request that is cancelled closes the
        connection.
        """
        message = self._reader.expect(method, max_body)
        self._waiter = waiter = self._loop.create_future()
        self._transport.write(data)
        if read is not None or write is not None:
            self._watch(waiter, read, write)
        try:
            await waiter
        except BaseException:  # also a cancellation: a response that still comes belongs to no other request
            self._waiter = None
            self.abort()
            raise
        finally:
            if self._timer is not None:
                self._timer.cancel()
                self._timer = None
        return message

    def close(self) -> None:
        """Close the connection."""
        self._transport.close()

    def abort(self) -> None:
        """Close the connection at once, without sending what is left of a request."""
        self._reader.can_reuse = False
        self._transport.abort()

    @override
    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        # Sound: uvloop's transports have the methods, but are no subclasses.
        self._transport = cast("asyncio.Transport", transport)
        self._poll = select.poll() if _HAS_POLL else None
        if self._poll is not None:  # pragma: no branch - the tests run on Linux
            self._poll.register(transport.get_extra_info("socket"), select.POLLIN)

    @override
    def data_received(self, data: bytes) -> None:
        waiter = self._waiter
        if waiter is None:
            self.abort()
            return
        if self._timer is not None:
            self._watch(waiter, self._read_timeout, self._write_timeout)
        try:
            is_complete = self._reader.feed(data)
        except httpx.DecodingError as error:
            self._fail(waiter, error)
        else:
            if is_complete:
                self._finish(waiter)

    @override
    def eof_received(self) -> None:
        tls: ssl.SSLObject | None = self._transport.get_extra_info("ssl_object")
        self._has_ended = tls is None or _has_close_alert(tls)

    @override
    def connection_lost(self, exc: Exception | None) -> None:
        if (waiter := self._waiter) is not None:
            # Not if it was closed at this side, or cut off: a body without a length may be incomplete.
            if exc is None and self._has_ended and self._reader.feed_eof():
                self._finish(waiter)
            else:
                self._fail(waiter, _describe_loss(exc))
        self._reader.can_reuse = False
        self.closed.set_result(None)

    def _finish(self, waiter: asyncio.Future[None]) -> None:
        self._waiter = self._reader.message = None
        if not waiter.done():  # it is cancelled in the same turn
            waiter.set_result(None)

    def _fail(self, waiter: asyncio.Future[None], error: httpx.RequestError) -> None:
        message = self._reader.message
        if message is not None and message.has_head:
            message.error = error
            self._finish(waiter)
        else:
            self._waiter = self._reader.message = None
            if not waiter.done():  # pragma: no branch - as in `_finish`
                waiter.set_exception(error)
        self.abort()

    def _watch(self, waiter: asyncio.Future[None], read: float | None, write: float | None) -> None:
        """Start, or restart, the time without progress."""
        if self._timer is not None:
            self._timer.cancel()
        self._read_timeout, self._write_timeout = read, write
        self._written = self._transport.get_write_buffer_size()
        timeout = write if self._written and write is not None else read
        if timeout is not None:
            self._timer = self._loop.call_later(timeout, self._check_progress, waiter)

    def _check_progress(self, waiter: asyncio.Future[None]) -> None:
        left = self._transport.get_write_buffer_size()
        if left < self._written:
            self._watch(waiter, self._read_timeout, self._write_timeout)
        elif left and self._write_timeout is not None:
            self._fail(waiter, httpx.WriteTimeout(f"no progress in {self._write_timeout} s"))
        else:
            self._fail(waiter, httpx.ReadTimeout(f"no data in {self._read_timeout} s"))

    def _has_data(self) -> bool:
        """Return whether data, or the end of the connection, has come that the loop has not read yet."""
        return self._poll is not None and bool(self._poll.poll(0))


def _has_close_alert(tls: ssl.SSLObject) -> bool:
    """Return whether the server has ended the session, and not only its TCP connection (RFC 9112, 9.8)."""
    try:
        return tls.read(1) == b""
    except ssl.SSLWantReadError:
        return False


def _describe_loss(error: Exception | None) -> httpx.TransportError:
    if error is None:
        return httpx.RemoteProtocolError("the server closed the connection")
    failure = httpx.ReadError(str(error))
    failure.__cause__ = error
    return failure
