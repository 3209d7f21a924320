"""Timer wheel: time limits of many tasks, for which the event loop has one timer."""

import asyncio
import math
from types import TracebackType
from typing import Final, final

__all__ = ("TimeLimit", "TimeLimitError", "TimerWheel")

_SLOT: Final = 0.005
"""Seconds of a slot: a limit ends at most that much late."""

_ROUNDING: Final = 1e-6
"""Share of a slot that only comes from rounding."""

_LAST_TURNS: Final = 3
"""Turns of the event loop between the end of a slot and the end of its limits.

In the first, the loop reads from its sockets, which libuv did after timers and callbacks before version 1.45.
In the second, the transport completes an answer; in the third, the task gets it.
"""


class TimeLimitError(Exception):
    """Exception that a `with` block raises if its `TimeLimit` has ended before it."""


@final
class TimerWheel:
    """Time limits of tasks in *loop*, in slots of 5 ms; the timer of the loop is that of the earliest slot.

    Nearly every attempt ends before its limit. A timer for each would take several times as long to set and
    to cancel as an entry in a slot. See "Hashed and hierarchical timing wheels" (Varghese and Lauck, 1987).

    An answer that has arrived in time is never late, even if the loop was too busy to read it: when a slot
    ends, the loop first reads what has arrived, and lets the tasks get it.
    """

    __slots__ = ("_next", "_slots", "_timer", "loop")

    def __init__(self, loop: asyncio.AbstractEventLoop) -> None:
        self.loop: Final = loop
        self._slots: dict[int, set[TimeLimit]] = {}
        self._next: float = math.inf  # the slot of the timer
        self._timer: asyncio.Handle | None = None

    def limit(self, seconds: float) -> "TimeLimit":
        """Return a limit of *seconds* from now, for a `with` block in the current task."""
        task = asyncio.current_task(self.loop)
        if task is None:
            msg = "a time limit needs a task"
            raise RuntimeError(msg)
        return TimeLimit(self, math.ceil((self.loop.time() + seconds) / _SLOT - _ROUNDING), task)

    def add(self, slot: int, limit: "TimeLimit") -> None:
        """Add *limit*, which ends with *slot*."""
        limits = self._slots.get(slot)
        if limits is not None:
            limits.add(limit)
            return
        self._slots[slot] = {limit}
        if slot < self._next:
            self._set_timer(slot)

    def remove(self, slot: int, limit: "TimeLimit") -> None:
        """Remove *limit*, which has been added to *slot*, unless it has ended."""
        limits = self._slots.get(slot)
        if limits is not None:
            limits.discard(limit)
            if not limits:
                del self._slots[slot]

    def _set_timer(self, slot: int) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._next = slot
        self._timer = self.loop.call_at(slot * _SLOT, self._end_slots)

    def _end_slots(self) -> None:
        """End the limits of the slots that are over, after the last turns."""
        # The clock of the loop may be slightly behind its own timer.
        over = max(self._next, math.floor(self.loop.time() / _SLOT + _ROUNDING))
        self._wait_for_answers(over, _LAST_TURNS)

    def _wait_for_answers(self, over: float, turns: int) -> None:
        if turns:
            self._timer = self.loop.call_soon(self._wait_for_answers, over, turns - 1)
        else:
            self._end_limits(over)

    def _end_limits(self, over: float) -> None:
        """End the limits of the slots up to *over*, and set the timer for the next slot."""
        for slot in [slot for slot in self._slots if slot <= over]:
            for limit in self._slots.pop(slot):
                limit.end()
        self._next, self._timer = math.inf, None
        if self._slots:
            self._set_timer(min(self._slots))


@final
class TimeLimit:
    """Limit for a `with` block in *task*, which is cancelled at the end of *slot*, as by `asyncio.timeout`.

    If the block ends by this cancellation, it raises `TimeLimitError`. If other code has cancelled the task
    too, it raises `asyncio.CancelledError`.
    """

    __slots__ = ("_cancellations", "_has_ended", "_slot", "_task", "_wheel")

    def __init__(self, wheel: TimerWheel, slot: int, task: "asyncio.Task[object]") -> None:
        self._wheel = wheel
        self._slot = slot
        self._task = task
        self._has_ended = False

    def __enter__(self) -> None:
        self._cancellations = self._task.cancelling()
        self._wheel.add(self._slot, self)

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._wheel.remove(self._slot, self)
        if not self._has_ended:
            return
        is_own = self._task.uncancel() <= self._cancellations
        if is_own and kind is asyncio.CancelledError:
            raise TimeLimitError from error

    def end(self) -> None:
        """Cancel the task."""
        self._has_ended = True
        self._task.cancel()
