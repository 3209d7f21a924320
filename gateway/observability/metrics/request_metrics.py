"""Metrics of the requests for pipelines, and of their calls."""

from collections import Counter
from collections.abc import Iterator
from typing import Final, TypeAlias, final

from gateway.observability.metrics.terms import Distribution, Kind, Metric, Sample
from gateway.observability.outcome import Outcome
from gateway.observability.trace import Trace, TracedCall
from gateway.railway import CallKind

__all__ = ("CallMetrics", "RequestMetrics", "RouteMetrics")

_Operation: TypeAlias = tuple[str, str, CallKind]
"""Service, operation and kind of a call."""

_REQUESTS: Final = Metric(
    "gateway_request_duration_seconds",
    "Time from the head of a request for a pipeline to its response; status 499 if the client disconnected",
    Kind.HISTOGRAM,
    ("pipeline", "method", "route", "status"),
)
_OWN: Final = Metric(
    "gateway_own_duration_seconds",
    "Part of the time of a request in which no call was in progress: the time of the gateway itself",
    Kind.HISTOGRAM,
    ("pipeline",),
    (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0),
)
_RESPONSES: Final = Metric(
    "gateway_responses_total",
    "Responses by the code of their problem; ok without a problem, degraded if an optional part is missing",
    Kind.COUNTER,
    ("pipeline", "code"),
)
_REPLAYS: Final = Metric(
    "gateway_replayed_responses_total",
    "Responses that repeat the response to an earlier request with the same idempotency key",
    Kind.COUNTER,
    ("pipeline",),
)
_CALLS: Final = Metric(
    "gateway_calls_total",
    "Calls of services by outcome and code, with each repeat of a write or an undo",
    Kind.COUNTER,
    ("service", "operation", "kind", "outcome", "code"),
)
_CALL_DURATIONS: Final = Metric(
    "gateway_call_duration_seconds",
    "Time of a call with its retries and pauses; cancelled calls are left out",
    Kind.HISTOGRAM,
    ("service", "operation", "kind"),
)
_BUCKETS: Final = _REQUESTS.buckets


@final
class CallMetrics:
    """Metrics of the calls of all pipelines."""

    def __init__(self) -> None:
        self._counts: Counter[tuple[_Operation, Outcome, str]] = Counter()
        self._durations: dict[_Operation, Distribution] = {}

    def record(self, call: TracedCall) -> None:
        """Record that *call*, or a repeat of it, has ended."""
        operation = call.service, call.name, call.kind
        self._counts[operation, call.ended, call.status] += 1
        if call.end is None or call.ended is Outcome.CANCELLED:
            return
        durations = self._durations.get(operation)
        if durations is None:
            durations = self._durations[operation] = Distribution(_BUCKETS)
        durations.observe(call.end - call.last_start)

    def sample(self) -> Iterator[Sample]:
        """Yield the samples of all calls so far."""
        for ((service, name, kind), outcome, code), count in self._counts.items():
            yield _CALLS, (service, name, kind.value, outcome.value, code), count
        for (service, name, kind), durations in self._durations.items():
            yield _CALL_DURATIONS, (service, name, kind.value), durations


@final
class RouteMetrics:
    """Metrics of the requests for a *pipeline* by its *method* and *route*, such as `/feed/{user_id}`."""

    def __init__(self, pipeline: str, method: str, route: str) -> None:
        self._pipeline = pipeline
        self._labels = pipeline, method, route
        self._durations: dict[int, Distribution] = {}
        self._own = Distribution(_OWN.buckets)
        self._codes: Counter[str] = Counter()
        self._replays = 0

    def record(self, status: int, code: str, trace: Trace, *, is_replayed: bool = False) -> None:
        """Record a request with *trace* that ends now, and the *status* and *code* of its response.

        The code is that of a problem, or `ok`, or `degraded`.
        """
        now = trace.clock()
        self._find_durations(status).observe(now - trace.start)
        self._own.observe(trace.measure_own(now))
        self._codes[code] += 1
        self._replays += is_replayed

    def record_refusal(self, status: int, code: str) -> None:
        """Record a request that was refused at once, before it has a trace."""
        self._find_durations(status).observe(0.0)
        self._codes[code] += 1

    def sample(self) -> Iterator[Sample]:
        """Yield the samples of all requests so far."""
        for status, durations in self._durations.items():
            yield _REQUESTS, (*self._labels, str(status)), durations
        for code, count in self._codes.items():
            yield _RESPONSES, (self._pipeline, code), count
        yield _OWN, (self._pipeline,), self._own
        yield _REPLAYS, (self._pipeline,), self._replays

    def _find_durations(self, status: int) -> Distribution:
        durations = self._durations.get(status)
        if durations is None:
            durations = self._durations[status] = Distribution(_BUCKETS)
        return durations


@final
class RequestMetrics:
    """Metrics of the requests for all pipelines, and of their *calls*."""

    def __init__(self) -> None:
        self.calls: Final = CallMetrics()
        self._routes: list[RouteMetrics] = []

    def add_route(self, pipeline: str, method: str, route: str) -> RouteMetrics:
        """Return the metrics of another route."""
        metrics = RouteMetrics(pipeline, method, route)
        self._routes.append(metrics)
        return metrics

    def sample(self) -> Iterator[Sample]:
        """Yield the samples of all requests and calls so far."""
        for route in self._routes:
            yield from route.sample()
        yield from self.calls.sample()
