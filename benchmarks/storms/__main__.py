"""The command: each storm over the gateway, then over plain FastAPI."""

import argparse
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import uvloop

from benchmarks.storms.report import Report
from benchmarks.storms.stand import OURS, PLAIN, Target
from benchmarks.storms.storm import STORMS, Storm


class _Options(argparse.Namespace):
    only: list[str]
    target: list[str]
    scale: float
    write: Path | None


def main() -> int:
    """Run the storms that the command line names; give 1 if the gateway did not stand one of them."""
    options = _parser().parse_args(namespace=_Options())
    targets = [target for target in (OURS, PLAIN) if not options.target or target.name in options.target]
    code = 0
    for storm in STORMS:
        if not options.only or storm.name in options.only:
            for target in targets:
                report = _run(storm, target, options.scale)
                if target.is_ours and (report.broken or report.slow):
                    code = 1
    return code


def _run(storm: Storm, target: Target, scale: float) -> Report:
    print(f"{storm.name}, {target.name}", flush=True)
    start = time.monotonic()
    report = uvloop.run(storm.run(target, storm.size * scale))
    for name, value in report.figures:
        print(f"  {name}: {value}")
    for sentence in (*report.broken, *report.slow):
        print(f"  BROKEN: {sentence}")
    print(f"  ({time.monotonic() - start:.0f} s)", flush=True)
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.storms", description=__doc__)
    add = parser.add_argument
    add("--only", action="append", default=[], choices=[storm.name for storm in STORMS], help="this storm")
    add("--target", action="append", default=[], choices=[OURS.name, PLAIN.name], help="this target")
    add("--scale", type=float, default=1.0, help="how large the storms are (default: %(default)s)")
    add("--write", type=Path, metavar="FILE", help="write the table there")
    return parser


if __name__ == "__main__":
    sys.exit(main())
