"""Journal of commits in memory; its records are lost when the process ends."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, final

from gateway.executions.execution import RETENTION_SECONDS, ExecutedWrite, Execution, Page
from gateway.railway import CommitStart, CommitState, Key, Rerun, WriteOutcome

__all__ = ("MAX_ENDED", "MemoryJournal")

MAX_ENDED: Final = 10_000
"""Maximum number of ended executions that are kept; stuck executions do not count."""


@final
@dataclass(slots=True)
class _Record:
    number: int
    execution: Execution


@final
class MemoryJournal:
    """Journal of the commits of a single process (see `gateway.executions.worker_lock`).

    *now* returns the time for the records. The values of calls are not kept: no other process could resume
    the run.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._records: dict[str, _Record] = {}
        self._ended: dict[str, float] = {}

    async def begin(self, commit: CommitStart, /) -> None:
        """Record *commit* and those of its writes that have an undo.

        Raise `ValueError` if the execution has a commit already.
        """
        self._evict()
        if commit.execution_id in self._records:
            msg = f"{commit.execution_id} has a commit already"
            raise ValueError(msg)
        writes = tuple(
            ExecutedWrite(intent, WriteOutcome.PENDING) for intent in commit.intents if intent.undo
        )
        execution = Execution(commit.execution_id, commit.pipeline, CommitState.RUNNING, writes, self._now())
        self._records[commit.execution_id] = _Record(next(self._numbers), execution)

    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        """Record the outcome of the write under *key*; ignore the key of a read."""
        record = self._records[execution_id]
        writes = tuple(
            replace(write, outcome=outcome) if write.intent.key == key else write
            for write in record.execution.writes
        )
        record.execution = replace(record.execution, writes=writes)

    def end(self, execution_id: str, state: CommitState, /) -> None:
        """Record the final *state* of the commit; unless it is stuck, keep the record for a day at most."""
        record = self._records[execution_id]
        record.execution = replace(record.execution, state=state, ended_at=self._now())
        if state is not CommitState.STUCK:
            self._ended[execution_id] = asyncio.get_running_loop().time()

    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        """Do nothing: no answer outlives the process."""

    async def find(self, execution_id: str, /) -> Execution | None:
        """Return the execution; None if its commit has not begun, or if it is no longer kept."""
        return self.get(execution_id)

    def get(self, execution_id: str, /) -> Execution | None:
        """Return the execution, as `find` does."""
        self._evict()
        record = self._records.get(execution_id)
        return record and record.execution

    async def page(self, state: CommitState | None, limit: int, cursor: int | None, /) -> Page:
        """Return at most *limit* executions in *state*, latest first, from *cursor* on."""
        self._evict()
        found = [*itertools.islice(self._iterate(state, cursor), limit + 1)]
        return Page(
            tuple(record.execution for record in found[:limit]),
            found[limit].number if len(found) > limit else None,
        )

    def _iterate(self, state: CommitState | None, cursor: int | None) -> Iterator[_Record]:
        for record in reversed(self._records.values()):
            if (cursor is None or record.number <= cursor) and state in {None, record.execution.state}:
                yield record

    def _evict(self) -> None:
        too_old = asyncio.get_running_loop().time() - RETENTION_SECONDS
        while self._ended and (len(self._ended) > MAX_ENDED or next(iter(self._ended.values())) <= too_old):
            execution_id = next(iter(self._ended))
            del self._ended[execution_id], self._records[execution_id]
