"""Metrics of the policies of all services: attempts, retries, circuit breakers, concurrency limits."""

from collections.abc import Iterator, Mapping
from typing import Final, final

from gateway.observability.metrics.terms import Kind, Metric, Sample
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.guards import BreakerStates
from gateway.resilience.policies import Policies

__all__ = ("PolicyMetrics",)

_SERVICE: Final = ("service",)
_ATTEMPTS: Final = Metric(
    "gateway_attempts_total", "Attempts of calls that were sent, retries included", Kind.COUNTER, _SERVICE
)
_RETRIES: Final = Metric(
    "gateway_retries_total",
    "Attempts that were sent after the first one of their call",
    Kind.COUNTER,
    _SERVICE,
)
_RETRIES_DENIED: Final = Metric(
    "gateway_retries_denied_total",
    "Retries that were not made because the retry budget was empty",
    Kind.COUNTER,
    _SERVICE,
)
_REJECTED: Final = Metric(
    "gateway_attempts_rejected_total",
    "Attempts that were not sent, by the policy that rejected them",
    Kind.COUNTER,
    ("service", "policy"),
)
_OPENED: Final = Metric(
    "gateway_breaker_opened_total",
    "Number of times that a circuit breaker opened, for required or optional calls",
    Kind.COUNTER,
    ("service", "calls"),
)
_STATE: Final = Metric(
    "gateway_breaker_state",
    "State of a circuit breaker: 0 closed, 1 half-open, 2 open; that of the host has an empty operation",
    Kind.GAUGE_MAX,
    ("service", "calls", "operation"),
)
_IN_FLIGHT: Final = Metric(
    "gateway_attempts_in_flight",
    "Attempts that hold a slot of the concurrency limit",
    Kind.GAUGE_SUM,
    _SERVICE,
)
_QUEUED: Final = Metric(
    "gateway_attempts_queued",
    "Attempts that wait for a slot of the concurrency limit",
    Kind.GAUGE_SUM,
    _SERVICE,
)
_LIMIT: Final = Metric(
    "gateway_attempts_in_flight_limit", "Concurrency limit of a service", Kind.GAUGE_SUM, _SERVICE
)
_STATES: Final = {BreakerState.CLOSED: 0, BreakerState.HALF_OPEN: 1, BreakerState.OPEN: 2}


@final
class PolicyMetrics:
    """Metrics of the *policies* of services, by the name of the service."""

    def __init__(self, policies: Mapping[str, Policies]) -> None:
        self._policies = policies

    def sample(self) -> Iterator[Sample]:
        """Yield the current samples."""
        for service, policies in self._policies.items():
            counts = policies.counts
            yield _ATTEMPTS, (service,), counts.attempts
            yield _RETRIES, (service,), counts.retries
            yield _RETRIES_DENIED, (service,), counts.retries_denied
            yield _REJECTED, (service, "circuit breaker"), counts.short_circuited
            yield _REJECTED, (service, "concurrency limit"), counts.shed
            yield _OPENED, (service, "required"), counts.breaker_opened
            yield _OPENED, (service, "optional"), counts.optional_breaker_opened
            yield _IN_FLIGHT, (service,), policies.in_flight
            yield _QUEUED, (service,), policies.waiting
            yield _LIMIT, (service,), policies.max_concurrency
            yield from _sample_states(service, "required", policies.breakers)
            yield from _sample_states(service, "optional", policies.optional_breakers)


def _sample_states(service: str, calls: str, states: BreakerStates) -> Iterator[Sample]:
    yield _STATE, (service, calls, ""), _STATES[states.host]
    for operation, state in states.operations.items():
        yield _STATE, (service, calls, operation), _STATES[state]
