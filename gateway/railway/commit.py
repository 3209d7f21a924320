"""Writes that are all done, or all undone."""

import asyncio
import logging
import random
from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from enum import Enum
from functools import partial
from typing import Final, Generic, TypeVar, final

from gateway.railway.call import Attempt
from gateway.railway.context import RUN_CONTEXT, CallMode, StageSpan
from gateway.railway.errors import (
    Aggregate,
    BadAnswer,
    Failure,
    Stuck,
    TimedOut,
    Unavailable,
    Unexpected,
    combined,
)
from gateway.railway.journal import Beginning, Intent, State, WriteOutcome, key_of
from gateway.railway.result import Err, Ok, Result
from gateway.railway.stage import Leaving, with_others
from gateway.railway.write import Step, Undo, Write

__all__ = ("CONCURRENT", "SEQUENTIAL", "CommitPolicy", "commit", "intents")

_log: Final = logging.getLogger(__name__)

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

_FIRST_PAUSE: Final = 0.1
_LONGEST_PAUSE: Final = 1.0
_GRACE: Final = 1.0
_TO_UNDO: Final = frozenset({WriteOutcome.DONE, WriteOutcome.UNKNOWN})


class CommitPolicy(Enum):
    """Whether a commit makes its writes one after the other."""

    SEQUENTIAL = "in order"
    """Each is made once the one before it is done; one that fails keeps those after it from being sent."""

    CONCURRENT = "parallel"
    """All are made at once, and every one is awaited."""


SEQUENTIAL: Final = CommitPolicy.SEQUENTIAL
CONCURRENT: Final = CommitPolicy.CONCURRENT


async def commit(
    of: Beginning, steps: Sequence[Step[T, E]], policy: CommitPolicy
) -> Result[tuple[T, ...], E | Aggregate | Stuck]:
    """Make *steps*, whose intents *of* has; if one fails, undo every write that may have been made.

    The journal hears of all intents before anything is sent. A write that gets no answer is repeated under
    the same key while the budget lasts; if it is refused then, that is the failure, but it is undone all the
    same, since the first attempt may still be on its way. Once every step has ended, a failure undoes: in
    reverse order, repeated until each undo has succeeded or its budget is spent. Then the failures are given,
    combined in argument order; `Stuck` in their place if something could not be undone. An exception is a
    bug: it counts as a failure, and is raised in the end, that of the earliest argument with those of others
    noted on it. To be cancelled by somebody else is one too, and so is to overrun the deadline of an attempt.

    The first attempt of a write may be declined by a policy, and is made in mode `SEND_ONCE` (`CallMode`);
    repeats and undos are made in mode `BYPASS_POLICIES`. The run's own deadline plays no part from here on.
    See `CommitTerms` for the budgets. A commit must not be cancelled: await it through `shielded`.
    """
    around = RUN_CONTEXT.get()
    span = StageSpan(of.name, tuple(step.name for step in steps), tuple(steps), policy)
    if around.observer is not None:
        around.observer.stage_started(span)
    before = RUN_CONTEXT.set(replace(around, stage=span))
    try:
        return await _Commit(of, steps).outcome(policy)
    finally:
        RUN_CONTEXT.reset(before)
        if around.observer is not None:
            around.observer.stage_ended(span)


def intents(key_prefix: str, name: str, steps: Sequence[Step[object, Failure]]) -> tuple[Intent, ...]:
    """Say what the commit called *name* means to do."""
    return tuple(_intent(key_prefix, name, place, step) for place, step in enumerate(steps))


def _intent(key_prefix: str, commit: str, place: int, step: Step[object, Failure]) -> Intent:
    key = key_of(key_prefix, commit, place, step.name)
    if not isinstance(step, Write):
        return Intent(step.name, key)
    return Intent(step.name, key, step.arguments, step.undo and step.undo.name)


@final
@dataclass(slots=True, eq=False)
class _Part(Generic[T, E]):
    """One step, and how far it has come; *result* is None until there is one, and where there is a bug."""

    step: Step[T, E]
    intent: Intent
    outcome: WriteOutcome = WriteOutcome.PENDING
    result: Result[T, E] | None = None
    bug: BaseException | None = None

    @property
    def undo(self) -> Undo | None:
        return self.step.undo if isinstance(self.step, Write) else None

    @property
    def has_failed(self) -> bool:
        return self.bug is not None or not isinstance(self.result, Ok)

    @property
    def may_stand(self) -> bool:
        return self.undo is not None and self.outcome in _TO_UNDO


