"""Recovery: heartbeats of this process, and the undo of executions whose process is dead."""

import asyncio
import logging
import math
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, Final, final

from gateway.executions.database.errors import DatabaseError, DatabaseUnavailableError
from gateway.executions.execution import ExecutedWrite
from gateway.executions.health import JournalHealth
from gateway.executions.record import Record, RecordState, UnreadableRecordError
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.store import HEARTBEAT_TIMEOUT, ExecutionStore, Unsettled
from gateway.executions.undoing import describe_stuck_writes, find_unknown_undos, undo_recorded
from gateway.railway import CommitState, Intent, SentWrite, Undo

__all__ = ("Recovery",)

_log: Final = logging.getLogger(__name__)

_INTERVAL: Final = 0.5
"""Seconds between two heartbeats, and between two looks."""

_HOUSEKEEPING_INTERVAL: Final = 60.0

_GRACE: Final = HEARTBEAT_TIMEOUT + _INTERVAL
"""Seconds after trouble with the database for which no other process is taken for dead.

The others could send no heartbeat either, and may still wait for the answer to one that they sent before.
"""

_ORPHAN_PATIENCE: Final = 90.0
"""Seconds after which an execution of this process without a run is undone."""

_UNKNOWN_UNDO_PATIENCE: Final = 300.0
"""Seconds for which an execution with an undo that this process does not know is left to others."""


