"""Result of a storm on a target."""

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Final, NamedTuple

__all__ = ("Figure", "Report", "format_spread")

_ROUND_FROM: Final = 100


class Figure(NamedTuple):
    """A measured value with its name."""

    name: str
    value: str


@dataclass
class Report:
    """The figures of a storm on a target, and a sentence about each failed check.

    *failures* are wrong responses and leaks. *slow_results* are missed time limits, which a busy machine can
    cause as well.
    """

    figures: list[Figure] = field(default_factory=list[Figure])
    failures: list[str] = field(default_factory=list[str])
    slow_results: list[str] = field(default_factory=list[str])

    def add(self, name: str, value: str) -> None:
        """Add a figure."""
        self.figures.append(Figure(name, value))

    def require(self, condition: bool, failure: str) -> None:  # noqa: FBT001 - reads like an assert
        """Record *failure* unless *condition* holds."""
        if not condition:
            self.failures.append(failure)

    def expect(self, condition: bool, failure: str) -> None:  # noqa: FBT001 - reads like an assert
        """Record the missed time limit *failure* unless *condition* holds."""
        if not condition:
            self.slow_results.append(failure)


def format_spread(values: Iterable[float], unit: str = "") -> str:
    """Return the median, minimum and maximum as "12 ms (11 to 14)", or "none" if all values are NaN."""
    numbers = [value for value in values if not math.isnan(value)]
    if not numbers:
        return "none"
    median = f"{_format(statistics.median(numbers))} {unit}".rstrip()
    return median if len(numbers) == 1 else f"{median} ({_format(min(numbers))} to {_format(max(numbers))})"


def _format(value: float) -> str:
    return f"{value:.0f}" if abs(value) >= _ROUND_FROM or value == int(value) else f"{value:.2g}"
