"""Sender of HTTP requests to a service, which turns responses and transport exceptions into results."""

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Final, Generic, Never, TypeAlias, TypeVar, final

import httpx
from pydantic import BaseModel
from pydantic_core import to_json

from gateway.client.exceptions import (
    TRANSPORT_EXCEPTIONS,
    TransportException,
    map_exception,
    may_have_been_sent,
)
from gateway.client.messages import describe_concurrency_limit, describe_fault
from gateway.client.response import build_refusal, read_detail
from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.client.url import BaseUrl, Query
from gateway.railway import (
    BadAnswer,
    Err,
    Fault,
    Ok,
    Result,
    TimedOut,
    Unavailable,
    UpstreamFault,
    current_context,
)
from gateway.resilience.attempt_outcome import AttemptOutcome, HealthSignal
from gateway.resilience.deadline import clip_to_deadline, has_deadline_passed
from gateway.resilience.policies import Rejection

__all__ = ("USER_AGENT", "RequestSender", "RequestSpec")

_log: Final = logging.getLogger("gateway.client")

USER_AGENT: Final = f"fanout-gateway/{version('fanout-gateway')}"
"""Default value of the `User-Agent` header in requests to services."""

T = TypeVar("T")
E = TypeVar("E", bound=Fault)
F = TypeVar("F", bound=UpstreamFault)

SendOutcome: TypeAlias = AttemptOutcome[T, E | UpstreamFault]

_OPTIONAL_SHARE: Final = 0.9
_PING_TIMEOUT: Final = 0.5
_MAX_REASON_LENGTH: Final = 500


@final
@dataclass(frozen=True, slots=True)
class RequestSpec(Generic[T, E]):
    """Request of the call *name*, with the rules by which its response is interpreted.

    - *path*, *query*: as in `ServiceClient.get`.
    - *body*: model that is sent as JSON; None for no body.
    - *read*: returns the value of a 2xx response, or the reason why it is unusable.
    - *declared*: classes of the declared failures by status.
    """

    name: str
    method: str
    path: Sequence[str]
    query: Query
    body: BaseModel | None
    read: Callable[[httpx.Response], Awaitable[Result[T, str]]]
    declared: Mapping[int, type[E]]
    headers: Sequence[tuple[bytes, bytes]] = field(default=(), repr=False)
    """Encoded headers; they may be secret, so they are not in the `repr`."""