@final
class _Commit(Generic[T, E]):
    """The steps of one commit, on their way."""

    def __init__(self, of: Beginning, steps: Sequence[Step[T, E]]) -> None:
        self._of = of
        self._terms = RUN_CONTEXT.get().commits
        self._parts = [_Part(step, intent) for step, intent in zip(steps, of.intents, strict=True)]
        self._bug: Exception | None = None

    async def outcome(self, policy: CommitPolicy) -> Result[tuple[T, ...], E | Aggregate | Stuck]:
        await self._terms.journal.begin(self._of)
        with _time(self._terms.budget):
            await (self._one_by_one() if policy is SEQUENTIAL else self._at_once())
        if not self._has_failed:
            await self._end(State.COMMITTED)
        if not self._has_failed:
            return self._values()
        with _time(self._terms.undo_budget):
            stuck = await self._undo()
        await self._end(State.STUCK if stuck else State.UNDONE)
        return self._failure(stuck)

    @property
    def _has_failed(self) -> bool:
        return self._bug is not None or any(part.has_failed for part in self._parts)

    async def _one_by_one(self) -> None:
        for place, part in enumerate(self._parts, start=1):
            await self._make(part)
            if part.has_failed:
                for unsent in self._parts[place:]:
                    await self._note(unsent, WriteOutcome.REFUSED)
                return

    async def _at_once(self) -> None:
        await asyncio.gather(*(self._make(part) for part in self._parts))

    async def _make(self, part: _Part[T, E]) -> None:
        try:
            if isinstance(part.step, Write):
                await self._write(part, part.step)
            else:
                part.result = await _held(part.step.name, part.step.make)
                is_done = isinstance(part.result, Ok)
                await self._note(part, WriteOutcome.DONE if is_done else WriteOutcome.REFUSED)
        except (Exception, Leaving) as bug:  # noqa: BLE001 - raised again, once what was written is undone
            part.bug = bug
            await self._note(part, WriteOutcome.UNKNOWN)

    async def _write(self, part: _Part[T, E], write: Write[T, E]) -> None:
        attempt = partial(write.make, part.intent.key)
        with _effort(CallMode.SEND_ONCE):
            part.result = await _held(write.name, attempt)
        await self._note(part, _meant(part.result))
        if part.outcome is WriteOutcome.UNKNOWN:
            with _effort(CallMode.BYPASS_POLICIES):
                part.result = await _repeated(write.name, attempt, part.result)
            if isinstance(part.result, Ok):
                await self._note(part, WriteOutcome.DONE)

    async def _undo(self) -> Sequence[_Part[T, E]]:
        """Undo what may have been done, the last write first, in rounds; give what is stuck."""
        pauses = _pauses()
        left = await self._round([part for part in reversed(self._parts) if part.may_stand])
        while left and await _has_waited(next(pauses)):
            left = await self._round(left)
        for part in left:
            await self._note(part, WriteOutcome.STUCK)
        return left

    async def _round(self, parts: Sequence[_Part[T, E]]) -> list[_Part[T, E]]:
        """Try each undo once; one that hangs has only its share of the time. Give those that have failed."""
        left: list[_Part[T, E]] = []
        for place, part in enumerate(parts):
            with _time(_left() / (len(parts) - place)):
                if part.undo is not None and not await self._is_undone(part, part.undo):
                    left.append(part)
        return left

    async def _is_undone(self, part: _Part[T, E], undo: Undo) -> bool:
        try:
            with _effort(CallMode.BYPASS_POLICIES):
                result = await _held(undo.name, partial(undo.make, part.intent.key))
        except (Exception, Leaving):  # noqa: BLE001 - logged; it is made again, and so are the other undos
            _log.exception("%s raised, under key %s", undo.name, part.intent.key)
            return False
        if isinstance(result, Ok):
            await self._note(part, WriteOutcome.UNDONE)
        return isinstance(result, Ok)

    async def _note(self, part: _Part[T, E], outcome: WriteOutcome) -> None:
        part.outcome = outcome
        value = part.result.value if isinstance(part.result, Ok) else None
        try:
            await self._terms.journal.note(self._of.execution_id, part.intent.key, outcome, value)
        except Exception as bug:  # noqa: BLE001 - raised again, once what was written is undone
            part.bug = part.bug or bug

    async def _end(self, state: State) -> None:
        try:
            await self._terms.journal.end(self._of.execution_id, state)
        except Exception as bug:  # noqa: BLE001 - raised again, once what was written is undone
            self._bug = self._bug or bug

    def _values(self) -> Ok[tuple[T, ...]]:
        done = [part.result for part in self._parts if isinstance(part.result, Ok)]
        return Ok(tuple(ok.value for ok in done), lacks=tuple(name for ok in done for name in ok.lacks))

    def _failure(self, stuck: Sequence[_Part[T, E]]) -> Err[E | Aggregate | Stuck]:
        bugs = [bug for bug in (*(part.bug for part in self._parts), self._bug) if bug is not None]
        if stuck:
            stands = [part.intent for part in reversed(stuck)]
            keys = ", ".join(f"{intent.name} under key {intent.key}" for intent in stands)
            bug = with_others(bugs) if bugs else None
            _log.error(
                "execution %s of %s is stuck: %s",
                self._of.execution_id,
                self._of.pipeline,
                keys,
                exc_info=bug,
            )
            names = ", ".join(intent.name for intent in stands)
            return Err(Stuck(f"What was done could not be undone: {names}"))
        if bugs:
            raise with_others(bugs)
        return Err(combined([part.result.error for part in self._parts if isinstance(part.result, Err)]))


