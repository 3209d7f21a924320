"""`gateway demo`: start mock services, play every scenario, report the outcomes."""

import argparse
import asyncio
import logging
import os
import signal
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from typing import Final, cast, get_args

from rich.console import Console

from gateway.cli.demo.mocks import Mocks, reserve_dead_url, run_demo_services
from gateway.cli.demo.outcome import Outcome
from gateway.cli.demo.report import print_outcomes, print_summary
from gateway.cli.demo.runner import Runner
from gateway.cli.demo.scenarios import SCENARIOS
from gateway.cli.dev_stack import MocksFailedError
from gateway.cli.messages import FAILURE, USAGE_ERROR, create_console, fail
from gateway.client.transport import TransportName, choose_transport

__all__ = ("configure", "play_demo", "report_outcomes")

_TRANSPORT: Final = "GATEWAY_TRANSPORT"
_DESCRIPTION: Final = """\
Run each pipeline into every documented outcome, and check the response, the calls that were made for it, and
the state that it leaves in the services. The outcomes include every declared refusal and every undo.
The demo takes about fifteen seconds.

The gateway runs in this process and calls mock services over HTTP, which the demo starts on free ports with
their default latencies, and stops at its end. Other mock services that already run keep their state and
faults. GATEWAY_* variables and MOCK_LATENCY_SCALE are ignored, except GATEWAY_TRANSPORT.

Exit code: 0 if every scenario passed; 1 if a scenario failed, or if the mock services did not start. The demo
prints how each failed scenario differs from its expected outcome.
"""


def configure(parser: argparse.ArgumentParser) -> None:
    """Define the command, which has no arguments."""
    parser.description = _DESCRIPTION
    parser.set_defaults(run=_run)


async def play_demo(
    console: Console,
    run_services: Callable[[], AbstractAsyncContextManager[Mapping[str, str]]] = run_demo_services,
    transport: TransportName = "http1",
) -> int:
    """Play every scenario, print the outcomes pipeline by pipeline, and return the exit code.

    *run_services* runs mock services and yields their URLs by name. The scenarios change the state of these
    services, which is reset after each scenario. *transport* names the sender of the calls.
    """
    try:
        async with run_services() as urls:
            console.print(f"started mock services for the demo: {urls['user']} and others ({transport})\n")
            outcomes = await _play(console, urls, transport)
    except MocksFailedError:
        console.print("the mock services did not start")
        return FAILURE
    return report_outcomes(console, outcomes)


def report_outcomes(console: Console, outcomes: Sequence[Outcome]) -> int:
    """Print the summary of all *outcomes*; return 0 if every scenario passed, else 1."""
    print_summary(console, outcomes)
    return 0 if all(outcome.has_passed for outcome in outcomes) else FAILURE


def _run(_: argparse.Namespace) -> int:
    transport = os.environ.get(_TRANSPORT) or "http1"
    if transport not in get_args(TransportName):
        return fail(USAGE_ERROR, f"invalid {_TRANSPORT} {transport!r}: expected http1 or httpx")
    # The scenarios provoke failing services and stuck commits, so their log lines would only be noise.
    logging.basicConfig(level=logging.ERROR)
    logging.getLogger("gateway.railway").setLevel(logging.CRITICAL)
    # There is nothing to clean up: Ctrl-C may end the process without a traceback.
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    return asyncio.run(play_demo(create_console(), transport=cast("TransportName", transport)))


async def _play(console: Console, urls: Mapping[str, str], name: TransportName) -> Sequence[Outcome]:
    outcomes: list[Outcome] = []
    async with reserve_dead_url() as dead_url, choose_transport(name) as transport:
        runner = Runner(Mocks(urls, transport), dead_url, transport)
        for _, scenarios in groupby(SCENARIOS, key=lambda scenario: scenario.pipeline):
            played = [await runner.play(scenario) for scenario in scenarios]
            print_outcomes(console, played)
            outcomes += played
    return outcomes
