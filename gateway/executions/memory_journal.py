"""The journal that lasts as long as its process."""

import asyncio
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final, final

from gateway.executions.execution import KEPT_SECONDS, Executed, Execution, Page
from gateway.railway import Beginning, Key, State, WriteOutcome

__all__ = ("KEPT", "MemoryJournal")

KEPT: Final = 10_000
"""How many executions that have ended are known; one that is stuck always is."""


@final
@dataclass(slots=True)
class _Record:
    number: int
    execution: Execution


@final
class MemoryJournal:
    """Knows the commits of this process, and forgets them with it.

    It serves one process alone: see `gateway.executions.worker_lock`. The values of earlier stages are not
    kept, since a run is not repeated after its process has ended. *now* returns the time for the records.
    """

    def __init__(self, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
        self._now = now
        self._numbers = itertools.count(1)
        self._records: dict[str, _Record] = {}
        self._ended: dict[str, float] = {}

    async def begin(self, commit: Beginning, /) -> None:
        """Remember it; one of an execution that has a commit already is a `ValueError`."""
        self._forget()
        if commit.execution_id in self._records:
            msg = f"{commit.execution_id} has a commit already"
            raise ValueError(msg)
        writes = tuple(Executed(intent, WriteOutcome.PENDING) for intent in commit.intents if intent.undo)
        execution = Execution(commit.execution_id, commit.pipeline, State.RUNNING, writes, self._now())
        self._records[commit.execution_id] = _Record(next(self._numbers), execution)

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, _value: object, /) -> None:
        """Remember how far the write under *key* has come."""
        record = self._records[execution_id]
        writes = tuple(
            replace(write, outcome=outcome) if write.intent.key == key else write
            for write in record.execution.writes
        )
        record.execution = replace(record.execution, writes=writes)

    async def end(self, execution_id: str, state: State, /) -> None:
        """Remember how it ended, for a day."""
        record = self._records[execution_id]
        record.execution = replace(record.execution, state=state, ended_at=self._now())
        if state is not State.STUCK:
            self._ended[execution_id] = asyncio.get_running_loop().time()

    async def find(self, execution_id: str, /) -> Execution | None:
        """Give the execution, unless it has no commit or is forgotten."""
        self._forget()
        record = self._records.get(execution_id)
        return record and record.execution

    async def page(self, state: State | None, limit: int, cursor: int | None, /) -> Page:
        """List executions, the latest first: at most *limit* of those in *state*, from *cursor* on."""
        self._forget()
        found = [*itertools.islice(self._listed(state, cursor), limit + 1)]
        return Page(
            tuple(record.execution for record in found[:limit]),
            found[limit].number if len(found) > limit else None,
        )

    def _listed(self, state: State | None, cursor: int | None) -> Iterator[_Record]:
        for record in reversed(self._records.values()):
            if (cursor is None or record.number <= cursor) and state in {None, record.execution.state}:
                yield record

    def _forget(self) -> None:
        too_old = asyncio.get_running_loop().time() - KEPT_SECONDS
        while self._ended and (len(self._ended) > KEPT or next(iter(self._ended.values())) <= too_old):
            execution_id = next(iter(self._ended))
            del self._ended[execution_id], self._records[execution_id]
