"""`gateway explain`: find the pipeline and the times of its calls, and print the explanation."""

import argparse
import asyncio
import logging
from collections.abc import Sequence
from typing import Final

from pydantic_core import to_json
from rich.console import Console

from gateway.api.application import Gateway
from gateway.api.pipeline_route.description import DescribedPipeline, PipelineList
from gateway.app import create_app
from gateway.cli.app_loader import AppLoadError, load_app
from gateway.cli.explain.json_report import build_explanation
from gateway.cli.explain.measurement import MeasurementError
from gateway.cli.explain.options import (
    Options,
    UnknownNameError,
    parse_latency,
    parse_milliseconds,
    parse_runs,
    require_known,
)
from gateway.cli.explain.report import print_explanation, print_pipelines
from gateway.cli.explain.times import find_times
from gateway.cli.messages import (
    FAILURE,
    USAGE_ERROR,
    create_console,
    describe_unknown_settings,
    fail,
    print_to_stderr,
)
from gateway.plan.critical_path import schedule
from gateway.services import SERVICES
from gateway.settings import InvalidSettingsError, load_settings

__all__ = ("configure", "explain")

_DESCRIPTION: Final = """\
Show what a pipeline does, stage by stage: its calls in order, the writes and their undos, the optional calls,
and the statuses with which it can respond. The gateway finds out by a dry run on example data, without
calling a service.

If times are known, also show the critical path (the longest call of each stage, and every call of a commit in
order) and the slack of each call:
how much later it could end without delaying the response. Times come from --latency and --latency-default, or
are measured by running the pipeline on its example data: with --measure, or by default if mock services are
running and no times are given. Measured runs make real writes only with --with-writes; otherwise a write
sends no request, and the calls after it get its example answer.

Exit code: 0; 1 if the pipeline could not be measured; 2 for invalid arguments or settings.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the arguments of the command."""
    parser.description = _DESCRIPTION
    parser.add_argument(
        "name", nargs="?", metavar="NAME", help="name of the pipeline; without it, all pipelines are listed"
    )
    parser.add_argument(
        "--latency",
        type=parse_latency,
        action="append",
        default=[],
        metavar="CALL=MS",
        help="time of one call in milliseconds, such as service.operation=50; repeatable",
    )
    parser.add_argument(
        "--latency-default",
        type=parse_milliseconds,
        metavar="MS",
        help="time of every call without --latency or a measurement",
    )
    parser.add_argument("--measure", action="store_true", help="measure the calls on the configured services")
    parser.add_argument(
        "--with-writes",
        action="store_true",
        help="measure, and make real writes: their changes remain in the services",
    )
    parser.add_argument(
        "--runs",
        type=parse_runs,
        default=5,
        metavar="N",
        help="number of measured runs (default: %(default)s)",
    )
    parser.add_argument("--json", action="store_true", help="print JSON")
    parser.add_argument(
        "--app", metavar="MODULE:NAME", help="explain a pipeline of your own app, such as main:app"
    )
    parser.add_argument(
        "--app-dir", metavar="FOLDER", help="folder of the module of --app (default: the current folder)"
    )
    parser.set_defaults(run=_run)


async def explain(console: Console, options: Options, app: Gateway, mocks: Sequence[str] = ()) -> int:
    """Print the explanation of the pipeline that *options* name, and return the exit code.

    Without a name, print the list of all pipelines. If *options* neither set times nor ask for a measurement,
    the calls are measured only if mock services answer at all URLs in *mocks*. If a measurement fails, print
    the reason to stderr. Raises `UnknownNameError` if the pipeline, or a call in *options*, does not exist.
    """
    if options.name is None:
        _print_list(console, app.pipelines, as_json=options.as_json)
        return 0
    pipeline = _find_pipeline(app.pipelines, options.name)
    for name in options.latencies:
        calls = [call.name for call in pipeline.plan.calls]
        require_known(name, calls, f"call {name!r} of {pipeline.plan.name}")
    try:
        times, source = await find_times(app, pipeline, options, mocks)
    except MeasurementError as error:
        return fail(FAILURE, f"cannot measure {pipeline.plan.name}: {error}")
    scheduled = schedule(pipeline.plan, times, app.shared.optional_budget)
    if options.as_json:
        _print_json(console, to_json(build_explanation(pipeline, scheduled), indent=2))
    else:
        print_explanation(console, pipeline, scheduled, source)
    return 0


def _run(arguments: argparse.Namespace) -> int:
    logging.basicConfig(level=logging.ERROR)  # failing calls are reported once, by the command itself
    try:
        if arguments.app is None:
            settings = load_settings(SERVICES)
            app, mocks = create_app(settings), tuple(settings.urls.values())
        else:
            app, mocks = load_app(arguments.app, arguments.app_dir), ()
        print_to_stderr(describe_unknown_settings(app.services))
        return asyncio.run(explain(create_console(), _read_options(arguments), app, mocks))
    except InvalidSettingsError as error:
        return fail(USAGE_ERROR, *error.messages)
    except (AppLoadError, UnknownNameError) as error:
        return fail(USAGE_ERROR, str(error))


def _read_options(arguments: argparse.Namespace) -> Options:
    return Options(
        name=arguments.name,
        latencies=dict(arguments.latency),
        default=arguments.latency_default,
        is_measured=arguments.measure or arguments.with_writes,
        with_writes=arguments.with_writes,
        runs=arguments.runs,
        as_json=arguments.json,
    )


def _find_pipeline(pipelines: Sequence[DescribedPipeline], name: str) -> DescribedPipeline:
    names = [described.plan.name for described in pipelines]
    require_known(name, names, f"pipeline {name!r}")
    return next(described for described in pipelines if described.plan.name == name)


def _print_list(console: Console, pipelines: Sequence[DescribedPipeline], *, as_json: bool) -> None:
    if as_json:
        listed: PipelineList = {"pipelines": [described.description for described in pipelines]}
        _print_json(console, to_json(listed))
    else:
        print_pipelines(console, pipelines)


def _print_json(console: Console, data: bytes) -> None:
    console.print(data.decode(), soft_wrap=True)
