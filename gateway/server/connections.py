"""Client connections of a server, and their limit."""

import logging
import time
from typing import Final, Protocol, final

from uvicorn.server import ServerState

from gateway.server.front_door import FrontDoor

__all__ = ("ClientConnection", "ServerConnections")

_log: Final = logging.getLogger(__name__)

_LOG_INTERVAL: Final = 60.0


class ClientConnection(Protocol):
    """A connection that can be closed at once."""

    def abort(self) -> None:
        """Close the connection at once."""


@final
class ServerConnections(ServerState):
    """State that the connections of a server share; at most *limit* connections are open at the same time.

    Beyond it, a new connection takes the place of the one that has been idle for the longest time: each
    connection needs a file descriptor, and without descriptors no service could be called.

    The *front_door* refuses requests under overload; then their connection is not read for *refusal_pause*
    seconds.
    """

    def __init__(self, limit: int, front_door: FrontDoor | None = None, refusal_pause: float = 0.0) -> None:
        super().__init__()
        self.front_door = front_door
        self.refusal_pause: Final = refusal_pause
        self._limit = limit
        self._idle: dict[ClientConnection, None] = {}
        self._logged_at = -_LOG_INTERVAL

    def add_idle(self, connection: ClientConnection) -> None:
        """Note that *connection* has no request now."""
        self._idle[connection] = None

    def remove_idle(self, connection: ClientConnection) -> None:
        """Note that *connection* has a request, or is closed."""
        self._idle.pop(connection, None)

    def admit(self, connection: ClientConnection) -> None:
        """Admit a new *connection*, and close another one, or itself, if there are too many."""
        self.add_idle(connection)
        if len(self.connections) > self._limit:
            self._log_limit()
            longest = next(iter(self._idle))
            self.remove_idle(longest)
            longest.abort()

    def _log_limit(self) -> None:
        now = time.monotonic()
        if now - self._logged_at >= _LOG_INTERVAL:
            self._logged_at = now
            _log.warning("%d connections are open, the limit: closing the longest idle one", self._limit)
