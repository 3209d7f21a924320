"""Journal: port for commit records, from which an interrupted commit can be undone."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NewType, Protocol, final

from gateway.railway.errors import Failure
from gateway.railway.result import Result

__all__ = (
    "NO_JOURNAL",
    "UNANSWERED",
    "CommitStart",
    "CommitState",
    "Intent",
    "Journal",
    "JournalUnavailableError",
    "Key",
    "Rerun",
    "SentWrite",
    "StageRecord",
    "Unanswered",
    "WriteOutcome",
    "derive_key",
)

Key = NewType("Key", str)
"""Idempotency key of a write: a service executes each key at most once."""

_NOT_IN_A_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def derive_key(prefix: str, stage: str, position: int, name: str) -> Key:
    """Return the key of the write *name* at *position* of *stage*: the same key for every attempt.

    The key has only characters that need no escaping in a header or a path segment.
    """
    return Key(_NOT_IN_A_KEY.sub("-", f"{prefix}.{stage}.{position}.{name}"))


class WriteOutcome(Enum):
    """Progress of a write."""

    PENDING = "pending"
    """About to be sent, or sent without an outcome so far."""

    DONE = "done"
    """Executed by the service."""

    REFUSED = "refused"
    """Refused by the service, or never sent: there is nothing to undo."""

    UNKNOWN = "unknown"
    """Sent, but no answer shows whether the service executed it."""

    UNDONE = "undone"
    """Undone: the compensation succeeded."""

    STUCK = "stuck"
    """Not undone within the undo budget."""


class CommitState(Enum):
    """Progress of a commit."""

    RUNNING = "running"
    COMMITTED = "committed"
    UNDONE = "undone"
    STUCK = "stuck"


@final
@dataclass(frozen=True, slots=True)
class Intent:
    """Intended step of a commit: the operation *name*, under *key*.

    *undo* is the name of the compensation, which needs only the *key*; None for a read.
    """

    name: str
    key: Key
    undo: str | None = None


class Unanswered(Enum):
    """Type of `UNANSWERED`."""

    UNANSWERED = "unanswered"


UNANSWERED: Final = Unanswered.UNANSWERED
"""In place of the answer of a write that has none, or whose answer this process does not have."""


@final
@dataclass(frozen=True, slots=True)
class SentWrite:
    """A write that may have to be undone: its *key*, and facts that an undo may need.

    - *answer*: answer of the service, before any `map`; `UNANSWERED` if this process does not have it.
    - *age*: seconds since the write was last sent, or less; 0 if unknown.
    """

    key: Key
    answer: object = UNANSWERED
    age: float = 0.0


@final
@dataclass(frozen=True, slots=True)
class CommitStart:
    """A commit that is about to begin, of which nothing has been sent."""

    execution_id: str
    pipeline: str
    name: str
    intents: tuple[Intent, ...]


@final
@dataclass(frozen=True, slots=True)
class StageRecord:
    """A stage, or the commit, that a run has made: its *calls* by name, and its *result*."""

    stage: str
    calls: tuple[str, ...]
    result: Result[tuple[object, ...], Failure]


@final
@dataclass(frozen=True, slots=True)
class Rerun:
    """Records on which a pipeline can be run again, in memory, to get its answer so far.

    `pipeline.on(replace(context, rerun=rerun))(*args)` reruns a pipeline with the arguments of the first run;
    *context* must have the execution id of that run. The stages and the commit in *past* return what they
    returned before. No call or write is made, the gate and the journal are not used, and the observer is not
    notified. Any other call fails with `Unavailable`, as if its service were down, so that an optional call
    is missing. That is so for later stages, and for calls that are awaited outside of stages.

    The code between the stages runs again. If it does not repeat the first run, no call after the first
    difference is on record.

    *past* has the stages in order, among them those of `parallel` and of other pipelines that the run has
    awaited between its stages, in its own task.
    """

    past: tuple[StageRecord, ...]


class JournalUnavailableError(Exception):
    """The journal cannot record commits at present; *retry_after* is in seconds, None if unknown."""

    def __init__(self, message: str, retry_after: float | None = None) -> None:
        super().__init__(message)
        self.retry_after = retry_after


class Journal(Protocol):
    """Store of commit records, by execution id; an execution has at most one commit.

    `begin` and `seal` return once their record is durable. `note` and `end` record the progress in memory,
    and must not raise: it becomes durable together with the answer of the run.
    """

    async def begin(self, commit: CommitStart, /) -> None:
        """Record the intents of *commit*, before anything is sent; if this raises, nothing is sent.

        Raise `JournalUnavailableError` if that is impossible at present: the run fails with `Unavailable`.
        """

    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        """Record the *outcome* of the step with *key*."""

    def end(self, execution_id: str, state: CommitState, /) -> None:
        """Record that the commit ended in *state*."""

    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        """Record the decision to commit, and the answer so far, before the first stage after the commit.

        *rerun* has the records of the run, with which its pipeline gives the answer that it has if nothing
        more is made. If this raises, the stage sends nothing, and the run ends with the exception.
        """


@final
class _NoJournal:
    async def begin(self, commit: CommitStart, /) -> None:
        """Do nothing."""

    def note(self, execution_id: str, key: Key, outcome: WriteOutcome, /) -> None:
        """Do nothing."""

    def end(self, execution_id: str, state: CommitState, /) -> None:
        """Do nothing."""

    async def seal(self, execution_id: str, rerun: Rerun, /) -> None:
        """Do nothing."""


NO_JOURNAL: Final[Journal] = _NoJournal()
"""Journal that records nothing: for tests and scripts, whose commits end with their process."""
