"""The command: each storm over the gateway, then over plain FastAPI."""

import argparse
import sys
import time
from pathlib import Path

import uvloop

from benchmarks.storms.page import Shown, written
from benchmarks.storms.report import Report
from benchmarks.storms.stand import OURS, PLAIN, Target
from benchmarks.storms.storm import STORMS, Storm


class _Options(argparse.Namespace):
    """What the command line says."""

    only: list[str]
    ours: bool
    scale: float
    write: Path | None


def main() -> int:
    """Run what the command line names; give 1 if the gateway has not stood one of the storms."""
    options = _parser().parse_args(namespace=_Options())
    shown: list[Shown] = []
    for storm in STORMS:
        if not options.only or storm.name in options.only:
            ours = _run(storm, OURS, options.scale)
            plain = Report() if options.ours else _run(storm, PLAIN, options.scale)
            shown.append((storm, ours, plain))
            if options.write is not None:  # after each, so that a run which is cut short has shown something
                is_over = len(shown) == len(STORMS)
                options.write.write_text(written(shown, options.scale, is_over=is_over))
    return int(any(ours.broken or ours.slow for _, ours, _ in shown))


def _run(storm: Storm, target: Target, scale: float) -> Report:
    print(f"{storm.name}, {target.name}", flush=True)
    start = time.monotonic()
    report = uvloop.run(storm.run(target, storm.size * scale))
    for name, value in report.figures:
        print(f"  {name}: {value}")
    for sentence in report.broken:
        print(f"  broken: {sentence}")
    for sentence in report.slow:
        print(f"  slow: {sentence}")
    print(f"  ({time.monotonic() - start:.0f} s)", flush=True)
    return report


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.storms",
        description="Load and faults on real processes: the gateway, and plain FastAPI beside it. At full "
        "size it takes half an hour.",
    )
    add = parser.add_argument
    add("--only", action="append", default=[], choices=[storm.name for storm in STORMS], help="this storm")
    add("--ours", action="store_true", help="the gateway alone")
    add("--scale", type=float, default=1.0, help="how large the storms are (default: %(default)s)")
    add("--write", type=Path, metavar="FILE", help="write the page there, after each storm")
    return parser


if __name__ == "__main__":
    sys.exit(main())
