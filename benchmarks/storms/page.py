"""The page in `docs/` that shows the storms, and both targets in them."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.storms.report import Report
from benchmarks.storms.stand import OURS, PLAIN
from benchmarks.storms.storm import Storm

__all__ = ("INTRODUCTION", "PAGE", "Shown", "row_of", "written")

Shown: TypeAlias = tuple[Storm, Report, Report]
"""A storm, and what it has shown of the gateway and of plain FastAPI."""

PAGE: Final = Path(__file__).parents[2] / "docs" / "storms.md"
_LIBRARIES: Final = ("uvicorn", "uvloop", "fastapi", "aiohttp", "httpx")
INTRODUCTION: Final = """\
# The storms

Made by `.venv/bin/python -m benchmarks.storms --write docs/storms.md`: do not edit. Load and faults on real
processes: the gateway, the mock services behind it, and whoever sends the requests. Beside it the same
storms over [plain FastAPI](../benchmarks/storms/plain.py): the same routes as they are written with one
shared `httpx.AsyncClient`, its stock pool, a timeout of a second and `asyncio.gather`, without this project.
It is served as uvicorn does by default, by httptools; the gateway is served by h11, which is slower.

The tests assert none of these figures, since a busy machine would spoil them. `--ours --scale 0.1` plays
small storms over the gateway alone, in a few minutes.
"""
_READING: Final = """\
Of figures that were taken in several rounds there is the median, and in brackets the least and the most.
*Broken* is what was not as it must be: for the gateway the command then ends with 1. "None" among answers are
those that did not come within 10 s, "left" are requests whose client had hung up.
"""

_UNFINISHED: Final = " The run has been cut short: storms are missing."


def written(shown: Sequence[Shown], scale: float, *, is_over: bool = True) -> str:
    """Write the page, also of a run that is not over."""
    table = [f"| storm | | {OURS.name} | {PLAIN.name} |", "|---|---|---|---|"]
    for storm, ours, plain in shown:
        table.extend(_rows(storm, ours, plain))
    circumstances = _circumstances(scale) + ("" if is_over else _UNFINISHED)
    return "\n".join((INTRODUCTION, f"{circumstances}\n", *table, "", _READING))


def row_of(storm: Storm) -> str:
    """Write what the table says of a storm before any figure."""
    return f"**{storm.name}** {storm.does}"


def _circumstances(scale: float) -> str:
    """Say how it was run, and nothing that tells whose machine it was."""
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    size = "" if scale == 1 else f" At {scale:g} times the size that the table names: figures for a look."
    return (
        f"Run on {os.cpu_count()} cores for everything together, loopback only, with {platform.system()}, "
        f"Python {platform.python_version()}, {versions}.\nOne storm after the other, each over the gateway "
        f"first and then over plain FastAPI, with services of its own that begin anew.{size}"
    )


def _rows(storm: Storm, ours: Report, plain: Report) -> Iterator[str]:
    told: Mapping[str, str] = dict(plain.figures)
    first = row_of(storm)
    for name, value in ours.figures:
        yield f"| {first} | {name} | {value} | {told.get(name, '')} |"
        first = ""
    yield f"| | broken | {_broken(ours)} | {_broken(plain)} |"


def _broken(report: Report) -> str:
    return "; ".join(dict.fromkeys((*report.broken, *report.slow))) or "nothing"
