"""Commit: a saga, whose writes are all executed, or all undone (compensated), or reported as stuck."""

import asyncio
import logging
import random
from collections.abc import Collection, Coroutine, Iterator, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar, final

from gateway.railway.context import CallMode, ContextChange, change_context, current_context, time_left
from gateway.railway.errors import (
    Aggregate,
    BadAnswer,
    Failure,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
    combine_failures,
)
from gateway.railway.journal import (
    UNANSWERED,
    CommitStart,
    CommitState,
    Intent,
    Key,
    SentWrite,
    WriteOutcome,
    derive_key,
)
from gateway.railway.observer import SEQUENTIAL, CommitPolicy, StageSpan
from gateway.railway.result import Attempt, Err, Ok, Result
from gateway.railway.run_state import RunExit
from gateway.railway.stage import merge_bugs
from gateway.railway.write import CommitStep, Undo, Write

__all__ = ("build_intents", "commit", "try_undo")

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_GRACE: Final = 1.0
_TO_UNDO: Final = frozenset({WriteOutcome.DONE, WriteOutcome.UNKNOWN})


def build_intents(
    key_prefix: str, commit: str, steps: Sequence[CommitStep[object, Failure]]
) -> tuple[Intent, ...]:
    """Return an intent for each of *steps*, in this order; *commit* is the name of the commit."""
    return tuple(
        _build_intent(derive_key(key_prefix, commit, position, step.name), step)
        for position, step in enumerate(steps)
    )


def _build_intent(key: Key, step: CommitStep[object, Failure]) -> Intent:
    undo = step.undo if isinstance(step, Write) else None
    return Intent(step.name, key, undo and undo.name)


async def commit(
    start: CommitStart, steps: Sequence[CommitStep[T, E]], policy: CommitPolicy
) -> Result[tuple[T, ...], E | Aggregate | Stuck]:
    """Make *steps* with the intents of *start*; if a step fails, undo every write that may have taken effect.

    First, `LookupError` is raised if an operator could not retry every undo (`RunContext.retryable_undos`).
    Then the gate decides whether the commit may begin: if the request is gone, nothing is sent, and
    `asyncio.CancelledError` is raised. Then the journal records all intents, before anything is sent.

    If a write times out, its service is unavailable, or a proxy has answered in place of the service
    (`BadAnswer.is_transient`), the request may still have arrived. The write is then retried under the same
    key, within the budget, until an answer shows its outcome. If the service refuses the retry, the commit
    fails with that refusal, and still undoes the write, since the first request may arrive later. If no
    answer comes, the commit fails with the failure of the first attempt.

    If a step has failed, the writes are undone once every step has ended: in reverse order, and in rounds,
    until all are undone or the undo budget is spent. The failures are returned, combined in argument order,
    or `Stuck` if a write could not be undone.

    An exception in a step or in the journal counts as a failure. At the end, unless a write is stuck, the
    exceptions are merged (`merge_bugs`) and raised. A step that other code cancels, or that overruns its
    deadline by more than a second, raises an exception too.

    The first request of a write has the mode `SEND_ONCE`; its retries and undos have `BYPASS_POLICIES`. The
    budgets (`CommitTerms`) replace the run's deadline. A commit that is cancelled runs to its end, and then
    raises the cancellation, whose cause is the exception that it would have raised, if any.
    """
    return await _shield(_observe(start, steps, policy))


async def try_undo(undo: Undo, write: SentWrite) -> bool:
    """Make *undo* once for *write*; return True if the write is undone, False if not.

    An exception in *undo* is logged, not raised.
    """
    try:
        result = await _attempt_in_time(undo.name, partial(undo.make, write))
    except (Exception, RunExit):  # noqa: BLE001 - logged: the other writes must be undone too
        _log.exception("%s raised an exception; the write under key %s is not undone", undo.name, write.key)
        return False
    return isinstance(result, Ok)