@final
class Recovery:
    """Undoes the executions that dead processes have left in *store*, and those of this one without a run.

    - *undos*: the undos by name, which have *budget* seconds for an execution.
    - *registry*: the runs of this process.

    An execution is taken over only if its owner had missed its heartbeats at two looks in a row: a process
    that was suspended itself takes over nothing at first. After trouble with the database, it takes over
    nothing for 3 seconds.

    Heartbeats have a task of their own: a slow look must not silence this process.
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
        self._orphans: Final = registry.orphans
        self._suspects: set[tuple[str, str]] = set()
        self._undoing: dict[str, asyncio.Task[None]] = {}
        self._next_housekeeping = -math.inf
        self._is_in_trouble = False
        self._grace_end = -math.inf
        self._is_heartbeat_sent = False
        self._last_bugs: dict[str, str] = {}

    async def run(self) -> None:
        """Send heartbeats, and recover executions, until it is cancelled."""
        self._health.is_watched = True
        try:
            async with asyncio.TaskGroup() as tasks:
                tasks.create_task(_repeat(self.send_heartbeat))
                tasks.create_task(_repeat(self.look))
        finally:
            self._health.is_watched = False
            await self._cancel_undos()

    async def send_heartbeat(self) -> None:
        """Open the journal if it is not open, and send a heartbeat.

        If that fails, requests that write are refused, since other processes would undo them. The next
        heartbeat tries again.
        """
        error = await self._try("heartbeats", self._send_heartbeat)
        self._is_heartbeat_sent = error is None
        if error is not None and not isinstance(error, DatabaseError):
            self._note_trouble(DatabaseUnavailableError("the gateway cannot send heartbeats; see the log"))

    async def look(self) -> None:
        """Look for executions to recover, and delete old ones; do nothing until the journal is open.

        Trouble with the database is over once both heartbeats and looks succeed. A bug in a look is logged,
        and does not count as trouble.
        """
        if not self._store.is_open:
            return
        error = await self._try("recovery", self._look)
        if not isinstance(error, DatabaseError) and self._is_heartbeat_sent:
            if self._is_in_trouble:
                self._is_in_trouble = False
                self._grace_end = asyncio.get_running_loop().time() + _GRACE
            self._health.clear()

    async def _try(self, subject: str, action: Callable[[], Coroutine[Any, Any, None]]) -> Exception | None:
        """Run *action*; return its exception, which is reported or logged."""
        try:
            await action()
        except DatabaseError as error:
            self._note_trouble(error)
            return error
        except Exception as bug:  # noqa: BLE001 - without heartbeats, others would undo the runs of this process
            self._log_bug(subject, bug)
            return bug
        self._last_bugs.pop(subject, None)
        return None

    def _note_trouble(self, error: DatabaseError) -> None:
        self._is_in_trouble = True
        self._health.report(error)

    def _log_bug(self, subject: str, bug: Exception) -> None:
        """Log *bug*, unless the last bug of the *subject* was the same."""
        if self._last_bugs.get(subject) != repr(bug):
            _log.error("the journal's %s failed; trying again", subject, exc_info=bug)
        self._last_bugs[subject] = repr(bug)

    async def _send_heartbeat(self) -> None:
        await self._store.open()
        await self._store.send_heartbeat()

    async def _cancel_undos(self) -> None:
        """Leave the undos in progress to the next process."""
        tasks = [*self._undoing.values()]
        for task in tasks:
            task.cancel()
        if tasks:
            await asyncio.wait(tasks)

    async def _look(self) -> None:
        await self._clean_up()
        self._health.stuck = await self._store.count_stuck()
        found = [*await self._store.list_unsettled(_ORPHAN_PATIENCE), *await self._list_orphans()]
        for unsettled in found:
            if self._is_abandoned(unsettled.record) and self._can_undo(unsettled):
                self._start(unsettled.record)
        self._suspects = {_identify(unsettled.record) for unsettled in found}
        self._health.unreadable = len(self._store.unreadable)

    def _is_abandoned(self, record: Record) -> bool:
        """Return whether no run has an execution any more, as far as is known."""
        if record.owner == self._store.owner:
            return not self._is_running(record.execution.execution_id)
        has_grace = self._is_in_trouble or asyncio.get_running_loop().time() < self._grace_end
        return not has_grace and _identify(record) in self._suspects

    async def _list_orphans(self) -> list[Unsettled]:
        """Return the orphans that the journal has; forget the others."""
        found: list[Unsettled] = []
        for execution_id in [*self._orphans]:
            try:
                record = await self._store.find(execution_id)
            except UnreadableRecordError:  # `list_unsettled` reports it
                record = None
            if record is None or record.owner != self._store.owner or record.execution.ended_at is not None:
                self._orphans.discard(execution_id)
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
        return not unknown or unsettled.heartbeat_age > _UNKNOWN_UNDO_PATIENCE

    def _start(self, record: Record) -> None:
        execution_id = record.execution.execution_id
        if execution_id not in self._undoing:
            task = self._undoing[execution_id] = asyncio.create_task(self._recover(record))
            task.add_done_callback(lambda _: self._undoing.pop(execution_id, None))

    async def _recover(self, record: Record) -> None:
        """Take an execution over, and undo it; if it is sealed, keep its answer so far.

        After an error of the database, a later look tries again.
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
            if await self._store.finish_undo(record, state, writes):
                self._log_end(record, state, writes)
        except DatabaseError as error:
            self._orphans.add(execution.execution_id)
            self._note_trouble(error)
        except Exception as bug:  # noqa: BLE001 - a bug must not end the recovery of all executions
            self._orphans.add(execution.execution_id)
            self._log_bug(f"recovery of execution {execution.execution_id}", bug)

    def _log_end(self, record: Record, state: CommitState, writes: Sequence[ExecutedWrite]) -> None:
        execution = record.execution
        if state is CommitState.UNDONE:
            _log.warning("execution %s of %s is undone", execution.execution_id, execution.pipeline)
            return
        unknown = find_unknown_undos(execution.writes, self._undos)
        reason = f"; this process does not know {', '.join(unknown)}" if unknown else ""
        _log.error(
            "execution %s of %s is stuck: could not undo %s%s",
            execution.execution_id,
            execution.pipeline,
            describe_stuck_writes(writes),
            reason,
        )

    async def _clean_up(self) -> None:
        now = asyncio.get_running_loop().time()
        if now < self._next_housekeeping:
            return
        if await self._store.forget():
            return  # the next look deletes more
        limit = self._health.limit
        stored = await self._store.measure(limit.threshold)
        limit.update(stored.total, stored.by_caller)
        self._next_housekeeping = now + _HOUSEKEEPING_INTERVAL


def _identify(record: Record) -> tuple[str, str]:
    """Return what identifies a suspicion: the execution and its owner."""
    return record.execution.execution_id, record.owner


async def _repeat(action: Callable[[], Coroutine[Any, Any, None]]) -> None:
    while True:
        await action()
        await asyncio.sleep(_INTERVAL)
