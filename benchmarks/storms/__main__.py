"""Command line interface: run each storm on the gateway, then on plain FastAPI."""

import argparse
import sys
import time
from pathlib import Path

import uvloop

from benchmarks.storms.deployment import GATEWAY, PLAIN_FASTAPI, Target
from benchmarks.storms.page import StormResult, render_page
from benchmarks.storms.report import Report
from benchmarks.storms.storm import STORMS, Storm


class _Options(argparse.Namespace):
    """The parsed command line."""

    only: list[str]
    gateway_only: bool
    scale: float
    write: Path | None


def main() -> int:
    """Run the storms that the command line selects; return 1 if a check failed on the gateway, else 0."""
    options = _build_parser().parse_args(namespace=_Options())
    results: list[StormResult] = []
    for storm in STORMS:
        if not options.only or storm.name in options.only:
            gateway = _run(storm, GATEWAY, options.scale)
            plain = Report() if options.gateway_only else _run(storm, PLAIN_FASTAPI, options.scale)
            results.append((storm, gateway, plain))
            if options.write is not None:  # after each storm, so that an interrupted run has a page
                is_finished = len(results) == len(STORMS)
                options.write.write_text(render_page(results, options.scale, is_finished=is_finished))
    return int(any(gateway.failures or gateway.slow_results for _, gateway, _ in results))


def _run(storm: Storm, target: Target, scale: float) -> Report:
    print(f"{storm.name}, {target.name}", flush=True)
    start = time.monotonic()
    report = uvloop.run(storm.run(target, storm.size * scale))
    for name, value in report.figures:
        print(f"  {name}: {value}")
    for sentence in report.failures:
        print(f"  failed: {sentence}")
    for sentence in report.slow_results:
        print(f"  slow: {sentence}")
    print(f"  ({time.monotonic() - start:.0f} s)", flush=True)
    return report


def _build_parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.storms",
        description="Run the gateway and plain FastAPI on real processes, under load and faults. This takes "
        "half an hour at full size.",
    )
    add = parser.add_argument
    add(
        "--only",
        action="append",
        default=[],
        choices=[storm.name for storm in STORMS],
        help="run only this storm; can be repeated",
    )
    add("--gateway-only", action="store_true", help="do not run plain FastAPI")
    add("--scale", type=float, default=1.0, help="factor for the size of the storms (default: %(default)s)")
    add(
        "--write",
        type=Path,
        metavar="FILE",
        help="write the page with the results to this file, after each storm",
    )
    return parser


if __name__ == "__main__":
    sys.exit(main())
