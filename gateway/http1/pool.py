"""Pool of the connections to one origin."""

import asyncio
import errno
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Final, TypeAlias, final

import httpx

from gateway.http1.connection import Connection
from gateway.http1.dialer import Dialer
from gateway.http1.patient_timeout import PatientTimeout
from gateway.http1.terms import TransportTerms

__all__ = ("MakeRoom", "Pool", "wait_closed")

MakeRoom: TypeAlias = Callable[[], Awaitable[bool]]

_SWEEP_INTERVAL: Final = 1.0
_CLOSE_TIMEOUT: Final = 1.0
_OUT_OF_DESCRIPTORS: Final = frozenset({errno.EMFILE, errno.ENFILE})


@final
class Pool:
    """Pool of the connections that *dialer* makes, on the loop in which it is created.

    Connections are reused last in, first out, so that some become idle and are closed. If the
    number of connections is limited, requests wait in order.

    If the process has no file descriptor left for a connection, *make_room* closes idle connections of all
    pools, and returns False if there are none.
    """

    def __init__(self, dialer: Dialer, terms: TransportTerms, make_room: MakeRoom | None = None) -> None:
        self._dialer = dialer
        self._make_room = make_room
        self._terms = terms
        self._loop = asyncio.get_running_loop()
        self._idle: list[Connection] = []
        self._busy: set[Connection] = set()
        self._count = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._sweep_timer: asyncio.TimerHandle | None = None
        self._is_closed = False

    def take(self) -> Connection | None:
        """Return an idle connection, which is given to `release` after its exchange; None without one."""
        while self._idle:
            connection = self._idle.pop()
            now = self._loop.time()
            is_fresh = connection.idle_since > now - self._terms.keep_alive and now < connection.expires_at
            if is_fresh and connection.is_usable:
                self._busy.add(connection)
                return connection
            connection.close()
            self._count -= 1
        return None

    async def acquire(self, *, connect: float | None, pool: float | None) -> Connection:
        """Make a connection for one exchange, or wait for one, if `take` has none.

        *connect* and *pool* are the longest times for connecting, and for waiting for a connection.

        Raise `httpx.ConnectError`, `httpx.ConnectTimeout` or `httpx.PoolTimeout`.
        """
        connection = None
        if self._is_full():
            connection = await self._wait(pool)
        else:
            self._count += 1
        if connection is None:
            try:
                connection = await self._connect(connect)
            except BaseException:  # also a cancellation: the place is free again
                self._drop()
                raise
        self._busy.add(connection)
        return connection

    def release(self, connection: Connection) -> None:
        """Take *connection* back after its exchange, however that has ended."""
        self._busy.discard(connection)
        now = self._loop.time()
        if now >= connection.expires_at or self._is_closed or not connection.is_open:
            connection.close()
            self._drop()
        elif not self._hand_over(connection):
            connection.idle_since = now
            self._idle.append(connection)
            if self._sweep_timer is None:
                self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL, self._sweep)

    def close_longest_idle(self) -> Connection | None:
        """Close the connection that has been idle for the longest time, and return it; None without one."""
        if not self._idle:
            return None
        connection = self._idle.pop(0)
        connection.close()
        self._count -= 1
        return connection

    async def aclose(self) -> None:
        """Close all connections, and wait until they are closed; requests that wait or are sent fail."""
        self._is_closed = True
        if self._sweep_timer is not None:
            self._sweep_timer.cancel()
            self._sweep_timer = None
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_exception(_build_closed())
        closing = [*self._idle, *self._busy]
        for connection in self._idle:
            connection.close()
        for connection in self._busy:
            connection.abort()
        self._idle.clear()
        await wait_closed(closing)
        unanswered = [connection for connection in closing if not connection.closed.done()]
        for connection in unanswered:  # with TLS, the server has not confirmed the end
            connection.abort()
        await wait_closed(unanswered)

    async def _connect(self, timeout: float | None) -> Connection:  # noqa: ASYNC109 - httpx's own timeout
        connection = await self._dial(timeout)
        if self._is_closed:
            connection.abort()
            raise _build_closed()
        return connection

    async def _dial(self, timeout: float | None) -> Connection:  # noqa: ASYNC109 - httpx's own timeout
        while True:
            try:
                return await self._dialer.connect(timeout)
            except httpx.ConnectError as error:
                cause = error.__cause__
                is_out = isinstance(cause, OSError) and cause.errno in _OUT_OF_DESCRIPTORS
                if not is_out or self._make_room is None or not await self._make_room():
                    raise

    def _is_full(self) -> bool:
        return self._terms.max_connections is not None and self._count >= self._terms.max_connections

    async def _wait(self, timeout: float | None) -> Connection | None:  # noqa: ASYNC109 - httpx's own timeout
        """Wait for a connection, or for None: the permission to make one, which is counted already."""
        waiter: asyncio.Future[Connection | None] = self._loop.create_future()
        self._waiting.append(waiter)
        try:
            async with PatientTimeout(timeout):
                connection = await waiter
        except BaseException as error:  # also a cancellation
            if waiter.done() and not waiter.cancelled() and waiter.exception() is None:
                self._give_back(waiter.result())  # it has come at the same time
            if isinstance(error, TimeoutError):
                msg = f"no free connection within {timeout} s"
                raise httpx.PoolTimeout(msg) from None
            raise
        if connection is not None and not connection.is_usable:  # lost since it was handed over
            connection.close()
            return None
        return connection

    def _give_back(self, connection: Connection | None) -> None:
        if connection is None:
            self._drop()
        else:
            self.release(connection)

    def _hand_over(self, connection: Connection | None) -> bool:
        """Hand *connection*, or the permission to make one, to the request that has waited longest."""
        while self._waiting:
            waiter = self._waiting.popleft()
            if not waiter.done():
                waiter.set_result(connection)
                return True
        return False

    def _drop(self) -> None:
        """Note that a connection is gone: the next waiting request may make one in its place."""
        if not self._hand_over(None):
            self._count -= 1

    def _sweep(self) -> None:
        """Close connections that have been idle for too long, or are too old."""
        now = self._loop.time()
        oldest = now - self._terms.keep_alive
        kept: list[Connection] = []
        for connection in self._idle:
            if connection.idle_since > oldest and now < connection.expires_at and connection.is_usable:
                kept.append(connection)
            else:
                connection.close()
                self._count -= 1
        self._idle = kept
        self._sweep_timer = self._loop.call_later(_SWEEP_INTERVAL, self._sweep) if kept else None


async def wait_closed(connections: Sequence[Connection]) -> None:
    """Wait until *connections* are closed, but no longer than a second."""
    if connections:
        await asyncio.wait([connection.closed for connection in connections], timeout=_CLOSE_TIMEOUT)


def _build_closed() -> httpx.ConnectError:
    return httpx.ConnectError("the transport is being closed")
