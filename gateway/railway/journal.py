"""Journal of commits: a port for the records from which an interrupted commit can be undone."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NewType, Protocol, TypeAlias, final

__all__ = (
    "NO_JOURNAL",
    "CommitStart",
    "CommitState",
    "Intent",
    "Journal",
    "Json",
    "Key",
    "StageRecord",
    "WriteOutcome",
    "derive_key",
)

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

Key = NewType("Key", str)
"""Idempotency key of a write: a service executes each key at most once."""

_NOT_IN_A_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def derive_key(prefix: str, stage: str, position: int, name: str) -> Key:
    """Return the key of the write *name* at *position* of *stage*: the same key for every attempt.

    It has only characters that need no escaping in a header or a path segment.
    """
    return Key(_NOT_IN_A_KEY.sub("-", f"{prefix}.{stage}.{position}.{name}"))


class WriteOutcome(Enum):
    """Progress of a write."""

    PENDING = "pending"
    """It may be sent at any moment, or has been sent."""

    DONE = "done"
    """The service has executed it."""

    REFUSED = "refused"
    """The service has refused it, or it was never sent: there is nothing to undo."""

    UNKNOWN = "unknown"
    """It was sent, but no answer shows whether it was executed."""

    UNDONE = "undone"
    """It has been undone."""

    STUCK = "stuck"
    """It could not be undone."""


class CommitState(Enum):
    """Progress of a commit."""

    RUNNING = "running"
    COMMITTED = "committed"
    UNDONE = "undone"
    STUCK = "stuck"


@final
@dataclass(frozen=True, slots=True)
class Intent:
    """A step that a commit is going to make: the operation *name* with *arguments*, and its *undo*.

    An undo needs nothing but the *key*. It is None for a read that rides along.
    """

    name: str
    key: Key
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    undo: str | None = None


@final
@dataclass(frozen=True, slots=True)
class StageRecord:
    """Values of the *calls* of a stage before the commit, so that a repeated run need not make them."""

    stage: str
    calls: tuple[str, ...]
    values: tuple[object, ...]


@final
@dataclass(frozen=True, slots=True)
class CommitStart:
    """A commit that is about to begin: nothing of it has been sent."""

    execution_id: str
    pipeline: str
    name: str
    intents: tuple[Intent, ...]
    past: tuple[StageRecord, ...] = ()


class Journal(Protocol):
    """Records commits by the id of their execution, which has at most one commit.

    A method returns once its record is safe. If one raises, the commit fails and is undone.
    """

    async def begin(self, commit: CommitStart, /) -> None:
        """Record the intents of *commit*, before any of it is sent."""

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Record the outcome of one intent; *value* is the value of a step that is done, else None."""

    async def end(self, execution_id: str, state: CommitState, /) -> None:
        """Record how the commit ended."""


@final
class _NoJournal:
    async def begin(self, commit: CommitStart, /) -> None:
        """Do nothing."""

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Do nothing."""

    async def end(self, execution_id: str, state: CommitState, /) -> None:
        """Do nothing."""


NO_JOURNAL: Final[Journal] = _NoJournal()
"""Records nothing: for tests and scripts, whose commits end with their process."""
