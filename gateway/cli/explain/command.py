"""All of `gateway explain`: find the pipeline, find out times, say it."""

import sys
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Final, cast

from fastapi import FastAPI
from pydantic_core import to_json
from rich.console import Console

from gateway.api.endpoints.pipelines import Described, Pipelines
from gateway.cli.dev_stack import mocks_answer
from gateway.cli.explain.json_report import as_data
from gateway.cli.explain.measurement import MeasuringError, measured
from gateway.cli.explain.options import Options, chosen
from gateway.cli.explain.report import list_all, report
from gateway.plan.critical_path import schedule
from gateway.plan.plan import Kind

if TYPE_CHECKING:
    from gateway.api.pipeline_route.request import Serving

__all__ = ("explain",)

_UNKNOWN: Final = "unknown; --measure asks the services, --latency and --latency-default say"


async def explain(console: Console, options: Options, app: FastAPI, mocks: Sequence[str] = ()) -> int:
    """Print what *app* knows of the pipeline that *options* name, or list them all; give the exit code.

    Where no times are asked for, they are measured if mock services answer at all URLs of *mocks*. Raises
    `NoSuchThingError`.
    """
    pipelines = cast("Pipelines", app.state.pipelines)
    if options.name is None:
        _list(console, pipelines, as_json=options.as_json)
        return 0
    names = [one.plan.name for one in pipelines.described]
    pipeline = pipelines.described[chosen(options.name, names, "there is no pipeline")]
    for name in options.latencies:
        calls = [call.name for call in pipeline.plan.calls]
        chosen(name, calls, f"{pipeline.plan.name} makes no call")
    try:
        times, source = await _times(app, pipeline, options, mocks)
    except MeasuringError as error:
        print(f"gateway: {pipeline.plan.name} could not be measured: {error}", file=sys.stderr)
        return 1
    reckoned = schedule(pipeline.plan, times, cast("Serving", app.state.serving).optional_budget)
    if options.as_json:
        _print_json(console, to_json(as_data(pipeline, reckoned), indent=2))
    else:
        report(console, pipeline, reckoned, source)
    return 0


def _list(console: Console, pipelines: Pipelines, *, as_json: bool) -> None:
    if as_json:
        _print_json(console, pipelines.body)
    else:
        list_all(console, pipelines.described)


def _print_json(console: Console, data: bytes) -> None:
    console.print(data.decode(), soft_wrap=True)


async def _times(
    app: FastAPI, pipeline: Described, options: Options, mocks: Sequence[str]
) -> tuple[Mapping[str, float], str]:
    """Give the seconds of calls by name, as far as they are known, and say whence."""
    found: Mapping[str, float] = {}
    sources: list[str] = []
    if options.is_measured:
        found = await _measured(app, pipeline, options)
        sources.append(_how(pipeline, options, "the services"))
    elif not options.has_times and mocks and await mocks_answer(mocks):
        found = await _measured(app, pipeline, options)
        sources.append(_how(pipeline, options, "the mock services"))
    if options.has_times:
        sources.append("as given")
    default = options.default
    others = {} if default is None else {call.name: default for call in pipeline.plan.calls}
    return {**others, **found, **options.latencies}, "; else ".join(sources) or _UNKNOWN


async def _measured(app: FastAPI, pipeline: Described, options: Options) -> Mapping[str, float]:
    async with app.router.lifespan_context(app):
        serving = cast("Serving", app.state.serving)
        return await measured(pipeline, serving, runs=options.runs, writes=options.writes)


def _how(pipeline: Described, options: Options, where: str) -> str:
    can_write = any(call.kind is Kind.WRITE for call in pipeline.plan.calls)
    writes = "" if options.writes or not can_write else ", without writes (see --with-writes)"
    runs = f"{options.runs} runs" if options.runs > 1 else "one run"
    return f"median of {runs} on {where}{writes}"
