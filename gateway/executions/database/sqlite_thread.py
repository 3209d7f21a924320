"""Thread that executes the jobs of a SQLite database."""

import asyncio
import queue
import threading
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from functools import partial
from typing import Final, TypeAlias, TypeVar, final

from gateway.executions.database.sqlite_session import Job, Outcome, SqliteSession

__all__ = ("SqliteThread", "WaitingJob")

T = TypeVar("T")

_PAUSES: Final = (0.0005, 0.001, 0.002)
"""Seconds before each next attempt to take a lock that another process holds; the last one is repeated."""


@final
@dataclass(slots=True, eq=False)
class WaitingJob(Job):
    """Job whose outcome is delivered to *waiter*, in the event loop of the caller."""

    waiter: "asyncio.Future[Outcome]"


@final
@dataclass(frozen=True, slots=True)
class _Stop:
    waiter: "asyncio.Future[None]"


_Arrival: TypeAlias = WaitingJob | _Stop


@final
class SqliteThread:
    """Daemon thread that executes jobs in *session*; what waits together is executed together.

    While another process holds the lock for writing, the thread still executes the jobs that only read.
    """

    def __init__(self, session: SqliteSession) -> None:
        self._session = session
        self._arrivals: queue.SimpleQueue[_Arrival] = queue.SimpleQueue()
        self._thread: Final = threading.Thread(target=self._work, name="journal-sqlite", daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def submit(self, job: WaitingJob) -> None:
        """Let the thread execute *job*."""
        self._arrivals.put(job)

    def stop(self, waiter: "asyncio.Future[None]") -> None:
        """Let the thread execute the jobs that wait, close the connection, and set the result of *waiter*."""
        self._arrivals.put(_Stop(waiter))

    def _work(self) -> None:
        waiting: list[WaitingJob] = []
        stop: _Stop | None = None
        attempts = 0
        while waiting or stop is None:
            for arrival in self._take(_pause_after(attempts) if waiting else None):
                if isinstance(arrival, _Stop):
                    stop = arrival
                else:
                    waiting.append(arrival)
            if waiting:
                self._session.execute(waiting)
            _deliver(job for job in waiting if job.is_done)
            waiting = [job for job in waiting if not job.is_done and not job.is_dead()]
            attempts = attempts + 1 if waiting else 0
        self._session.close()
        _wake(stop.waiter.get_loop(), partial(_set_result, stop.waiter, None))

    def _take(self, pause: float | None) -> "Iterator[_Arrival]":
        """Yield all arrivals; wait for the first one, for *pause* seconds at most."""
        try:
            yield self._arrivals.get(timeout=pause)
            while True:
                yield self._arrivals.get_nowait()
        except queue.Empty:
            return


def _pause_after(attempts: int) -> float:
    return _PAUSES[min(attempts, len(_PAUSES)) - 1]


def _deliver(jobs: Iterable[WaitingJob]) -> None:
    """Set the outcomes in the event loops of the callers; each loop is woken once."""
    by_loop: defaultdict[asyncio.AbstractEventLoop, list[WaitingJob]] = defaultdict(list)
    for job in jobs:
        by_loop[job.waiter.get_loop()].append(job)
    for loop, its_jobs in by_loop.items():
        _wake(loop, partial(_set_outcomes, its_jobs))


def _set_outcomes(jobs: Iterable[WaitingJob]) -> None:
    for job in jobs:
        _set_result(job.waiter, job.outcome)


def _set_result(waiter: "asyncio.Future[T]", result: T) -> None:
    if not waiter.done():
        waiter.set_result(result)


def _wake(loop: asyncio.AbstractEventLoop, callback: Callable[[], None]) -> None:
    with suppress(RuntimeError):  # the loop is closed, and its callers have gone with it
        loop.call_soon_threadsafe(callback)
