"""Execution: the public record of one run that writes, and the journal that can be queried for it."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, Protocol, final

from gateway.railway import CommitState, Intent, Journal, WriteOutcome

__all__ = ("RETENTION_SECONDS", "ExecutedWrite", "Execution", "ExecutionJournal", "Page")

RETENTION_SECONDS: Final = 24 * 60 * 60.0
"""Longest time for which an ended execution and its answer under an idempotency key are kept."""


@final
@dataclass(frozen=True, slots=True)
class ExecutedWrite:
    """One write of a commit and its outcome so far."""

    intent: Intent
    outcome: WriteOutcome


@final
@dataclass(frozen=True, slots=True)
class Execution:
    """One run of a *pipeline* that writes; *ended_at* is None until its commit has ended."""

    execution_id: str
    pipeline: str
    state: CommitState
    writes: tuple[ExecutedWrite, ...]
    started_at: datetime
    ended_at: datetime | None = None


@final
@dataclass(frozen=True, slots=True)
class Page:
    """A page of executions, the latest first; *cursor* is the start of the next page, None on the last."""

    executions: tuple[Execution, ...]
    cursor: int | None


class ExecutionJournal(Journal, Protocol):
    """A journal that can be queried."""

    async def find(self, execution_id: str, /) -> Execution | None:
        """Return the execution; None if its commit has not begun, or is no longer kept."""

    async def page(self, state: CommitState | None, limit: int, cursor: int | None, /) -> Page:
        """Return at most *limit* executions in *state*, the latest first, beginning at *cursor*."""
        ...
