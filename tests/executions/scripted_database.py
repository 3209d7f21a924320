"""Database in memory on the clock of the event loop, whose statements fail on demand."""

import asyncio
import math
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final

from gateway.executions.database import (
    Database,
    DatabaseUnavailableError,
    Dialect,
    Row,
    Statement,
    Value,
    create_database,
)
from gateway.executions.database.sqlite import SQLITE

__all__ = (
    "AMEND",
    "BEGIN",
    "FIND",
    "FINISH_UNDO",
    "HEARTBEAT",
    "LOOK",
    "MARK_STUCK",
    "SEAL",
    "SETTLE",
    "START",
    "TAKE_OVER",
    "ScriptedDatabase",
)

START: Final = datetime(2026, 1, 31, 12, tzinfo=UTC)
"""Time on the clock of the database when a test begins."""

FIND: Final = "where app = $1 and execution_id = $2 and (ended_at"
BEGIN: Final = "insert into gateway_executions"
SETTLE: Final = "set state = $5, writes = $6, answer = $7"
SEAL: Final = "set state = 'sealed'"
AMEND: Final = "set state = 'committed', answer = $5"
HEARTBEAT: Final = "insert into gateway_owners"
LOOK: Final = "left join gateway_owners"
MARK_STUCK: Final = "set state = 'stuck'"
FINISH_UNDO: Final = "and state = 'undoing'"
TAKE_OVER: Final = "set state = 'undoing', owner = $3\n            where app"
"""Parts of statements that a test may let fail."""

_CLOCK: Final = "insert into clock values (1, $1) on conflict (id) do update set now = excluded.now"


@dataclass
class Trouble:
    """Trouble of the statements that contain *part*, *times* times after *skips* times without trouble.

    If *is_executed*, the statement is executed, and only its answer is lost.
    """

    part: str
    error: Exception
    times: float
    skips: int
    is_executed: bool

    def is_due(self, sql: str) -> bool:
        """Return whether the trouble is that of this statement."""
        if self.part not in sql or not self.times:
            return False
        if self.skips:
            self.skips -= 1
            return False
        return True


@dataclass
class ScriptedDatabase:
    """Database of one test, for all its processes; *log* has the statements.

    Each takes *seconds*, or those of the first part of *delays* that it contains.
    """

    log: list[str] = field(default_factory=list[str])
    seconds: float = 0.0
    delays: dict[str, float] = field(default_factory=dict[str, float])
    troubles: list[Trouble] = field(default_factory=list[Trouble])
    memory: Database = field(default_factory=lambda: create_database("sqlite:///:memory:"))

    @property
    def dialect(self) -> Dialect:
        return replace(SQLITE, now="(select now from clock)")

    def fail(
        self,
        part: str = "",
        error: Exception | None = None,
        *,
        times: float = math.inf,
        skips: int = 0,
        is_executed: bool = False,
    ) -> None:
        """Let the statements that contain *part* fail, by default all."""
        error = error or DatabaseUnavailableError("the database is down")
        self.troubles.append(Trouble(part, error, times, skips, is_executed))

    def repair(self) -> None:
        """End all trouble."""
        self.troubles.clear()

    async def open(self) -> None:
        """Open the database if it is not open, and start its clock."""
        await self._call("open")
        await self.memory.open()
        await self.memory.run("create table if not exists clock (id integer primary key, now real)")

    async def run(self, sql: str, *values: Value) -> Sequence[Row]:
        """Execute one statement, unless it is to fail."""
        results = await self.transact(Statement(sql, values))
        assert results is not None
        return results[0]

    async def transact(self, *statements: Statement) -> Sequence[Sequence[Row]] | None:
        """Execute statements, unless the first is to fail."""
        trouble = await self._call(statements[0].sql)
        seconds = START.timestamp() + asyncio.get_running_loop().time()
        results = await self.memory.transact(Statement(_CLOCK, (seconds,)), *statements)
        if trouble is not None:
            raise trouble.error
        return results and results[1:]

    async def close(self) -> None:
        """Keep the data for the other processes."""
        await self._call("close")

    def list_calls(self, part: str) -> Sequence[str]:
        """Return the statements so far that contain *part*."""
        return [sql for sql in self.log if part in sql]

    async def _call(self, sql: str) -> Trouble | None:
        """Log a call; raise the error of its trouble, or return the trouble if the call is executed."""
        self.log.append(sql)
        delays = (seconds for part, seconds in self.delays.items() if part in sql)
        await asyncio.sleep(next(delays, self.seconds))
        trouble = next((trouble for trouble in self.troubles if trouble.is_due(sql)), None)
        if trouble is None:
            return None
        trouble.times -= 1
        if trouble.is_executed:
            return trouble
        raise trouble.error
