"""Metrics of admission, of executions and of their journal."""

from collections.abc import Iterator
from typing import Final, final

from gateway.api.admission.admission import Admission
from gateway.executions.health import JournalHealth
from gateway.executions.registry import ExecutionRegistry
from gateway.executions.store import ExecutionStore
from gateway.observability.metrics.terms import Kind, Metric, Sample

__all__ = ("AdmissionMetrics", "JournalMetrics", "sample_info")

_IN_FLIGHT: Final = Metric(
    "gateway_requests_in_flight", "Requests for pipelines that are being handled", Kind.GAUGE_SUM
)
_LIMIT: Final = Metric(
    "gateway_requests_in_flight_limit",
    "Limit of the requests that are handled at the same time",
    Kind.GAUGE_SUM,
)
_REFUSED: Final = Metric(
    "gateway_requests_refused_total",
    "Requests for pipelines that were refused, by the limit that was reached",
    Kind.COUNTER,
    ("limit",),
)
_EXECUTIONS: Final = Metric(
    "gateway_executions_total",
    "Executions that ended in this gateway, by their state; one that is retried ends again",
    Kind.COUNTER,
    ("pipeline", "state"),
)
_RUNNING: Final = Metric(
    "gateway_executions_running", "Runs of pipelines that write which are in progress", Kind.GAUGE_SUM
)
_STUCK: Final = Metric("gateway_executions_stuck", "Executions that need an operator", Kind.GAUGE_MAX)
_UNREADABLE: Final = Metric(
    "gateway_executions_unreadable", "Executions whose rows in the journal are unreadable", Kind.GAUGE_MAX
)
_IS_UNAVAILABLE: Final = Metric(
    "gateway_journal_unavailable",
    "1 while requests that write are refused because of the journal, else 0",
    Kind.GAUGE_MAX,
)
_SIZE: Final = Metric(
    "gateway_journal_size_bytes", "Size of the executions in the journal, as last measured", Kind.GAUGE_MAX
)
_SIZE_LIMIT: Final = Metric(
    "gateway_journal_size_limit_bytes", "Size above which requests that write are refused", Kind.GAUGE_MAX
)
_DURATION: Final = Metric(
    "gateway_journal_duration_seconds",
    "Time of a statement on the journal, with the wait for its commit",
    Kind.HISTOGRAM,
    ("access",),
)
_INFO: Final = Metric(
    "gateway_info", "1, with the name and the version of the gateway", Kind.GAUGE_MAX, ("name", "version")
)


@final
class AdmissionMetrics:
    """Metrics of *admission*."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def sample(self) -> Iterator[Sample]:
        """Yield the current samples."""
        in_flight = self._admission.in_flight
        yield _IN_FLIGHT, (), in_flight.count
        yield _LIMIT, (), in_flight.limit
        yield _REFUSED, ("in flight",), in_flight.refused
        yield _REFUSED, ("rate",), self._admission.rate_limited


@final
class JournalMetrics:
    """Metrics of the executions in *store*, of those that *registry* runs, and of the journal's *health*."""

    def __init__(self, store: ExecutionStore, registry: ExecutionRegistry, health: JournalHealth) -> None:
        self._store = store
        self._registry = registry
        self._health = health

    def sample(self) -> Iterator[Sample]:
        """Yield the current samples."""
        health, store = self._health, self._store
        for (pipeline, state), count in store.ended.items():
            yield _EXECUTIONS, (pipeline, state.value), count
        yield _RUNNING, (), self._registry.running
        yield _STUCK, (), health.stuck
        yield _UNREADABLE, (), health.unreadable
        yield _IS_UNAVAILABLE, (), int(health.trouble is not None)
        yield _SIZE, (), health.limit.total
        yield _SIZE_LIMIT, (), health.limit.max_bytes
        yield _DURATION, ("read",), store.read_durations
        yield _DURATION, ("write",), store.write_durations


def sample_info(name: str, version: str) -> Iterator[Sample]:
    """Yield the sample with the *name* and the *version* of the gateway."""
    yield _INFO, (name, version), 1
