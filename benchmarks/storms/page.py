"""The page in `docs/` that shows the storms, and both targets in them."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Final, TypeAlias

from benchmarks.storms.report import Report
from benchmarks.storms.stand import OURS, PLAIN
from benchmarks.storms.storm import Storm

__all__ = ("Shown", "written")

Shown: TypeAlias = tuple[Storm, Report, Report]
"""A storm, and what it has shown of the gateway and of plain FastAPI."""

_LIBRARIES: Final = ("uvicorn", "uvloop", "fastapi", "aiohttp", "httpx")
_INTRODUCTION: Final = """\
# The storms

Made by `.venv/bin/python -m benchmarks.storms --write docs/storms.md`: do not edit. Load and faults on real
processes: the gateway, the mock services behind it, and whoever sends the requests. Beside it the same
storms over [plain FastAPI](../benchmarks/storms/plain.py): the same routes as they are written with one
shared `httpx.AsyncClient`, its stock pool, a timeout of a second and `asyncio.gather`, without this project.

`tests/system/test_storms.py` plays small ones, and holds the gateway to all that is not a matter of time.
"""
_READING: Final = """\
Of figures that were taken in several rounds there is the median, and in brackets the least and the most.
*Broken* is what was not as it must be: for the gateway the command then ends with 1. "None" among answers are
those that did not come within 10 s, "left" are requests whose client had hung up.
"""


def written(shown: Sequence[Shown], scale: float) -> str:
    """Write the page."""
    table = [f"| storm | | {OURS.name} | {PLAIN.name} |", "|---|---|---|---|"]
    for storm, ours, plain in shown:
        table.extend(_rows(storm, ours, plain))
    return "\n".join((_INTRODUCTION, f"{_circumstances(scale)}\n", *table, "", _READING))


def _circumstances(scale: float) -> str:
    """Say how it was run, and nothing that tells whose machine it was."""
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    size = "" if scale == 1 else f" At {scale:g} times the size that the table names."
    return (
        f"Run on {os.cpu_count()} cores for everything together, loopback only, with {platform.system()}, "
        f"Python {platform.python_version()}, {versions}.\nOne storm after the other, each over the gateway "
        f"first and then over plain FastAPI, with services of its own that begin anew.{size}"
    )


def _rows(storm: Storm, ours: Report, plain: Report) -> Iterator[str]:
    told: Mapping[str, str] = dict(plain.figures)
    first = f"**{storm.name}** {storm.does}"
    for name, value in ours.figures:
        yield f"| {first} | {name} | {value} | {told.get(name, '')} |"
        first = ""
    yield f"| | broken | {_broken(ours)} | {_broken(plain)} |"


def _broken(report: Report) -> str:
    return "; ".join((*report.broken, *report.slow)) or "nothing"
