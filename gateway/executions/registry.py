"""Runs that write: they go on when nobody waits for them, and the same one asked for twice is made once."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast, final

from gateway.executions.execution import KEPT_SECONDS, Executed, Execution, Page, Records
from gateway.railway import (
    Beginning,
    CommitTerms,
    Conflict,
    Err,
    Intent,
    NotFound,
    Ok,
    Result,
    State,
    Undo,
    WriteOutcome,
)

__all__ = ("NOT_STUCK", "UNKNOWN", "Answered", "Executions", "Ticket", "Unanswered", "Work")

A = TypeVar("A")

Work: TypeAlias = Callable[[], Coroutine[Any, Any, A]]
"""Makes a run, and must not raise."""

_log: Final = logging.getLogger(__name__)

UNKNOWN: Final = NotFound("There is no execution of this id, or it is forgotten")
NOT_STUCK: Final = Conflict("The execution is not stuck")
_PATIENCE: Final = 30.0
"""Seconds that one undo has that is tried again."""

_AT_IT: Final = Conflict("What is stuck is being undone")


@final
@dataclass(frozen=True, slots=True)
class Ticket:
    """What a request for a run that writes is known by.

    Requests of the same *execution_id* are for the same run; *asked* is what they ask for, which must then be
    the same, and None where nobody can ask again. *deadline* is when the request gives up waiting, on the
    loop's clock, or None for never.
    """

    execution_id: str
    pipeline: str
    asked: bytes | None
    deadline: float | None


@final
@dataclass(frozen=True, slots=True)
class Answered(Generic[A]):
    """What the run came to; *is_replayed* says that another request had made it."""

    answer: A
    is_replayed: bool


class Unanswered(Enum):
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
    state: State | None = None
    """None until its commit begins."""
    is_given_up: bool = False
    """Its request is gone, so its commit must not begin any more."""
    execution: Execution | None = None
    """What is known of it once its commit has ended."""


@final
@dataclass(frozen=True, slots=True)
class _Ended(Generic[A]):
    """All that is kept of a run: *since* when, on the loop's clock, and its *execution* as it ended.

    The records may forget that earlier; it is None where they could not tell.
    """

    asked: bytes
    answer: A
    execution: Execution | None
    since: float


@final
class Executions(Generic[A]):
    """Makes the runs of pipelines that write, each in a task of its own.

    Before the commit of a run begins, the run is its request's: it ends with it, and leaves nothing behind.
    From then on it is ours, and its answer, an `A`, is kept for a day for whoever asks with the same id; one
    whose writes are stuck, until a day after they have been undone. *undos* are the undos of writes by name,
    with which `retry` makes another attempt at what is stuck.
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
        self._kept: dict[str, _Ended[A]] = {}
        self._being_undone: set[str] = set()
        self.terms: Final = replace(terms, journal=_Watched(records, self._runs, undos))
        """How a run commits that is made here."""

    async def run(self, ticket: Ticket, work: Work[A]) -> Answered[A] | Unanswered:
        """Give what *work*, the run, came to; it is made unless there is such a run already.

        Who waits for a run that fails before its commit has its answer too, but it is not kept: its id is
        free for the next who asks. If the request is cancelled before the commit has begun, the run is
        cancelled and awaited.
        """
        self._forget()
        while (run := self._runs.get(ticket.execution_id)) is not None:
            if run.ticket.asked != ticket.asked:
                return Unanswered.MISMATCH
            if not await _ended(run.task, ticket.deadline):
                return Unanswered.RUNNING
            if run.state is not None or not run.is_given_up:
                return Answered(run.task.result(), is_replayed=run.state is not None)
            # Its request hung up before its commit, and so this one makes it anew.
        if (kept := self._kept.get(ticket.execution_id)) is not None:
            is_same = kept.asked == ticket.asked
            return Answered(kept.answer, is_replayed=True) if is_same else Unanswered.MISMATCH
        return await self._made(ticket, work)

    def key_prefix(self, execution_id: str) -> str:
        """Give what the keys of an execution's writes begin with: the same for a day, as its answer is kept.

        Services may know keys for longer. The day is in them lest a run that is made anew once its answer has
        been forgotten is taken for the one before, and undoes that.
        """
        return f"{execution_id}.{self._now().date().isoformat()}"

    def has_begun(self, execution_id: str) -> bool:
        """Say whether the commit of a run that is under way here has begun."""
        return self._runs[execution_id].state is not None

    async def find(self, execution_id: str) -> Result[Execution, NotFound]:
        """Give the execution; one whose commit has not begun is running, and has no writes."""
        found = await self._records.find(execution_id)
        if found is None and (kept := self._kept.get(execution_id)) is not None:
            found = kept.execution
        if found is None and (run := self._runs.get(execution_id)) is not None:
            found = Execution(execution_id, run.ticket.pipeline, State.RUNNING, (), run.started_at)
        return Err(UNKNOWN) if found is None else Ok(found)

    async def page(self, state: State | None, limit: int, cursor: int | None) -> Page:
        """List the executions that have a commit, the latest first."""
        return await self._records.page(state, limit, cursor)

    async def retry(self, execution_id: str) -> Result[Execution, NotFound | Conflict]:
        """Attempt every undo that is stuck once more, the last write first; give what has become of it all.

        `Conflict` if the execution is not stuck, or somebody else is at it already.
        """
        found = await self._records.find(execution_id)
        if found is None:
            return Err(UNKNOWN)
        if found.state is not State.STUCK:
            return Err(NOT_STUCK)
        if execution_id in self._being_undone:
            return Err(_AT_IT)
        self._being_undone.add(execution_id)
        try:
            return Ok(await self._retried(found))
        finally:
            self._being_undone.remove(execution_id)

    async def drain(self) -> None:
        """Wait until every run has ended; say that there are some, since it may take a while.

        A commit ends within its budgets; what a pipeline does after it has no such end of its own.
        """
        if names := [name for name, run in self._runs.items() if not run.task.done()]:
            _log.warning("waiting for what is being written, or undone: %s", ", ".join(names))
        while going := [run.task for run in self._runs.values() if not run.task.done()]:
            await asyncio.wait(going)

    async def _made(self, ticket: Ticket, work: Work[A]) -> Answered[A] | Unanswered:
        run = _Run(ticket, self._now(), asyncio.create_task(work()))
        self._runs[ticket.execution_id] = run
        run.task.add_done_callback(lambda _: self._settle(run))
        try:
            if not await _ended(run.task, ticket.deadline):
                if run.state is not None:
                    return Unanswered.RUNNING
                await asyncio.wait((run.task,))  # its calls have no time left either
        except asyncio.CancelledError:
            if run.state is None:
                run.is_given_up = True
                run.task.cancel()
                await asyncio.wait((run.task,))
            raise
        return Answered(run.task.result(), is_replayed=False)

    def _settle(self, run: _Run[A]) -> None:
        """Keep the answer of a run that has ended if somebody may ask for it again."""
        execution_id, asked = run.ticket.execution_id, run.ticket.asked
        del self._runs[execution_id]
        if run.state is not None and asked is not None and not run.task.cancelled():
            now = asyncio.get_running_loop().time()
            self._kept[execution_id] = _Ended(asked, run.task.result(), run.execution, now)

    def _forget(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._kept and (oldest := next(iter(self._kept.items())))[1].since <= now - KEPT_SECONDS:
            execution_id, kept = oldest
            del self._kept[execution_id]
            if kept.execution is not None and kept.execution.state is State.STUCK:
                self._kept[execution_id] = replace(kept, since=now)

    async def _retried(self, stuck: Execution) -> Execution:
        writes = [await self._tried(stuck.execution_id, write) for write in reversed(stuck.writes)]
        if any(write.outcome is WriteOutcome.STUCK for write in writes):
            return replace(stuck, writes=(*reversed(writes),))
        await self.terms.journal.end(stuck.execution_id, State.UNDONE)
        undone = await self._records.find(stuck.execution_id) or stuck
        # The journal knows it for another day, and until then its id must not be anybody else's.
        if (kept := self._kept.pop(stuck.execution_id, None)) is not None:
            now = asyncio.get_running_loop().time()
            self._kept[stuck.execution_id] = replace(kept, execution=undone, since=now)
        return undone

    async def _tried(self, execution_id: str, write: Executed) -> Executed:
        if write.outcome is not WriteOutcome.STUCK or not await self._is_undone(write.intent):
            return write
        await self._records.note(execution_id, write.intent.key, WriteOutcome.UNDONE, None)
        return replace(write, outcome=WriteOutcome.UNDONE)

    async def _is_undone(self, intent: Intent) -> bool:
        try:
            # What is stuck has an undo, or there would be nothing to be stuck.
            async with asyncio.timeout(_PATIENCE):
                result = await self._undos[cast("str", intent.undo)].attempt(intent.key)
        except Exception:  # noqa: BLE001 - logged; what else is stuck is undone all the same
            _log.exception("%s raised, under key %s", intent.undo, intent.key)
            return False
        return isinstance(result, Ok)


@final
class _Watched(Generic[A]):
    """The journal of the runs that are made here, each of which knows how far it has come."""

    def __init__(self, records: Records, runs: Mapping[str, _Run[A]], undos: Mapping[str, Undo]) -> None:
        self._records = records
        self._runs = runs
        self._undos = undos
        self.note: Final = records.note

    async def begin(self, commit: Beginning, /) -> None:
        """Let the commit begin, unless its run has been given up: here it is decided which comes first.

        A write whose undo is not one of those that a retry can make is a `LookupError`.
        """
        if strangers := {intent.undo for intent in commit.intents if intent.undo} - self._undos.keys():
            msg = f"nobody could retry {', '.join(sorted(strangers))}: give it to the gateway among its undos"
            raise LookupError(msg)
        run = self._runs[commit.execution_id]
        if run.is_given_up:
            raise asyncio.CancelledError
        before, run.state = run.state, State.RUNNING
        try:
            await self._records.begin(commit)
        except BaseException:
            run.state = before
            raise

    async def end(self, execution_id: str, state: State, /) -> None:
        """Remember how it ended, here as well while its answer is kept."""
        await self._records.end(execution_id, state)
        if (run := self._runs.get(execution_id)) is not None:
            run.state = state
            run.execution = await self._records.find(execution_id)


async def _ended(task: "asyncio.Task[object]", deadline: float | None) -> bool:
    """Wait for *task* until *deadline*, without cancelling it."""
    seconds = None if deadline is None else deadline - asyncio.get_running_loop().time()
    await asyncio.wait((task,), timeout=seconds)
    return task.done()
