"""Sender of HTTP requests to a service, which turns responses and transport exceptions into results."""

import asyncio
import logging
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.metadata import version
from typing import Final, Never, TypeAlias, TypeVar, final

import httpx

from gateway.client.answers.refusals import has_json_type
from gateway.client.exceptions import (
    NOT_BUILT,
    TRANSPORT_EXCEPTIONS,
    TransportException,
    judge_exception,
    map_exception,
    may_have_been_sent,
)
from gateway.client.messages import describe_concurrency_limit, describe_fault, describe_unbuilt_request
from gateway.client.operations.conventions import Conventions
from gateway.client.operations.endpoint import MAX_REQUEST_LINE
from gateway.client.operations.request import Request
from gateway.client.operations.request_headers import ServiceHeaders, has_unusual_headers
from gateway.client.response import build_refusal, read_problem
from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.client.url import BaseUrl
from gateway.http1 import PreparedRequest
from gateway.observability.reason import Reason, describe_exception
from gateway.railway import (
    BadAnswer,
    Err,
    Fault,
    Ok,
    TimedOut,
    Unavailable,
    UpstreamFault,
    current_context,
)
from gateway.resilience.attempt_outcome import AttemptOutcome, HealthSignal
from gateway.resilience.deadline import clip_to_deadline, has_deadline_passed
from gateway.resilience.policies import Rejection

__all__ = ("USER_AGENT", "RequestSender")

_log: Final = logging.getLogger("gateway.client")

USER_AGENT: Final = f"fanout-gateway/{version('fanout-gateway')}"
"""Default value of the `User-Agent` header in requests to services."""

T = TypeVar("T")
E = TypeVar("E", bound=Fault)
F = TypeVar("F", bound=UpstreamFault)
G = TypeVar("G", bound=Fault)

SendOutcome: TypeAlias = AttemptOutcome[T, E | UpstreamFault]

_ACCEPTED: Final = "application/json, application/problem+json"
_METHODS_WITH_CONTENT: Final = frozenset({"POST", "PUT", "PATCH"})
"""Methods whose requests have a `Content-Length` even without a body (RFC 9110, 8.6)."""
_FROM_PROXIES: Final = frozenset({502, 520, 522, 524})
"""Statuses of proxies that have had no usable answer from the service; 52x are Cloudflare's.

The service may have acted on the request, and the next request may succeed: https://www.rfc-editor.org/rfc/rfc9110#section-15.6.3
and https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/.
"""
_HEALTHY: Final = HealthSignal.HEALTHY
_OPTIONAL_SHARE: Final = 0.9
_PING_TIMEOUT: Final = 0.5
_MAX_REASON_LENGTH: Final = 500
_UNFIT: Final = Reason("the answer does not fit the request")