async def _shield(work: Coroutine[Any, Any, T]) -> T:
    """Finish *work* even if the caller is cancelled, and only then raise the cancellation."""
    # Not `asyncio.shield`, which does not make the caller wait: its request would end while writes are still
    # being sent (https://docs.python.org/3/library/asyncio-task.html#asyncio.shield).
    task = asyncio.ensure_future(work)
    cancellation: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait((task,))
        except asyncio.CancelledError as error:
            cancellation = cancellation or error
    try:
        if cancellation is not None:
            raise cancellation from (None if task.cancelled() else task.exception())
        return task.result()
    finally:
        del cancellation, task  # their tracebacks refer to this frame: no cycles


async def _observe(
    start: CommitStart, steps: Sequence[CommitStep[T, E]], policy: CommitPolicy
) -> Result[tuple[T, ...], E | Aggregate | Stuck]:
    observer = current_context().observer
    span = StageSpan(start.name, tuple([step.in_stage for step in steps]), policy)
    if observer is not None:
        observer.stage_started(span)
    try:
        answers: dict[Key, object] = {}
        with change_context(stage=span, answers=answers):
            return await _Commit(start, steps, answers).run(policy)
    finally:
        if observer is not None:
            observer.stage_ended(span)


@final
@dataclass(slots=True, eq=False)
class _Progress(Generic[T, E]):
    """Progress of a step.

    *result* is None until the step returns; *bug* is its exception, None if none; *last_sent* is the time on
    the loop's clock at which the last attempt of a write ended.
    """

    step: CommitStep[T, E]
    intent: Intent
    outcome: WriteOutcome = WriteOutcome.PENDING
    result: Result[T, E] | None = None
    bug: BaseException | None = None
    last_sent: float = 0.0

    @property
    def undo(self) -> Undo | None:
        return self.step.undo if isinstance(self.step, Write) else None

    @property
    def has_failed(self) -> bool:
        return self.bug is not None or not isinstance(self.result, Ok)

    @property
    def is_undo_due(self) -> bool:
        return self.undo is not None and self.outcome in _TO_UNDO


