"""Registry of the runs that write. An execution id has at most one run, which can outlive its request."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from typing import Any, Final, Generic, TypeAlias, TypeVar, cast, final

from gateway.executions.execution import (
    RETENTION_SECONDS,
    ExecutedWrite,
    Execution,
    ExecutionJournal,
    Page,
)
from gateway.railway import (
    CommitState,
    CommitTerms,
    Conflict,
    Err,
    Intent,
    Key,
    NotFound,
    Ok,
    Result,
    RunContext,
    SentWrite,
    Undo,
    WriteOutcome,
    change_context,
    try_undo,
)

__all__ = (
    "EXECUTION_NOT_FOUND",
    "EXECUTION_NOT_STUCK",
    "ExecutionRegistry",
    "NoAnswerReason",
    "RunAnswer",
    "RunRequest",
    "Work",
)

A = TypeVar("A")

Work: TypeAlias = Callable[[], Coroutine[Any, Any, A]]
"""Async function that makes a run and returns its answer; it must not raise."""

_log: Final = logging.getLogger(__name__)

EXECUTION_NOT_FOUND: Final = NotFound("There is no execution with this id, or it is no longer kept")
EXECUTION_NOT_STUCK: Final = Conflict("The execution is not stuck")
_UNDO_IN_PROGRESS: Final = Conflict("An undo of this execution is already in progress")
_UNDO_SECONDS: Final = 30.0
"""Time limit of each undo that an operator retries."""


@final
@dataclass(frozen=True, slots=True)
class RunRequest:
    """Request for a run that writes.

    - *execution_id*: id of the run; requests with the same id are for the same run.
    - *pipeline*: name of the pipeline.
    - *fingerprint*: equal for equal requests; None if the request cannot be repeated. Requests with the same
      id but different fingerprints are a mismatch.
    - *deadline*: time on the event loop's clock until which the request waits for its answer (see
      `ExecutionRegistry.run`); None for no limit.
    """

    execution_id: str
    pipeline: str
    fingerprint: bytes | None
    deadline: float | None


@final
@dataclass(frozen=True, slots=True)
class RunAnswer(Generic[A]):
    """Answer of a run; *is_replayed* is True if another request made the run, and the run began a commit."""

    answer: A
    is_replayed: bool


class NoAnswerReason(Enum):
    """Reason why a request gets no answer."""

    RUNNING = "running"
    """The deadline of the request has passed; the run continues."""

    MISMATCH = "mismatch"
    """The run was made for a request with another fingerprint."""


@final
@dataclass(slots=True, eq=False)
class _Run(Generic[A]):
    request: RunRequest
    started_at: datetime
    task: asyncio.Task[A]
    commits: int = 0
    """Number of commits that the gate has admitted; it is lowered again if the journal refuses the commit."""
    is_abandoned: bool = False
    """True if the request was cancelled before the commit began: the commit may no longer begin."""
    execution: Execution | None = None
    """Execution of the run; None until its commit has ended."""

    @property
    def has_begun_commit(self) -> bool:
        return self.commits > 0


@final
@dataclass(frozen=True, slots=True)
class _EndedRun(Generic[A]):
    """An ended run whose *answer* is kept; *since* is the time on the loop's clock at which retention began.

    The *execution* is kept too, because the journal may drop it earlier. It is None if the commit did not
    end, or if the journal had dropped the execution already.
    """

    fingerprint: bytes
    answer: A
    execution: Execution | None
    since: float


@final
@dataclass(frozen=True, slots=True)
class _StuckWrite:
    """A write that could not be undone, as it was at the time *since* on the loop's clock."""

    write: SentWrite
    since: float