@final
class RequestSender:
    """Sends requests to *service* at *base_url*.

    Each request has *timeout* seconds, or less if the run's deadline is nearer. The sender calls the
    transport directly. An `httpx.AsyncClient` in between would cost several times the CPU, keep cookies, use
    the environment's proxies and log every request.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the dependencies of a sender
        self,
        service: str,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        timeout: float,
        user_agent: str,
        conventions: Conventions,
    ) -> None:
        self._service = service
        self._transport = transport
        self._timeout = timeout
        self._read_error = conventions.read_error
        self._max_bytes = conventions.max_answer_bytes
        self.base_url: Final = BaseUrl(base_url)
        self.headers: Final = ServiceHeaders(
            self.base_url.host,
            {"Accept": _ACCEPTED, "User-Agent": user_agent},
            conventions.headers,
            conventions.credentials,
        )
        self._bad_answer = describe_fault(BadAnswer, service)
        self._unavailable = describe_fault(Unavailable, service)
        self._timed_out = describe_fault(TimedOut, service)
        self._not_built = describe_unbuilt_request(service)
        self._at_limit = describe_concurrency_limit(service)

    async def send(self, request: Request[T, E]) -> SendOutcome[T, E]:
        """Send the request once, and return the outcome.

        If the deadline has passed, send nothing and return a `TimedOut`.
        """
        if has_deadline_passed():
            return AttemptOutcome(self._build_expired(request.rules.name), HealthSignal.NONE)
        budget = clip_to_deadline(self._timeout)
        try:
            async with asyncio.timeout(budget):
                outcome = await self._send_within(request, budget)
        except TimeoutError:
            late = TimedOut(self._timed_out, source=request.rules.name, budget=budget)
            reason = Reason(f"no answer within {budget:.3f} s")
            outcome = _log_failure(late, reason, self._judge_silence(budget))
        return outcome if outcome.signal is _HEALTHY else self._judge_failure(request, outcome)

    def build_error(self, name: str, rejection: Rejection) -> Err[TimedOut | Unavailable]:
        """Build the error of the call *name*, which the policies have rejected.

        It is a `TimedOut` if the deadline has passed, else an `Unavailable` with the rejection's
        `retry_after`.
        """
        if rejection.retry_after is None:
            return self._build_expired(name)
        detail = self._at_limit if rejection.is_at_limit else self._unavailable
        return Err(Unavailable(detail, source=name, retry_after=rejection.retry_after, was_sent=False))

    def reject_unfit(self, name: str) -> AttemptOutcome[Never, BadAnswer]:
        """Reject an answer of the operation *name* that does not fit the request.

        It is no evidence: the caller may have chosen the request, such as an id that the service takes for
        another one.
        """
        return _log_failure(BadAnswer(self._bad_answer, source=name), _UNFIT, HealthSignal.NONE)

    async def ping(self) -> bool:
        """Return whether the service answers `GET /health` with a status below 500 within half a second."""
        try:
            async with asyncio.timeout(_PING_TIMEOUT):
                url, headers = self.base_url.join("/health"), self.headers.defaults
                request = httpx.Request("GET", url, headers=headers)
                response = await self._transport.handle_async_request(request)
                await response.aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service has not answered
            reason = describe_exception(error)
            quoted = sanitize_text(reason.quoted, _MAX_REASON_LENGTH)
            _log.debug("health check of %s: %s: %s", self._service, reason.summary, quoted)
            return False
        return response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR

    async def _send_within(self, request: Request[T, E], budget: float) -> SendOutcome[T, E]:
        try:
            sent = _build_request(request, budget, self._max_bytes)
            response = await self._transport.handle_async_request(sent)
        except TRANSPORT_EXCEPTIONS as error:
            return self._interpret_exception(request.rules.name, error, budget)
        try:
            try:
                return await self._interpret(request, response, budget)
            finally:
                await response.aclose()
        except TRANSPORT_EXCEPTIONS as error:
            return self._interpret_exception(request.rules.name, error, budget, was_answered=True)

    async def _interpret(
        self, request: Request[T, E], response: httpx.Response, budget: float
    ) -> SendOutcome[T, E]:
        rules, status = request.rules, response.status_code
        name = rules.name
        if (kind := rules.declared.get(status)) is not None:
            if rules.is_refusal(response):
                return await self._read_refusal(kind, request, response)
        elif rules.is_success(response):
            return await self._read_value(request, response)
        is_foreign = kind is not None
        reason = Reason(f"status {status}{', not recognizably from the service' if is_foreign else ''}")
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
            case _ if status in _FROM_PROXIES:
                after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
                transient = BadAnswer(self._bad_answer, source=name, is_transient=True, retry_after=after)
                return _log_failure(transient, reason, HealthSignal.UNHEALTHY)
            case _:
                is_failing = is_foreign or response.is_server_error
                signal = HealthSignal.UNHEALTHY if is_failing else HealthSignal.HEALTHY
                return _log_failure(BadAnswer(self._bad_answer, source=name), reason, signal)

    async def _read_refusal(
        self, kind: type[E], request: Request[T, E], response: httpx.Response
    ) -> AttemptOutcome[Never, E | BadAnswer]:
        name, allows_page = request.rules.name, request.rules.is_refusal is not has_json_type
        problem = await read_problem(response, self._read_error, self._max_bytes, allows_page=allows_page)
        match problem.bind(lambda problem: build_refusal(kind, problem, response, name)):
            case Ok(refusal):
                return AttemptOutcome(Err(refusal), HealthSignal.HEALTHY)
            case Err(reason):
                bad_answer = BadAnswer(self._bad_answer, source=name)
                return _log_failure(bad_answer, reason, HealthSignal.UNHEALTHY)

    async def _read_value(
        self, request: Request[T, E], response: httpx.Response
    ) -> AttemptOutcome[T, BadAnswer]:
        name = request.rules.name
        match await request.rules.read(response):
            case Ok(value) as ok if request.fits is None or request.fits(value):
                return AttemptOutcome(ok, _HEALTHY)
            case Ok():
                return self.reject_unfit(name)
            case Err(reason):
                bad_answer = BadAnswer(self._bad_answer, source=name)
                return _log_failure(bad_answer, reason, HealthSignal.UNHEALTHY)

    def _interpret_exception(
        self, name: str, error: TransportException, budget: float, *, was_answered: bool = False
    ) -> SendOutcome[T, E]:
        reason = describe_exception(error)
        was_sent = was_answered or may_have_been_sent(error)
        if isinstance(error, NOT_BUILT) and not was_answered:
            unbuilt = Unavailable(self._not_built, source=name, was_sent=was_sent)
            return _log_failure(unbuilt, reason, HealthSignal.REQUEST_AT_FAULT)
        kind = map_exception(error)
        is_hasty = isinstance(error, httpx.TimeoutException) and not self._has_waited_enough(budget)
        signal = HealthSignal.NONE if is_hasty else judge_exception(error, was_answered=was_answered)
        # A connect timeout within a short budget becomes TimedOut: a healthy service may need longer.
        if kind is TimedOut or is_hasty:
            late = TimedOut(self._timed_out, source=name, budget=budget, was_sent=was_sent)
            return _log_failure(late, reason, signal)
        if kind is Unavailable:
            unavailable = Unavailable(self._unavailable, source=name, was_sent=was_sent)
            return _log_failure(unavailable, reason, signal)
        return _log_failure(BadAnswer(self._bad_answer, source=name), reason, signal)

    def _judge_failure(self, request: Request[T, E], outcome: AttemptOutcome[T, G]) -> AttemptOutcome[T, G]:
        """Return *outcome*, with the request at fault if a caller's unusual header may have caused it.

        No header keeps a connection from being made.
        """
        if outcome.signal is HealthSignal.UNREACHABLE:
            return outcome
        forwarded = current_context().baggage
        if not has_unusual_headers(request.headers, self.headers.defaults, forwarded):
            return outcome
        return AttemptOutcome(outcome.result, HealthSignal.REQUEST_AT_FAULT)

    def _judge_silence(self, budget: float) -> HealthSignal:
        """Return the evidence in a service's silence for *budget* seconds."""
        return HealthSignal.UNHEALTHY if self._has_waited_enough(budget) else HealthSignal.NONE

    def _has_waited_enough(self, budget: float) -> bool:
        """Return whether a service that is silent for *budget* seconds counts as failing.

        It does not count if the caller's deadline left less than the timeout. For an optional call, nine
        tenths of its total budget are enough: a part of it may have passed before the request was sent.
        """
        context, enough = current_context(), self._timeout
        if context.is_optional and context.optional_budget is not None:
            enough = min(enough, _OPTIONAL_SHARE * context.optional_budget)
        return budget >= enough

    def _build_expired(self, name: str) -> Err[TimedOut]:
        return Err(TimedOut(self._timed_out, source=name, budget=0.0, was_sent=False))


