"""The goals of the gateway, and the values reached in a run."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, TypeAlias, final

from benchmarks.performance.measurements import Measurements, Spread
from benchmarks.performance.peers import AIOHTTP, C_FLOOR, FASTIFY, FASTIFY_DEADLINES, PLAIN
from benchmarks.performance.scenarios import (
    CHECKOUT,
    CRITICAL_PATH_MS,
    LATENCY_1,
    LATENCY_50,
    LATENCY_200,
    LATENCY_256,
    MANY_CLIENTS,
    MEMORY,
    OVERLOAD,
    REFUSALS,
    SCENARIOS,
)

__all__ = ("TARGETS", "Target")

Values: TypeAlias = Callable[[Measurements, str], Sequence[float]]
"""Function that returns the values of a gateway, whose name is given, one for each round."""


@final
@dataclass(frozen=True)
class Target:
    """A goal: the median of *values* is at most, or at least, *limit*."""

    subject: str
    unit: str
    limit: float
    values: Values
    is_minimum: bool = False

    def reach(self, measurements: Measurements, gateway: str) -> Spread:
        """Return the values reached, NaN if they were not measured."""
        return Spread.of(self.values(measurements, gateway))

    def is_met(self, reached: Spread) -> bool:
        """Return True if the goal is met."""
        return reached.median >= self.limit if self.is_minimum else reached.median <= self.limit


def _cpu_relative_to_gateway(peer: str) -> Values:
    def compare(measurements: Measurements, gateway: str) -> Sequence[float]:
        return measurements.compare((CHECKOUT.name, peer, "cpu_us"), (CHECKOUT.name, gateway, "cpu_us"))

    return compare


def _cpu(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.list_values(CHECKOUT.name, gateway, "cpu_us")


def _times_c_floor(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.compare((CHECKOUT.name, gateway, "cpu_us"), (CHECKOUT.name, C_FLOOR, "cpu_us"))


def _overhead(measurements: Measurements, gateway: str) -> Sequence[float]:
    medians = measurements.list_values(LATENCY_1.name, gateway, "p50_ms")
    return [median - CRITICAL_PATH_MS for median in medians]


def _p99_to_fastify(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.compare((LATENCY_50.name, gateway, "p99_ms"), (LATENCY_50.name, FASTIFY, "p99_ms"))


def _p50_to_critical_path(measurements: Measurements, gateway: str) -> Sequence[float]:
    medians = measurements.list_values(LATENCY_200.name, gateway, "p50_ms")
    return [median / CRITICAL_PATH_MS for median in medians]


def _errors_of_many_clients(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.list_values(MANY_CLIENTS.name, gateway, "errors")


def _cpu_of_many_clients(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.compare((MANY_CLIENTS.name, gateway, "cpu_us"), (CHECKOUT.name, gateway, "cpu_us"))


def _goodput(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.compare((OVERLOAD.name, gateway, "served"), (LATENCY_256.name, gateway, "served"))


def _refusal(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.list_values(REFUSALS.name, gateway, "cpu_us")


def _in_flight(measurements: Measurements, gateway: str) -> Sequence[float]:
    return measurements.list_values(MEMORY.name, gateway, "in_flight_kb")


def _resident(measurements: Measurements, gateway: str) -> Sequence[float]:
    """Return the resident memory after the last scenario with the default limits."""
    *_, last = (scenario for scenario in SCENARIOS if scenario.group == CHECKOUT.group)
    return measurements.list_values(last.name, gateway, "rss_mib")


TARGETS: Final = (
    Target("CPU of a checkout", "us", 300, _cpu),
    Target(
        "CPU of FastAPI + httpx, relative to the gateway",
        "",
        25,
        _cpu_relative_to_gateway(PLAIN),
        is_minimum=True,
    ),
    Target(
        "CPU of FastAPI + aiohttp, relative to the gateway",
        "",
        1.9,
        _cpu_relative_to_gateway(AIOHTTP),
        is_minimum=True,
    ),
    Target(
        "checkouts per core, relative to Fastify",
        "",
        0.45,
        _cpu_relative_to_gateway(FASTIFY),
        is_minimum=True,
    ),
    Target(
        "checkouts per core, relative to Fastify with deadlines",
        "",
        0.7,
        _cpu_relative_to_gateway(FASTIFY_DEADLINES),
        is_minimum=True,
    ),
    Target("CPU of a checkout, relative to the C floor", "", 6, _times_c_floor),
    Target("1 client: p50 above the critical path", "ms", 3, _overhead),
    Target("50 clients: p99, relative to Fastify", "", 1.1, _p99_to_fastify),
    Target("200 clients: p50, relative to the critical path", "", 1.2, _p50_to_critical_path),
    Target("1000 clients: errors", "", 0, _errors_of_many_clients),
    Target("1000 clients: CPU, relative to 50 clients", "", 3, _cpu_of_many_clients),
    Target("600 clients: served, relative to 256 clients", "", 0.8, _goodput, is_minimum=True),
    Target("CPU of a refusal", "us", 30, _refusal),
    Target("memory of a request in progress", "kB", 60, _in_flight),
    Target("RSS after overload, default limits", "MiB", 100, _resident),
)
