"""The load generator: runs wrk, and reads the report of `wrk.lua`."""

import math
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from benchmarks.performance.measurements import LoadReport, Measurement
from benchmarks.performance.process import run_on
from benchmarks.performance.scenarios import Scenario

__all__ = ("measure", "parse_report", "run_load")

_SCRIPT: Final = Path(__file__).with_name("wrk.lua")
_WARM_UP_SHARE: Final = 0.2
_TIMEOUT: Final = "10s"
_POLL_SECONDS: Final = 0.05
_MOST_ERRORS: Final = 0.01


def run_load(  # noqa: PLR0913 - arguments of wrk
    url: str,
    requests: str,
    clients: int,
    seconds: int,
    *,
    core: int,
    pid: int | None,
    run: str = "0",
    watch: Callable[[], None] = lambda: None,
) -> LoadReport:
    """Send requests to *url* for some seconds.

    - *pid*: the process whose CPU time is measured, None for wrk itself.
    - *run*: a word that makes the idempotency keys of the run unique.
    - *watch*: is called frequently during the run.
    """
    command = (
        *("wrk", "--threads", "1", "--connections", f"{clients}", "--duration", f"{seconds}s"),
        *("--timeout", _TIMEOUT, "--script", f"{_SCRIPT}", url, "--"),
        *("self" if pid is None else f"{pid}", requests, f"{seconds * _WARM_UP_SHARE}", run),
    )
    with (
        run_on(core),
        subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process,  # noqa: S603 - no shell
    ):
        while process.poll() is None:
            watch()
            time.sleep(_POLL_SECONDS)
        output, _ = process.communicate()
    return parse_report(output)


def parse_report(output: str) -> LoadReport:
    """Parse the output of wrk, whose last line is the report; raise `RuntimeError` if it is not."""
    *_, last = output.splitlines() or [""]
    if not last.startswith("{"):
        msg = f"wrk failed: {output}"
        raise RuntimeError(msg)
    return LoadReport.model_validate_json(last)


def measure(report: LoadReport, scenario: Scenario, exchanges: int = 1) -> Measurement:
    """Return the figures of a run; *exchanges* are the exchanges with wrk that count as a request.

    Invalid requests fail by design, and so do requests that a limit refuses. The CPU is NaN if more than 1 %
    of the requests failed otherwise, because a failure costs less than a success.
    """
    expected = report.failed_statuses if scenario.is_refused else round(report.sent * scenario.failure_share)
    unexpected = max(0, report.failed_statuses - expected - (1 if scenario.failure_share else 0))
    errors = unexpected + report.socket_errors + report.timeouts
    is_valid = report.window_requests and errors <= report.responses * _MOST_ERRORS
    cpu = report.window_cpu_seconds / report.window_requests * 1e6 if is_valid else math.nan
    return Measurement(
        cpu_us=cpu * exchanges,
        served=(report.responses - report.failed_statuses) / report.seconds / exchanges,
        failed=report.failed_statuses / report.seconds,
        p50_ms=report.p50_ms if report.responses else math.nan,
        p99_ms=report.p99_ms if report.responses else math.nan,
        errors=errors,
    )
