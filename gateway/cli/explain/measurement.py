"""How long the calls of a pipeline take, measured on the services."""

import asyncio
from collections.abc import Mapping, Sequence
from statistics import median

from gateway.api.endpoints.pipelines import Described
from gateway.api.pipeline_route.request import Serving
from gateway.observability.trace import Trace, TracedCall
from gateway.plan.dry_run import examples
from gateway.plan.plan import Kind
from gateway.railway import CallKind, CallSpan, Err, Failure, Result, RunContext

__all__ = ("MeasuringError", "instead_of_writes", "measured")


class MeasuringError(Exception):
    """The pipeline did not get through; the message says why."""


async def measured(
    pipeline: Described, serving: Serving, *, runs: int, writes: bool = False
) -> Mapping[str, float]:
    """Give the median seconds of each call that answered, by name, from so many *runs* and one before them.

    The first connects, and does not count. A write is made only if *writes*; otherwise its example stands in
    for it, it has no time, and the calls after it are made all the same. Raises `MeasuringError`.
    """
    traces = [await _traced(pipeline, serving, writes=writes) for _ in range(1 + runs)]
    changing = {call.name for call in pipeline.plan.calls if call.kind is Kind.WRITE and not writes}
    times: dict[str, list[float]] = {}
    for call, end in _answered(traces[1:]):
        if call.name not in changing:
            times.setdefault(call.name, []).append(end - call.start)
    return {name: median(seconds) for name, seconds in times.items()}


def instead_of_writes(call: CallSpan) -> Result[object, Failure] | None:
    """Answer for a write with its example, so that it is not made."""
    return examples(call) if call.kind is not CallKind.READ else None


async def _traced(pipeline: Described, serving: Serving, *, writes: bool) -> Trace:
    clock = asyncio.get_running_loop().time
    trace = Trace(clock)
    around = RunContext(
        deadline=clock() + serving.deadline,
        optional_budget=serving.optional_budget,
        observer=trace,
        stub=None if writes else instead_of_writes,
    )
    result = await pipeline.run(around)
    if isinstance(result, Err):
        error = result.error
        msg = ": ".join(filter(None, (error.source, error.code, error.detail)))
        raise MeasuringError(msg)
    return trace


def _answered(traces: Sequence[Trace]) -> Sequence[tuple[TracedCall, float]]:
    """Give the calls that came to a value, with their ends."""
    calls = [call for trace in traces for call in trace.calls]
    return [(call, call.end) for call in calls if call.verdict == "ok" and call.end is not None]
