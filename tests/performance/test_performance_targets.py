"""Goals of the gateway, on measurements with known figures."""

import math

import pytest

from benchmarks.performance.measurements import Measurements
from benchmarks.performance.peers import GATEWAY, NAMES
from benchmarks.performance.scenarios import CHECKOUT, OVERLOAD, SCENARIOS
from benchmarks.performance.targets import TARGETS, Target
from tests.performance.sample_runs import measurement


def find(subject: str) -> Target:
    (target,) = (target for target in TARGETS if target.subject == subject)
    return target


@pytest.fixture
def measurements() -> Measurements:
    """Return two rounds, in which all peers have the same figures."""
    measurements = Measurements()
    for scenario in SCENARIOS:
        for peer in NAMES:
            for number in range(2):
                measurements.add(scenario.name, peer, number, measurement())
    return measurements


@pytest.mark.parametrize("target", TARGETS, ids=lambda target: target.subject)
def test_target_is_calculated(target: Target, measurements: Measurements) -> None:
    assert not math.isnan(target.reach(measurements, GATEWAY).median)
    assert math.isnan(target.reach(Measurements(), GATEWAY).median)


def test_upper_limit_is_met_by_lower_values(measurements: Measurements) -> None:
    target = find("CPU of a checkout")

    assert target.is_met(target.reach(measurements, GATEWAY))
    measurements.add(CHECKOUT.name, GATEWAY, 0, measurement(cpu_us=500))
    assert not target.is_met(target.reach(measurements, GATEWAY))


def test_lower_limit_is_met_by_higher_values(measurements: Measurements) -> None:
    target = find("600 clients: served, relative to 256 clients")

    assert target.is_met(target.reach(measurements, GATEWAY))
    for number in range(2):
        measurements.add(OVERLOAD.name, GATEWAY, number, measurement(served=3000))
    assert target.reach(measurements, GATEWAY).median == 0.75
    assert not target.is_met(target.reach(measurements, GATEWAY))


def test_cpu_of_other_server_is_relative_to_gateway(measurements: Measurements) -> None:
    for number in range(2):
        measurements.add(CHECKOUT.name, "aiohttp", number, measurement(cpu_us=500))

    target = find("CPU of FastAPI + aiohttp, relative to the gateway")
    assert target.reach(measurements, GATEWAY).median == 2
