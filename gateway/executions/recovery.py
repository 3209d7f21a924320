"""Recovery: signs of life, and the undo of executions whose process is dead."""

import asyncio
import logging
import math
from collections.abc import Mapping
from typing import Final, final

from gateway.executions.database.errors import DatabaseError
from gateway.executions.health import JournalHealth
from gateway.executions.record import Record, RecordState
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.store import ExecutionStore, Unsettled
from gateway.executions.undoing import find_unknown_undos, undo_recorded
from gateway.railway import CommitState, Intent, SentWrite, Undo

__all__ = ("Recovery",)

_log: Final = logging.getLogger(__name__)

_TICK: Final = 0.5
_HOUSEKEEPING: Final = 60.0
_PATIENCE: Final = 90.0
"""Seconds after which an execution of this process without a run is undone."""

_UNKNOWN_UNDO_PATIENCE: Final = 300.0
"""Seconds for which an execution with an undo that this process does not know is left to others."""


@final
class Recovery:
    """Undoes the executions that dead processes have left in *store*, and those of this one without a run.

    - *undos*: the undos by name, which have *budget* seconds for an execution.
    - *registry*: the runs of this process.

    An execution is taken over only if its owner was silent at two looks in a row: a process that was
    suspended itself, or had no database, suspects no other at first.
    """

    def __init__(
        self,
        store: ExecutionStore,
        undos: Mapping[str, Undo],
        budget: float,
        health: JournalHealth,
        registry: ExecutionRegistry,
    ) -> None:
        self._store = store
        self._undos = undos
        self._budget = budget
        self._health = health
        self._is_running: Final = registry.is_running
        self._uncertain: Final = registry.uncertain
        self._suspects: set[tuple[str, str]] = set()
        self._undoing: dict[str, asyncio.Task[None]] = {}
        self._next_housekeeping = -math.inf
        self._last_bug = ""

    async def run(self) -> None:
        """Show signs of life, and recover executions, until it is cancelled."""
        self._health.is_watched = True
        try:
            while True:
                await self.tick()
                await asyncio.sleep(_TICK)
        finally:
            self._health.is_watched = False
            await self._cancel_undos()

    async def tick(self) -> None:
        """Show a sign of life, and look for executions to recover.

        Errors of the database are reported, and other exceptions are logged: the next tick tries again.
        """
        try:
            await self._store.open()
            await self._store.beat()
            await self._keep_house()
            self._health.stuck = await self._store.count_stuck()
            await self._look()
        except DatabaseError as error:
            self._report(error)
            return
        except Exception as bug:  # noqa: BLE001 - without signs of life, others would undo its runs
            self._log_bug(bug)
        self._health.clear()

    def _report(self, error: DatabaseError) -> None:
        self._suspects.clear()
        self._health.report(error)

    def _log_bug(self, bug: Exception) -> None:
        """Log *bug*, unless the last tick with a bug had the same."""
        if self._last_bug != repr(bug):
            _log.error("the recovery of executions has failed; it is tried again", exc_info=bug)
        self._last_bug = repr(bug)

    async def _cancel_undos(self) -> None:
        """Leave the undos in progress to the next process."""
        tasks = [*self._undoing.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _look(self) -> None:
        found = [*await self._store.list_unsettled(_PATIENCE), *await self._list_uncertain()]
        suspects = {(unsettled.record.execution.execution_id, unsettled.record.owner) for unsettled in found}
        for unsettled in found:
            record = unsettled.record
            execution_id = record.execution.execution_id
            is_confirmed = (execution_id, record.owner) in self._suspects or record.owner == self._store.owner
            if is_confirmed and not self._is_running(execution_id) and self._can_undo(unsettled):
                self._start(record)
        self._suspects = suspects

    async def _list_uncertain(self) -> list[Unsettled]:
        """Return the uncertain executions that the journal has; forget the others."""
        found: list[Unsettled] = []
        for execution_id in [*self._uncertain]:
            record = await self._store.find(execution_id)
            if record is None or record.owner != self._store.owner or record.execution.ended_at is not None:
                self._uncertain.discard(execution_id)
            else:
                found.append(Unsettled(record, math.inf))
        return found

    def _can_undo(self, unsettled: Unsettled) -> bool:
        """Return whether this process is to undo an execution.

        It does so if it knows the undos, or if other processes had time enough.
        """
        if unsettled.record.state is RecordState.SEALED:
            return True  # there is nothing to undo
        unknown = find_unknown_undos(unsettled.record.execution.writes, self._undos)
        return not unknown or unsettled.silence > _UNKNOWN_UNDO_PATIENCE

    def _start(self, record: Record) -> None:
        execution_id = record.execution.execution_id
        if execution_id not in self._undoing:
            task = self._undoing[execution_id] = asyncio.create_task(self._recover(record))
            task.add_done_callback(lambda _: self._undoing.pop(execution_id, None))

    async def _recover(self, record: Record) -> None:
        """Take an execution over, and undo it; if it is sealed, keep its answer so far.

        After an error of the database, a later tick tries again.
        """
        execution = record.execution
        try:
            if record.state is RecordState.SEALED:
                await self._store.finish_seal(record)
                return
            if not await self._store.take_over(record):
                return
            _log.warning(
                "execution %s of %s was cut short: undoing it", execution.execution_id, execution.pipeline
            )
            taken = asyncio.get_running_loop().time()

            def describe(intent: Intent) -> SentWrite:
                return SentWrite(intent.key, age=asyncio.get_running_loop().time() - taken)

            state, writes = await undo_recorded(execution.writes, self._undos, self._budget, describe)
            if await self._store.finish_undo(record, state, writes) and state is CommitState.STUCK:
                names = ", ".join(find_unknown_undos(execution.writes, self._undos))
                reason = f" (unknown undos: {names})" if names else ""
                _log.error(
                    "execution %s of %s is stuck%s", execution.execution_id, execution.pipeline, reason
                )
        except DatabaseError as error:
            self._uncertain.add(execution.execution_id)
            self._report(error)
        except Exception:  # noqa: BLE001 - a bug must not end the recovery of all executions
            _log.exception("execution %s could not be undone; it is tried again", execution.execution_id)

    async def _keep_house(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next_housekeeping:
            return
        if await self._store.forget():
            return  # the next tick deletes more
        limit = self._health.limit
        stored = await self._store.measure(limit.threshold)
        limit.update(stored.total, stored.by_caller)
        self._next_housekeeping = now + _HOUSEKEEPING
