"""Calls made at once: nothing outlives its stage, whatever happens."""

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import replace
from enum import Enum
from typing import Final, Generic, TypeVar, final

from gateway.railway.call import Call
from gateway.railway.context import RUN_CONTEXT, StageSpan
from gateway.railway.errors import Aggregate, Failure, combined
from gateway.railway.result import Err, Ok, Result

__all__ = ("FAIL_FAST", "SETTLE", "Leaving", "Policy", "together", "with_others")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)
B = TypeVar("B", bound=BaseException)


class Policy(Enum):
    """What a failed call means for the other calls of its stage.

    Both are deterministic: the same answers give the same result, whichever comes first.
    """

    SETTLE = "settle"
    """Every call runs to its end; the stage fails with everything that went wrong, combined."""

    FAIL_FAST = "fail fast"
    """A failed call cancels those named after it; the first failure in argument order is the only one."""


SETTLE: Final = Policy.SETTLE
FAIL_FAST: Final = Policy.FAIL_FAST


class Leaving(BaseException):
    """The way out of a run, past every `except Exception`: not a bug, so that bugs beat it."""


async def together(
    name: str, calls: Sequence[Call[T, E]], policy: Policy
) -> Result[tuple[T, ...], E | Aggregate]:
    """Make all *calls* at once; give their values in argument order, or what went wrong.

    Every call has ended, and a cancelled one has cleaned up, before this returns or raises. An exception in a
    call is a bug: the other calls are cancelled, and the exception of the earliest argument is raised, those
    of others noted on it. A cancellation from outside cancels every call and beats all that, with the bug, if
    there is one, for its cause; a second one changes nothing. A call cancelled by somebody else is a bug.
    """
    around = RUN_CONTEXT.get()
    if around.observer is None:
        return await _Fanout(calls, policy).ended()
    span = StageSpan(name, tuple(call.name for call in calls), tuple(calls), policy)
    around.observer.stage_started(span)
    before = RUN_CONTEXT.set(replace(around, stage=span))
    try:
        return await _Fanout(calls, policy).ended()
    finally:
        RUN_CONTEXT.reset(before)
        around.observer.stage_ended(span)


@final
class _Fanout(Generic[T, E]):
    """The calls of one stage, each in a task of its own."""

    __slots__ = ("_calls", "_cancelled", "_end", "_fails_fast", "_going", "_is_broken", "_loop", "_tasks")

    def __init__(self, calls: Sequence[Call[T, E]], policy: Policy) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._calls = calls
        self._fails_fast = policy is FAIL_FAST
        self._going = len(calls)
        self._is_broken = False
        self._cancelled: set[asyncio.Task[Result[T, E]]] = set()
        self._end: asyncio.Future[None] = loop.create_future()
        # Unnamed: uvloop names a task at the price of a Python call.
        self._tasks = [loop.create_task(call.make()) for call in calls]
        on_done = self._on_done
        for task in self._tasks:
            task.add_done_callback(on_done)

    async def ended(self) -> Result[tuple[T, ...], E | Aggregate]:
        """Wait until every call has ended; say what they came to."""
        cancellation: asyncio.CancelledError | None = None
        while self._going:
            try:
                await self._end
            except asyncio.CancelledError as error:
                cancellation = cancellation or error
                self._end = self._loop.create_future()
                self._cancel_from(0)
            except GeneratorExit:  # closed by hand: nothing can be awaited any more
                self._cancel_from(0)
                raise
        bug = self._bug() if self._is_broken else None
        try:
            if cancellation is not None:
                raise cancellation from bug
            if bug is not None:
                raise bug
        finally:
            del cancellation, bug  # their tracebacks refer to this frame: no cycles
        return self._result()

    def _on_done(self, task: asyncio.Task[Result[T, E]]) -> None:
        self._going -= 1
        if self._bug_of(task) is not None:
            self._is_broken = True
            self._cancel_from(0)
        elif self._fails_fast and not task.cancelled() and isinstance(task.result(), Err):
            self._cancel_from(self._tasks.index(task) + 1)
        if not self._going and not self._end.done():
            self._end.set_result(None)

    def _cancel_from(self, first: int) -> None:
        """Cancel the calls from position *first* on that are still going, none of them twice."""
        for task in self._tasks[first:]:
            if task not in self._cancelled and task.cancel():
                self._cancelled.add(task)

    def _result(self) -> Result[tuple[T, ...], E | Aggregate]:
        values: list[T] = []
        errors: list[E] = []
        lacks: tuple[str, ...] = ()
        for task in self._tasks:
            result = task.result()
            if isinstance(result, Ok):
                values.append(result.value)
                lacks += result.lacks
            elif self._fails_fast:  # the calls after this one were cancelled, those before it were not
                return result
            else:
                errors.append(result.error)
        return Err(combined(errors)) if errors else Ok(tuple(values), lacks=lacks)

    def _bug(self) -> BaseException:
        """Give the exception of the earliest argument."""
        return with_others([bug for bug in map(self._bug_of, self._tasks) if bug is not None])

    def _bug_of(self, task: asyncio.Task[Result[T, E]]) -> BaseException | None:
        if not task.cancelled():
            return task.exception()
        if task in self._cancelled:
            return None
        name = self._calls[self._tasks.index(task)].name
        return RuntimeError(f"{name} was cancelled by somebody else")


def with_others(bugs: Sequence[B]) -> B:
    """Give the first of *bugs*, with the others noted on it; the leaving of a run only for want of others."""
    first, *others = [bug for bug in bugs if not isinstance(bug, Leaving)] or bugs
    for other in others:
        if other is not first and not isinstance(other, Leaving):
            first.add_note("also in this stage: " + "".join(traceback.format_exception(other)))
    return first
