"""Record of an execution in the journal."""

import json
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import Enum
from typing import Final, cast, final

from gateway.executions.answer import Answer
from gateway.executions.database.terms import Row
from gateway.executions.execution import ExecutedWrite, Execution
from gateway.railway import CommitState, Intent, Key, WriteOutcome

__all__ = ("COLUMNS", "Record", "RecordState", "UnreadableRecordError", "decode_record", "encode_writes")

COLUMNS: Final = (
    "e.execution_id, e.pipeline, e.attempt, e.state, e.owner, e.fingerprint, e.writes, e.answer, "
    "e.started_at, e.ended_at"
)
"""Columns of the table `gateway_executions e` from which `decode_record` makes a record."""


class UnreadableRecordError(Exception):
    """A row that no version of the gateway has written, such as one that was edited by hand."""


class RecordState(Enum):
    """State of an execution in the journal."""

    RUNNING = "running"
    """Its owner makes the writes, or is dead. Presumed to be undone unless it is committed."""

    UNDOING = "undoing"
    """Its owner has taken it over to undo its writes."""

    SEALED = "sealed"
    """Committed with an answer so far: its owner makes the stages after the commit, or is dead."""

    COMMITTED = "committed"
    UNDONE = "undone"
    STUCK = "stuck"

    @property
    def has_ended(self) -> bool:
        """Return whether nothing is left to do; executions in such a state have a time of their end."""
        return self in {RecordState.COMMITTED, RecordState.UNDONE, RecordState.STUCK}

    @property
    def public(self) -> CommitState:
        """Return the state as clients see it."""
        match self:
            case RecordState.UNDOING:
                return CommitState.RUNNING
            case RecordState.SEALED:
                return CommitState.COMMITTED
            case _:
                return CommitState(self.value)


@final
@dataclass(frozen=True, slots=True)
class Record:
    """An *execution*, of which *owner* runs or has run an *attempt*.

    - *fingerprint*: identifies the content of the request; None if no request can repeat it.
    - *answer*: for a request that repeats it; None if there is none yet, or if its key is free.
    """

    execution: Execution
    attempt: int
    state: RecordState
    owner: str
    fingerprint: bytes | None
    answer: Answer | None

    @property
    def is_decided(self) -> bool:
        """Return whether the answer, if there is one, is final."""
        is_retried = self.state is RecordState.UNDOING and self.answer is not None
        return self.execution.ended_at is not None or is_retried

    @property
    def is_key_free(self) -> bool:
        """Return whether a request with the same key makes a new attempt."""
        return self.state is RecordState.UNDONE and self.answer is None


def encode_writes(writes: Sequence[ExecutedWrite]) -> str:
    """Return *writes* as JSON: name, key, undo and outcome of each."""
    rows = [(write.intent.name, write.intent.key, write.intent.undo, write.outcome.value) for write in writes]
    return json.dumps(rows, separators=(",", ":"))


def decode_record(row: Row) -> Record:
    """Return the record in a *row* of `COLUMNS`; raise `UnreadableRecordError` if it cannot be decoded."""
    try:
        return _decode_record(row)
    except Exception as error:
        msg = f"the row of execution {row[0]!s} in the journal is unreadable: {error}"
        raise UnreadableRecordError(msg) from error


def _decode_record(row: Row) -> Record:
    execution_id, pipeline, attempt, state, owner, fingerprint, writes, answer, started_at, ended_at = row
    record_state = RecordState(state)
    execution = Execution(
        cast("str", execution_id),
        cast("str", pipeline),
        record_state.public,
        tuple(_decode_write(*write) for write in json.loads(cast("str", writes))),
        datetime.fromtimestamp(cast("float", started_at), UTC),
        None if ended_at is None else datetime.fromtimestamp(cast("float", ended_at), UTC),
    )
    return Record(
        execution,
        cast("int", attempt),
        record_state,
        cast("str", owner),
        cast("bytes | None", fingerprint),
        None if answer is None else Answer.decode(cast("bytes", answer)),
    )


def _decode_write(name: str, key: str, undo: str, outcome: str) -> ExecutedWrite:
    return ExecutedWrite(Intent(name, Key(key), undo), WriteOutcome(outcome))