@final
class RequestSender:
    """Sends requests to *service* at *base_url*.

    Each request has *timeout* seconds, or less if the run's deadline is nearer. The sender calls the
    transport directly. An `httpx.AsyncClient` in between would cost several times the CPU, keep cookies, use
    the environment's proxies and log every request.
    """

    def __init__(
        self,
        service: str,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        timeout: float,
        user_agent: str,
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._base_url = BaseUrl(base_url)
        self._headers = (
            (b"host", self._base_url.host),
            (b"accept", b"application/json, application/problem+json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", user_agent.encode("ascii")),
        )
        self._bad_answer = describe_fault(BadAnswer, service)
        self._unavailable = describe_fault(Unavailable, service)
        self._timed_out = describe_fault(TimedOut, service)
        self._at_limit = describe_concurrency_limit(service)

    async def send(self, spec: RequestSpec[T, E]) -> SendOutcome[T, E]:
        """Send the request once, and return the outcome.

        If the deadline has passed, send nothing and return a `TimedOut`.
        """
        if has_deadline_passed():
            return AttemptOutcome(self._build_expired(spec.name), HealthSignal.NONE)
        budget = clip_to_deadline(self._timeout)
        try:
            async with asyncio.timeout(budget):
                return await self._send_within(spec, budget)
        except TimeoutError:
            late = TimedOut(self._timed_out, source=spec.name, budget=budget)
            return _log_failure(late, f"no answer within {budget:.3f} s", self._judge_silence(budget))

    def build_error(self, name: str, rejection: Rejection) -> Err[TimedOut | Unavailable]:
        """Build the error of the call *name*, which the policies have rejected.

        It is a `TimedOut` if the deadline has passed, else an `Unavailable` with the rejection's
        `retry_after`.
        """
        if rejection.retry_after is None:
            return self._build_expired(name)
        detail = self._at_limit if rejection.is_at_limit else self._unavailable
        return Err(Unavailable(detail, source=name, retry_after=rejection.retry_after, was_sent=False))

    async def ping(self) -> bool:
        """Return whether the service answers `GET /health` with a status below 500 within half a second."""
        try:
            async with asyncio.timeout(_PING_TIMEOUT):
                request = httpx.Request("GET", self._base_url.join(("health",)), headers=self._headers)
                response = await self._transport.handle_async_request(request)
                await response.aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service has not answered
            _log.debug("%s %s", type(error).__name__, sanitize_text(str(error), _MAX_REASON_LENGTH))
            return False
        return response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR

    async def _send_within(self, spec: RequestSpec[T, E], budget: float) -> SendOutcome[T, E]:
        try:
            request = self._build_request(spec, budget)
            response = await self._transport.handle_async_request(request)
        except TRANSPORT_EXCEPTIONS as error:
            return self._interpret_exception(spec.name, error, budget, was_sent=may_have_been_sent(error))
        try:
            try:
                return await self._interpret(spec, response, budget)
            finally:
                await response.aclose()
        except TRANSPORT_EXCEPTIONS as error:
            return self._interpret_exception(spec.name, error, budget, was_sent=True)

    def _build_request(self, spec: RequestSpec[T, E], budget: float) -> httpx.Request:
        headers = [
            *self._headers,
            (b"x-envoy-expected-rq-timeout-ms", b"%d" % max(1, budget * 1000)),
            *spec.headers,
        ]
        for name, value in current_context().baggage.items():
            headers.append((name.encode("ascii"), value.encode("latin-1")))
        body = b""
        if spec.body is not None:
            body = to_json(spec.body)
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", b"%d" % len(body)))
        # With `stream`, httpx adds no headers of its own, which would take most of the time.
        request = httpx.Request(
            spec.method,
            self._base_url.join(spec.path, spec.query),
            headers=headers,
            stream=httpx.ByteStream(body),
            # Half of the budget: an unreachable host becomes Unavailable, only a hanging service TimedOut.
            extensions={"timeout": {"connect": budget / 2, "pool": budget / 2}},
        )
        request.read()
        return request

    async def _interpret(
        self, spec: RequestSpec[T, E], response: httpx.Response, budget: float
    ) -> SendOutcome[T, E]:
        name, status = spec.name, response.status_code
        if (kind := spec.declared.get(status)) is not None:
            refusal = build_refusal(kind, await read_detail(response), response, name)
            return AttemptOutcome(Err(refusal), HealthSignal.HEALTHY)
        if response.is_success:
            return await self._read_value(spec, response)
        reason = f"status {status}"
        match status:
            case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.GATEWAY_TIMEOUT:
                # A service that knows its budget may send this instead of staying silent.
                late = TimedOut(self._timed_out, source=name)
                return _log_failure(late, reason, self._judge_silence(budget))
            case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
                after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
                unavailable = Unavailable(self._unavailable, source=name, retry_after=after)
                # A 429 must not open the circuit breaker: the service works, and limits its callers itself.
                is_failing = status == HTTPStatus.SERVICE_UNAVAILABLE
                signal = HealthSignal.UNHEALTHY if is_failing else HealthSignal.NONE
                return _log_failure(unavailable, reason, signal)
            case _:
                signal = HealthSignal.UNHEALTHY if response.is_server_error else HealthSignal.HEALTHY
                return _log_failure(BadAnswer(self._bad_answer, source=name), reason, signal)

    async def _read_value(
        self, spec: RequestSpec[T, E], response: httpx.Response
    ) -> AttemptOutcome[T, BadAnswer]:
        match await spec.read(response):
            case Ok() as ok:
                return AttemptOutcome(ok, HealthSignal.HEALTHY)
            case Err(reason):
                bad_answer = BadAnswer(self._bad_answer, source=spec.name)
                return _log_failure(bad_answer, reason, HealthSignal.UNHEALTHY)

    def _interpret_exception(
        self, name: str, error: TransportException, budget: float, *, was_sent: bool
    ) -> SendOutcome[T, E]:
        reason = f"{type(error).__name__}: {error}"
        kind = map_exception(error)
        is_timeout = isinstance(error, httpx.TimeoutException)
        signal = self._judge_silence(budget) if is_timeout else HealthSignal.UNHEALTHY
        # A connect timeout within a short budget becomes TimedOut: a healthy service may need longer.
        if kind is TimedOut or signal is HealthSignal.NONE:
            late = TimedOut(self._timed_out, source=name, budget=budget, was_sent=was_sent)
            return _log_failure(late, reason, signal)
        if kind is Unavailable:
            unavailable = Unavailable(self._unavailable, source=name, was_sent=was_sent)
            return _log_failure(unavailable, reason, signal)
        return _log_failure(BadAnswer(self._bad_answer, source=name), reason, signal)

    def _judge_silence(self, budget: float) -> HealthSignal:
        """Return `UNHEALTHY` if a service that is silent for *budget* seconds counts as failing, else `NONE`.

        It does not count if the caller's deadline left less than the timeout. For an optional call, nine
        tenths of its total budget are enough: a part of it may have passed before the request was sent.
        """
        context, enough = current_context(), self._timeout
        if context.is_optional and context.optional_budget is not None:
            enough = min(enough, _OPTIONAL_SHARE * context.optional_budget)
        return HealthSignal.UNHEALTHY if budget >= enough else HealthSignal.NONE

    def _build_expired(self, name: str) -> Err[TimedOut]:
        return Err(TimedOut(self._timed_out, source=name, budget=0.0, was_sent=False))


def _log_failure(fault: F, reason: str, signal: HealthSignal) -> AttemptOutcome[Never, F]:
    """Log the *reason* of a failed attempt, which the caller must not see, and return the outcome."""
    request_id = current_context().baggage.get("X-Request-Id")
    suffix = f" (request {request_id})" if request_id else ""
    line = sanitize_text(reason, _MAX_REASON_LENGTH)
    _log.warning("%s: %s: %s%s", fault.source, fault.code, line, suffix)
    return AttemptOutcome(Err(fault), signal)
