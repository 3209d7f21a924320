"""Store of the executions of an app in a database: every statement, and who may change a row."""

import logging
import secrets
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast, final

from gateway.executions.answer import Answer
from gateway.executions.database.errors import DatabaseError
from gateway.executions.database.memory import MemoryDatabase
from gateway.executions.database.migrations import migrate
from gateway.executions.database.terms import Database, Row, Value
from gateway.executions.execution import RETENTION_SECONDS, ExecutedWrite, Page
from gateway.executions.record import (
    COLUMNS,
    Record,
    RecordState,
    UnreadableRecordError,
    decode_record,
    encode_writes,
)
from gateway.executions.schema import build_migrations
from gateway.observability.metrics.terms import LATENCY_BUCKETS, Distribution
from gateway.railway import CommitState

__all__ = ("HEARTBEAT_TIMEOUT", "Attempt", "ExecutionStore", "StoredBytes", "Unsettled")

_log: Final = logging.getLogger(__name__)

HEARTBEAT_TIMEOUT: Final = 2.5
"""Seconds without a heartbeat after which a process is taken for dead.

A wrong guess costs work, but no money: the process that changes the row first decides.
"""

_ROW_OVERHEAD: Final = 400
"""Bytes of a row and its index entries besides writes and answer, roughly."""

_ANSWER_RESERVE: Final = 1_000
"""Bytes that are counted for an answer to come."""

_UNSETTLED: Final = ", ".join(f"'{state.value}'" for state in RecordState if not state.has_ended)
"""States of executions that have not ended, for SQL."""

_DELETED_AT_ONCE: Final = 500
_SECRET: Final = "execution-ids"  # noqa: S105 - a name
_SECRET_BYTES: Final = 32


@final
@dataclass(frozen=True, slots=True)
class Attempt:
    """Attempt at an execution, the *number*-th with its idempotency key, by the *caller*.

    *fingerprint* identifies the content of the request; None if no request can repeat it.
    """

    execution_id: str
    pipeline: str
    number: int
    caller: str
    fingerprint: bytes | None


@final
@dataclass(frozen=True, slots=True)
class Unsettled:
    """A record that has not ended, and whose owner has sent no heartbeat for *heartbeat_age* seconds."""

    record: Record
    heartbeat_age: float


@final
@dataclass(frozen=True, slots=True)
class StoredBytes:
    """Size of the stored executions in bytes, in all and of each caller with more than a given number."""

    total: int
    by_caller: dict[str, int]


