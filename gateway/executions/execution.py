"""What has become of a commit, as whoever started it may know it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, final

from gateway.railway import Intent, Journal, State, WriteOutcome

__all__ = ("KEPT_SECONDS", "Executed", "Execution", "Page", "Records")

KEPT_SECONDS: Final = 24 * 60 * 60.0
"""How long an execution that has ended is known, at the most, and its answer to whoever asks again."""


@final
@dataclass(frozen=True, slots=True)
class Executed:
    """One write of a commit, and how far it has come."""

    intent: Intent
    outcome: WriteOutcome


@final
@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a *pipeline* that writes; *ended_at* is None until its commit has ended."""

    execution_id: str
    pipeline: str
    state: State
    writes: tuple[Executed, ...]
    started_at: datetime
    ended_at: datetime | None = None


@final
@dataclass(frozen=True, slots=True)
class Page:
    """Some of the executions, the latest first; *cursor* is where the next page begins, None on the last."""

    executions: tuple[Execution, ...]
    cursor: int | None


class Records(Journal, Protocol):
    """A journal that can be asked."""

    async def find(self, execution_id: str, /) -> Execution | None:
        """Give the execution, unless its commit never began or has been forgotten."""

    async def page(self, state: State | None, limit: int, cursor: int | None, /) -> Page:
        """List executions, the latest first: at most *limit* of those in *state*, from *cursor* on."""
        ...
