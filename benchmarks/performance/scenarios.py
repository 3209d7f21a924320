"""All scenarios, in the order of a run: the heaviest loads come last."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, TypeAlias

from benchmarks.performance.measurements import Figure

__all__ = (
    "CHECKOUT",
    "CRITICAL_PATH_MS",
    "INVALID",
    "LATENCY_1",
    "LATENCY_50",
    "LATENCY_200",
    "LATENCY_256",
    "MANY_CLIENTS",
    "MEMORY",
    "ORDERS",
    "OVERLOAD",
    "REFUSALS",
    "SCENARIOS",
    "Participants",
    "Scenario",
)

Participants: TypeAlias = Literal["all", "servers", "fast servers", "gateways"]
"""The peers of a scenario; *gateways* leave out the one over httpx, *servers* the C floor."""

CRITICAL_PATH_MS: Final = 110
"""Latency of a checkout whose calls take as long as the mock services' and nothing else takes time."""


@dataclass(frozen=True)
class Scenario:
    """A load.

    - *requests*: the kind of requests in `wrk.lua`.
    - *clients*: the number of connections, each of which sends its next request once it has a response.
    - *latency_scale*: factor for the latencies of the services, 0 for none.
    - *columns*: the figures of its table.
    - *settings*: of the gateways. Scenarios in the same *group* share the processes of the peers;
      if *is_fresh*, each measurement starts one.
    - *is_refused*: failures are part of the load, because the gateway has a limit.
    - *failure_share*: share of the requests that are invalid.
    - *length*: factor for the duration of a measurement, longer where requests take long.
    - *quick_rounds*: rounds of a quick run; the slow peers only take part in scenarios with several.
    """

    name: str
    title: str
    description: str
    clients: int
    latency_scale: float = 0.0
    requests: Literal["checkout", "invalid", "order", "exchange"] = "checkout"
    participants: Participants = "servers"
    columns: tuple[Figure, ...] = ("cpu_us", "per_core", "p50_ms", "p99_ms", "errors", "rss_mib")
    settings: Mapping[str, str] = field(default_factory=dict[str, str])
    group: str = "default"
    is_fresh: bool = False
    is_refused: bool = False
    failure_share: float = 0.0
    length: int = 1
    quick_rounds: int = 1


_ZERO_LATENCY: Final[tuple[Figure, ...]] = ("cpu_us", "per_core", "errors", "rss_mib")
_RAISED: Final = {"GATEWAY_MAX_IN_FLIGHT": "2000", "GATEWAY_MAX_CONCURRENCY": "2000"}

CHECKOUT: Final = Scenario(
    "checkout",
    "Checkouts",
    "50 clients; the services answer at once, so that the CPU of the server is the limit.",
    clients=50,
    participants="all",
    columns=_ZERO_LATENCY,
    quick_rounds=3,
)
LATENCY_1: Final = Scenario(
    "latency-1",
    "Latency, 1 client",
    "The services take 20 to 50 ms for an answer; the critical path of a checkout is 110 ms.",
    clients=1,
    latency_scale=1.0,
)
LATENCY_50: Final = Scenario(
    "latency-50", "Latency, 50 clients", "The same latencies.", clients=50, latency_scale=1.0
)
LATENCY_200: Final = Scenario(
    "latency-200", "Latency, 200 clients", "The same latencies.", clients=200, latency_scale=1.0
)
INVALID: Final = Scenario(
    "invalid",
    "Invalid input",
    "50 clients; the services answer at once. 5 % of the checkouts are invalid and get a 422, without any "
    "call.",
    clients=50,
    requests="invalid",
    columns=_ZERO_LATENCY,
    failure_share=0.05,
    quick_rounds=0,
)
ORDERS: Final = Scenario(
    "orders",
    "Orders",
    "50 clients; the services answer at once. Each `POST /orders` has a new `Idempotency-Key` and makes six "
    "calls, one of which reserves goods in a commit. The other servers have no commits and no idempotency "
    "keys, so they are left out.",
    clients=50,
    requests="order",
    participants="gateways",
    columns=_ZERO_LATENCY,
    group="orders",
)
LATENCY_256: Final = Scenario(
    "latency-256",
    "Full load",
    "256 clients and the same latencies: as many as the gateway lets in by default.",
    clients=256,
    latency_scale=1.0,
    participants="gateways",
    columns=("cpu_us", "served", "failed", "p50_ms", "p99_ms", "errors", "rss_mib"),
    is_refused=True,
    length=2,
)
OVERLOAD: Final = Scenario(
    "overload",
    "Overload",
    "600 clients and the same latencies. The gateway refuses requests above its default limit of 256 with a "
    "503, and the clients retry at once; its percentiles include the refusals. The other servers have no "
    "limit.",
    clients=600,
    latency_scale=1.0,
    columns=("cpu_us", "served", "failed", "p50_ms", "p99_ms", "errors", "rss_mib"),
    is_refused=True,
    length=2,
)
REFUSALS: Final = Scenario(
    "refusals",
    "Refusals",
    "50 clients, `GATEWAY_MAX_IN_FLIGHT=1`, and `GATEWAY_REFUSAL_PAUSE_MS=0`, so that no pause hides costs. "
    "A checkout takes 1.65 s, and all other requests in the meantime are refused, so the CPU per request is "
    "the CPU of a refusal.",
    clients=50,
    latency_scale=15.0,
    participants="gateways",
    columns=("cpu_us", "served", "failed", "p50_ms", "p99_ms", "errors", "rss_mib"),
    settings={"GATEWAY_MAX_IN_FLIGHT": "1", "GATEWAY_REFUSAL_PAUSE_MS": "0"},
    group="refusals",
    is_refused=True,
)
MANY_CLIENTS: Final = Scenario(
    "checkout-1000",
    "Many clients",
    "1000 clients; the services answer at once. The limits of the gateway are raised to 2000.",
    clients=1000,
    columns=("cpu_us", "per_core", "p50_ms", "p99_ms", "errors", "rss_mib"),
    settings=_RAISED,
    group="raised",
    length=3,
)
MEMORY: Final = Scenario(
    "memory",
    "Memory",
    "1000 clients of a server that has just been started, and services that do not answer, so that all "
    "requests are in progress at once, each with its three calls of the first stage. The limits and the time "
    "limits of the gateway are raised.",
    clients=1000,
    latency_scale=200.0,
    participants="fast servers",
    columns=("in_flight_kb", "errors", "rss_mib"),
    settings={**_RAISED, "GATEWAY_CALL_TIMEOUT_MS": "60000", "GATEWAY_DEADLINE_MS": "60000"},
    group="memory",
    is_fresh=True,
)

SCENARIOS: Final = (
    CHECKOUT,
    LATENCY_1,
    LATENCY_50,
    LATENCY_200,
    INVALID,
    ORDERS,
    LATENCY_256,
    OVERLOAD,
    REFUSALS,
    MANY_CLIENTS,
    MEMORY,
)
