"""The storms, by name."""

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Final

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
    """One storm, what it does, and how large it is at full size."""

    run: Callable[[Target, float], Awaitable[Report]]
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
        "10 000 orders are cancelled, half of them by a call beside that fails, half by clients that hang up; "
        "meanwhile, before and after somebody reads the feed",
    ),
    Storm(
        flapping,
        60,
        "for a minute the inventory drops its connections in every other second, under 40 checkouts a second",
    ),
    Storm(
        overload,
        60,
        "for a minute twice as many checkouts are sent as can be answered",
    ),
    Storm(
        hanging,
        30,
        "shipping hangs for half a minute, under 40 checkouts a second, which need it, and 40 feeds, which do not",
    ),
    Storm(
        killing,
        12,
        "each of the twelve services is killed and started again, under 30 requests a second to all pipelines",
    ),
    Storm(
        memory,
        200_000,
        "200 000 requests, of which some succeed, most are refused and a few are left by the client",
    ),
)
