"""Registry of the runs that write. An execution id has at most one run, which can outlive its request."""

import asyncio
import hashlib
import hmac
import logging
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from http import HTTPStatus
from typing import Final, TypeAlias, final

from gateway.executions.answer import Answer
from gateway.executions.database.errors import DatabaseError, DatabaseUnavailableError
from gateway.executions.execution import Execution, Page
from gateway.executions.health import JOURNAL_FULL, JournalHealth
from gateway.executions.record import Record, RecordState
from gateway.executions.run import Run, RunGate, RunJournal, RunRequest, Work
from gateway.executions.settlement import Settlement, UndecidedError
from gateway.executions.store import Attempt, ExecutionStore
from gateway.executions.stuck_writes import StuckWrites
from gateway.executions.undoing import describe_stuck_writes, undo_recorded
from gateway.executions.waiting import WaitingRoom, wait_until_done
from gateway.railway import (
    CommitState,
    CommitTerms,
    Conflict,
    Err,
    NotFound,
    Ok,
    Result,
    SentWrite,
    Undo,
)

__all__ = (
    "EXECUTION_NOT_FOUND",
    "EXECUTION_NOT_STUCK",
    "ExecutionRegistry",
    "NoAnswerReason",
    "RunAnswer",
)

_log: Final = logging.getLogger(__name__)

EXECUTION_NOT_FOUND: Final = NotFound("There is no execution with this id, or it is no longer kept")
EXECUTION_NOT_STUCK: Final = Conflict("The execution is not stuck")
_UNDO_IN_PROGRESS: Final = Conflict("An undo of this execution is already in progress")
_UNDO_SECONDS: Final = 10.0
"""Time limit of the undos that an operator retries."""

_ID_DIGITS: Final = 32
_CALLER_DIGITS: Final = 16
_LOOKS_IN_TROUBLE: Final = 8
"""Requests that look at a journal in trouble at the same time; others are refused at once.

Each may wait for the whole time limit of the database, and they hold places in the gateway's limit, which
requests that only read need.
"""

_TRANSIENT: Final = frozenset(
    {HTTPStatus.BAD_GATEWAY, HTTPStatus.SERVICE_UNAVAILABLE, HTTPStatus.GATEWAY_TIMEOUT}
)


@final
@dataclass(frozen=True, slots=True)
class RunAnswer:
    """Answer of a run; *is_replayed* is True if another request made the run, and the run began a commit."""

    answer: Answer
    is_replayed: bool


class NoAnswerReason(Enum):
    """Reason why a request gets no answer of a run."""

    RUNNING = "running"
    """The deadline of the request has passed, or too many requests wait already; the run continues."""

    MISMATCH = "mismatch"
    """The run was made for a request with another fingerprint."""

    STUCK = "stuck"
    """The run was cut short by a crash, and some of its writes could not be undone."""

    UNDONE = "undone"
    """Another process has taken this process for dead, and has undone the run: its key is free."""

    UNAVAILABLE = "unavailable"
    """The journal is unavailable: it cannot say what has become of the key; nothing has been sent."""

    FULL = "full"
    """The journal has no space for another execution of the caller; nothing has been sent."""


_Outcome: TypeAlias = RunAnswer | NoAnswerReason | None
"""None: look at the journal again."""


