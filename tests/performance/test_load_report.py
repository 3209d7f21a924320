"""Figures from the report of wrk."""

import math

import pytest

from benchmarks.performance.load import measure, parse_report
from benchmarks.performance.scenarios import CHECKOUT, INVALID, OVERLOAD
from tests.performance.sample_runs import load_report


def test_last_line_of_wrk_is_the_report() -> None:
    report = load_report()

    assert parse_report(f"Running 1s test\n  1 threads\n{report.model_dump_json()}\n") == report


@pytest.mark.parametrize("output", ["", "unable to connect to 127.0.0.1:1 Connection refused\n"])
def test_failed_wrk_is_an_error_with_its_output(output: str) -> None:
    with pytest.raises(RuntimeError, match=f"wrk failed: {output.strip()}"):
        parse_report(output)


def test_cpu_is_measured_after_the_warm_up() -> None:
    assert measure(load_report(), CHECKOUT).cpu_us == pytest.approx(250)
    assert measure(load_report(), CHECKOUT, exchanges=8).cpu_us == pytest.approx(2000)


def test_run_without_responses_has_no_figures() -> None:
    measurement = measure(load_report(responses=0, window_requests=0), CHECKOUT)

    assert all(math.isnan(value) for value in (measurement.cpu_us, measurement.p50_ms, measurement.p99_ms))


def test_failed_requests_and_connections_are_errors() -> None:
    measurement = measure(load_report(failed_statuses=5, socket_errors=3, timeouts=2), CHECKOUT)

    assert measurement.errors == 10
    assert (measurement.served, measurement.failed) == (995, 5)


def test_cpu_of_run_with_many_errors_is_left_out() -> None:
    assert math.isnan(measure(load_report(timeouts=11), CHECKOUT).cpu_us)
    assert measure(load_report(timeouts=10), CHECKOUT).cpu_us == pytest.approx(250)
    assert measure(load_report(failed_statuses=900), OVERLOAD).cpu_us == pytest.approx(250)


def test_failures_of_invalid_requests_are_no_errors() -> None:
    assert measure(load_report(failed_statuses=50), INVALID).errors == 0
    assert measure(load_report(failed_statuses=60), INVALID).errors == 9


def test_refusals_under_overload_are_no_errors() -> None:
    assert measure(load_report(failed_statuses=900, timeouts=1), OVERLOAD).errors == 1