@final
class _Commit(Generic[T, E]):
    """Commit in progress."""

    def __init__(
        self, start: CommitStart, steps: Sequence[CommitStep[T, E]], answers: MutableMapping[Key, object]
    ) -> None:
        self._start = start
        self._answers = answers
        self._context = current_context()
        self._steps = [_Progress(step, intent) for step, intent in zip(steps, start.intents, strict=True)]
        self._journal_bug: Exception | None = None

    async def run(self, policy: CommitPolicy) -> Result[tuple[T, ...], E | Aggregate | Stuck]:
        terms = self._context.commit_terms
        await self._begin()
        with _set_budget(terms.budget):
            await (self._run_in_sequence() if policy is SEQUENTIAL else self._run_concurrently())
        if not self._has_failed:
            await self._end(CommitState.COMMITTED)
        if not self._has_failed:
            return self._collect_values()
        with _set_budget(terms.undo_budget):
            stuck = await self._undo()
        await self._end(CommitState.STUCK if stuck else CommitState.UNDONE)
        return self._build_failure(stuck)

    async def _begin(self) -> None:
        """Check the undos, pass the gate and record the intents; raise if the commit may not begin."""
        execution_id, gate = self._start.execution_id, self._context.gate
        _check_undos(self._start.intents, self._context.retryable_undos)
        if not gate.try_begin(execution_id):
            # The request is gone: the run ends as if it had been cancelled just before its commit.
            raise asyncio.CancelledError
        try:
            await self._context.journal.begin(self._start)
        except BaseException:
            gate.revoke(execution_id)
            raise

    @property
    def _has_failed(self) -> bool:
        return self._journal_bug is not None or any(step.has_failed for step in self._steps)

    async def _run_in_sequence(self) -> None:
        for position, step in enumerate(self._steps, start=1):
            await self._make(step)
            if step.has_failed:
                for unsent in self._steps[position:]:
                    await self._note(unsent, WriteOutcome.REFUSED)
                return

    async def _run_concurrently(self) -> None:
        await asyncio.gather(*(self._make(step) for step in self._steps))

    async def _make(self, progress: _Progress[T, E]) -> None:
        try:
            if isinstance(progress.step, Write):
                await self._make_write(progress, progress.step)
            else:
                progress.result = await _attempt_in_time(progress.step.name, progress.step.make)
                is_done = isinstance(progress.result, Ok)
                await self._note(progress, WriteOutcome.DONE if is_done else WriteOutcome.REFUSED)
        except (Exception, RunExit) as bug:  # noqa: BLE001 - raised again, after the writes are undone
            progress.bug = bug
            await self._note(progress, WriteOutcome.UNKNOWN)

    async def _make_write(self, progress: _Progress[T, E], write: Write[T, E]) -> None:
        attempt = partial(_send, progress, write)
        with change_context(mode=CallMode.SEND_ONCE):
            progress.result = await _attempt_in_time(write.name, attempt)
        await self._note(progress, _interpret(progress.result))
        if progress.outcome is WriteOutcome.UNKNOWN:
            with change_context(mode=CallMode.BYPASS_POLICIES):
                progress.result = await _retry(write.name, attempt, progress.result)
            if isinstance(progress.result, Ok):
                await self._note(progress, WriteOutcome.DONE)

    async def _undo(self) -> Sequence[_Progress[T, E]]:
        """Undo the writes that may have been executed, last first, in rounds; return the stuck steps."""
        pauses = _generate_pauses()
        left = await self._undo_once([step for step in reversed(self._steps) if step.is_undo_due])
        while left and await _sleep_before_deadline(next(pauses)):
            left = await self._undo_once(left)
        for step in left:
            if self._context.keep_stuck is not None:
                self._context.keep_stuck(self._describe(step))
            await self._note(step, WriteOutcome.STUCK)
        return left

    async def _undo_once(self, steps: Sequence[_Progress[T, E]]) -> list[_Progress[T, E]]:
        """Try each undo once, with an equal share of the time; return the steps that are not undone."""
        left: list[_Progress[T, E]] = []
        for position, step in enumerate(steps):
            with _set_budget(time_left() / (len(steps) - position)):
                if step.undo is not None and await try_undo(step.undo, self._describe(step)):
                    await self._note(step, WriteOutcome.UNDONE)
                else:
                    left.append(step)
        return left

    def _describe(self, step: _Progress[T, E]) -> SentWrite:
        key = step.intent.key
        age = asyncio.get_running_loop().time() - step.last_sent
        return SentWrite(key, self._answers.get(key, UNANSWERED), age)

    async def _note(self, step: _Progress[T, E], outcome: WriteOutcome) -> None:
        step.outcome = outcome
        value = step.result.value if isinstance(step.result, Ok) else None
        try:
            await self._context.journal.note(self._start.execution_id, step.intent.key, outcome, value)
        except Exception as bug:  # noqa: BLE001 - raised again, after the writes are undone
            step.bug = step.bug or bug

    async def _end(self, state: CommitState) -> None:
        try:
            await self._context.journal.end(self._start.execution_id, state)
        except Exception as bug:  # noqa: BLE001 - raised again, after the writes are undone
            self._journal_bug = self._journal_bug or bug

    def _collect_values(self) -> Ok[tuple[T, ...]]:
        done = [step.result for step in self._steps if isinstance(step.result, Ok)]
        return Ok(tuple(ok.value for ok in done), lacks=tuple(name for ok in done for name in ok.lacks))

    def _build_failure(self, stuck: Sequence[_Progress[T, E]]) -> Err[E | Aggregate | Stuck]:
        bugs = [bug for bug in (*(step.bug for step in self._steps), self._journal_bug) if bug is not None]
        if stuck:
            return self._report_stuck([step.intent for step in reversed(stuck)], bugs)
        if bugs:
            raise merge_bugs(bugs)
        return Err(
            combine_failures([step.result.error for step in self._steps if isinstance(step.result, Err)])
        )

    def _report_stuck(self, intents: Sequence[Intent], bugs: Sequence[BaseException]) -> Err[Stuck]:
        """Log the writes that could not be undone, for an operator; return the failure for the caller."""
        _log.error(
            "execution %s of %s is stuck: could not undo %s",
            self._start.execution_id,
            self._start.pipeline,
            ", ".join(f"{intent.name} under key {intent.key}" for intent in intents),
            exc_info=merge_bugs(bugs) if bugs else None,
        )
        names = ", ".join(intent.name for intent in intents)
        return Err(Stuck(f"Some writes could not be undone: {names}"))