@final
class ExecutionStore:
    """Executions of *app* in *database*, for one process, which is their *owner*.

    An execution is committed if its row says so, together with its answer. Each change of a row is a
    compare-and-set: it succeeds only if the row still belongs to this process and is in the state that the
    process believes. So of two processes that both take an execution for theirs, only one decides.

    Each method raises the errors of `Database`; the change may then have been made, or not.
    """

    def __init__(self, database: Database, app: str) -> None:
        self._database = database
        self.app: Final = app
        self._now = database.dialect.now
        self._is_open = False
        self._secret = b""
        self.unreadable: Final[set[str]] = set()
        """Ids of the executions that were left out because their rows are unreadable."""
        self.owner: Final = secrets.token_hex(8)
        """Random id of this process: it needs no setting, and no other process ever has the same."""
        self.ended: Final[Counter[tuple[str, CommitState]]] = Counter()
        """Executions that this process has ended, by their pipeline and state."""
        self.read_durations: Final = Distribution(LATENCY_BUCKETS)
        """Durations of the reading statements, in seconds."""
        self.write_durations: Final = Distribution(LATENCY_BUCKETS)
        """Durations of the writing statements, in seconds."""

    @property
    def secret(self) -> bytes:
        """Return the secret of the app, from which execution ids are derived."""
        return self._secret

    @property
    def is_open(self) -> bool:
        """Return whether the database has been opened."""
        return self._is_open

    @property
    def is_shared(self) -> bool:
        """Return whether other processes can open the same journal."""
        return not isinstance(self._database, MemoryDatabase)

    async def open(self) -> None:
        """Open the database, create or update its tables, and send a heartbeat; do nothing if it is open.

        Raise `DatabaseRefusedError` if the gateway must not start with this database.
        """
        if self._is_open:
            return
        await self._database.open()
        await migrate(self._database, build_migrations(self._database.dialect))
        self._secret = await self._find_secret()
        await self.send_heartbeat()
        self._is_open = True

    async def close(self) -> None:
        """Take this process off the list of owners, if possible, and disconnect."""
        try:
            if self._is_open:
                await self._run(
                    "delete from gateway_owners where app = $1 and owner = $2", self.app, self.owner
                )
        except DatabaseError:
            pass  # the next process finds it dead
        finally:
            self._is_open = False
            await self._database.close()

    async def begin(self, attempt: Attempt, writes: Sequence[ExecutedWrite]) -> bool:
        """Record an attempt and its writes, before anything is sent.

        Return False if the execution exists already: another request runs it, or has run it. An execution
        that is no longer kept does not count, although it may not be deleted yet.
        """
        encoded = encode_writes(writes)
        reserve = 0 if attempt.fingerprint is None else _ANSWER_RESERVE
        rows = await self._run(
            f"""insert into gateway_executions as e (app, execution_id, pipeline, attempt, state, owner,
                caller, fingerprint, writes, size, started_at)
            values ($1, $2, $3, $4, 'running', $5, $6, $7, $8, $9, {self._now})
            on conflict (app, execution_id) do update set attempt = excluded.attempt,
                state = excluded.state, owner = excluded.owner, caller = excluded.caller,
                fingerprint = excluded.fingerprint, writes = excluded.writes, size = excluded.size,
                started_at = excluded.started_at, answer = null, ended_at = null
            where (e.state = 'undone' and e.answer is null
                    and e.attempt = excluded.attempt - 1)
                or (e.state <> 'stuck' and e.ended_at < {self._now} - {RETENTION_SECONDS})
            returning number""",  # noqa: S608 - the dialect's expression
            self.app,
            attempt.execution_id,
            attempt.pipeline,
            attempt.number,
            self.owner,
            attempt.caller,
            attempt.fingerprint,
            encoded,
            len(encoded) + _ROW_OVERHEAD + reserve,
        )
        return bool(rows)

    async def settle(
        self, attempt: Attempt, state: CommitState, writes: Sequence[ExecutedWrite], answer: Answer | None
    ) -> bool:
        """Decide an attempt: record its final *state* and its *answer*, before it is sent to a client.

        Return False if another process has taken the execution over.
        """
        encoded, body = encode_writes(writes), None if answer is None else answer.encode()
        rows = await self._run(
            f"""update gateway_executions set state = $5, writes = $6, answer = $7, size = $8,
                ended_at = {self._now}
            where app = $1 and execution_id = $2 and owner = $3 and attempt = $4 and state = 'running'
            returning number""",  # noqa: S608 - the dialect's expression
            *self._identify(attempt.execution_id, attempt.number),
            state.value,
            encoded,
            body,
            len(encoded) + _ROW_OVERHEAD + len(body or b""),
        )
        return self._count_ended(attempt.pipeline, state, rows)

    async def seal(self, attempt: Attempt, writes: Sequence[ExecutedWrite], answer: Answer) -> bool:
        """Decide that an attempt is committed, with its *answer* so far, which no client gets yet.

        Return False if another process has taken the execution over.
        """
        encoded, body = encode_writes(writes), answer.encode()
        rows = await self._run(
            """update gateway_executions set state = 'sealed', writes = $5, answer = $6, size = $7
            where app = $1 and execution_id = $2 and owner = $3 and attempt = $4 and state = 'running'
            returning number""",
            *self._identify(attempt.execution_id, attempt.number),
            encoded,
            body,
            len(encoded) + _ROW_OVERHEAD + len(body),
        )
        return bool(rows)

    async def amend(self, attempt: Attempt, answer: Answer) -> bool:
        """Replace the answer so far of a sealed attempt by the whole *answer*, before it is sent to a client.

        Return False if another process has taken this one for dead, and has kept the answer so far.
        """
        body = answer.encode()
        rows = await self._run(
            f"""update gateway_executions set state = 'committed', answer = $5,
                size = size + $6 - length(answer), ended_at = {self._now}
            where app = $1 and execution_id = $2 and owner = $3 and attempt = $4 and state = 'sealed'
            returning number""",  # noqa: S608 - the dialect's expression
            *self._identify(attempt.execution_id, attempt.number),
            body,
            len(body),
        )
        return self._count_ended(attempt.pipeline, CommitState.COMMITTED, rows)

    async def find(self, execution_id: str) -> Record | None:
        """Return an execution, or None if it is unknown or no longer kept."""
        rows = await self._run(
            f"""select {COLUMNS} from gateway_executions e
            where app = $1 and execution_id = $2 and {self._kept}""",  # noqa: S608 - constants
            self.app,
            execution_id,
        )
        return decode_record(rows[0]) if rows else None

    async def page(self, state: CommitState | None, limit: int, cursor: int | None) -> Page:
        """Return at most *limit* executions in *state* (None: all), latest first, from *cursor* on.

        Unreadable executions are left out, and logged once.
        """
        values: list[Value] = [self.app, limit + 1]
        where = f"app = $1 and {self._kept}"
        if cursor is not None:
            values.append(cursor)
            where += " and number <= $3"
        # The index has the latest of each state; a condition on several states would be a scan of the table.
        latest = " union all ".join(
            f"""select number from (select number from gateway_executions
                where {where} and state = '{own}' order by number desc limit $2) as {own}_ones"""  # noqa: S608 - constants
            for own in _list_states(state)
        )
        rows = await self._run(
            f"""select number, {COLUMNS} from gateway_executions e where number in ({latest})
            order by number desc limit $2""",  # noqa: S608 - constants
            *values,
        )
        records = [self._try_decode(row[1:]) for row in rows[:limit]]
        executions = tuple(record.execution for record in records if record is not None)
        return Page(executions, cast("int", rows[limit][0]) if len(rows) > limit else None)

    async def send_heartbeat(self) -> None:
        """Record that this process is alive."""
        await self._run(
            f"""insert into gateway_owners (app, owner, seen_at) values ($1, $2, {self._now})
            on conflict (app, owner) do update set seen_at = excluded.seen_at""",  # noqa: S608 - the dialect's expression
            self.app,
            self.owner,
        )

    async def list_unsettled(self, patience: float) -> Sequence[Unsettled]:
        """Return the executions of silent processes that have not ended.

        Among them are those of this process that began more than *patience* seconds ago. Unreadable
        executions are left out, and logged once.
        """
        rows = await self._run(
            f"""select {self._now} - coalesce(o.seen_at, e.started_at), {COLUMNS}
            from gateway_executions e left join gateway_owners o on o.app = e.app and o.owner = e.owner
            where e.app = $1 and e.state in ({_UNSETTLED}) and (
                (e.owner <> $2 and coalesce(o.seen_at, e.started_at) < {self._now} - {HEARTBEAT_TIMEOUT})
                or (e.owner = $2 and e.started_at < {self._now} - $3))""",  # noqa: S608 - constants
            self.app,
            self.owner,
            patience,
        )
        return [
            Unsettled(record, cast("float", heartbeat_age))
            for heartbeat_age, *columns in rows
            if (record := self._try_decode(tuple(columns))) is not None
        ]

    async def take_over(self, record: Record) -> bool:
        """Take an execution over, to undo its writes; return False if its owner lives, or was first."""
        rows = await self._run(
            f"""update gateway_executions set state = 'undoing', owner = $3
            where app = $1 and execution_id = $2 and attempt = $4 and owner = $5 and ended_at is null
                and state <> 'sealed' and {self._is_left}
            returning number""",  # noqa: S608 - the dialect's expression
            *self._identify(record.execution.execution_id, record.attempt),
            record.owner,
        )
        return bool(rows)

    async def finish_seal(self, record: Record) -> bool:
        """Keep the answer so far of a sealed execution; return False if its owner lives, or was first."""
        rows = await self._run(
            f"""update gateway_executions set state = 'committed', ended_at = {self._now}
            where app = $1 and execution_id = $2 and attempt = $4 and owner = $5 and state = 'sealed'
                and {self._is_left}
            returning number""",  # noqa: S608 - the dialect's expression
            *self._identify(record.execution.execution_id, record.attempt),
            record.owner,
        )
        return self._count_ended(record.execution.pipeline, CommitState.COMMITTED, rows)

    async def take_stuck(self, record: Record) -> bool:
        """Take a stuck execution, to undo its writes; return False if it is no longer stuck.

        Its answer stays until it is undone.
        """
        rows = await self._run(
            """update gateway_executions set state = 'undoing', owner = $3, ended_at = null
            where app = $1 and execution_id = $2 and attempt = $4 and state = 'stuck' returning number""",
            *self._identify(record.execution.execution_id, record.attempt),
        )
        return bool(rows)

    async def finish_undo(self, record: Record, state: CommitState, writes: Sequence[ExecutedWrite]) -> bool:
        """Record that the undo of an execution that this process has taken ended in *state*.

        If it is undone, its key is free: the answer is deleted. Return False if another process has taken it.
        """
        kept = "null" if state is CommitState.UNDONE else "answer"
        encoded = encode_writes(writes)
        rows = await self._run(
            f"""update gateway_executions set state = $5, writes = $6, answer = {kept},
                size = $7 + coalesce(length({kept}), 0), ended_at = {self._now}
            where app = $1 and execution_id = $2 and owner = $3 and attempt = $4 and state = 'undoing'
            returning number""",  # noqa: S608 - constants
            *self._identify(record.execution.execution_id, record.attempt),
            state.value,
            encoded,
            len(encoded) + _ROW_OVERHEAD,
        )
        return self._count_ended(record.execution.pipeline, state, rows)

    async def mark_stuck(self, record: Record, writes: Sequence[ExecutedWrite]) -> bool:
        """Record that *writes* of an undone or stuck execution stand after all.

        Return False if the execution is no longer as in *record*.
        """
        encoded = encode_writes(writes)
        rows = await self._run(
            f"""update gateway_executions set state = 'stuck', writes = $6,
                size = $7 + coalesce(length(answer), 0), ended_at = {self._now}
            where app = $1 and execution_id = $2 and owner = $3 and attempt = $4 and state = $5
            returning number""",  # noqa: S608 - the dialect's expression
            self.app,
            record.execution.execution_id,
            record.owner,
            record.attempt,
            record.state.value,
            encoded,
            len(encoded) + _ROW_OVERHEAD,
        )
        return self._count_ended(record.execution.pipeline, CommitState.STUCK, rows)

    async def add_stuck(self, attempt: Attempt, writes: Sequence[ExecutedWrite]) -> None:
        """Record the stuck *writes* of an attempt whose row has the next attempt by now.

        They are an execution of their own, whose id ends in the number of the attempt: an operator can retry
        it like any other.
        """
        encoded = encode_writes(writes)
        await self._run(
            f"""insert into gateway_executions (app, execution_id, pipeline, attempt, state, owner, caller,
                writes, size, started_at, ended_at)
            values ($1, $2, $3, $4, 'stuck', $5, $6, $7, $8, {self._now}, {self._now})
            on conflict (app, execution_id) do nothing""",  # noqa: S608 - the dialect's expression
            self.app,
            f"{attempt.execution_id}-{attempt.number}",
            attempt.pipeline,
            attempt.number,
            self.owner,
            attempt.caller,
            encoded,
            len(encoded) + _ROW_OVERHEAD,
        )
        self.ended[attempt.pipeline, CommitState.STUCK] += 1

    async def forget(self) -> bool:
        """Delete executions that ended more than a day ago, and dead processes; stuck executions stay.

        Return True if there may be more executions to delete: it deletes 500 at once.
        """
        rows = await self._run(
            f"""delete from gateway_executions where number in (select number from gateway_executions
                where app = $1 and state <> 'stuck' and ended_at < {self._now} - {RETENTION_SECONDS}
                limit {_DELETED_AT_ONCE}) returning number""",  # noqa: S608 - constants
            self.app,
        )
        await self._run(
            f"""delete from gateway_owners as o where app = $1
                and seen_at < {self._now} - {RETENTION_SECONDS}
                and not exists (select 1 from gateway_executions e
                    where e.app = o.app and e.state in ({_UNSETTLED}) and e.owner = o.owner)""",  # noqa: S608 - constants
            self.app,
        )
        return len(rows) == _DELETED_AT_ONCE

    async def count_stuck(self) -> int:
        """Return the number of stuck executions."""
        rows = await self._run(
            "select count(*) from gateway_executions where app = $1 and state = 'stuck'", self.app
        )
        return cast("int", rows[0][0])

    async def measure(self, threshold: int) -> StoredBytes:
        """Return the size of all executions, and of those of each caller with more than *threshold* bytes."""
        rows = await self._run(
            "select cast(coalesce(sum(size), 0) as bigint) from gateway_executions where app = $1", self.app
        )
        total = cast("int", rows[0][0])
        if total <= threshold:
            return StoredBytes(total, {})
        rows = await self._run(
            """select caller, cast(sum(size) as bigint) from gateway_executions where app = $1
            group by caller having sum(size) > $2""",
            self.app,
            threshold,
        )
        by_caller = {cast("str", caller): cast("int", size) for caller, size in rows}
        return StoredBytes(total, by_caller)

    def _try_decode(self, row: Row) -> Record | None:
        """Return the record in a *row* of `COLUMNS`; log an unreadable one, and return None."""
        try:
            return decode_record(row)
        except UnreadableRecordError as error:
            if str(row[0]) not in self.unreadable:
                self.unreadable.add(str(row[0]))
                _log.error("skipping an execution: %s", error)
            return None

    @property
    def _kept(self) -> str:
        """Return the condition for executions that are kept: the deletion of others may be late."""
        oldest = f"{self._now} - {RETENTION_SECONDS}"
        return f"(ended_at is null or state = 'stuck' or ended_at >= {oldest})"

    @property
    def _is_left(self) -> str:
        """Return the condition for executions of this process ($3), or of an owner ($5) that is silent."""
        return f"""(owner = $3 or not exists (select 1 from gateway_owners
            where app = $1 and owner = $5 and seen_at >= {self._now} - {HEARTBEAT_TIMEOUT}))"""  # noqa: S608 - constants

    def _count_ended(self, pipeline: str, state: CommitState, rows: Sequence[Row]) -> bool:
        """Count an execution whose row was changed to its end; return whether it was."""
        self.ended[pipeline, state] += bool(rows)
        return bool(rows)

    def _identify(self, execution_id: str, attempt: int) -> tuple[str, str, str, int]:
        return self.app, execution_id, self.owner, attempt

    async def _run(self, sql: str, *values: Value) -> Sequence[tuple[Value, ...]]:
        start = time.perf_counter()
        try:
            return await self._database.run(sql, *values)
        finally:
            durations = self.read_durations if sql.lstrip().startswith("select") else self.write_durations
            durations.observe(time.perf_counter() - start)

    async def _find_secret(self) -> bytes:
        """Return the secret of the app, which the first process creates.

        If apps shared it, their ids could be equal, and so could the keys of their writes.
        """
        name, new = f"{_SECRET} of {self.app}", secrets.token_bytes(_SECRET_BYTES)
        await self._run(
            "insert into gateway_secrets (name, value) values ($1, $2) on conflict (name) do nothing",
            name,
            new,
        )
        rows = await self._run("select value from gateway_secrets where name = $1", name)
        return bytes(cast("bytes", rows[0][0]))


def _list_states(state: CommitState | None) -> Sequence[str]:
    """Return the states of records that clients see as *state*; all for None."""
    return [own.value for own in RecordState if state in {None, own.public}]
