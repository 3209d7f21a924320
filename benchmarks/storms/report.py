"""What a storm has shown."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ("Figure", "Report", "spread")

_WHOLE_FROM: Final = 100


class Figure(NamedTuple):
    """Something that was seen, and how much of it."""

    name: str
    value: str


@dataclass
class Report:
    """The figures of one storm over one target, and each sentence about it that should not be true.

    *broken* is about what was answered and what is left behind. *slow* is about times, which a busy machine
    can spoil as well.
    """

    figures: list[Figure] = field(default_factory=list[Figure])
    broken: list[str] = field(default_factory=list[str])
    slow: list[str] = field(default_factory=list[str])

    def tell(self, name: str, value: str) -> None:
        """Keep what was seen."""
        self.figures.append(Figure(name, value))

    def must(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - what holds is the point
        """Hold the target to something; *otherwise* says what is so instead."""
        if not holds:
            self.broken.append(otherwise)

    def should(self, holds: bool, otherwise: str) -> None:  # noqa: FBT001 - what holds is the point
        """Hold the target to a time."""
        if not holds:
            self.slow.append(otherwise)


def spread(values: Iterable[float], unit: str = "") -> str:
    """Write the median of several rounds down, and the least and the most: "12 ms (11 to 14)"."""
    known = [value for value in values if not math.isnan(value)]
    if not known:
        return "none"
    middle = f"{_written(statistics.median(known))} {unit}".rstrip()
    return middle if len(known) == 1 else f"{middle} ({_written(min(known))} to {_written(max(known))})"


def _written(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= _WHOLE_FROM or value == int(value) else f"{value:.2g}"
