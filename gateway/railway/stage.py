"""Stage: concurrent calls, none of which outlives the stage (structured concurrency)."""

import asyncio
import traceback
from collections.abc import Sequence
from dataclasses import replace
from typing import Generic, TypeVar, cast, final

from gateway.railway.call import Call, Missing
from gateway.railway.context import change_context, current_context
from gateway.railway.errors import Aggregate, Failure, combine_failures, mark_item
from gateway.railway.observer import FAIL_FAST, Policy, StageSpan, check_policy
from gateway.railway.result import Err, Ok, Result
from gateway.railway.run_state import RunExit

__all__ = ("make_parts", "merge_bugs", "run_stage")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)
B = TypeVar("B", bound=BaseException)


async def run_stage(
    name: str, calls: Sequence[Call[T, E]], policy: Policy, at_once: int | None = None
) -> Result[tuple[T, ...], E | Aggregate]:
    """Make all *calls* at once; return their values in argument order, or the failure that *policy* selects.

    If *at_once* is given, the calls are those of a list: they start in order, at most *at_once* run at the
    same time, and each failure has the position of its call as its `item`.

    Every call has ended, and every cancelled call has cleaned up, before the stage returns or raises.

    If a call raises, the other calls are cancelled. An exception is a bug, unless it is the `RunExit` of a
    run. The stage raises the bug of the earliest argument, with the other bugs in its notes, or the earliest
    `RunExit` if there is no bug. A call that other code cancels counts as a bug, a `RuntimeError`. A *policy*
    that is no `Policy` is a `TypeError`.

    Cancelling the stage cancels every call and always raises `CancelledError`, whose cause is the exception
    that the stage would have raised, if any. A second cancellation has no effect.
    """
    check_policy(policy, Policy)
    observer = current_context().observer
    if observer is None:
        return await _Fanout(calls, policy, at_once, is_list=at_once is not None).wait()
    span = StageSpan(name, tuple([call.in_stage for call in calls]), policy, at_once)
    observer.stage_started(span)
    try:
        with change_context(stage=span):
            result = await _Fanout(calls, policy, at_once, is_list=at_once is not None).wait()
    except BaseException as error:
        observer.stage_ended(span, error)
        raise
    observer.stage_ended(span, result)
    return result


async def make_parts(parts: Sequence[Call[T, E]], at_once: int) -> Result[tuple[T, ...], E]:
    """Make the *parts* of a single call, at most *at_once* at the same time.

    Return their values in argument order, or the failure of the earliest part that failed; parts after it are
    cancelled. The parts are no stage, and no observer sees the stage of their call change.
    """
    result = await _Fanout(parts, FAIL_FAST, at_once, is_list=False).wait()
    # Sound: with `FAIL_FAST` the failure is that of one part.
    return cast("Result[tuple[T, ...], E]", result)


