"""A run that writes, in this process: what is known of it, its journal and its gate."""

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, TypeAlias, final

from gateway.executions.answer import Answer
from gateway.executions.database.errors import DatabaseError
from gateway.executions.execution import ExecutedWrite
from gateway.executions.health import JOURNAL_UNAVAILABLE, JournalHealth
from gateway.executions.settlement import Settlement
from gateway.executions.store import Attempt, ExecutionStore
from gateway.railway import (
    CommitStart,
    CommitState,
    JournalUnavailableError,
    Key,
    Rerun,
    RunContext,
    WriteOutcome,
)

__all__ = ("Run", "RunGate", "RunJournal", "RunRequest", "SupersededError", "Work")

Work: TypeAlias = Callable[[RunContext], Coroutine[Any, Any, Answer]]
"""Async function that runs a pipeline in a context, and returns the answer; it must not raise."""

_RETRY_AFTER: Final = 1.0
"""Seconds after which a request that was refused because of the journal may be sent again."""

_RESERVED_BYTES: Final = 1_500
"""Bytes by which an execution lets the journal grow, roughly, until the next measurement."""


class SupersededError(Exception):
    """Another process has the execution: it decides, and this run must do nothing more."""


@final
@dataclass(frozen=True, slots=True)
class RunRequest:
    """Request for a run that writes.

    - *execution_id*: id of the run; requests with the same id are for the same run.
    - *pipeline*: name of the pipeline.
    - *fingerprint*: equal for equal requests; None if the request cannot be repeated. Requests with the same
      id but different fingerprints are a mismatch.
    - *context*: context of the pipeline. Its deadline is the time until which the request waits for its
      answer (see `ExecutionRegistry.run`); None for no limit.
    - *caller*: identifies the client that sent the request; only a hash of it is stored.
    - *pause*: returns a context manager for the time in which the request only waits for another one.
    """

    execution_id: str
    pipeline: str
    fingerprint: bytes | None
    context: RunContext
    caller: bytes = b""
    pause: Callable[[], AbstractContextManager[object]] = nullcontext


def _create_future() -> "asyncio.Future[None]":
    return asyncio.get_running_loop().create_future()


@final
@dataclass(slots=True, eq=False)
class Run:
    """A run of this process.

    - *commits*: number of commits that the gate has admitted; it is lowered again if the journal refuses one.
    - *recorded*: done once the journal has recorded that a commit has begun.
    - *is_abandoned*: the request was cancelled before the commit began: the commit may no longer begin.
    - *is_superseded*: another process has the execution.
    - *is_lost*: another process has undone the execution, or is about to; the run undoes its late writes.
    - *is_sealed*: the execution is committed, with an answer so far.
    - *writes*: the writes of the commit by key, with their outcomes so far.
    - *state*: outcome of the commit; None while it runs.
    """

    request: RunRequest
    attempt: Attempt
    work: Work
    started_at: datetime
    context: RunContext = field(init=False)
    commits: int = 0
    recorded: "asyncio.Future[None]" = field(default_factory=_create_future)
    is_abandoned: bool = False
    is_superseded: bool = False
    is_lost: bool = False
    is_sealed: bool = False
    writes: dict[Key, ExecutedWrite] = field(default_factory=dict[Key, ExecutedWrite])
    state: CommitState | None = None

    @property
    def has_begun_commit(self) -> bool:
        """Return whether the run has begun its commit."""
        return self.commits > 0

    def mark_recorded(self) -> None:
        """Take note that the journal has recorded the begin of the commit, which it does at most once."""
        self.recorded.set_result(None)


@final
class RunJournal:
    """Journal of the *runs* of this process, by execution id, in *store*.

    *on_orphan* is called with the id of an execution whose begin may have been recorded or not; nothing
    has been sent for it.
    """

    def __init__(
        self,
        runs: Mapping[str, Run],
        store: ExecutionStore,
        settlement: Settlement,
        health: JournalHealth,
        on_orphan: Callable[[str], object],
    ) -> None:
        self._runs = runs
        self._store = store
        self._settlement = settlement
        self._health = health
        self._on_orphan = on_orphan

    async def begin(self, commit: CommitStart, /) -> None:
        """Record the intents of those writes of *commit* that have an undo."""
        run = self._runs[commit.execution_id]
        obstacle = self._health.find_obstacle(run.attempt.caller)
        if obstacle is not None:
            raise JournalUnavailableError(obstacle, _RETRY_AFTER)
        run.writes = {
            intent.key: ExecutedWrite(intent, WriteOutcome.PENDING)
            for intent in commit.intents
            if intent.undo
        }
        try:
            await self._store.open()
            has_begun = await self._store.begin(run.attempt, [*run.writes.values()])
        except DatabaseError as error:
            self._health.report_failed_write(error)
            self._on_orphan(commit.execution_id)
            raise JournalUnavailableError(JOURNAL_UNAVAILABLE, _RETRY_AFTER) from error
        if not has_begun:
            run.is_superseded = True
            raise JournalUnavailableError(JOURNAL_UNAVAILABLE, _RETRY_AFTER)
        run.mark_recorded()
        self._health.limit.add(run.attempt.caller, _RESERVED_BYTES)

    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        """Keep the outcome of the write under *key*; ignore the key of a read."""
        writes = self._runs[execution_id].writes
        if key in writes:
            writes[key] = replace(writes[key], outcome=outcome)

    def end(self, execution_id: str, state: CommitState, /) -> None:
        """Keep what the commit has come to; it is recorded with the answer."""
        self._runs[execution_id].state = state

    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        """Record that the execution is committed, with the answer so far.

        Raise `SupersededError` if another process has taken it over, and `UndecidedError` if this one stops.
        """
        run = self._runs[execution_id]
        if run.attempt.fingerprint is None:  # no request can repeat it, so it has no answer to keep
            run.is_superseded = True  # unless it is decided here
            is_sealed = await self._settlement.decide(
                run.attempt, CommitState.COMMITTED, [*run.writes.values()], None
            )
        else:
            answer = await run.work(replace(run.context, rerun=rerun))
            run.is_superseded = True
            is_sealed = await self._settlement.seal(run.attempt, [*run.writes.values()], answer)
        if not is_sealed:
            raise SupersededError(execution_id)
        run.is_superseded = False
        run.is_sealed = True


@final
class RunGate:
    """Gate of the *runs*: a commit may begin unless the request of its run was cancelled first.

    The order between a commit and a disconnect is decided here only. The methods do not wait, so that each
    decision is atomic.
    """

    def __init__(self, runs: Mapping[str, Run]) -> None:
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