async def _send(progress: _Progress[T, E], write: Write[T, E]) -> Result[T, E]:
    try:
        return await write.make(progress.intent.key)
    finally:
        progress.last_sent = asyncio.get_running_loop().time()


def _check_undos(intents: Sequence[Intent], retryable: Collection[str] | None) -> None:
    """Raise `LookupError` if the undo of a write is not *retryable*; None allows every undo."""
    names = {intent.undo for intent in intents if intent.undo}
    if retryable is not None and (unknown := names.difference(retryable)):
        msg = (
            f"unregistered undo {', '.join(sorted(unknown))}: an operator could not retry it if it got stuck"
        )
        raise LookupError(msg)


async def _retry(name: str, attempt: Attempt[T, E], first: Result[T, E]) -> Result[T, E]:
    """Retry a write until an answer shows its outcome and return that answer; return *first* if none does."""
    pauses = _generate_pauses()
    last = first
    while await _wait_to_retry(last, next(pauses)):
        last = await _attempt_in_time(name, attempt)
        if not (isinstance(last, Err) and isinstance(last.error, BadAnswer | Unavailable | TimedOut)):
            return last
    return first


async def _wait_to_retry(result: Result[object, Failure], pause: float) -> bool:
    """Wait before the next attempt and return True.

    Return False at once if the service has answered, or if the deadline would pass during the wait.
    """
    match result:
        case Err(Unavailable(retry_after=seconds) | BadAnswer(is_transient=True, retry_after=seconds)):
            return await _sleep_before_deadline(max(pause, seconds or 0))
        case Err(TimedOut()):
            return await _sleep_before_deadline(pause)
        case _:  # the service has answered
            return False


async def _sleep_before_deadline(seconds: float) -> bool:
    """Sleep and return True; return False at once if the deadline would pass during the sleep."""
    if time_left() <= seconds:
        return False
    await asyncio.sleep(seconds)
    return True


def _interpret(result: Result[object, Failure]) -> WriteOutcome:
    """Return the outcome of a write's first attempt: `REFUSED` only if certainly nothing has changed."""
    match result:
        case Ok():
            return WriteOutcome.DONE
        case Err(Unavailable(was_sent=False) | TimedOut(was_sent=False)):
            return WriteOutcome.REFUSED
        case Err(BadAnswer() | Unavailable() | TimedOut() | Unexpected() | Stuck() | Aggregate()):
            return WriteOutcome.UNKNOWN
        case Err():
            return WriteOutcome.REFUSED


async def _attempt_in_time(name: str, attempt: Attempt[T, E]) -> Result[T, E]:
    """Make *attempt*; raise `TimeoutError` if it overruns the deadline by more than a second.

    Raise `RuntimeError` if other code cancels it.
    """
    try:
        async with asyncio.timeout(time_left() + _GRACE):
            return await attempt()
    except asyncio.CancelledError as stray:
        # If nothing has cancelled this task, the attempt has awaited another task that was cancelled: a bug.
        # If this `CancelledError` propagated, the commit would end without undoing the writes.
        # https://docs.python.org/3/library/asyncio-task.html#asyncio.Task.cancelling
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        msg = f"{name} was cancelled by other code"
        raise RuntimeError(msg) from stray


def _set_budget(seconds: float) -> ContextChange:
    """Set the deadline to *seconds* from now."""
    return change_context(deadline=asyncio.get_running_loop().time() + seconds)


def _generate_pauses() -> Iterator[float]:
    """Yield the seconds to wait between attempts: exponential backoff with equal jitter."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - jitter: clients must not retry in lockstep
        pause = min(pause * 2, _LONGEST_PAUSE)
