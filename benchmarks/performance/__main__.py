"""Command line interface of `scripts/bench`."""

import argparse
import resource
import signal
import sys
import tempfile
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Never

from benchmarks.performance.bench import FULL, QUICK, Bench, list_steps
from benchmarks.performance.chart import render_chart
from benchmarks.performance.installation import (
    MissingProgramError,
    find_missing,
    install_packages,
    list_versions,
    prepare_trees,
)
from benchmarks.performance.measurements import Measurements
from benchmarks.performance.page import CHART, PAGE, Results, list_bars, render_page
from benchmarks.performance.peers import NAMES, ROOT, list_peers, name_trees
from benchmarks.performance.process import find_cores, run_on
from benchmarks.performance.scenarios import CHECKOUT, SCENARIOS

_DESCRIPTION = """\
Measure the CPU and the latency of the gateway and its peers side by side, and write docs/performance.md with
a chart. The machine should be idle otherwise. A full run takes about 50 minutes. It needs wrk; Fastify needs
Node.js too, and is left out without it.
"""
_EXAMPLES = """\
examples:
  scripts/bench                                  full run; writes docs/performance.md
  scripts/bench --quick                          two minutes; prints the page
  scripts/bench --gateway ../before --gateway . --peers gateway
                                                 two trees of this project in one run
"""


class _Options(argparse.Namespace):
    """The parsed command line."""

    quick: bool
    write: bool
    gateway: list[Path]
    peers: Sequence[str]
    scenarios: Sequence[str]
    rounds: int | None


def main() -> int:
    """Run the benchmark that the command line selects; return 1 if a program is missing, else 0."""
    options = _build_parser().parse_args(namespace=_Options())
    signal.signal(signal.SIGTERM, _stop)
    try:
        _run(options)
    except MissingProgramError as error:
        print(f"scripts/bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 128 + signal.SIGINT
    return 0


def _run(options: _Options) -> None:
    trees = name_trees([folder.resolve() for folder in options.gateway or [ROOT]])
    skipped = find_missing(options.peers)
    install_packages({*options.peers} - {*skipped})
    prepare_trees(trees.values())
    _raise_file_limit()
    peers = [peer for peer in list_peers(trees) if peer.kind in options.peers and peer.kind not in skipped]
    scenarios = [scenario for scenario in SCENARIOS if scenario.name in options.scenarios]
    effort = QUICK if options.quick else FULL
    if options.rounds is not None:
        effort = replace(effort, rounds=options.rounds)
    cores, measurements = find_cores(), Measurements()
    with (
        tempfile.TemporaryDirectory() as folder,
        run_on(cores.load),
        Bench(effort, cores, Path(folder), _report_progress) as bench,
    ):
        bench.run([*list_steps(scenarios, peers, effort)], measurements)
    versions = [*list_versions({peer.kind for peer in peers})]
    results = Results(measurements, scenarios, peers, skipped, effort, cores, versions)
    page = render_page(results)
    print(page)
    if options.write or _is_complete(options):
        PAGE.write_text(page, encoding="utf-8")
        rounds = measurements.count_rounds(CHECKOUT.name)
        CHART.write_text(render_chart([*list_bars(results)], rounds), encoding="utf-8")
        print(f"scripts/bench: wrote {PAGE} and {CHART}", file=sys.stderr)


def _is_complete(options: _Options) -> bool:
    """Return True for a full run of everything, which writes the page."""
    is_everything = len(options.peers) == len(NAMES) and len(options.scenarios) == len(SCENARIOS)
    return is_everything and not options.quick and not options.gateway


def _parse_rounds(text: str) -> int:
    if not text.isdecimal() or int(text) == 0:
        msg = f"invalid --rounds {text!r}: expected a positive integer"
        raise argparse.ArgumentTypeError(msg)
    return int(text)


def _report_progress(line: str) -> None:
    print(f"scripts/bench: {line}", file=sys.stderr, flush=True)


def _raise_file_limit() -> None:
    """Allow as many open files as possible, for a thousand clients and their calls.

    Child processes inherit the limit.
    """
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


def _stop(number: int, _: object) -> Never:
    """End the program, and with it all servers."""
    sys.exit(128 + number)


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="scripts/bench",
        description=_DESCRIPTION,
        epilog=_EXAMPLES,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("--quick", action="store_true", help="take two minutes, for rough figures, and write no file")
    add("--write", action="store_true", help="write the page also after a quick or partial run")
    add(
        "--gateway",
        action="append",
        default=[],
        type=Path,
        metavar="PATH",
        help="folder of a clone of this project, whose gateway is measured (default: this one); can be "
        "repeated to compare several in one run",
    )
    names = [scenario.name for scenario in SCENARIOS]
    add("--peers", nargs="+", default=NAMES, choices=NAMES, metavar="PEER", help=f"of {', '.join(NAMES)}")
    add(
        "--scenarios",
        nargs="+",
        default=names,
        choices=names,
        metavar="SCENARIO",
        help=f"of {', '.join(names)}",
    )
    add(
        "--rounds",
        type=_parse_rounds,
        metavar="N",
        help=f"rounds of each scenario (default: {FULL.rounds}); with --quick, of short measurements",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
