"""Commit: a saga, whose writes are all executed, or all undone (compensated), or reported as stuck."""

import asyncio
import logging
from collections.abc import Collection, Coroutine, MutableMapping, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Final, Generic, TypeVar, final

from gateway.railway.attempts import attempt_in_time, generate_pauses, set_budget, sleep_before_deadline
from gateway.railway.context import CallMode, change_context, current_context
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
    JournalUnavailableError,
    Key,
    SentWrite,
    WriteOutcome,
    derive_key,
)
from gateway.railway.observer import SEQUENTIAL, CommitPolicy, Observer, StageSpan
from gateway.railway.result import Attempt, Err, Ok, Result
from gateway.railway.run_state import RunExit
from gateway.railway.stage import merge_bugs
from gateway.railway.undo import Undo, undo_writes
from gateway.railway.write import CommitStep, Write

__all__ = ("build_intents", "commit")

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

_TO_UNDO: Final = frozenset({WriteOutcome.DONE, WriteOutcome.UNKNOWN})
_SILENT: Final = Observer()
_NOT_RECORDED: Final = "The gateway cannot record the commit at present, so nothing was sent"


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
) -> Result[tuple[T, ...], E | Aggregate | Stuck | Unavailable]:
    """Make *steps* with the intents of *start*; if a step fails, undo every write that may have taken effect.

    First, `LookupError` is raised if an operator could not retry every undo (`RunContext.retryable_undos`).
    Then the gate decides whether the commit may begin: if the request is gone, nothing is sent, and
    `asyncio.CancelledError` is raised. Then the journal records all intents, before anything is sent; if it
    is unavailable, nothing is sent, and `Unavailable` is returned.

    If a write times out, its service is unavailable, or a proxy has answered in place of the service
    (`BadAnswer.is_transient`), the request may still have arrived. The write is then retried under the same
    key, within the budget, until an answer shows its outcome. If the service refuses the retry, the commit
    fails with that refusal, and still undoes the write, since the first request may arrive later. If no
    answer comes, the commit fails with the failure of the first attempt.

    If a step has failed, the writes are undone once every step has ended (`undo_writes`). The failures are
    returned, combined in argument order, or `Stuck` if a write could not be undone.

    An exception in a step counts as a failure. At the end, unless a write is stuck, the exceptions are merged
    (`merge_bugs`) and raised. A step that other code cancels, or that overruns its deadline by more than a
    second, raises an exception too.

    The first request of a write has the mode `SEND_ONCE`; its retries and undos have `BYPASS_POLICIES`. The
    budgets (`CommitTerms`) replace the run's deadline. A commit that is cancelled runs to its end, and then
    raises the cancellation, whose cause is the exception that it would have raised, if any.
    """
    return await _shield(_observe(start, steps, policy))


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
) -> Result[tuple[T, ...], E | Aggregate | Stuck | Unavailable]:
    observer = current_context().observer or _SILENT
    span = StageSpan(start.name, tuple([step.in_stage for step in steps]), policy)
    observer.stage_started(span)
    try:
        answers: dict[Key, object] = {}
        with change_context(stage=span, answers=answers):
            result = await _Commit(start, steps, answers).run(policy)
    except BaseException as error:
        observer.stage_ended(span, error)
        raise
    observer.stage_ended(span, result)
    return result


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
    def has_failed(self) -> bool:
        return self.bug is not None or not isinstance(self.result, Ok)

    @property
    def due_undo(self) -> Undo | None:
        """Return the undo of a write that may have been executed, else None."""
        return self.step.undo if isinstance(self.step, Write) and self.outcome in _TO_UNDO else None


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

    async def run(self, policy: CommitPolicy) -> Result[tuple[T, ...], E | Aggregate | Stuck | Unavailable]:
        try:
            await self._begin()
        except JournalUnavailableError as error:
            return Err(Unavailable(_NOT_RECORDED, retry_after=error.retry_after, was_sent=False))
        with set_budget(self._context.commit_terms.budget):
            await (self._run_in_sequence() if policy is SEQUENTIAL else self._run_concurrently())
        if not any(step.has_failed for step in self._steps):
            self._end(CommitState.COMMITTED)
            return self._collect_values()
        stuck = await self._undo()
        self._end(CommitState.STUCK if stuck else CommitState.UNDONE)
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

    async def _run_in_sequence(self) -> None:
        for position, step in enumerate(self._steps, start=1):
            await self._make(step)
            if step.has_failed:
                for unsent in self._steps[position:]:
                    self._note(unsent, WriteOutcome.REFUSED)
                return

    async def _run_concurrently(self) -> None:
        await asyncio.gather(*(self._make(step) for step in self._steps))

    async def _make(self, progress: _Progress[T, E]) -> None:
        try:
            if isinstance(progress.step, Write):
                await self._make_write(progress, progress.step)
            else:
                progress.result = await attempt_in_time(progress.step.name, progress.step.make)
                is_done = isinstance(progress.result, Ok)
                self._note(progress, WriteOutcome.DONE if is_done else WriteOutcome.REFUSED)
        except (Exception, RunExit) as bug:  # noqa: BLE001 - raised again, after the writes are undone
            progress.bug = bug
            self._note(progress, WriteOutcome.UNKNOWN)

    async def _make_write(self, progress: _Progress[T, E], write: Write[T, E]) -> None:
        attempt = partial(_send, progress, write)
        with change_context(mode=CallMode.SEND_ONCE):
            progress.result = await attempt_in_time(write.name, attempt)
        self._note(progress, _interpret(progress.result))
        if progress.outcome is WriteOutcome.UNKNOWN:
            with change_context(mode=CallMode.BYPASS_POLICIES):
                progress.result = await _retry(write.name, attempt, progress.result)
            if isinstance(progress.result, Ok):
                self._note(progress, WriteOutcome.DONE)

    async def _undo(self) -> Collection[Key]:
        """Undo the writes that may have been executed; return the keys of the stuck writes."""
        due = [(undo, self._describe(step)) for step in self._steps if (undo := step.due_undo) is not None]
        stuck = await undo_writes(due, self._context.commit_terms.undo_budget, self._note_undo)
        if self._context.keep_stuck is not None:
            for write in stuck:
                self._context.keep_stuck(write)
        return {write.key for write in stuck}

    def _describe(self, step: _Progress[T, E]) -> SentWrite:
        key = step.intent.key
        age = asyncio.get_running_loop().time() - step.last_sent
        return SentWrite(key, self._answers.get(key, UNANSWERED), age)

    def _note(self, step: _Progress[T, E], outcome: WriteOutcome) -> None:
        step.outcome = outcome
        self._context.journal.note(self._start.execution_id, step.intent.key, outcome)

    def _note_undo(self, write: SentWrite, outcome: WriteOutcome) -> None:
        self._context.journal.note(self._start.execution_id, write.key, outcome)

    def _end(self, state: CommitState) -> None:
        self._context.journal.end(self._start.execution_id, state)

    def _collect_values(self) -> Ok[tuple[T, ...]]:
        done = [step.result for step in self._steps if isinstance(step.result, Ok)]
        return Ok(tuple(ok.value for ok in done), lacks=tuple(name for ok in done for name in ok.lacks))

    def _build_failure(self, stuck: Collection[Key]) -> Err[E | Aggregate | Stuck]:
        bugs = [step.bug for step in self._steps if step.bug is not None]
        if stuck:
            return self._report_stuck([step.intent for step in self._steps if step.intent.key in stuck], bugs)
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
    pauses = generate_pauses()
    last = first
    while await _wait_to_retry(last, next(pauses)):
        last = await attempt_in_time(name, attempt)
        if not (isinstance(last, Err) and isinstance(last.error, BadAnswer | Unavailable | TimedOut)):
            return last
    return first


async def _wait_to_retry(result: Result[object, Failure], pause: float) -> bool:
    """Wait before the next attempt and return True.

    Return False at once if the service has answered, or if the deadline would pass during the wait.
    """
    match result:
        case Err(Unavailable(retry_after=seconds) | BadAnswer(is_transient=True, retry_after=seconds)):
            return await sleep_before_deadline(max(pause, seconds or 0))
        case Err(TimedOut()):
            return await sleep_before_deadline(pause)
        case _:  # the service has answered
            return False


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
