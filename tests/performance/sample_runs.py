"""Measurements and reports with plausible figures."""

from dataclasses import replace

from benchmarks.performance.measurements import LoadReport, Measurement

__all__ = ("load_report", "measurement")


def measurement(**figures: float) -> Measurement:
    """Return a measurement with these *figures*."""
    return replace(Measurement(250, 4000, 0, 12.5, 20, 0, 70, 50), **figures)


def load_report(**fields: float) -> LoadReport:
    """Return a report on 1000 requests in a second, with these *fields*."""
    report = LoadReport(
        seconds=1,
        responses=1000,
        sent=1000,
        failed_statuses=0,
        socket_errors=0,
        timeouts=0,
        p50_ms=10,
        p99_ms=20,
        window_requests=800,
        window_cpu_seconds=0.2,
    )
    return report.model_copy(update=fields)