@final
class ExecutionRegistry(Generic[A]):
    """Runs the pipelines that write, each in a task of its own.

    Until its commit begins, a run belongs to its request, and is cancelled with the request. Then it belongs
    to the registry: it runs to its end, and its answer, an `A`, is replayed to repeated requests for a day.
    If writes are stuck, the answer is kept until they are undone, and for a day afterwards.

    - *journal*: records the commits, and is queried for them.
    - *undos*: the undos of all writes by name, for `retry`.
    - *terms*: time limits of the commits.
    - *now*: returns the time for executions and keys.
    """

    def __init__(
        self,
        journal: ExecutionJournal,
        undos: Mapping[str, Undo],
        terms: CommitTerms,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._journal = journal
        self._undos = undos
        self._now = now
        self._runs: dict[str, _Run[A]] = {}
        self._ended: dict[str, _EndedRun[A]] = {}
        self._retrying: set[str] = set()
        self._stuck: dict[Key, _StuckWrite] = {}
        self._terms = terms
        self._run_journal = _RunJournal(journal, self._runs)
        self._gate = _RequestGate(self._runs)

    def prepare_context(self, context: RunContext) -> RunContext:
        """Return *context* with the terms, journal, gate and undos that a run needs for its commit.

        The gate refuses a commit whose request was cancelled first, for instance because its client has
        disconnected.
        """
        return replace(
            context,
            commit_terms=self._terms,
            journal=self._run_journal,
            gate=self._gate,
            retryable_undos=self._undos.keys(),
            keep_stuck=self._keep_stuck,
        )

    async def run(self, request: RunRequest, work: Work[A]) -> RunAnswer[A] | NoAnswerReason:
        """Return the answer of the run for *request*; make the run with *work* unless it exists already.

        Return a reason instead if the run was made for another fingerprint, or does not end by the deadline.
        The request that makes the run waits beyond the deadline if no commit has begun by then.

        *work* runs the pipeline with a context from `prepare_context`. If the request is cancelled before the
        commit has begun, the run is cancelled and awaited. A run that ends without a commit answers all
        requests that wait for it, but its answer is not kept: the next request makes a new run.
        """
        self._evict()
        while (run := self._runs.get(request.execution_id)) is not None:
            if run.request.fingerprint != request.fingerprint:
                return NoAnswerReason.MISMATCH
            if not await _wait_until_done(run.task, request.deadline):
                return NoAnswerReason.RUNNING
            if run.has_begun_commit or not run.is_abandoned:
                return RunAnswer(run.task.result(), is_replayed=run.has_begun_commit)
            # The run was cancelled with the request that made it, before its commit: make a new run.
        if (ended := self._ended.get(request.execution_id)) is not None:
            is_same = ended.fingerprint == request.fingerprint
            return RunAnswer(ended.answer, is_replayed=True) if is_same else NoAnswerReason.MISMATCH
        return await self._start(request, work)

    def key_prefix(self, execution_id: str) -> str:
        """Return the prefix that the keys of an execution's writes share; it contains the date.

        Services may keep keys for longer than the registry keeps answers. Without the date, a run that is
        repeated after its answer was dropped would send the keys of the earlier run, and could undo the
        earlier run's writes.
        """
        return f"{execution_id}.{self._now().date().isoformat()}"

    def has_begun(self, execution_id: str) -> bool:
        """Return True if the run has begun its commit; raise `KeyError` if no such run is in progress."""
        return self._runs[execution_id].has_begun_commit

    async def find(self, execution_id: str) -> Result[Execution, NotFound]:
        """Return the execution; before the commit begins, its state is running and it has no writes.

        Return `NotFound` if the id is unknown, or if the execution is no longer kept.
        """
        found = await self._journal.find(execution_id)
        if found is None and (ended := self._ended.get(execution_id)) is not None:
            found = ended.execution
        if found is None and (run := self._runs.get(execution_id)) is not None:
            found = Execution(execution_id, run.request.pipeline, CommitState.RUNNING, (), run.started_at)
        return Err(EXECUTION_NOT_FOUND) if found is None else Ok(found)

    async def page(self, state: CommitState | None, limit: int, cursor: int | None) -> Page:
        """Return at most *limit* executions from the journal (see `ExecutionJournal.page`)."""
        return await self._journal.page(state, limit, cursor)

    async def retry(self, execution_id: str) -> Result[Execution, NotFound | Conflict]:
        """Make every stuck undo once more, in reverse order of the writes; return the execution afterwards.

        Each undo may take 30 seconds. Return `NotFound` if the journal has no such execution, and `Conflict`
        if the execution is not stuck, or if another retry of it is in progress.
        """
        found = await self._journal.find(execution_id)
        if found is None:
            return Err(EXECUTION_NOT_FOUND)
        if found.state is not CommitState.STUCK:
            return Err(EXECUTION_NOT_STUCK)
        if execution_id in self._retrying:
            return Err(_UNDO_IN_PROGRESS)
        self._retrying.add(execution_id)
        try:
            return Ok(await self._retry(found))
        finally:
            self._retrying.remove(execution_id)

    async def drain(self) -> None:
        """Wait until every run has ended; log the ids of the runs in progress, since the wait may be long.

        A commit ends within its budgets, but the stages after it have no deadline.
        """
        if ids := [execution_id for execution_id, run in self._runs.items() if not run.task.done()]:
            _log.warning("waiting for executions to end: %s", ", ".join(ids))
        while pending := [run.task for run in self._runs.values() if not run.task.done()]:
            await asyncio.wait(pending)

    async def _start(self, request: RunRequest, work: Work[A]) -> RunAnswer[A] | NoAnswerReason:
        run = _Run(request, self._now(), asyncio.create_task(work()))
        self._runs[request.execution_id] = run
        run.task.add_done_callback(lambda _: self._settle(run))
        try:
            if not await _wait_until_done(run.task, request.deadline):
                if run.has_begun_commit:
                    return NoAnswerReason.RUNNING
                await asyncio.wait((run.task,))  # its calls have the same deadline, so it ends soon
        except asyncio.CancelledError:
            if not run.has_begun_commit:
                run.is_abandoned = True
                run.task.cancel()
                await asyncio.wait((run.task,))
            raise
        return RunAnswer(run.task.result(), is_replayed=False)

    def _settle(self, run: _Run[A]) -> None:
        """Remove a run that has ended; keep the answer if a commit began and the request can be repeated."""
        execution_id, fingerprint = run.request.execution_id, run.request.fingerprint
        del self._runs[execution_id]
        if run.has_begun_commit and fingerprint is not None and not run.task.cancelled():
            now = asyncio.get_running_loop().time()
            self._ended[execution_id] = _EndedRun(fingerprint, run.task.result(), run.execution, now)

    def _evict(self) -> None:
        now = asyncio.get_running_loop().time()
        while self._ended and (oldest := next(iter(self._ended.items())))[1].since <= now - RETENTION_SECONDS:
            execution_id, ended = oldest
            del self._ended[execution_id]
            if ended.execution is not None and ended.execution.state is CommitState.STUCK:
                self._ended[execution_id] = replace(ended, since=now)

    async def _retry(self, stuck: Execution) -> Execution:
        writes = [await self._retry_write(stuck, write) for write in reversed(stuck.writes)]
        if any(write.outcome is WriteOutcome.STUCK for write in writes):
            return replace(stuck, writes=(*reversed(writes),))
        self._run_journal.end(stuck.execution_id, CommitState.UNDONE)
        undone = self._journal.get(stuck.execution_id) or stuck
        # The journal keeps the execution for another day; until then, no new run may have its id.
        if (ended := self._ended.pop(stuck.execution_id, None)) is not None:
            now = asyncio.get_running_loop().time()
            self._ended[stuck.execution_id] = replace(ended, execution=undone, since=now)
        return undone

    async def _retry_write(self, stuck: Execution, write: ExecutedWrite) -> ExecutedWrite:
        if write.outcome is not WriteOutcome.STUCK or not await self._try_undo(stuck, write.intent):
            return write
        self._journal.note(stuck.execution_id, write.intent.key, WriteOutcome.UNDONE)
        return replace(write, outcome=WriteOutcome.UNDONE)

    async def _try_undo(self, stuck: Execution, intent: Intent) -> bool:
        undo = self._undos[cast("str", intent.undo)]  # a stuck write has an undo
        with change_context(deadline=asyncio.get_running_loop().time() + _UNDO_SECONDS):
            is_undone = await try_undo(undo, self._describe_stuck(stuck, intent.key))
        if is_undone:
            self._stuck.pop(intent.key, None)
        return is_undone

    def _keep_stuck(self, write: SentWrite) -> None:
        self._stuck[write.key] = _StuckWrite(write, asyncio.get_running_loop().time())

    def _describe_stuck(self, stuck: Execution, key: Key) -> SentWrite:
        """Return the write under *key*; without its answer if another process has sent it."""
        if (kept := self._stuck.get(key)) is not None:
            elapsed = asyncio.get_running_loop().time() - kept.since
            return replace(kept.write, age=kept.write.age + elapsed)
        sent_at = stuck.ended_at or stuck.started_at
        return SentWrite(key, age=max(0.0, (self._now() - sent_at).total_seconds()))


@final
class _RequestGate(Generic[A]):
    """Gate of the runs: a commit may begin unless the request of its run was cancelled first.

    The order between a commit and a disconnect is decided here only. The methods do not wait, so that each
    decision is atomic.
    """

    def __init__(self, runs: Mapping[str, _Run[A]]) -> None:
        self._runs = runs

    def try_begin(self, execution_id: str, /) -> bool:
        """Record that a commit begins, and return True; return False if the request was cancelled first.

        Once a commit has begun, the run is no longer cancelled with its request.
        """
        run = self._runs[execution_id]
        if run.is_abandoned:
            return False
        run.commits += 1
        return True

    def revoke(self, execution_id: str, /) -> None:
        """Take back a successful `try_begin`: the journal did not record the commit, and nothing was sent."""
        self._runs[execution_id].commits -= 1


@final
class _RunJournal(Generic[A]):
    """Journal of the runs: it also stores the execution of each ended commit in its run."""

    def __init__(self, journal: ExecutionJournal, runs: Mapping[str, _Run[A]]) -> None:
        self._journal = journal
        self._runs = runs
        self.begin: Final = journal.begin
        self.note: Final = journal.note
        self.seal: Final = journal.seal

    def end(self, execution_id: str, state: CommitState, /) -> None:
        """Record the final *state* of the commit; store the execution in its run unless the run has ended."""
        self._journal.end(execution_id, state)
        if (run := self._runs.get(execution_id)) is not None:
            run.execution = self._journal.get(execution_id)


async def _wait_until_done(task: "asyncio.Task[object]", deadline: float | None) -> bool:
    """Wait for *task* until *deadline*, without cancelling it; return True if it is done."""
    seconds = None if deadline is None else deadline - asyncio.get_running_loop().time()
    await asyncio.wait((task,), timeout=seconds)
    return task.done()
