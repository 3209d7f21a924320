"""Settlement: the decision of an execution, which waits for the database as long as it takes."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Generator, Sequence
from contextlib import contextmanager
from typing import Final, TypeVar, final

from gateway.executions.answer import Answer
from gateway.executions.database.errors import DatabaseError
from gateway.executions.execution import ExecutedWrite
from gateway.executions.health import JournalHealth
from gateway.executions.record import Record, RecordState
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import CommitState

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

        return await self._insist(attempt, try_once)

    async def seal(self, attempt: Attempt, writes: Sequence[ExecutedWrite], answer: Answer) -> bool:
        """Record that an attempt is committed, with its answer so far.

        Return False if another process has decided. Raise `UndecidedError` if the process stops first.
        """

        async def try_once() -> bool:
            is_recorded = await self._store.seal(attempt, writes, answer)
            return is_recorded or await self._is_in(attempt, RecordState.SEALED)

        return await self._insist(attempt, try_once)

    async def amend(self, attempt: Attempt, answer: Answer) -> bool:
        """Replace the answer so far of a sealed attempt.

        Return False if the journal has another final answer already. Raise `UndecidedError` if the process
        stops first.
        """

        async def try_once() -> bool:
            return await self._store.amend(attempt, answer) or await self._is_in(
                attempt, RecordState.COMMITTED, answer
            )

        return await self._insist(attempt, try_once)

    async def find(self, attempt: Attempt) -> Record | None:
        """Return the record of an attempt; raise `UndecidedError` if the process stops first."""
        return await self._insist(attempt, lambda: self._store.find(attempt.execution_id))

    async def _is_in(self, attempt: Attempt, state: RecordState, answer: Answer | None = None) -> bool:
        """Return whether an earlier try has succeeded, without an answer from the database.

        With *answer*, it must be the answer in the record.
        """
        record = await self._store.find(attempt.execution_id)
        if record is None or (answer is not None and record.answer != answer):
            return False
        return (record.owner, record.attempt, record.state) == (self._store.owner, attempt.number, state)

    async def _insist(self, attempt: Attempt, try_once: Callable[[], Awaitable[T]]) -> T:
        pause = _FIRST_PAUSE
        while True:
            try:
                return await try_once()
            except DatabaseError as error:
                self._health.report(error)
                if pause == _FIRST_PAUSE:
                    _log.warning("execution %s is not recorded yet: %s", attempt.execution_id, error)
            if self._end is not None and asyncio.get_running_loop().time() + pause >= self._end:
                raise UndecidedError(attempt.execution_id)
            await asyncio.sleep(pause)
            pause = min(pause * 2, _LONGEST_PAUSE)
