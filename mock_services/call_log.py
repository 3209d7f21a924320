"""Log of the calls that a service received."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["MAX_CALLS", "Call", "CallLog"]

MAX_CALLS: Final = 100_000
"""Maximum length of a log: older calls are dropped, so that memory does not grow for hours under load."""


@dataclass(frozen=True, slots=True)
class Call:
    """A call; *status* is None if the connection ended before a response began."""

    operation: str
    method: str
    path: str
    idempotency_key: str | None
    status: int | None
    outcome: Literal["answered", "disconnected"]


class CallLog:
    """The latest calls, in the order in which they ended."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=MAX_CALLS)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def add(self, call: Call) -> None:
        """Append a call."""
        self._calls.append(call)
