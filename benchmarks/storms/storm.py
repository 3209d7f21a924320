"""All storms, in the order of the page."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.storms.deployment import Target
from benchmarks.storms.report import Report
from benchmarks.storms.scenarios.cancelled import cancelled
from benchmarks.storms.scenarios.flapping import flapping
from benchmarks.storms.scenarios.hanging import hanging
from benchmarks.storms.scenarios.killing import killing
from benchmarks.storms.scenarios.memory import memory
from benchmarks.storms.scenarios.overload import overload

__all__ = ("STORMS", "Storm")


@dataclass(frozen=True)
class Storm:
    """A storm: its scenario, its full *size*, whose unit depends on the scenario, and its description."""

    run: Callable[[Target, float], Coroutine[Any, Any, Report]]
    size: float
    description: str

    @property
    def name(self) -> str:
        """The name on the command line and on the page."""
        return self.run.__name__


STORMS: Final[Sequence[Storm]] = (
    Storm(
        cancelled,
        10_000,
        "10 000 orders are cancelled, 150 per second: half because a concurrent call fails, half because the "
        "client disconnects. Before, during and after that, 40 feeds per second.",
    ),
    Storm(
        flapping,
        60,
        "For a minute the inventory service drops its connections in every other second, under 40 checkouts "
        "per second.",
    ),
    Storm(
        overload,
        60,
        "For a minute the checkouts arrive at twice the capacity. The gateway runs twice, with "
        "`GATEWAY_MAX_IN_FLIGHT=128`, which suits the machine, and with the default of 256; only the first "
        "run has time limits. Plain FastAPI has no such setting.",
    ),
    Storm(
        hanging,
        30,
        "The shipping service hangs for half a minute, under 150 checkouts per second, which need it, and "
        "40 feeds per second, which do not. Before and after that, 40 of each per second.",
    ),
    Storm(
        killing,
        12,
        "Each of the twelve services is killed, and restarted a second later, under 30 requests per second "
        "to all five routes.",
    ),
    Storm(
        memory,
        200_000,
        "200 000 requests. Most are rejected by a service, some succeed, some clients disconnect, and every "
        "500th is a write: few, because the gateway stores their responses for a day by design. Twice a "
        "second a service drops or hangs one call. Plain FastAPI has three minutes.",
    ),
)
