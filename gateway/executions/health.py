"""Health of the journal, as the last calls have found it."""

import asyncio
import logging
import math
from typing import Final, final

from gateway.executions.database.errors import DatabaseCorruptError, DatabaseError

__all__ = ("JOURNAL_FULL", "JOURNAL_UNAVAILABLE", "JournalHealth", "StorageLimit")

JOURNAL_UNAVAILABLE: Final = "The journal of the gateway is unavailable; nothing has been sent"
JOURNAL_FULL: Final = "The journal of the gateway is full; nothing has been sent"

_log: Final = logging.getLogger(__name__)

_CALLER_SHARE: Final = 0.5
"""Share of the journal that a single caller can fill."""

_HOLD: Final = 2.0
"""Seconds for which trouble lasts, at least, after an execution could not begin, or could not be decided.

A full disk may have no place for an execution, but still for a heartbeat.
"""


@final
class StorageLimit:
    """Limit of *max_bytes* for the stored executions, of which a caller can have half.

    The sizes are those of the last measurement, and what this process has added since.
    """

    def __init__(self, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._total = 0
        self._by_caller: dict[str, int] = {}

    @property
    def max_bytes(self) -> int:
        """Return the limit."""
        return self._max_bytes

    @property
    def total(self) -> int:
        """Return the size of the executions, as far as it is known."""
        return self._total

    @property
    def threshold(self) -> int:
        """Return the size, in bytes, up to which a caller's executions need not be known."""
        return int(self._max_bytes * _CALLER_SHARE) // 2

    @property
    def full_callers(self) -> int:
        """Return the number of callers that can add no execution, although others can."""
        share = self._max_bytes * _CALLER_SHARE
        return 0 if self.is_reached else sum(size >= share for size in self._by_caller.values())

    @property
    def is_reached(self) -> bool:
        """Return whether no execution can be added, by any caller."""
        return self._total >= self._max_bytes

    def is_reached_for(self, caller: str) -> bool:
        """Return whether *caller* can add no execution."""
        return self.is_reached or self._by_caller.get(caller, 0) >= self._max_bytes * _CALLER_SHARE

    def add(self, caller: str, size: int) -> None:
        """Count an execution of *caller* with *size* bytes."""
        self._total += size
        self._by_caller[caller] = self._by_caller.get(caller, 0) + size

    def update(self, total: int, by_caller: dict[str, int]) -> None:
        """Replace the sizes by measured ones."""
        self._total = total
        self._by_caller = by_caller


@final
class JournalHealth:
    """Health of a journal: trouble with its database, and executions that need an operator.

    *trouble* is None if there is none; *stuck* and *unreadable* are numbers of executions.

    If *is_watched*, the trouble is looked at twice a second, and is None once the database is well again.
    """

    def __init__(self, limit: StorageLimit) -> None:
        self.limit: Final = limit
        self.trouble: str | None = None
        self.stuck = 0
        self.unreadable = 0
        self.is_watched = False
        self._hold_until = -math.inf

    @property
    def warnings(self) -> list[str]:
        """Return a sentence for each reason to warn an operator."""
        warnings: list[str] = []
        if self.trouble is not None:
            warnings.append(f"requests that write are refused: {self.trouble}")
        if self.limit.is_reached:
            warnings.append(
                "requests that write are refused until executions are a day old: the journal is full "
                "(GATEWAY_JOURNAL_MAX_MB)"
            )
        if callers := self.limit.full_callers:
            warnings.append(
                f"requests that write are refused for {_count(callers, 'caller')}, whose executions fill "
                "half of the journal (GATEWAY_JOURNAL_MAX_MB)"
            )
        if self.stuck:
            warnings.append(
                f"{_count(self.stuck, 'stuck execution')}; see: gateway executions list --state stuck"
            )
        if self.unreadable:
            warnings.append(f"{_count(self.unreadable, 'unreadable execution')}; see the log")
        return warnings

    @property
    def is_refusing(self) -> bool:
        """Return whether requests that write are refused because of trouble, which is watched."""
        return self.trouble is not None and self.is_watched

    def find_obstacle(self, caller: str) -> str | None:
        """Return the reason why no execution of *caller* can begin, as far as it is known; None if it can."""
        if self.is_refusing:
            return JOURNAL_UNAVAILABLE
        return JOURNAL_FULL if self.limit.is_reached_for(caller) else None

    def report(self, error: DatabaseError) -> None:
        """Take note of trouble with the database; log it unless it is known already."""
        if self.trouble != str(error):
            level = logging.ERROR if isinstance(error, DatabaseCorruptError) else logging.WARNING
            _log.log(level, "the journal is unavailable, so requests that write are refused: %s", error)
        self.trouble = str(error)

    def report_failed_write(self, error: DatabaseError) -> None:
        """Take note of trouble because of which an execution could not begin, or could not be decided."""
        self.report(error)
        self._hold_until = asyncio.get_running_loop().time() + _HOLD

    def clear(self) -> None:
        """Take note that the database has answered."""
        if self.trouble is not None and asyncio.get_running_loop().time() >= self._hold_until:
            _log.warning("the journal is available again")
            self.trouble = None


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"
