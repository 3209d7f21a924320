"""A request as a picture in text: each call a bar, under its stage."""

import time
from collections.abc import Callable, Iterator
from itertools import groupby
from typing import Final, TextIO, final

from gateway.observability.trace import Trace, TracedCall

__all__ = ("Waterfall", "drawn")

_WIDTH: Final = 40


def drawn(title: str, trace: Trace) -> str:
    """Draw *trace*, which has ended, under *title*: bars to scale, times in milliseconds."""
    wall = max(trace.wall, trace.critical_path)
    return "\n".join((_summary(title, trace, wall), *_rows(trace, wall)))


def _summary(title: str, trace: Trace, wall: float) -> str:
    own = wall - trace.critical_path
    text = f"{title} in {wall * 1000:.1f} ms, {own * 1000:.1f} of them the gateway's own"
    if len(trace.calls) < 2:  # noqa: PLR2004 - one call has nothing to be parallel with
        return text
    one_by_one = trace.sequential
    return (
        f"{text}; one call after the other {one_by_one * 1000:.1f} ms, {one_by_one / wall:.1f} times as long"
    )


def _rows(trace: Trace, wall: float) -> Iterator[str]:
    width = max((len(call.name) for call in trace.calls), default=0)
    for stage, calls in groupby(trace.calls, key=lambda call: call.stage):
        yield f"  {stage or '(no stage)'}"
        for call in calls:
            yield _row(call, trace, wall, width)


def _row(call: TracedCall, trace: Trace, wall: float, width: int) -> str:
    end = trace.start + wall if call.end is None else call.end
    first = round((call.start - trace.start) / wall * _WIDTH)
    last = max(round((end - trace.start) / wall * _WIDTH), first + 1)
    bar = (" " * first + "█" * (last - first)).ljust(_WIDTH)
    verdict = "" if call.verdict == "ok" else f"  {call.verdict}"
    return f"    {call.name.ljust(width)}  {bar} {(end - call.start) * 1000:7.1f} ms{verdict}"


@final
class Waterfall:
    """Writes each request's picture to *out*, one a second at the most: a load test must not drown in it."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._quiet_until = float("-inf")

    def __call__(self, title: str, trace: Trace) -> None:
        """Draw *trace*, unless another was drawn less than a second ago."""
        now = self._clock()
        if now < self._quiet_until:
            return
        self._quiet_until = now + 1
        print(drawn(title, trace), file=self._out, flush=True)
