"""Waterfall of a request in plain text: a bar for each call, under its stage."""

import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final, TextIO, final

from gateway.observability.trace import Trace, TracedCall

__all__ = ("Waterfall", "draw_waterfall")

_WIDTH: Final = 40


def draw_waterfall(title: str, trace: Trace) -> str:
    """Draw the finished *trace* under *title*: bars to scale, times in milliseconds."""
    elapsed = max(trace.elapsed, trace.busy)
    return "\n".join((_format_summary(title, trace, elapsed), *_draw_stages(trace, elapsed)))


def _format_summary(title: str, trace: Trace, elapsed: float) -> str:
    own = elapsed - trace.busy
    text = f"{title} in {elapsed * 1000:.1f} ms, {own * 1000:.1f} ms of that in the gateway"
    if len(trace.calls) < 2:  # noqa: PLR2004 - a single call has no parallel calls to compare with
        return text
    sequential = trace.sequential
    factor = sequential / elapsed
    return f"{text}; the calls in sequence: {sequential * 1000:.1f} ms, {factor:.1f} times as long"


def _draw_stages(trace: Trace, elapsed: float) -> Iterator[str]:
    width = max((len(call.name) for call in trace.calls), default=0)
    for stage, calls in groupby(trace.calls, key=lambda call: call.stage):
        yield f"  {stage or '(no stage)'}"
        for call in calls:
            yield _draw_call(call, trace, elapsed, width)


def _draw_call(call: TracedCall, trace: Trace, elapsed: float, width: int) -> str:
    end = trace.start + elapsed if call.end is None else call.end
    first = round((call.start - trace.start) / elapsed * _WIDTH)
    last = max(round((end - trace.start) / elapsed * _WIDTH), first + 1)
    bar = (" " * first + "█" * (last - first)).ljust(_WIDTH)
    status = "" if call.status == "ok" else f"  {call.status}"
    return f"    {call.name.ljust(width)}  {bar} {(end - call.start) * 1000:7.1f} ms{status}"


@final
class Waterfall:
    """Printer of waterfalls to *out*, at most one per second: a load test must not flood the terminal."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._next_draw = float("-inf")

    def __call__(self, title: str, trace: Trace) -> None:
        """Print the waterfall of *trace*, unless another was printed within the last second."""
        now = self._clock()
        if now < self._next_draw:
            return
        self._next_draw = now + 1
        print(draw_waterfall(title, trace), file=self._out, flush=True)
