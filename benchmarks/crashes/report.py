"""Result of a run: figures and violations."""

import json
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TypeAlias

__all__ = ("CrashReport", "format_seconds", "write_json")

Figure: TypeAlias = int | float | str


@dataclass
class CrashReport:
    """Figures of a run with these *conditions*, and a sentence for each violation."""

    conditions: str
    figures: dict[str, Figure] = field(default_factory=dict[str, Figure])
    violations: list[str] = field(default_factory=list[str])
    recoveries: list[float] = field(default_factory=list[float])
    """Seconds from each kill, or from the start of the next gateway, to the end of the undo."""

    def show(self) -> None:
        """Print the figures and the violations."""
        print(self.conditions)
        for name, value in self.figures.items():
            print(f"  {value:>6} {name}" if isinstance(value, int) else f"  {name}: {value}")
        print(f"  {len(self.violations):>6} violations", flush=True)
        for violation in self.violations:
            print(f"    {violation}", flush=True)


def format_seconds(values: Sequence[float]) -> str:
    """Return the median and the maximum."""
    if not values:
        return "none"
    return f"median {statistics.median(values):.1f} s, maximum {max(values):.1f} s"


def write_json(path: Path, reports: Sequence[CrashReport]) -> None:
    """Write the reports to a file."""
    path.write_text(json.dumps([asdict(report) for report in reports], indent=2) + "\n")
