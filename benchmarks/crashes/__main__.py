"""Command line interface: storms, named points and pauses."""

import argparse
import asyncio
import signal
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Final, TypeVar

from benchmarks.crashes.courier import run_courier
from benchmarks.crashes.journal import JOURNALS, JournalName, run_journals
from benchmarks.crashes.pauses import list_pause_cases, run_pauses
from benchmarks.crashes.points import list_point_cases, run_points
from benchmarks.crashes.report import CrashReport, write_json
from benchmarks.crashes.shop import run_shop
from benchmarks.crashes.storm import Storm, run_storm
from benchmarks.crashes.workload import RunWorkload

Case = TypeVar("Case")

_CASES: Final[Mapping[str, Callable[[str], Sequence[object]]]] = {
    "points": list_point_cases,
    "pauses": list_pause_cases,
}
_WORKLOADS: Final[dict[str, RunWorkload]] = {"shop": run_shop, "courier": run_courier}


class _Options(argparse.Namespace):
    """The parsed command line."""

    command: str
    journal: JournalName
    gateways: int
    json: Path | None
    executions: int
    kills: int
    seed: str
    lifetime: float
    heartbeat_timeout: float | None
    workload: str
    only: str


def main() -> int:
    """Run the command; return 1 if there are violations, else 0."""
    parser = _build_parser()
    options = parser.parse_args(namespace=_Options())
    if options.command in _CASES and not _select(_CASES[options.command](options.workload), options):
        parser.error(f"no case of {options.command} contains {options.only!r}")
    signal.signal(signal.SIGTERM, signal.default_int_handler)  # ends the processes, as Ctrl-C does
    report = _run(options)
    report.show()
    if options.json is not None:
        write_json(options.json, [report])
    return int(bool(report.violations))


def _run(options: _Options) -> CrashReport:
    with run_journals(options.journal) as journals:
        match options.command:
            case "storm":
                storm = Storm(
                    options.executions,
                    options.kills,
                    options.gateways,
                    options.journal,
                    options.workload,
                    options.seed,
                    options.lifetime,
                    options.heartbeat_timeout,
                )
                return asyncio.run(run_storm(storm, _WORKLOADS[options.workload], journals))
            case "points":
                cases = _select(list_point_cases(options.workload), options)
                conditions = f"points: {options.workload}, {options.journal}, gateways: {options.gateways}"
                return asyncio.run(
                    run_points(cases, options.gateways, _WORKLOADS[options.workload], journals, conditions)
                )
            case _:
                pauses = _select(list_pause_cases(options.workload), options)
                conditions = f"pauses: {options.workload}, {options.journal}, gateways: 2"
                return asyncio.run(run_pauses(pauses, _WORKLOADS[options.workload], journals, conditions))


def _select(cases: Sequence[Case], options: _Options) -> Sequence[Case]:
    """Return those of *cases* whose name contains the text of `--only`."""
    return [case for case in cases if options.only in str(case)]


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.crashes",
        description="Kill or suspend gateways in the midst of commits, and compare what is left behind.",
    )
    commands = parser.add_subparsers(dest="command", required=True)
    storm = commands.add_parser("storm", help="kill gateways at random moments")
    points = commands.add_parser("points", help="kill gateways before, during and after each step")
    pauses = commands.add_parser("pauses", help="suspend a gateway for 6 seconds, beside another one")
    for command in (storm, points, pauses):
        add = command.add_argument
        add(
            "--journal",
            choices=JOURNALS,
            default="sqlite",
            help="database of the journal (default: %(default)s)",
        )
        add("--workload", choices=tuple(_WORKLOADS), default="shop", help="services (default: %(default)s)")
        add("--json", type=Path, metavar="FILE", help="write the figures to this file")
    for command in (storm, points):
        command.add_argument(
            "--gateways", type=int, default=1, help="number of gateways (default: %(default)s)"
        )
    for command in (points, pauses):
        command.add_argument(
            "--only", default="", metavar="TEXT", help="run only the cases whose name contains TEXT"
        )
    add = storm.add_argument
    add("--executions", type=int, default=250, help="number of requests (default: %(default)s)")
    add("--kills", type=int, default=50, help="number of kills (default: %(default)s)")
    add("--seed", default="1", help="seed of all random choices (default: %(default)s)")
    add(
        "--lifetime", type=float, default=1.5, help="most seconds from ready to killed (default: %(default)s)"
    )
    add(
        "--heartbeat-timeout",
        type=float,
        help="seconds without a heartbeat after which gateways take each other for dead",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
