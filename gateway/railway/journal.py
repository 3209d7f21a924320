"""What must be known of a commit to finish it, or to take it back, whatever happens meanwhile: a port."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from typing import Final, NewType, Protocol, TypeAlias, final

__all__ = (
    "UNRECORDED",
    "Beginning",
    "Intent",
    "Journal",
    "Json",
    "Key",
    "Recorded",
    "State",
    "WriteOutcome",
    "key_of",
)

Json: TypeAlias = "Mapping[str, Json] | Sequence[Json] | str | int | float | bool | None"

Key = NewType("Key", str)
"""The idempotency key of a write: a service makes each key take effect once at most."""

_NOT_IN_A_KEY: Final = re.compile(r"[^A-Za-z0-9_.-]+")


def key_of(prefix: str, stage: str, position: int, name: str) -> Key:
    """Give the key of the write *name* at *position* of *stage*: the same whenever it is made again.

    It has only characters that a header and the segment of a path can carry as they are.
    """
    return Key(_NOT_IN_A_KEY.sub("-", f"{prefix}.{stage}.{position}.{name}"))


class WriteOutcome(Enum):
    """How far a write has come."""

    PENDING = "pending"
    """It may be sent at any moment, or has been."""

    DONE = "done"
    """The service has done it."""

    REFUSED = "refused"
    """The service has declined it, or it was never sent: there is nothing to undo."""

    UNKNOWN = "unknown"
    """It was sent, and nobody knows what came of it."""

    UNDONE = "undone"
    """It has been taken back."""

    STUCK = "stuck"
    """It could not be taken back."""


class State(Enum):
    """How far a commit has come."""

    RUNNING = "running"
    COMMITTED = "committed"
    UNDONE = "undone"
    STUCK = "stuck"


@final
@dataclass(frozen=True, slots=True)
class Intent:
    """What a commit means to do: the operation *name* with *arguments*, and the operation *undo* against it.

    An undo is given nothing but the *key*. Where there is none, it is a read that rides along.
    """

    name: str
    key: Key
    arguments: Mapping[str, Json] = field(default_factory=dict[str, Json])
    undo: str | None = None


@final
@dataclass(frozen=True, slots=True)
class Recorded:
    """What the *calls* of a stage before the commit came to: a run that is made again need not make them."""

    stage: str
    calls: tuple[str, ...]
    values: tuple[object, ...]


@final
@dataclass(frozen=True, slots=True)
class Beginning:
    """A commit that is about to begin: nothing of it has been sent."""

    execution_id: str
    pipeline: str
    name: str
    intents: tuple[Intent, ...]
    past: tuple[Recorded, ...] = ()


class Journal(Protocol):
    """Remembers commits, by the id of their execution; an execution has one commit at most.

    What a method was told is safe once it returns. One that raises makes the commit fail, and be undone.
    """

    async def begin(self, commit: Beginning, /) -> None:
        """Remember all that *commit* means to do; only then is any of it sent."""

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Remember what has become of one intent; *value* is what it came to, once it is done."""

    async def end(self, execution_id: str, state: State, /) -> None:
        """Remember how the commit ended."""


@final
class _Unrecorded:
    async def begin(self, commit: Beginning, /) -> None:
        """Forget it."""

    async def note(self, execution_id: str, key: Key, outcome: WriteOutcome, value: object, /) -> None:
        """Forget it."""

    async def end(self, execution_id: str, state: State, /) -> None:
        """Forget it."""


UNRECORDED: Final[Journal] = _Unrecorded()
"""Remembers nothing: for tests and scripts, whose commits end with them."""
