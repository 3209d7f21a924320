"""Execution: public record of a run that writes."""

from dataclasses import dataclass
from datetime import datetime
from typing import Final, final

from gateway.railway import CommitState, Intent, WriteOutcome

__all__ = ("RETENTION_SECONDS", "ExecutedWrite", "Execution", "Page")

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