async def _repeated(name: str, attempt: Attempt[T, E], first: Result[T, E]) -> Result[T, E]:
    """Repeat *attempt* until it is known what came of it; give *first* if it never is."""
    pauses = _pauses()
    last = first
    while await _is_worth_another(last, next(pauses)):
        last = await _held(name, attempt)
        if not (isinstance(last, Err) and isinstance(last.error, BadAnswer | Unavailable | TimedOut)):
            return last
    return first


async def _is_worth_another(result: Result[object, Failure], pause: float) -> bool:
    """Wait before another attempt; say no, at once, where it would not help or there is no time for it."""
    match result:
        case Err(Unavailable(retry_after=seconds)):
            return await _has_waited(max(pause, seconds or 0))
        case Err(TimedOut()):
            return await _has_waited(pause)
        case _:  # the service has answered
            return False


async def _has_waited(seconds: float) -> bool:
    """Wait, if there is time for it; say whether there was."""
    if _left() <= seconds:
        return False
    await asyncio.sleep(seconds)
    return True


def _meant(result: Result[object, Failure]) -> WriteOutcome:
    """Say what the first attempt has shown: only what a service can have declined on purpose is refused."""
    match result:
        case Ok():
            return WriteOutcome.DONE
        case Err(Unavailable(was_sent=False) | TimedOut(was_sent=False)):
            return WriteOutcome.REFUSED
        case Err(BadAnswer() | Unavailable() | TimedOut() | Unexpected() | Stuck() | Aggregate()):
            return WriteOutcome.UNKNOWN
        case Err():
            return WriteOutcome.REFUSED


async def _held(name: str, attempt: Attempt[T, E]) -> Result[T, E]:
    """Make *attempt*, which is cut off if it does not keep to its deadline."""
    try:
        async with asyncio.timeout(_left() + _GRACE):
            return await attempt()
    except asyncio.CancelledError as stray:
        task = asyncio.current_task()
        if task is None or task.cancelling():
            raise
        msg = f"{name} was cancelled by somebody else"
        raise RuntimeError(msg) from stray


@contextmanager
def _time(seconds: float) -> Generator[None]:
    """Give what is done within no other deadline than the end of these *seconds*."""
    end = asyncio.get_running_loop().time() + seconds
    before = RUN_CONTEXT.set(replace(RUN_CONTEXT.get(), deadline=end))
    try:
        yield
    finally:
        RUN_CONTEXT.reset(before)


@contextmanager
def _effort(mode: CallMode) -> Generator[None]:
    """Say what may be done for what is made within."""
    before = RUN_CONTEXT.set(replace(RUN_CONTEXT.get(), mode=mode))
    try:
        yield
    finally:
        RUN_CONTEXT.reset(before)


def _left() -> float:
    """Give the seconds until the end of `_time`."""
    deadline = RUN_CONTEXT.get().deadline
    return float("inf") if deadline is None else deadline - asyncio.get_running_loop().time()


def _pauses() -> Iterator[float]:
    """Give the seconds to wait between attempts: twice as many each time, and some of them at random."""
    pause = _FIRST_PAUSE
    while True:
        yield pause * random.uniform(0.5, 1.0)  # noqa: S311 - so that not all come back at once
        pause = min(pause * 2, _LONGEST_PAUSE)
