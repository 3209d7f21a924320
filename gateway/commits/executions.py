"""Runs that write: they go on when nobody waits for them, and the same one asked for twice is made once."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Generic, TypeVar, final

from gateway.commits.execution import Executed, Execution, Page, Records
from gateway.railway import Beginning, CommitTerms, Ok, State, Undo, WriteOutcome

__all__ = ("KEPT_SECONDS", "Answered", "Executions", "Other", "Ticket")

A = TypeVar("A")

KEPT_SECONDS: Final = 24 * 60 * 60.0
"""How long the answer of a run that can be asked for again is kept."""


@final
@dataclass(frozen=True, slots=True)
class Ticket:
    """What a request for a run that writes is known by.

    Requests of the same *execution_id* are for the same run; *asked* is what they ask for, which must then be
    the same, and None where nobody can ask again. *deadline* is when the request gives up waiting, on the
    loop's clock.
    """

    execution_id: str
    pipeline: str
    asked: bytes | None
    deadline: float


@final
@dataclass(frozen=True, slots=True)
class Answered(Generic[A]):
    """What the run came to; *is_replayed* says that another request had made it."""

    answer: A
    is_replayed: bool


class Other(Enum):
    """What can be said of a run in place of its answer."""

    RUNNING = "running"
    """It has not ended by the deadline of the request, and goes on."""

    MISMATCH = "mismatch"
    """It was asked for something else."""


@final
@dataclass(slots=True, eq=False)
class _Run(Generic[A]):
    ticket: Ticket
    started_at: datetime
    task: asyncio.Task[A]
    has_begun: bool = False
    """Its commit has."""


@final
class Executions(Generic[A]):
    """Makes the runs of pipelines that write, each in a task of its own.

    Before the commit of a run begins, the run is its request's: it ends with it, and leaves nothing behind.
    From then on it is ours, and its answer, an `A`, is kept for a day for whoever asks with the same id.
    *undos* are the undos of writes by name, for what is stuck.
    """

    def __init__(
        self,
        records: Records,
        undos: Mapping[str, Undo],
        terms: CommitTerms,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._records = records
        self._undos = undos
        self._now = now
        self._runs: dict[str, _Run[A]] = {}
        self._answered: dict[str, float] = {}
        self.terms: Final = replace(terms, journal=_Watched(records, self._note_beginning))
        """How a run commits that is made here."""

    async def run(self, ticket: Ticket, work: Callable[[], Coroutine[Any, Any, A]]) -> Answered[A] | Other:
        """Give what *work*, the run, came to; it is made unless there is such a run already.

        It must not raise. If the request is cancelled before the commit has begun, the run is cancelled and
        awaited.
        """
        self._forget()
        while (run := self._runs.get(ticket.execution_id)) is not None:
            if run.ticket.asked != ticket.asked:
                return Other.MISMATCH
            if not await _ended(run.task, ticket.deadline):
                return Other.RUNNING
            if run.has_begun:
                return Answered(run.task.result(), is_replayed=True)
            # It failed before its commit, and so it leaves its id to the next who asks.
        return await self._made(ticket, work)

    def has_begun(self, execution_id: str) -> bool:
        """Say whether the commit of a run that is made here has begun."""
        return self._runs[execution_id].has_begun

    async def find(self, execution_id: str) -> Execution | None:
        """Give the execution; one whose commit has not begun is running, and has no writes."""
        found = await self._records.find(execution_id)
        run = self._runs.get(execution_id)
        if found is None and run is not None:
            return Execution(execution_id, run.ticket.pipeline, State.RUNNING, (), run.started_at)
        return found

    async def page(self, state: State | None, limit: int, cursor: int | None) -> Page:
        """List the executions that have a commit, the latest first."""
        return await self._records.page(state, limit, cursor)

    async def retry(self, stuck: Execution) -> Execution:
        """Attempt every undo of *stuck* that has not succeeded once more, the last write first."""
        writes = [await self._retried(stuck.execution_id, write) for write in reversed(stuck.writes)]
        if any(write.outcome is WriteOutcome.STUCK for write in writes):
            return replace(stuck, writes=(*reversed(writes),))
        await self._records.end(stuck.execution_id, State.UNDONE)
        return await self._records.find(stuck.execution_id) or stuck

    async def drain(self) -> None:
        """Wait until every run has ended."""
        while going := [run.task for run in self._runs.values() if not run.task.done()]:
            await asyncio.wait(going)

    async def _made(self, ticket: Ticket, work: Callable[[], Coroutine[Any, Any, A]]) -> Answered[A] | Other:
        run = _Run(ticket, self._now(), asyncio.create_task(work()))
        self._runs[ticket.execution_id] = run
        run.task.add_done_callback(lambda _: self._settle(run))
        try:
            if not await _ended(run.task, ticket.deadline):
                if run.has_begun:
                    return Other.RUNNING
                await asyncio.wait((run.task,))  # its calls have no time left either
        except asyncio.CancelledError:
            if not run.has_begun:
                run.task.cancel()
                await asyncio.wait((run.task,))
            raise
        return Answered(run.task.result(), is_replayed=False)

    def _settle(self, run: _Run[A]) -> None:
        """Keep the answer of a run that has ended if somebody may ask for it again."""
        if run.has_begun and run.ticket.asked is not None:
            self._answered[run.ticket.execution_id] = asyncio.get_running_loop().time()
        else:
            del self._runs[run.ticket.execution_id]

    def _forget(self) -> None:
        too_old = asyncio.get_running_loop().time() - KEPT_SECONDS
        while self._answered and next(iter(self._answered.values())) <= too_old:
            execution_id = next(iter(self._answered))
            del self._answered[execution_id], self._runs[execution_id]

    def _note_beginning(self, execution_id: str) -> None:
        self._runs[execution_id].has_begun = True

    async def _retried(self, execution_id: str, write: Executed) -> Executed:
        if write.outcome is not WriteOutcome.STUCK or write.intent.undo is None:
            return write
        result = await self._undos[write.intent.undo].attempt(write.intent.key)
        if not isinstance(result, Ok):
            return write
        await self._records.note(execution_id, write.intent.key, WriteOutcome.UNDONE, None)
        return replace(write, outcome=WriteOutcome.UNDONE)


@final
class _Watched:
    """A journal that says of whose run a commit has begun."""

    def __init__(self, records: Records, on_begin: Callable[[str], None]) -> None:
        self._records = records
        self._on_begin = on_begin
        self.note = records.note
        self.end = records.end

    async def begin(self, commit: Beginning, /) -> None:
        await self._records.begin(commit)
        self._on_begin(commit.execution_id)


async def _ended(task: "asyncio.Task[object]", deadline: float) -> bool:
    """Wait for *task* until *deadline*, without cancelling it."""
    await asyncio.wait((task,), timeout=max(deadline - asyncio.get_running_loop().time(), 0))
    return task.done()
