"""Writes that this process could not undo, with what it knows of them."""

import asyncio
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import final

from gateway.executions.execution import Execution
from gateway.railway import Intent, Key, SentWrite

__all__ = ("StuckWrites",)


@final
@dataclass(frozen=True, slots=True)
class _StuckWrite:
    """A write as it was at the time *since* on the loop's clock."""

    write: SentWrite
    since: float


@final
class StuckWrites:
    """Stuck writes with their answers, which may help to undo them; other processes do not have those."""

    def __init__(self) -> None:
        self._writes: dict[Key, _StuckWrite] = {}

    def keep(self, write: SentWrite) -> None:
        """Keep a write that could not be undone."""
        self._writes[write.key] = _StuckWrite(write, asyncio.get_running_loop().time())

    def forget(self, execution: Execution) -> None:
        """Forget the writes of *execution*, which has been undone."""
        for write in execution.writes:
            self._writes.pop(write.intent.key, None)

    def describe(self, execution: Execution) -> Callable[[Intent], SentWrite]:
        """Return a function that describes the writes of *execution*, without answers that are not known."""

        def describe(intent: Intent) -> SentWrite:
            if (kept := self._writes.get(intent.key)) is not None:
                elapsed = asyncio.get_running_loop().time() - kept.since
                return replace(kept.write, age=kept.write.age + elapsed)
            sent_at = execution.ended_at or execution.started_at
            return SentWrite(intent.key, age=max(0.0, (datetime.now(UTC) - sent_at).total_seconds()))

        return describe
