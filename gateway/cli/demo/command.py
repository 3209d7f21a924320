"""All of the demo: start services, play, report."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from itertools import groupby
from typing import Final

from rich.console import Console

from gateway.cli.demo.mocks import Mocks, own_services, unanswered
from gateway.cli.demo.outcome import Outcome
from gateway.cli.demo.report import conclude, show
from gateway.cli.demo.runner import Runner
from gateway.cli.demo.scenarios import SCENARIOS
from gateway.cli.dev_stack import MocksFailedError
from gateway.client.transport import create_transport

__all__ = ("demo", "verdict")

_STARTED: Final = "mock services of its own, {} and others\n"
_FAILED: Final = "the mock services did not start"


async def demo(
    console: Console,
    services: Callable[[], AbstractAsyncContextManager[Mapping[str, str]]] = own_services,
) -> int:
    """Play every scenario and print what came of it, a pipeline at a time; give the exit code.

    The mock services are those that *services* gives by name; their state is changed, and reset.
    """
    try:
        async with services() as urls:
            console.print(_STARTED.format(urls["user"]))
            outcomes = await _played(console, urls)
    except MocksFailedError:
        console.print(_FAILED)
        return 1
    return verdict(console, outcomes)


def verdict(console: Console, outcomes: Sequence[Outcome]) -> int:
    """Print what comes of all *outcomes*; give 0 if all of them are right, else 1."""
    conclude(console, outcomes)
    return 0 if all(outcome.is_right for outcome in outcomes) else 1


async def _played(console: Console, urls: Mapping[str, str]) -> Sequence[Outcome]:
    outcomes: list[Outcome] = []
    async with unanswered() as nowhere, create_transport() as transport:
        runner = Runner(Mocks(urls, transport), nowhere, transport)
        for _, scenarios in groupby(SCENARIOS, key=lambda scenario: scenario.pipeline):
            played = [await runner.play(scenario) for scenario in scenarios]
            show(console, played)
            outcomes += played
    return outcomes