# Not an `asyncio.TaskGroup`: before Python 3.13 it swallows a cancellation that comes together with a failed
# task, so that a request goes on after its client has gone (python/cpython#116720).
@final
class _Fanout(Generic[T, E]):
    """The calls of a stage, each in its own task; if it *is_list*, failures have the position of their call.

    *pending* tasks have not ended. The calls from *end* on will not be started.
    """

    __slots__ = (
        "_calls",
        "_cancelled",
        "_done",
        "_end",
        "_fails_fast",
        "_has_raised",
        "_is_list",
        "_loop",
        "_pending",
        "_tasks",
    )

    def __init__(
        self, calls: Sequence[Call[T, E]], policy: Policy, at_once: int | None, *, is_list: bool
    ) -> None:
        self._loop = loop = asyncio.get_running_loop()
        self._calls = calls
        self._is_list = is_list
        self._fails_fast = policy is FAIL_FAST
        self._end = len(calls)
        self._has_raised = False
        self._cancelled: set[asyncio.Task[Result[T, E]]] = set()
        self._done: asyncio.Future[None] = loop.create_future()
        # Not `asyncio.create_task`, and no names: on uvloop these take 50% and 12% longer
        # (MagicStack/uvloop#334).
        first = calls if at_once is None else calls[:at_once]
        self._tasks = [loop.create_task(call.make()) for call in first]
        self._pending = len(first)
        on_done = self._on_done
        for task in self._tasks:
            task.add_done_callback(on_done)

    async def wait(self) -> Result[tuple[T, ...], E | Aggregate]:
        """Wait until every call has ended; return or raise the outcome of the stage, as `run_stage` does."""
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
        bug = self._merge_exceptions() if self._has_raised else None
        try:
            if cancellation is not None:
                raise cancellation from bug
            if bug is not None:
                raise bug
        finally:
            del cancellation, bug  # their tracebacks refer to this frame: no cycles (python/cpython#124958)
        return self._build_result()

    def _on_done(self, task: asyncio.Task[Result[T, E]]) -> None:
        self._pending -= 1
        if task.cancelled() or task.exception() is not None:
            if self._find_exception(task) is not None:
                self._has_raised = True
                self._cancel_from(0)
        elif self._fails_fast and isinstance(task.result(), Err):
            self._cancel_from(self._tasks.index(task) + 1)
        if len(self._tasks) < self._end:
            self._start_next()
        elif not self._pending and not self._done.done():
            self._done.set_result(None)

    def _start_next(self) -> None:
        # In the context of the first tasks: asyncio runs the callback of a task in the context of
        # `add_done_callback`.
        task = self._loop.create_task(self._calls[len(self._tasks)].make())
        self._tasks.append(task)
        self._pending += 1
        task.add_done_callback(self._on_done)

    def _cancel_from(self, first: int) -> None:
        """Start no more calls, and cancel the pending calls from position *first* on, each at most once."""
        self._end = len(self._tasks)
        for task in self._tasks[first:]:
            if task not in self._cancelled and task.cancel():
                self._cancelled.add(task)

    def _build_result(self) -> Result[tuple[T, ...], E | Aggregate]:
        values: list[T] = []
        errors: list[E] = []
        lacks: tuple[str, ...] = ()
        for position, task in enumerate(self._tasks):
            result = _mark_result(task.result(), position) if self._is_list else task.result()
            if isinstance(result, Ok):
                values.append(result.value)
                lacks += result.lacks
            elif self._fails_fast:  # the earliest failure: only later calls were cancelled
                return result
            else:
                errors.append(result.error)
        return Err(combine_failures(errors)) if errors else Ok(tuple(values), lacks=lacks)

    def _merge_exceptions(self) -> BaseException:
        """Return the exception that the stage raises, with the other exceptions merged into it."""
        return merge_bugs([bug for bug in map(self._find_exception, self._tasks) if bug is not None])

    def _find_exception(self, task: asyncio.Task[Result[T, E]]) -> BaseException | None:
        """Return the exception of *task*, or a `RuntimeError` if other code cancelled the task.

        Return None if the task has returned, or if the stage cancelled it.
        """
        if not task.cancelled():
            return task.exception()
        if task in self._cancelled:
            return None
        name = self._calls[self._tasks.index(task)].name
        return RuntimeError(f"{name} was cancelled by other code")


def _mark_result(result: Result[T, E], item: int) -> Result[T, E]:
    """Return *result* with the position *item* in its failure, also in that of an optional call."""
    match result:
        case Err(error):
            return Err(mark_item(error, item))
        case Ok(value) if isinstance(value, Missing):
            # Sound: it is a `Missing` as before.
            marked = cast("T", replace(value, error=mark_item(value.error, item)))
            return replace(result, value=marked)
        case _:
            return result


def merge_bugs(bugs: Sequence[B]) -> B:
    """Return the first of *bugs*, after adding the others to its notes.

    A `RunExit` is not a bug, and is ignored. If *bugs* has nothing but `RunExit`, the first is returned.
    """
    first, *others = [bug for bug in bugs if not isinstance(bug, RunExit)] or bugs
    for other in others:
        if other is not first and not isinstance(other, RunExit):
            first.add_note("also in this stage: " + "".join(traceback.format_exception(other)))
    return first
