"""Trace of one request: its calls with their stages and times."""

import asyncio
import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Final, final

from gateway.railway import CallOutcome, CallSpan, Err, Ok, StageSpan

__all__ = ("Trace", "TracedCall")

_MAX_HEADER_LENGTH: Final = 2048
_SEPARATOR: Final = ", "
_NOT_IN_TOKEN: Final = re.compile(r"[^!#$%&'*+.^_`|~0-9A-Za-z-]")  # RFC 9110, section 5.6.2


@final
@dataclass(slots=True)
class TracedCall:
    """Call in a trace.

    *start* and *end* are in seconds on the clock of the trace. *end* and *outcome* are None while the call
    runs.
    """

    name: str
    stage: str | None
    start: float
    end: float | None = None
    outcome: CallOutcome | None = None

    def find_end(self, now: float) -> float:
        """Return the end of the call; *now* while the call runs."""
        return now if self.end is None else self.end

    @property
    def status(self) -> str:
        """Return `running`, `ok`, the code of the failure, `cancelled`, or `bug` for any other exception."""
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
    """Observer of a run that records its calls; *clock* returns seconds."""

    clock: Callable[[], float] = time.perf_counter
    calls: list[TracedCall] = field(default_factory=list[TracedCall])
    start: float = field(init=False)
    _running: dict[CallSpan, TracedCall] = field(init=False, default_factory=dict[CallSpan, TracedCall])

    def __post_init__(self) -> None:
        self.start = self.clock()

    def stage_started(self, stage: StageSpan, /) -> None:
        """Ignore *stage*: each of its calls is recorded with the name of the stage."""

    def stage_ended(self, stage: StageSpan, /) -> None:
        """Ignore *stage*: the end of each of its calls is recorded."""

    def call_started(self, call: CallSpan, /) -> None:
        """Record that *call* starts now."""
        traced = TracedCall(call.name, call.stage.name if call.stage else None, self.clock())
        self._running[call] = traced
        self.calls.append(traced)

    def call_ended(self, call: CallSpan, outcome: CallOutcome, /) -> None:
        """Record that *call* ends now, with *outcome*."""
        traced = self._running.pop(call)
        traced.end = self.clock()
        traced.outcome = outcome

    @property
    def elapsed(self) -> float:
        """Return the seconds since the trace was created."""
        return self.clock() - self.start

    @property
    def busy(self) -> float:
        """Return the seconds during which at least one call was running."""
        return sum(end - start for start, end in self._busy_intervals())

    @property
    def sequential(self) -> float:
        """Return the sum of the durations of all calls so far, in seconds."""
        now = self.clock()
        return sum(call.find_end(now) - call.start for call in self.calls)

    def server_timing(self) -> str:
        """Build the `Server-Timing` header: the times of all calls and the gateway's own time, in ms.

        The header has at most 2 KiB, which servers and proxies accept. If the calls need more, the longest
        calls are kept, in the order in which they started.

        https://www.w3.org/TR/server-timing/
        """
        now = self.clock()
        own = f"gateway;dur={max(now - self.start - self.busy, 0.0) * 1000:.1f}"
        seconds = [call.find_end(now) - call.start for call in self.calls]
        entries = [
            f"{_NOT_IN_TOKEN.sub('_', call.name)};dur={duration * 1000:.1f}"
            for call, duration in zip(self.calls, seconds, strict=True)
        ]
        header = _SEPARATOR.join((*entries, own))
        if len(header) <= _MAX_HEADER_LENGTH:
            return header
        longest_first = sorted(range(len(entries)), key=seconds.__getitem__, reverse=True)
        kept = _fill(longest_first, entries, _MAX_HEADER_LENGTH - len(own))
        return _SEPARATOR.join((*(entries[position] for position in sorted(kept)), own))

    def _busy_intervals(self) -> Iterator[tuple[float, float]]:
        """Yield the intervals in which calls were running, without overlaps."""
        now = self.clock()
        last_end = 0.0
        # The calls are in the order in which they started.
        for call in self.calls:
            end = call.find_end(now)
            if end > last_end:
                yield max(call.start, last_end), end
                last_end = end


def _fill(positions: Iterable[int], entries: Sequence[str], length: int) -> Iterator[int]:
    """Yield the first *positions* whose entries fit in *length*, each with a separator.

    An entry that is longer than *length* is skipped.
    """
    left = length
    for position in positions:
        needed = len(entries[position]) + len(_SEPARATOR)
        if needed > length:
            continue
        left -= needed
        if left < 0:
            return
        yield position
