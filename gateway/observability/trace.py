"""The record of one request: its calls, their stages, their times."""

import asyncio
import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Final, final

from gateway.railway import CallOutcome, CallSpan, Err, Ok, StageSpan

__all__ = ("Trace", "TracedCall")

_NO_TOKEN: Final = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")  # RFC 9110, 5.6.2


@final
@dataclass(slots=True)
class TracedCall:
    """One call that was made: *start* and *end* are seconds on the trace's clock."""

    name: str
    stage: str | None
    start: float
    end: float | None = None
    outcome: CallOutcome | None = None

    @property
    def verdict(self) -> str:
        """Say how it ended: `ok`, the code of the failure, `cancelled`, `bug`, or `running` if it has not."""
        match self.outcome:
            case None:
                return "running"
            case Ok():
                return "ok"
            case Err(error):
                return error.code
            case asyncio.CancelledError():
                return "cancelled"
            case _:
                return "bug"


@final
@dataclass(slots=True)
class Trace:
    """Observes a run and keeps what it did; *clock* gives seconds."""

    clock: Callable[[], float] = time.perf_counter
    calls: list[TracedCall] = field(default_factory=list[TracedCall])
    start: float = field(init=False)
    _going: dict[CallSpan, TracedCall] = field(init=False, default_factory=dict[CallSpan, TracedCall])

    def __post_init__(self) -> None:
        self.start = self.clock()

    def stage_started(self, stage: StageSpan, /) -> None:
        """Hear of a stage: its calls will say that they are part of it."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Hear of a stage's end: its calls have said so."""

    def call_started(self, call: CallSpan, /) -> None:
        """Note that *call* starts now."""
        made = TracedCall(call.name, call.stage.name if call.stage else None, self.clock())
        self._going[call] = made
        self.calls.append(made)

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Note that *call* ends now."""
        made = self._going.pop(call)
        made.end = self.clock()
        made.outcome = outcome

    @property
    def wall(self) -> float:
        """Seconds since the request came in."""
        return self.clock() - self.start

    @property
    def critical_path(self) -> float:
        """Seconds in which at least one call was under way."""
        return sum(end - start for start, end in self._busy())

    @property
    def sequential(self) -> float:
        """Seconds that the same calls would have taken one after the other."""
        now = self.clock()
        return sum((call.end or now) - call.start for call in self.calls)

    def server_timing(self) -> str:
        """Give the `Server-Timing` header: each call made, and the gateway's own time, in milliseconds.

        https://www.w3.org/TR/server-timing/
        """
        now = self.clock()
        entries = [
            f"{_NO_TOKEN.sub('_', call.name)};dur={((call.end or now) - call.start) * 1000:.1f}"
            for call in self.calls
        ]
        own = max(now - self.start - self.critical_path, 0.0)
        return ", ".join((*entries, f"gateway;dur={own * 1000:.1f}"))

    def _busy(self) -> Iterator[tuple[float, float]]:
        """Give the spans of time in which calls were under way, none of them overlapping."""
        now = self.clock()
        until = 0.0
        # Calls are kept in the order of their starts.
        for call in self.calls:
            end = call.end or now
            if end > until:
                yield max(call.start, until), end
                until = end
