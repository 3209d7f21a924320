"""Undo: the compensation of a write, and the rounds in which undos are repeated until they succeed."""

import asyncio
import logging
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, Final, TypeAlias, final

from gateway.railway.attempts import attempt_in_time, generate_pauses, set_budget, sleep_before_deadline
from gateway.railway.context import CallMode, change_context, current_context, time_left
from gateway.railway.errors import Failure
from gateway.railway.journal import SentWrite, WriteOutcome
from gateway.railway.observation import observe
from gateway.railway.observer import CallKind, CallSpan
from gateway.railway.result import Ok, Result
from gateway.railway.run_state import RunExit

__all__ = ("Undo", "UndoAttempt", "try_undo", "undo_writes")

_log: Final = logging.getLogger(__name__)

UndoAttempt: TypeAlias = Callable[[SentWrite], Coroutine[Any, Any, Result[object, Failure]]]
"""Async function that undoes a write once."""


@final
@dataclass(frozen=True, slots=True)
class Undo:
    """Compensation of a write: its *name* (`service.operation`) and the *attempt* that makes it.

    The attempt must manage with the key of the write, so that an undo is possible even if everything else
    about the write has been lost: the answer of the write may be `UNANSWERED`. The attempt must be
    idempotent, and must succeed if the write has never arrived.
    """

    name: str
    attempt: UndoAttempt

    async def make(self, write: SentWrite) -> Result[object, Failure]:
        """Undo *write*, bypassing the policies; notify the observer of the run, if any."""
        context = current_context()
        span = CallSpan(self.name, context.stage, CallKind.UNDO, key=write.key)
        with change_context(mode=CallMode.BYPASS_POLICIES):
            return await observe(span, partial(self.attempt, write))


async def try_undo(undo: Undo, write: SentWrite) -> bool:
    """Make *undo* once for *write*; return True if the write is undone, False if not.

    An exception in *undo* is logged, not raised.
    """
    try:
        result = await attempt_in_time(undo.name, partial(undo.make, write))
    except (Exception, RunExit):  # noqa: BLE001 - logged: the other writes must be undone too
        _log.exception("%s raised an exception; the write under key %s is not undone", undo.name, write.key)
        return False
    return isinstance(result, Ok)


async def undo_writes(
    writes: Sequence[tuple[Undo, SentWrite]],
    budget: float,
    on_outcome: Callable[[SentWrite, WriteOutcome], object],
) -> Sequence[SentWrite]:
    """Undo *writes*, last first, in rounds, until all are undone or *budget* seconds are spent.

    Return the writes that are stuck, in the order of *writes*. A round makes each remaining undo once, and
    the undos of a round have equal shares of the time left. *on_outcome* is called with `UNDONE` for each
    write as soon as it is undone, and with `STUCK` for each of the others at the end; it must not raise.

    The ages of *writes* are those at the call: each attempt, *on_outcome* and the caller get the age that the
    write has by then.
    """
    start = asyncio.get_running_loop().time()
    pauses = generate_pauses()
    with set_budget(budget):
        left = await _make_round([*reversed(writes)], start, on_outcome)
        while left and await sleep_before_deadline(next(pauses)):
            left = await _make_round(left, start, on_outcome)
    stuck = [_update_age(write, start) for _, write in left]
    for write in stuck:
        on_outcome(write, WriteOutcome.STUCK)
    return stuck[::-1]


async def _make_round(
    writes: Sequence[tuple[Undo, SentWrite]],
    start: float,
    on_outcome: Callable[[SentWrite, WriteOutcome], object],
) -> Sequence[tuple[Undo, SentWrite]]:
    """Try each undo once, with an equal share of the time; return the writes that are not undone."""
    left: list[tuple[Undo, SentWrite]] = []
    for position, (undo, write) in enumerate(writes):
        with set_budget(time_left() / (len(writes) - position)):
            current = _update_age(write, start)
            if await try_undo(undo, current):
                on_outcome(current, WriteOutcome.UNDONE)
            else:
                left.append((undo, write))
    return left


def _update_age(write: SentWrite, start: float) -> SentWrite:
    """Return *write*, whose age was right at *start* on the loop's clock, with its age by now."""
    return replace(write, age=write.age + (asyncio.get_running_loop().time() - start))
