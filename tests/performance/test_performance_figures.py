"""Spreads, ratios and formats of measured figures."""

import math

import pytest

from benchmarks.performance.measurements import Measurement, Measurements, Spread, format_number
from tests.performance.sample_runs import measurement


def test_spread_has_median_and_range() -> None:
    assert Spread.of([3, 1, 10]) == (3, 1, 10)
    assert Spread.of([3, math.nan]) == (3, 3, 3)
    assert math.isnan(Spread.of([]).median)


@pytest.mark.parametrize(
    ("values", "text"),
    [([3, 1, 10], "3 (1 to 10)"), ([2.5], "2.50"), ([12.34, 12.34], "12.3"), ([], "-")],
)
def test_spread_is_shown_with_range_if_it_has_one(values: list[float], text: str) -> None:
    assert Spread.of(values).text == text


@pytest.mark.parametrize(("value", "text"), [(1234.5, "1234"), (99.94, "99.9"), (0.456, "0.46"), (0, "0")])
def test_numbers_are_shown_with_three_digits(value: float, text: str) -> None:
    assert format_number(value) == text


def test_requests_per_core_are_inverse_of_cpu() -> None:
    assert measurement(cpu_us=250).per_core == 4000
    assert math.isnan(measurement(cpu_us=0).per_core)


def test_ratios_are_calculated_within_a_round() -> None:
    measurements = Measurements()
    for number, (gateway, other) in enumerate([(100, 200), (200, 600)]):
        measurements.add("checkout", "gateway", number, measurement(cpu_us=gateway))
        measurements.add("checkout", "other", number, measurement(cpu_us=other))
    measurements.add("checkout", "gateway", 2, measurement(cpu_us=1))

    assert measurements.compare(("checkout", "other", "cpu_us"), ("checkout", "gateway", "cpu_us")) == [2, 3]


def test_figures_of_a_peer_are_found_by_name() -> None:
    measurements = Measurements()
    measurements.add("checkout", "gateway", 0, Measurement(250, 10, 0, 1.0, 2.0, 3))

    assert measurements.list_values("checkout", "gateway", "p99_ms") == [2.0]
    assert measurements.list_values("checkout", "other", "p99_ms") == []
    assert measurements.list_peers("checkout") == ["gateway"]
    assert measurements.count_rounds("checkout") == 1
