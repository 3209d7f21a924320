"""The log of the calls that a service got."""

from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final, Literal

__all__ = ["CALLS_KEPT", "Call", "CallLog"]

CALLS_KEPT: Final = 100_000
"""The log keeps the latest calls, so that a service under load for hours does not grow."""


@dataclass(frozen=True, slots=True)
class Call:
    """One call; `status` is null where the connection ended before an answer began."""

    operation: str
    method: str
    path: str
    idempotency_key: str | None
    status: int | None
    outcome: Literal["answered", "disconnected"]


class CallLog:
    """The calls in the order in which they ended."""

    def __init__(self) -> None:
        self._calls: deque[Call] = deque(maxlen=CALLS_KEPT)

    def __iter__(self) -> Iterator[Call]:
        return iter(self._calls)

    def add(self, call: Call) -> None:
        """Write a call down."""
        self._calls.append(call)
