"""The page in `docs/` with the results of all storms on both targets."""

import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final, TypeAlias

from benchmarks.storms.deployment import GATEWAY, PLAIN_FASTAPI
from benchmarks.storms.report import Report
from benchmarks.storms.storm import Storm

__all__ = ("INTRODUCTION", "PAGE", "StormResult", "describe", "render_page")

StormResult: TypeAlias = tuple[Storm, Report, Report]
"""A storm with its reports on the gateway and on plain FastAPI."""

PAGE: Final = Path(__file__).parents[2] / "docs" / "storms.md"
_LIBRARIES: Final = ("uvicorn", "uvloop", "fastapi", "aiohttp", "httpx")
INTRODUCTION: Final = """\
# The storms

Made by `.venv/bin/python -m benchmarks.storms --write docs/storms.md`: do not edit. Load and faults on real
processes: the gateway, the mock services behind it, and a load generator. The same storms run on
[plain FastAPI](../benchmarks/storms/targets/plain_fastapi.py): the same routes, written with one shared
`httpx.AsyncClient`, its default pool, a timeout of one second and `asyncio.gather`, without this project.
uvicorn serves it with its default, httptools; it serves the gateway with h11, which is slower.

No test asserts these figures, because a busy machine would distort them. `--gateway-only --scale 0.1` runs
small storms on the gateway alone, in a few minutes.
"""
_LEGEND: Final = """\
Figures of several rounds are the median, with minimum and maximum in brackets. If a check fails on the
gateway, the command exits with 1. Among outcomes, "none" counts requests without a response within 10 s and
"disconnected" those whose client disconnected; an "incomplete" success says that optional parts are missing.
"""

_INTERRUPTED: Final = " The run was interrupted: storms are missing."


def render_page(results: Sequence[StormResult], scale: float, *, is_finished: bool = True) -> str:
    """Return the page as Markdown, also for a run that is not finished."""
    table = [f"| storm | | {GATEWAY.name} | {PLAIN_FASTAPI.name} |", "|---|---|---|---|"]
    for storm, gateway, plain in results:
        table.extend(_rows(storm, gateway, plain))
    conditions = _conditions(scale) + ("" if is_finished else _INTERRUPTED)
    return "\n".join((INTRODUCTION, f"{conditions}\n", *table, "", _LEGEND))


def describe(storm: Storm) -> str:
    """Return the name and description of a storm, as in the table."""
    return f"**{storm.name}** {storm.description}"


def _conditions(scale: float) -> str:
    """Return the conditions of the run, without anything that identifies the machine."""
    versions = ", ".join(f"{name} {version(name)}" for name in _LIBRARIES)
    scaled = (
        "" if scale == 1 else f" At {scale:g} times the size in the table, which gives rough figures only."
    )
    return (
        f"Run on {os.cpu_count()} cores shared by all processes, over the loopback interface, with "
        f"{platform.system()}, Python {platform.python_version()}, {versions}.\nThe storms run one after the "
        f"other, each on the gateway first and then on plain FastAPI, with newly started services.{scaled}"
    )


def _rows(storm: Storm, gateway: Report, plain: Report) -> Iterator[str]:
    plain_figures: Mapping[str, str] = dict(plain.figures)
    first = describe(storm)
    for name, value in gateway.figures:
        yield f"| {first} | {name} | {value} | {plain_figures.get(name, '')} |"
        first = ""
    yield f"| | failed checks | {_failed_checks(gateway)} | {_failed_checks(plain)} |"


def _failed_checks(report: Report) -> str:
    return "; ".join(dict.fromkeys((*report.failures, *report.slow_results))) or "none"
