"""Settlement: the decision of an execution, which waits for the database as long as it takes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from typing import Final, TypeVar, final

from gateway.executions.answer import Answer
from gateway.executions.database.errors import DatabaseError
from gateway.executions.execution import ExecutedWrite
from gateway.executions.health import JournalHealth
from gateway.executions.record import Record, RecordState
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import CommitState, WriteOutcome

__all__ = ("Settlement", "UndecidedError")

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 0.5
_STOP_SECONDS: Final = 5.0
"""Seconds for which a settlement waits for the database once the process is to stop."""


class UndecidedError(Exception):
    """The process stops before the database has decided: the next process undoes the execution."""


@final
class Settlement:
    """Decides executions in *store*, again and again while the database is in trouble."""

    def __init__(self, store: ExecutionStore, health: JournalHealth) -> None:
        self._store = store
        self._health = health
        self._end: float | None = None

    @contextmanager
    def stopping(self) -> Generator[None]:
        """Wait for the database for 5 more seconds only, because the process is to stop after the block."""
        self._end = asyncio.get_running_loop().time() + _STOP_SECONDS
        try:
            yield
        finally:
            self._end = None

    async def decide(
        self, attempt: Attempt, state: CommitState, writes: Sequence[ExecutedWrite], answer: Answer | None
    ) -> bool:
        """Record the final *state* and *answer* of an attempt; return False if another process has decided.

        Raise `UndecidedError` if the process stops first.
        """

        async def try_once() -> bool:
            is_recorded = await self._store.settle(attempt, state, writes, answer)
            return is_recorded or await self._is_in(attempt, RecordState(state.value))

        return await self._retry(attempt, try_once)

    async def seal(self, attempt: Attempt, writes: Sequence[ExecutedWrite], answer: Answer) -> bool:
        """Record that an attempt is committed, with its answer so far.

        Return False if another process has decided. Raise `UndecidedError` if the process stops first.
        """

        async def try_once() -> bool:
            is_recorded = await self._store.seal(attempt, writes, answer)
            return is_recorded or await self._is_in(attempt, RecordState.SEALED)

        return await self._retry(attempt, try_once)

    async def amend(self, attempt: Attempt, answer: Answer) -> bool:
        """Replace the answer so far of a sealed attempt.

        Return False if the journal has another final answer already. Raise `UndecidedError` if the process
        stops first.
        """

        async def try_once() -> bool:
            return await self._store.amend(attempt, answer) or await self._is_in(
                attempt, RecordState.COMMITTED, answer
            )

        return await self._retry(attempt, try_once)

    async def find(self, attempt: Attempt) -> Record | None:
        """Return the record of an attempt; raise `UndecidedError` if the process stops first."""
        return await self._retry(attempt, lambda: self._store.find(attempt.execution_id))

    async def mark_stuck(self, attempt: Attempt, writes: Sequence[ExecutedWrite]) -> None:
        """Record which of *writes* are stuck, once the process that has taken the attempt over has ended it.

        If the record is no longer that of the attempt, because its key has been used again, the stuck writes
        become an execution of their own. Raise `UndecidedError` if the process stops first.
        """
        stuck = {write.intent.key for write in writes if write.outcome is WriteOutcome.STUCK}

        async def try_once() -> bool:
            """Return False if the other process still undoes the attempt, or has just changed the record."""
            record = await self._store.find(attempt.execution_id)
            if record is None or record.attempt != attempt.number:
                await self._store.add_stuck(attempt, [write for write in writes if write.intent.key in stuck])
                return True
            if not record.state.has_ended:
                return False
            merged = [
                replace(write, outcome=WriteOutcome.STUCK) if write.intent.key in stuck else write
                for write in record.execution.writes
            ]
            return await self._store.mark_stuck(record, merged)

        is_marked = await self._retry(attempt, try_once)
        while not is_marked:
            await self._pause(attempt, _LONGEST_PAUSE)
            is_marked = await self._retry(attempt, try_once, self._end)

    async def _is_in(self, attempt: Attempt, state: RecordState, answer: Answer | None = None) -> bool:
        """Return whether an earlier try has succeeded, without an answer from the database.

        With *answer*, it must be the answer in the record.
        """
        record = await self._store.find(attempt.execution_id)
        if record is None or (answer is not None and record.answer != answer):
            return False
        return (record.owner, record.attempt, record.state) == (self._store.owner, attempt.number, state)

    async def _retry(
        self, attempt: Attempt, try_once: Callable[[], Awaitable[T]], end: float | None = None
    ) -> T:
        """Return the result of *try_once*, which is called again after an error of the database.

        The first call is cut short only at *end*: a commit may end long after the process was told to stop.
        """
        pause = _FIRST_PAUSE
        while True:
            try:
                async with asyncio.timeout_at(end):
                    return await try_once()
            except TimeoutError:
                raise UndecidedError(attempt.execution_id) from None
            except DatabaseError as error:
                self._health.report_failed_write(error)
                if pause == _FIRST_PAUSE:
                    _log.warning("execution %s is not recorded yet: %s", attempt.execution_id, error)
            await self._pause(attempt, pause)
            pause, end = min(pause * 2, _LONGEST_PAUSE), self._end

    async def _pause(self, attempt: Attempt, seconds: float) -> None:
        if self._end is not None and asyncio.get_running_loop().time() + seconds >= self._end:
            raise UndecidedError(attempt.execution_id)
        await asyncio.sleep(seconds)