def _build_request(request: Request[T, E], budget: float, max_body: int) -> httpx.Request:
    headers = [*request.headers, (b"x-envoy-expected-rq-timeout-ms", b"%d" % max(1, budget * 1000))]
    for name, value in current_context().baggage.items():
        headers.append((name.encode("ascii"), value.encode("latin-1")))
    if request.url is None:
        msg = f"the request line exceeds {MAX_REQUEST_LINE} octets"
        raise httpx.InvalidURL(msg)
    content = b"" if request.body is None else request.body.content
    if request.body is not None or request.method in _METHODS_WITH_CONTENT:
        headers.append((b"content-length", b"%d" % len(content)))
    # Half of the budget: an unreachable host becomes Unavailable, only a hanging service TimedOut.
    timeouts = {"connect": budget / 2, "pool": budget / 2}
    extensions = {"timeout": timeouts, "max_body": max_body}
    return PreparedRequest(request.method, request.url, headers, content, extensions)


def _log_failure(fault: F, reason: Reason, signal: HealthSignal) -> AttemptOutcome[Never, F]:
    """Log the *reason* of a failed attempt, which the caller must not see, and return the outcome."""
    context = current_context()
    request_id = context.baggage.get("X-Request-Id")
    caller = "" if context.caller is None else f", caller {context.caller!r}"
    suffix = f" (request {request_id}{caller})" if request_id else ""
    _log.warning("%s: %s: %s%s", fault.source, fault.code, reason.summary, suffix)
    if reason.quoted and _log.isEnabledFor(logging.DEBUG):
        quoted = sanitize_text(reason.quoted, _MAX_REASON_LENGTH)
        _log.debug("%s: %s: %s%s", fault.source, fault.code, quoted, suffix)
    return AttemptOutcome(Err(fault), signal)
