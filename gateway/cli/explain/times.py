"""Times of a pipeline's calls, from the options or a measurement, and a phrase that names the source."""

from collections.abc import Mapping, Sequence
from typing import Final

from gateway.api.application import Gateway
from gateway.api.pipeline_route.description import DescribedPipeline
from gateway.cli.dev_stack import probe_mock_services
from gateway.cli.explain.measurement import measure
from gateway.cli.explain.options import Options
from gateway.plan.plan import Kind

__all__ = ("find_times",)

_UNKNOWN: Final = "unknown; measure them with --measure, or set them with --latency and --latency-default"


async def find_times(
    app: Gateway, pipeline: DescribedPipeline, options: Options, mocks: Sequence[str]
) -> tuple[Mapping[str, float], str]:
    """Return the known times of *pipeline*'s calls, in seconds by name, and a phrase that names their source.

    If *options* neither set times nor ask for a measurement, the calls are measured only if mock services
    answer at all URLs in *mocks*. Raises `MeasurementError` if the pipeline fails while it is measured.
    """
    measured: Mapping[str, float] = {}
    sources: list[str] = []
    if options.is_measured:
        measured = await _measure(app, pipeline, options)
        sources.append(_describe_measurement(pipeline, options, "the services"))
    elif not options.has_latencies and mocks and await probe_mock_services(mocks):
        measured = await _measure(app, pipeline, options)
        sources.append(_describe_measurement(pipeline, options, "the mock services"))
    if options.has_latencies:
        sources.append("as given")
    default = options.default
    defaults = {} if default is None else {call.name: default for call in pipeline.plan.calls}
    return {**defaults, **measured, **options.latencies}, "; others ".join(sources) or _UNKNOWN


async def _measure(app: Gateway, pipeline: DescribedPipeline, options: Options) -> Mapping[str, float]:
    async with app.router.lifespan_context(app):
        return await measure(pipeline, app.shared, runs=options.runs, with_writes=options.with_writes)


def _describe_measurement(pipeline: DescribedPipeline, options: Options, where: str) -> str:
    has_writes = any(call.kind is Kind.WRITE for call in pipeline.plan.calls)
    writes = ", without writes (see --with-writes)" if has_writes and not options.with_writes else ""
    runs = f"{options.runs} runs" if options.runs > 1 else "one run"
    return f"median of {runs} on {where}{writes}"
