"""Measurement of a pipeline's calls on real or mock services."""

import asyncio
from collections.abc import Mapping, Sequence
from statistics import median

from gateway.api.pipeline_route.description import DescribedPipeline
from gateway.api.state import GatewayState
from gateway.client.examples import NoExampleError
from gateway.observability.trace import Trace, TracedCall
from gateway.plan.dry_run import examples
from gateway.plan.plan import Kind
from gateway.railway import Aggregate, CallKind, CallSpan, Err, Failure, Fault, Result, RunContext

__all__ = ("MeasurementError", "measure", "stub_writes")


class MeasurementError(Exception):
    """The pipeline could not be run, or failed; the message names the failed calls or the missing example."""


async def measure(
    pipeline: DescribedPipeline, state: GatewayState, *, runs: int, with_writes: bool = False
) -> Mapping[str, float]:
    """Return the median seconds of each successful call by name, measured in *runs* runs.

    An additional first run opens connections and is not measured. Unless *with_writes*, a write is neither
    made nor timed: the calls after it get its example. Raises `MeasurementError` if a run fails, or if there
    is no example.
    """
    traces = [await _trace_run(pipeline, state, with_writes=with_writes) for _ in range(1 + runs)]
    stubbed = {call.name for call in pipeline.plan.calls if call.kind is Kind.WRITE and not with_writes}
    times: dict[str, list[float]] = {}
    for call, end in _successful_calls(traces[1:]):
        if call.name not in stubbed:
            times.setdefault(call.name, []).append(end - call.start)
    return {name: median(seconds) for name, seconds in times.items()}


def stub_writes(call: CallSpan) -> Result[object, Failure] | None:
    """Return the example of a write or an undo, which is then not made; return None for a read."""
    return examples(call) if call.kind is not CallKind.READ else None


async def _trace_run(pipeline: DescribedPipeline, state: GatewayState, *, with_writes: bool) -> Trace:
    clock = asyncio.get_running_loop().time
    trace = Trace(clock)
    context = RunContext(
        deadline=clock() + state.deadline,
        optional_budget=state.optional_budget,
        observer=trace,
        stub=None if with_writes else stub_writes,
    )
    try:
        result = await pipeline.run(context)
    except NoExampleError as error:
        raise MeasurementError(str(error)) from error
    if isinstance(result, Err):
        errors = result.error.errors if isinstance(result.error, Aggregate) else (result.error,)
        msg = "; ".join(map(_format_error, errors))
        raise MeasurementError(msg)
    return trace


def _format_error(error: Fault) -> str:
    return ": ".join(filter(None, (error.source, error.code, error.detail)))


def _successful_calls(traces: Sequence[Trace]) -> Sequence[tuple[TracedCall, float]]:
    """Return the successful calls, each with the time of its end in seconds."""
    calls = [call for trace in traces for call in trace.calls]
    return [(call, call.end) for call in calls if call.status == "ok" and call.end is not None]