@final
class ExecutionRegistry:
    """Runs the pipelines that write, each in a task of its own.

    Until its commit begins, a run belongs to its request, and is cancelled with the request. Then it belongs
    to the registry: it runs to its end, and its answer is replayed to repeated requests for a day. If writes
    are stuck, the answer is kept until they are undone. If everything was undone after a failure that may
    pass (502, 503, 504), the answer is not kept: the next request with the same key makes a new attempt.

    - *store*: the journal.
    - *undos*: the undos of all writes by name.
    - *terms*: time limits of the commits.
    - *health*: told of trouble with the journal.
    """

    def __init__(
        self, store: ExecutionStore, undos: Mapping[str, Undo], terms: CommitTerms, health: JournalHealth
    ) -> None:
        self._store = store
        self._undos = undos
        self._terms = terms
        self._health = health
        self._runs: dict[str, Run] = {}
        self._tasks: dict[str, asyncio.Task[_Outcome]] = {}
        self._retrying: set[str] = set()
        self._looks = 0
        self._waiting = WaitingRoom()
        self._settlement = Settlement(store, health)
        self.orphans: Final[set[str]] = set()
        """Executions of this process that the journal may have, and that no run will settle."""
        self.stuck_writes: Final = StuckWrites()
        self._journal = RunJournal(self._runs, store, self._settlement, health, self.orphans.add)
        self._gate = RunGate(self._runs)

    async def derive_id(self, endpoint: str, caller: bytes, key: bytes) -> str | None:
        """Return the id of the execution for an idempotency *key*; None if the journal is unavailable.

        It cannot be computed from a guessed key: the hash needs the journal's secret.
        """
        if not await self._try_open():
            return None
        message = b"\0".join((endpoint.encode(), hashlib.sha256(caller).digest(), key))
        return f"exe-{self._hash(message)[:_ID_DIGITS]}"

    async def run(self, request: RunRequest, work: Work) -> RunAnswer | NoAnswerReason:
        """Return the answer of the run for *request*; make the run with *work* unless it exists already.

        Return a reason instead if the run was made for another fingerprint, or does not end by the deadline.
        The request that makes the run waits beyond the deadline until the run has ended, or the journal has
        recorded the begin of its commit.

        *work* gets the request's context with all that the run needs for its commit. If the request is
        cancelled before the commit has begun, the run is cancelled and awaited. A run that ends without a
        commit answers all requests that wait for it, but its answer is not kept: the next request makes a new
        run.
        """
        while True:
            outcome = await self._try_run(request, work)
            if outcome is not None:
                return outcome
            await asyncio.sleep(0)  # a run that has ended is removed by a callback, which has to run first

    def has_begun(self, execution_id: str) -> bool:
        """Return True if the run has begun its commit; raise `KeyError` if no such run is in progress."""
        return self._runs[execution_id].has_begun_commit

    @property
    def running(self) -> int:
        """Return the number of runs in progress."""
        return len(self._runs)

    def is_running(self, execution_id: str) -> bool:
        """Return whether a run of this process has the execution, or an operator's retry.

        A run that is lost does not have it: it waits until the execution is undone.
        """
        run = self._runs.get(execution_id)
        return (run is not None and not run.is_lost) or execution_id in self._retrying

    async def find(self, execution_id: str) -> Result[Execution, NotFound]:
        """Return the execution; before the commit begins, its state is running and it has no writes.

        Return `NotFound` if the id is unknown, or if the execution is no longer kept. Raise `DatabaseError`.
        """
        await self._store.open()
        record = await self._store.find(execution_id)
        run = self._runs.get(execution_id)
        if run is not None and (record is None or record.is_key_free):
            return Ok(Execution(execution_id, run.request.pipeline, CommitState.RUNNING, (), run.started_at))
        if record is None:
            return Err(EXECUTION_NOT_FOUND)
        if run is not None and record.state is RecordState.RUNNING:
            return Ok(replace(record.execution, writes=(*run.writes.values(),)))
        return Ok(record.execution)

    async def page(self, state: CommitState | None, limit: int, cursor: int | None) -> Page:
        """Return at most *limit* executions, the latest first (see `ExecutionStore.page`).

        Raise `DatabaseError`.
        """
        await self._store.open()
        return await self._store.page(state, limit, cursor)

    async def retry(self, execution_id: str) -> Result[Execution, NotFound | Conflict]:
        """Try the stuck undos again, in reverse order of the writes; return the execution afterwards.

        They have 10 seconds. Return `NotFound` if there is no such execution, and `Conflict` if it is not
        stuck, or if another retry of it is in progress. Raise `DatabaseError`.
        """
        await self._store.open()
        record = await self._store.find(execution_id)
        if record is None:
            return Err(EXECUTION_NOT_FOUND)
        if record.state is RecordState.UNDOING:
            return Err(_UNDO_IN_PROGRESS)
        if record.state is not RecordState.STUCK:
            return Err(EXECUTION_NOT_STUCK)
        if execution_id in self._retrying:
            return Err(_UNDO_IN_PROGRESS)
        self._retrying.add(execution_id)
        try:
            if not await self._store.take_stuck(record):
                return Err(_UNDO_IN_PROGRESS)
            return await self._undo_again(record)
        except BaseException:  # also if the operator has hung up: the recovery finishes what was begun
            self.orphans.add(execution_id)
            raise
        finally:
            self._retrying.discard(execution_id)

    async def drain(self) -> None:
        """Wait until every run has ended; log the ids of the runs in progress, since the wait may be long.

        A commit ends within its budgets, but the stages after it have no deadline. Runs whose end cannot be
        recorded within 5 seconds are left to the next process, which undoes them.
        """
        if self._runs:
            _log.warning("waiting for executions to end: %s", ", ".join(self._runs))
        with self._settlement.stopping():
            while self._tasks:
                await asyncio.wait(self._tasks.values())

    async def _undo_again(self, record: Record) -> Result[Execution, NotFound]:
        execution = record.execution
        state, writes = await undo_recorded(
            execution.writes, self._undos, _UNDO_SECONDS, self.stuck_writes.describe(execution)
        )
        if state is CommitState.UNDONE:
            self.stuck_writes.forget(execution)
        else:
            _log.error(
                "execution %s of %s is still stuck: could not undo %s",
                execution.execution_id,
                execution.pipeline,
                describe_stuck_writes(writes),
            )
        await self._store.finish_undo(record, state, writes)
        found = await self._store.find(execution.execution_id)
        return Err(EXECUTION_NOT_FOUND) if found is None else Ok(found.execution)

    def _hash(self, message: bytes) -> str:
        return hmac.new(self._store.secret, message, hashlib.sha256).hexdigest()

    async def _try_open(self) -> bool:
        try:
            await self._open()
        except DatabaseError as error:
            self._health.report(error)
            return False
        return True

    async def _open(self) -> None:
        if not self._store.is_open and self._health.is_refusing:  # the recovery tries it twice a second
            raise DatabaseUnavailableError(self._health.trouble)
        await self._store.open()

    async def _look_up(self, request: RunRequest) -> Record | None:
        """Return the record of an execution that can be repeated.

        Raise `DatabaseError`, at once if the journal is in trouble and enough requests wait for it already.
        """
        await self._open()
        if request.fingerprint is None:
            return None
        if self._looks >= _LOOKS_IN_TROUBLE and self._health.is_refusing:
            raise DatabaseUnavailableError(self._health.trouble)
        self._looks += 1
        try:
            return await self._store.find(request.execution_id)
        finally:
            self._looks -= 1

    async def _try_run(self, request: RunRequest, work: Work) -> _Outcome:
        execution_id = request.execution_id
        if (run := self._runs.get(execution_id)) is not None:
            return await self._join(run, request)
        try:
            record = await self._look_up(request)
        except DatabaseError as error:
            self._health.report(error)
            return NoAnswerReason.UNAVAILABLE
        if execution_id in self._runs:
            return None
        if record is not None and not record.is_key_free:
            return await self._answer_from(record, request)
        number = 1 if record is None else record.attempt + 1
        return await self._start(request, number, work)

    async def _join(self, run: Run, request: RunRequest) -> _Outcome:
        """Return the outcome of a run that another request has made."""
        if run.request.fingerprint != request.fingerprint:
            return NoAnswerReason.MISMATCH
        task = self._tasks[request.execution_id]
        with request.pause():
            if not await self._waiting.wait(request.execution_id, task, request.context.deadline):
                return NoAnswerReason.RUNNING
        if run.is_abandoned and not run.has_begun_commit:
            return None
        outcome = task.result()
        if isinstance(outcome, RunAnswer):
            return replace(outcome, is_replayed=run.has_begun_commit)
        return outcome

    async def _answer_from(self, record: Record, request: RunRequest) -> _Outcome:
        """Return the outcome of an execution that the journal has, and that no run of this process has."""
        if record.fingerprint != request.fingerprint:
            return NoAnswerReason.MISMATCH
        if record.answer is not None and record.is_decided:
            return RunAnswer(record.answer, is_replayed=True)
        if record.is_decided:  # only a stuck one is decided without an answer
            return NoAnswerReason.STUCK
        with request.pause():
            is_decided = await self._waiting.wait_elsewhere(
                request.execution_id, lambda: self._is_decided(request.execution_id), request.context.deadline
            )
        return None if is_decided else NoAnswerReason.RUNNING

    async def _is_decided(self, execution_id: str) -> bool:
        try:
            record = await self._store.find(execution_id)
        except DatabaseError as error:
            self._health.report(error)
            return False
        return record is None or record.is_decided

    async def _start(self, request: RunRequest, number: int, work: Work) -> _Outcome:
        execution_id = request.execution_id
        caller = self._hash(request.caller)[:_CALLER_DIGITS]
        if (obstacle := self._health.find_obstacle(caller)) is not None:
            return NoAnswerReason.FULL if obstacle == JOURNAL_FULL else NoAnswerReason.UNAVAILABLE
        attempt = Attempt(execution_id, request.pipeline, number, caller, request.fingerprint)
        run = Run(request, attempt, work, datetime.now(UTC))
        run.context = replace(
            request.context,
            execution_id=execution_id,
            key_prefix=None if request.fingerprint is None else _build_key_prefix(run),
            commit_terms=self._terms,
            journal=self._journal,
            gate=self._gate,
            retryable_undos=self._undos.keys(),
            keep_stuck=self.stuck_writes.keep,
        )
        self._runs[execution_id] = run
        task = self._tasks[execution_id] = asyncio.create_task(self._make(run))
        task.add_done_callback(lambda _: self._remove(execution_id))
        try:
            if not await wait_until_done(task, request.context.deadline):
                # Its calls have the same deadline, so it ends soon, unless its commit is being recorded.
                # A 202 promises an execution, which exists only then.
                await asyncio.wait((task, run.recorded), return_when=asyncio.FIRST_COMPLETED)
                if not task.done():
                    return NoAnswerReason.RUNNING
        except asyncio.CancelledError:
            if not run.has_begun_commit:
                run.is_abandoned = True
                task.cancel()
                await asyncio.wait((task,))
            raise
        return task.result()

    def _remove(self, execution_id: str) -> None:
        del self._runs[execution_id], self._tasks[execution_id]

    async def _make(self, run: Run) -> _Outcome:
        """Make *run*, decide its execution, and return the outcome."""
        outcome: _Outcome = NoAnswerReason.RUNNING
        try:
            outcome = await self._try_make(run)
        except UndecidedError:
            pass
        finally:
            if run.has_begun_commit and outcome is NoAnswerReason.RUNNING:  # it is left to the recovery
                self.orphans.add(run.attempt.execution_id)
        return outcome

    async def _try_make(self, run: Run) -> _Outcome:
        answer = await run.work(run.context)
        if not run.has_begun_commit:
            if run.is_superseded or await self._has_begun_elsewhere(run):
                return None
            return RunAnswer(answer, is_replayed=False)
        if run.is_superseded:
            return await self._read_decision(run)
        return await self._decide(run, answer)

    async def _has_begun_elsewhere(self, run: Run) -> bool:
        """Return whether another process has begun the execution while this *run* ended without a commit.

        That commit may be the reason, such as for a balance that is too low by now.
        """
        if run.attempt.fingerprint is None or self._health.is_refusing:
            return False
        try:
            record = await self._store.find(run.attempt.execution_id)
        except DatabaseError as error:
            self._health.report(error)
            return False
        if record is None or record.owner == self._store.owner:
            return False
        return record.attempt >= run.attempt.number

    async def _decide(self, run: Run, answer: Answer) -> _Outcome:
        kept = answer if run.attempt.fingerprint is not None else None
        if run.is_sealed:
            if kept is None or await self._settlement.amend(run.attempt, kept):
                return RunAnswer(answer, is_replayed=False)
            return await self._read_decision(run)
        if run.state is None:  # a bug has ended the commit: its writes are undone as after a crash
            self.orphans.add(run.attempt.execution_id)
            return RunAnswer(answer, is_replayed=False)
        if run.state is CommitState.UNDONE and answer.status in _TRANSIENT:
            kept = None
        if await self._settlement.decide(run.attempt, run.state, [*run.writes.values()], kept):
            return RunAnswer(answer, is_replayed=False)
        return await self._read_decision(run)

    async def _read_decision(self, run: Run) -> _Outcome:
        """Return the outcome of an execution that another process has, once nothing of this run is left."""
        record = await self._settlement.find(run.attempt)
        if not run.is_sealed and self._is_lost(run, record):
            _log.warning("execution %s was taken over by another process", run.attempt.execution_id)
            run.is_lost = True
            is_undone = await self._undo_late_writes(run)
            if run.attempt.fingerprint is None:
                return NoAnswerReason.UNDONE if is_undone else NoAnswerReason.STUCK
            record = await self._settlement.find(run.attempt)
        if record is None or record.is_key_free:
            return NoAnswerReason.UNDONE
        if not record.is_decided:
            return NoAnswerReason.RUNNING
        return NoAnswerReason.STUCK if record.answer is None else RunAnswer(record.answer, is_replayed=True)

    def _is_lost(self, run: Run, record: Record | None) -> bool:
        """Return whether another process has undone *run*, or is about to."""
        return record is None or (record.owner, record.attempt) != (self._store.owner, run.attempt.number)

    async def _undo_late_writes(self, run: Run) -> bool:
        """Undo the writes of a run that was lost: some may have been sent after the other process undid them.

        Services that refuse a write after its undo have refused those. Others, whose undos look the write up,
        have executed them. No other attempt has the same keys.

        Return False if a write could not be undone: it is recorded as stuck.
        """
        writes, clock = [*run.writes.values()], asyncio.get_running_loop().time
        start = clock()
        state, after = await undo_recorded(
            writes,
            self._undos,
            self._terms.undo_budget,
            lambda intent: SentWrite(intent.key, age=clock() - start),
        )
        if state is CommitState.UNDONE:
            return True
        _log.error(
            "execution %s is stuck: could not undo what was sent after the take-over: %s",
            run.attempt.execution_id,
            describe_stuck_writes(after),
        )
        await self._settlement.mark_stuck(run.attempt, after)
        return False


def _build_key_prefix(run: Run) -> str:
    """Return the prefix that the keys of an attempt's writes share; it contains the date.

    Services may keep keys for longer than the journal keeps answers. Without the date, a run that is repeated
    after its answer was dropped would send the keys of the earlier run, and could undo the earlier run's
    writes. Without the number of the attempt, its writes would have the keys that were undone.
    """
    number = run.attempt.number
    prefix = f"{run.attempt.execution_id}.{run.started_at.date().isoformat()}"
    return prefix if number == 1 else f"{prefix}.{number}"
