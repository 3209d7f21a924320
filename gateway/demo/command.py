"""All of the demo: find services or start them, play, report."""

from collections.abc import Sequence
from typing import Final

from rich.console import Console

from gateway.demo.broken import broken_services
from gateway.demo.mocks import mocks_from
from gateway.demo.outcome import Outcome
from gateway.demo.report import report
from gateway.demo.runner import Runner
from gateway.demo.scenarios import SCENARIOS
from gateway.upstreams.transport import create_transport

__all__ = ("demo", "verdict")

_HINT: Final = (
    "these mock services may have faults or state of their own; with a free --mocks-port there are new ones"
)


async def demo(console: Console, mocks_port: int) -> int:
    """Play every scenario and print what came of it; give the exit code.

    Uses the mock services from *mocks_port* on if they run. Raises `MocksFailedError` if they neither run nor
    can be started.
    """
    async with mocks_from(mocks_port) as ran_before:
        since = "running already" if ran_before else "started for the demo"
        console.print(f"mock services from http://127.0.0.1:{mocks_port} on, {since}\n")
        outcomes = await _played(mocks_port)
    code = verdict(console, outcomes)
    if code and ran_before:
        console.print(_HINT)
    return code


def verdict(console: Console, outcomes: Sequence[Outcome]) -> int:
    """Print *outcomes*; give 0 if all of them are right, else 1."""
    report(console, outcomes)
    return 0 if all(outcome.is_right for outcome in outcomes) else 1


async def _played(mocks_port: int) -> Sequence[Outcome]:
    async with broken_services() as broken, create_transport() as transport:
        runner = Runner(mocks_port, broken, transport)
        return [await runner.play(scenario) for scenario in SCENARIOS]
