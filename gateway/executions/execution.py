"""Execution: public record of a run that writes, and the interface of a journal that can be queried."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, final

from gateway.railway import CommitState, Intent, Journal, WriteOutcome

__all__ = ("RETENTION_SECONDS", "ExecutedWrite", "Execution", "ExecutionJournal", "Page")

RETENTION_SECONDS: Final = 24 * 60 * 60.0
"""Maximum time for which an ended execution and its stored answer are kept, unless it is stuck."""


@final
@dataclass(frozen=True, slots=True)
class ExecutedWrite:
    """Write of a commit, with its outcome so far."""

    intent: Intent
    outcome: WriteOutcome


@final
@dataclass(frozen=True, slots=True)
class Execution:
    """Run of a *pipeline* that writes; *ended_at* is None until the commit has ended."""

    execution_id: str
    pipeline: str
    state: CommitState
    writes: tuple[ExecutedWrite, ...]
    started_at: datetime
    ended_at: datetime | None = None


@final
@dataclass(frozen=True, slots=True)
class Page:
    """Page of executions, latest first; *cursor* is where the next page starts, or None on the last page."""

    executions: tuple[Execution, ...]
    cursor: int | None


class ExecutionJournal(Journal, Protocol):
    """Journal that can be queried."""

    def get(self, execution_id: str, /) -> Execution | None:
        """Return an execution of this process, as `find` does."""
        ...

    async def find(self, execution_id: str, /) -> Execution | None:
        """Return the execution; None if its commit has not begun, or if it is no longer kept."""

    async def page(self, state: CommitState | None, limit: int, cursor: int | None, /) -> Page:
        """Return at most *limit* executions, latest first, from *cursor* on.

        *state* None selects all states; *cursor* None starts at the latest execution.
        """
        ...
