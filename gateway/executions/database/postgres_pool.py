"""Connections to PostgreSQL that calls share.

psycopg's own pool is not used. A call that is cancelled while it returns its connection loses this connection
for ever: after 3600 cancelled calls, all eight were lost (psycopg_pool 3.3.3; psycopg/psycopg#509, #1208 and
#1345 are similar). Besides, its callers wait for their whole time limit while the server is down, and do not
learn the reason.
"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, TypeAlias, final

from psycopg import AsyncConnection, AsyncRawCursor, OperationalError

from gateway.executions.database.terms import Value

__all__ = ("Connection", "PostgresPool")

Connection: TypeAlias = AsyncConnection[tuple[Value, ...]]


@final
class PostgresPool:
    """At most *size* connections to the database *url*, in one event loop.

    The connection that was used last is used next. There is no background task: a call that needs a
    connection makes it, and gets the reason if it cannot.
    """

    def __init__(self, url: str, size: int) -> None:
        self._url = url
        self._size: Final = size
        self._places: Final = asyncio.Semaphore(size)
        self._idle: list[Connection] = []
        self._is_closed = False

    @asynccontextmanager
    async def borrow(self) -> AsyncGenerator[Connection]:
        """Lend a connection; close it if the block raises an exception. Raise `psycopg.Error`."""
        async with self._places:
            connection = await self._take_idle() or await self._connect()
            try:
                yield connection
            except BaseException:
                await connection.close()
                raise
            if self._is_closed:
                await connection.close()
            else:
                self._idle.append(connection)

    async def close(self) -> None:
        """Close the connections that are idle now; the others are closed when their calls end."""
        self._is_closed = True
        while self._idle:
            await self._idle.pop().close()

    async def wait_idle(self) -> None:
        """Wait until no call has a connection."""
        for _ in range(self._size):
            await self._places.acquire()

    async def _take_idle(self) -> Connection | None:
        while self._idle:
            connection = self._idle.pop()
            if _is_alive(connection):
                return connection
            await connection.close()
        return None

    async def _connect(self) -> Connection:
        """Connect; PgBouncer may pool transactions: nothing is prepared, and no session has a state."""
        return await AsyncConnection.connect(
            self._url,
            autocommit=True,
            cursor_factory=AsyncRawCursor,
            prepare_threshold=None,
            fallback_application_name="fanout-gateway",
            client_encoding="utf8",  # a database in SQL_ASCII would return bytes for text
            # Networks drop connections that are idle for minutes without a word to either side.
            keepalives_idle=30,
            keepalives_interval=10,
            keepalives_count=3,
        )


def _is_alive(connection: Connection) -> bool:
    """Return False if the server has closed the connection: otherwise a call after its restart would fail.

    The first read takes the server's last message, the second one sees the end.
    """
    try:
        connection.pgconn.consume_input()
        connection.pgconn.consume_input()
    except OperationalError:
        return False
    return True
