"""The storms, in the order in which they are told."""

from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any, Final

from benchmarks.storms.cancelled import cancelled
from benchmarks.storms.flapping import flapping
from benchmarks.storms.hanging import hanging
from benchmarks.storms.killing import killing
from benchmarks.storms.memory import memory
from benchmarks.storms.overload import overload
from benchmarks.storms.report import Report
from benchmarks.storms.stand import Target

__all__ = ("STORMS", "Storm")


@dataclass(frozen=True)
class Storm:
    """One storm, how large it is at full size, and what is done in it."""

    run: Callable[[Target, float], Coroutine[Any, Any, Report]]
    size: float
    does: str

    @property
    def name(self) -> str:
        """Give what it is called."""
        return self.run.__name__


STORMS: Final[Sequence[Storm]] = (
    Storm(
        cancelled,
        10_000,
        "10 000 orders are cancelled, 150 a second: half by a call beside that fails, half by clients that "
        "hang up. Before, meanwhile and after somebody reads the feed, 40 times a second.",
    ),
    Storm(
        flapping,
        60,
        "For a minute the inventory drops its connections in every other second, under 40 checkouts a "
        "second.",
    ),
    Storm(
        overload,
        60,
        "For a minute twice as many checkouts are sent as can be answered. The gateway is played twice: "
        "with `GATEWAY_MAX_IN_FLIGHT=128`, and with its default of 256. It is a setting, and the "
        "figures to go by are those with 128; plain FastAPI has none.",
    ),
    Storm(
        hanging,
        30,
        "Shipping hangs for half a minute, under 150 checkouts a second, which need it, and 40 feeds, which "
        "do not. Before and after, there are 40 of each.",
    ),
    Storm(
        killing,
        12,
        "Each of the twelve services is killed, and started again a second later, under 30 requests a second "
        "to all five routes.",
    ),
    Storm(
        memory,
        200_000,
        "200 000 requests. Most are refused by a service, some succeed, some are left by their client, and "
        "one in 500 writes: few, as the gateway keeps what they came to for a day, on purpose. Twice a "
        "second a service hangs up on a call or hangs in it. Plain FastAPI has three minutes.",
    ),
)
