"""Stage: calls that are made concurrently, and none of which outlives it."""

import asyncio
import traceback
from collections.abc import Sequence
from typing import Generic, TypeVar, final

from gateway.railway.call import Call
from gateway.railway.context import change_context, current_context
from gateway.railway.errors import Aggregate, Failure, combine_failures
from gateway.railway.observer import FAIL_FAST, Policy, StageSpan
from gateway.railway.result import Err, Ok, Result
from gateway.railway.run_state import RunExit

__all__ = ("merge_bugs", "run_stage")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)
B = TypeVar("B", bound=BaseException)


async def run_stage(
    name: str, calls: Sequence[Call[T, E]], policy: Policy
) -> Result[tuple[T, ...], E | Aggregate]:
    """Make all *calls* at once; return their values in argument order, or their failures, combined.

    Every call has ended, and a cancelled one has cleaned up, before this returns or raises. An exception in a
    call is a bug: the other calls are cancelled, and the exception of the earliest argument is raised, with
    those of others in its notes. Cancelling the stage cancels every call, and raises `CancelledError` in any
    case, with the bug, if any, as its cause; cancelling it again has no effect. It is a bug if other code
    cancels a call.
    """
    observer = current_context().observer
    if observer is None:
        return await _Fanout(calls, policy).wait()
    span = StageSpan(name, tuple([call.in_stage for call in calls]), policy)
    observer.stage_started(span)
    try:
        with change_context(stage=span):
            return await _Fanout(calls, policy).wait()
    finally:
        observer.stage_ended(span)


# Not an `asyncio.TaskGroup`: before Python 3.13 it swallows a cancellation that comes together with a failed
# task, so that a request goes on after its client has gone (python/cpython#116720).
@final
class _Fanout(Generic[T, E]):
    """The calls of one stage, each in a task of its own."""

    __slots__ = ("_calls", "_cancelled", "_done", "_fails_fast", "_has_bug", "_loop", "_pending", "_tasks")

    def __init__(self, calls: Sequence[Call[T, E]], policy: Policy) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._calls = calls
        self._fails_fast = policy is FAIL_FAST
        self._pending = len(calls)
        self._has_bug = False
        self._cancelled: set[asyncio.Task[Result[T, E]]] = set()
        self._done: asyncio.Future[None] = loop.create_future()
        # On uvloop `asyncio.create_task` takes half as long again; a task with a name takes an eighth longer,
        # since uvloop sets the name with another call (MagicStack/uvloop#334).
        self._tasks = [loop.create_task(call.make()) for call in calls]
        on_done = self._on_done
        for task in self._tasks:
            task.add_done_callback(on_done)

    async def wait(self) -> Result[tuple[T, ...], E | Aggregate]:
        """Wait until every call has ended; return their values, or their failures, combined."""
        cancellation: asyncio.CancelledError | None = None
        while self._pending:
            try:
                await self._done
            except asyncio.CancelledError as error:
                cancellation = cancellation or error
                self._done = self._loop.create_future()
                self._cancel_from(0)
            except GeneratorExit:  # the coroutine is closed: it can no longer await
                self._cancel_from(0)
                raise
        bug = self._bug() if self._has_bug else None
        try:
            if cancellation is not None:
                raise cancellation from bug
            if bug is not None:
                raise bug
        finally:
            del cancellation, bug  # their tracebacks refer to this frame: no cycles (python/cpython#124958)
        return self._result()

    def _on_done(self, task: asyncio.Task[Result[T, E]]) -> None:
        self._pending -= 1
        if self._bug_of(task) is not None:
            self._has_bug = True
            self._cancel_from(0)
        elif self._fails_fast and not task.cancelled() and isinstance(task.result(), Err):
            self._cancel_from(self._tasks.index(task) + 1)
        if not self._pending and not self._done.done():
            self._done.set_result(None)

    def _cancel_from(self, first: int) -> None:
        """Cancel the pending calls from position *first* on, each of them once."""
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
        return Err(combine_failures(errors)) if errors else Ok(tuple(values), lacks=lacks)

    def _bug(self) -> BaseException:
        """Return the exception of the earliest argument."""
        return merge_bugs([bug for bug in map(self._bug_of, self._tasks) if bug is not None])

    def _bug_of(self, task: asyncio.Task[Result[T, E]]) -> BaseException | None:
        if not task.cancelled():
            return task.exception()
        if task in self._cancelled:
            return None
        name = self._calls[self._tasks.index(task)].name
        return RuntimeError(f"{name} was cancelled by other code")


def merge_bugs(bugs: Sequence[B]) -> B:
    """Return the first of *bugs* with the others in its notes; a `RunExit` counts only if there is no bug."""
    first, *others = [bug for bug in bugs if not isinstance(bug, RunExit)] or bugs
    for other in others:
        if other is not first and not isinstance(other, RunExit):
            first.add_note("also in this stage: " + "".join(traceback.format_exception(other)))
    return first
