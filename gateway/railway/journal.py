"""Journal: port for commit records, from which an interrupted commit can be undone."""

import re
from dataclasses import dataclass
from enum import Enum
from typing import Final, NewType, Protocol, final

__all__ = (
    "NO_JOURNAL",
    "UNANSWERED",
    "CommitStart",
    "CommitState",
    "Intent",
    "Journal",
    "Key",
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
class StageRecord:
    """A stage before the commit: its *calls* by name, and their *values*, in argument order."""

    stage: str
    calls: tuple[str, ...]
    values: tuple[object, ...]


@final
@dataclass(frozen=True, slots=True)
class CommitStart:
    """A commit that is about to begin, of which nothing has been sent; *past* has the stages before it."""

    execution_id: str
    pipeline: str
    name: str
    intents: tuple[Intent, ...]
    past: tuple[StageRecord, ...] = ()


class Journal(Protocol):
    """Store of commit records, by execution id; an execution has at most one commit.

    A method returns once its record is safe. If `begin` raises, nothing is sent. If another method raises,
    the commit fails and its writes are undone.
    """

    async def begin(self, commit: CommitStart, /) -> None:
        """Record the intents of *commit*, before anything is sent."""

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Record the *outcome* of the step with *key*; *value* is its value if it is done, else None."""

    async def end(self, execution_id: str, state: CommitState, /) -> None:
        """Record that the commit ended in *state*."""


@final
class _NoJournal:
    async def begin(self, commit: CommitStart, /) -> None:
        """Do nothing."""

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Do nothing."""

    async def end(self, execution_id: str, state: CommitState, /) -> None:
        """Do nothing."""


NO_JOURNAL: Final[Journal] = _NoJournal()
"""Journal that records nothing: for tests and scripts, whose commits end with their process."""
