"""Waterfall of a request in plain text: a bar for each call, under its stage."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from itertools import chain, groupby
from typing import Final, TextIO, final

from gateway.observability.outcome import Outcome
from gateway.observability.trace import Trace, TracedCall, TracedStage

__all__ = ("Waterfall", "draw_waterfall")

_WIDTH: Final = 40
_SHORTEST: Final = 1e-6
"""Shortest time, in seconds, that is drawn to scale."""

_BUSY: Final = "█"
_WAITING: Final = "░"
_COMPENSATED: Final = frozenset({Outcome.UNDONE, Outcome.STUCK})


def draw_waterfall(title: str, trace: Trace) -> str:
    """Draw *trace* until now under *title*: bars to scale, times in milliseconds.

    In a bar, light shade is a wait for a slot or a pause before the next attempt.
    """
    now = trace.clock()
    return "\n".join((_format_summary(title, trace, now), *_draw_stages(trace, now)))


def _format_summary(title: str, trace: Trace, now: float) -> str:
    elapsed, own = now - trace.start, trace.measure_own(now)
    text = f"{title} in {elapsed * 1000:.1f} ms, {own * 1000:.1f} ms of that in the gateway"
    if len(trace.calls) < 2 or not elapsed:  # noqa: PLR2004 - a single call has no parallel calls to compare with
        return text
    sequential = trace.measure_sequential(now)
    factor = sequential / elapsed
    return f"{text}; the calls in sequence: {sequential * 1000:.1f} ms, {factor:.1f} times as long"


def _draw_stages(trace: Trace, now: float) -> Iterator[str]:
    never_run = {id(stage): trace.list_never_run(stage) for stage in trace.stages}
    names = [*(call.name for call in trace.calls), *chain.from_iterable(never_run.values())]
    width = max(map(len, names), default=0)
    for _, group in groupby(trace.calls, key=lambda call: id(call.stage)):
        calls = [*group]
        stage = calls[0].stage
        yield _format_stage(stage)
        for call in calls:
            yield _draw_call(call, trace, now, width)
        yield from _draw_never_run(never_run.pop(id(stage), ()), width)
    for stage in trace.stages:  # no call of these has started
        if missing := never_run.get(id(stage)):
            yield _format_stage(stage)
            yield from _draw_never_run(missing, width)


def _format_stage(stage: TracedStage | None) -> str:
    if stage is None:
        return "  (no stage)"
    return f"  {stage.name} ({stage.outcome.value})" if stage.outcome in _COMPENSATED else f"  {stage.name}"


def _draw_never_run(names: Sequence[str], width: int) -> Iterator[str]:
    for name, count in Counter(names).items():
        calls = f" ({count} calls)" if count > 1 else ""
        yield f"    {name.ljust(width)}  {Outcome.NEVER_RUN.value}{calls}"


def _draw_call(call: TracedCall, trace: Trace, now: float, width: int) -> str:
    duration = (call.find_end(now) - call.start) * 1000
    bar = _draw_bar(call, trace.start, now)
    notes = ", ".join(_list_notes(call))
    return f"    {call.name.ljust(width)}  {bar} {duration:7.1f} ms  {notes}".rstrip()


def _list_notes(call: TracedCall) -> Iterator[str]:
    """Yield the outcome of *call* unless it is done, the rejection of an attempt, and the retries."""
    if call.outcome in _COMPENSATED or call.outcome is Outcome.RUNNING:
        yield call.outcome.value
    elif call.outcome is not Outcome.DONE:
        yield call.status
    if call.rejected_by is not None:
        yield f"{'retry rejected' if call.was_sent else 'not sent'}: {call.rejected_by.value}"
    if call.retries:
        yield "1 retry" if call.retries == 1 else f"{call.retries} retries"


def _draw_bar(call: TracedCall, trace_start: float, now: float) -> str:
    """Draw the bar of *call*, in which each attempt has at least one character."""
    elapsed = max(now - trace_start, _SHORTEST)

    def find_column(time: float) -> int:
        return round((time - trace_start) / elapsed * _WIDTH)

    first = min(find_column(call.start), _WIDTH - 1)
    last = max(find_column(call.find_end(now)), first + 1)
    is_busy = call.was_sent or not call.attempts  # calls without a client have no attempts
    cells = [" "] * first + [_BUSY if is_busy else _WAITING] * (last - first)
    if call.was_sent:
        for start, stop in call.list_waits(now):
            for column in range(find_column(start), min(find_column(stop), last)):
                cells[column] = _WAITING
    for attempt in call.attempts:
        if attempt.sent is not None:
            cells[min(find_column(attempt.sent), last - 1)] = _BUSY
    return "".join(cells).ljust(_WIDTH)


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
