"""Interpreter of responses and exceptions: plain functions that return the outcomes of attempts."""

import logging
from datetime import UTC, datetime
from http import HTTPStatus
from typing import Final, Never, TypeAlias, TypeVar, final

import httpx

from gateway.client.answers.problems import ReadError, build_refusal, read_problem
from gateway.client.answers.refusals import has_json_type
from gateway.client.exceptions import (
    NOT_BUILT,
    TransportException,
    judge_exception,
    map_exception,
    may_have_been_sent,
)
from gateway.client.messages import describe_concurrency_limit, describe_fault, describe_unbuilt_request
from gateway.client.operations.request import Request
from gateway.client.operations.request_headers import EncodedHeaders, has_unusual_headers
from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.http1 import ReceivedResponse
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
from gateway.resilience.attempts import Rejection

__all__ = ("MAX_REASON_LENGTH", "Interpreter", "SendOutcome")

_log: Final = logging.getLogger("gateway.client")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)
F = TypeVar("F", bound=UpstreamFault)
G = TypeVar("G", bound=Fault)

SendOutcome: TypeAlias = AttemptOutcome[T, E | UpstreamFault]

MAX_REASON_LENGTH: Final = 500

_FROM_PROXIES: Final = frozenset({502, 520, 522, 524})
"""Statuses of proxies that have had no usable answer from the service; 52x are Cloudflare's.

The service may have acted on the request, and the next request may succeed: https://www.rfc-editor.org/rfc/rfc9110#section-15.6.3
and https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/.
"""
_HEALTHY: Final = HealthSignal.HEALTHY
_OPTIONAL_SHARE: Final = 0.9
_MISMATCH: Final = Reason("the answer does not fit the request")


@final
class Interpreter:
    """Interpreter of the responses of *service*, whose attempts have *timeout* seconds.

    *read_error* returns the detail in the JSON of a refusal. The *defaults* are the headers of all requests.
    """

    def __init__(
        self, service: str, timeout: float, read_error: ReadError | None, defaults: EncodedHeaders
    ) -> None:
        self._timeout = timeout
        self._read_error = read_error
        self._defaults = defaults
        self._bad_answer = describe_fault(BadAnswer, service)
        self._unavailable = describe_fault(Unavailable, service)
        self._timed_out = describe_fault(TimedOut, service)
        self._not_built = describe_unbuilt_request(service)
        self._at_limit = describe_concurrency_limit(service)

    def interpret(
        self, request: Request[T, E], response: ReceivedResponse, budget: float
    ) -> SendOutcome[T, E]:
        """Return the outcome of *response* to an attempt that had *budget* seconds.

        Raise the exception that has cut the body of the response short, if the body matters.
        """
        rules, status = request.rules, response.status_code
        kind = rules.declared.get(status)
        outcome: SendOutcome[T, E]
        if kind is None and status in rules.success:
            outcome = self._read_value(request, response)
        elif kind is not None and rules.is_refusal(response):
            refusal = self._read_refusal(kind, request, response)  # in two steps for mypy
            outcome = refusal
        else:
            outcome = self._interpret_status(rules.name, response, budget, is_foreign=kind is not None)
        return outcome if outcome.signal is _HEALTHY else self._judge_failure(request, outcome)

    def interpret_exception(
        self, request: Request[T, E], error: TransportException, budget: float, *, was_answered: bool
    ) -> SendOutcome[T, E]:
        """Return the outcome of an attempt that has failed with *error*, before or after its response."""
        name, reason = request.rules.name, describe_exception(error)
        was_sent = was_answered or may_have_been_sent(error)
        if isinstance(error, NOT_BUILT) and not was_answered:
            unbuilt = Unavailable(self._not_built, source=name, was_sent=was_sent)
            return _log_failure(unbuilt, reason, HealthSignal.REQUEST_AT_FAULT)
        kind = map_exception(error)
        is_short = isinstance(error, httpx.TimeoutException) and not self._has_waited_enough(budget)
        signal = HealthSignal.NONE if is_short else judge_exception(error, was_answered=was_answered)
        fault: UpstreamFault
        # A connect timeout within a short budget becomes TimedOut: a healthy service may need longer.
        if kind is TimedOut or is_short:
            fault = TimedOut(self._timed_out, source=name, budget=budget, was_sent=was_sent)
        elif kind is Unavailable:
            fault = Unavailable(self._unavailable, source=name, was_sent=was_sent)
        else:
            fault = BadAnswer(self._bad_answer, source=name)
        return self._judge_failure(request, _log_failure(fault, reason, signal))

    def interpret_timeout(self, request: Request[T, E], budget: float) -> SendOutcome[T, E]:
        """Return the outcome of an attempt without a response within *budget* seconds."""
        late = TimedOut(self._timed_out, source=request.rules.name, budget=budget)
        reason = Reason(f"no answer within {budget:.3f} s")
        return self._judge_failure(request, _log_failure(late, reason, self._judge_timeout(budget)))

    def build_error(self, name: str, rejection: Rejection) -> Err[TimedOut | Unavailable]:
        """Build the error of the call *name*, which the policies have rejected.

        It is a `TimedOut` if the deadline has passed, else an `Unavailable` with the rejection's
        `retry_after`.
        """
        if rejection.retry_after is None:
            return Err(TimedOut(self._timed_out, source=name, budget=0.0, was_sent=False))
        detail = self._at_limit if rejection.is_at_limit else self._unavailable
        return Err(Unavailable(detail, source=name, retry_after=rejection.retry_after, was_sent=False))

    def reject_mismatch(self, name: str) -> AttemptOutcome[Never, BadAnswer]:
        """Reject an answer of the operation *name* that does not fit the request.

        It is no evidence: the caller may have chosen the request, such as an id that the service takes for
        another one.
        """
        return _log_failure(BadAnswer(self._bad_answer, source=name), _MISMATCH, HealthSignal.NONE)

    def _read_value(self, request: Request[T, E], response: ReceivedResponse) -> AttemptOutcome[T, BadAnswer]:
        value = request.rules.read(response)
        if isinstance(value, Err):
            bad_answer = BadAnswer(self._bad_answer, source=request.rules.name)
            return _log_failure(bad_answer, value.error, HealthSignal.UNHEALTHY)
        if request.fits is not None and not request.fits(value.value):
            return self.reject_mismatch(request.rules.name)
        return AttemptOutcome(value, _HEALTHY)

    def _read_refusal(
        self, kind: type[E], request: Request[T, E], response: ReceivedResponse
    ) -> AttemptOutcome[Never, E | BadAnswer]:
        rules = request.rules
        allows_page = rules.is_refusal is not has_json_type
        problem = read_problem(response, self._read_error, rules.max_body, allows_page=allows_page)
        match problem.bind(lambda problem: build_refusal(kind, problem, response, rules.name)):
            case Ok(refusal):
                return AttemptOutcome(Err(refusal), _HEALTHY)
            case Err(reason):
                bad_answer = BadAnswer(self._bad_answer, source=rules.name)
                return _log_failure(bad_answer, reason, HealthSignal.UNHEALTHY)

    def _interpret_status(
        self, name: str, response: httpx.Response, budget: float, *, is_foreign: bool
    ) -> AttemptOutcome[Never, UpstreamFault]:
        """Return the outcome of a response that is neither a success nor a refusal."""
        status = response.status_code
        reason = Reason(f"status {status}{', not recognizably from the service' if is_foreign else ''}")
        match status:
            case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.GATEWAY_TIMEOUT:
                # A service that knows its budget may send this instead of staying silent.
                late = TimedOut(self._timed_out, source=name)
                return _log_failure(late, reason, self._judge_timeout(budget))
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

    def _judge_failure(self, request: Request[T, E], outcome: AttemptOutcome[T, G]) -> AttemptOutcome[T, G]:
        """Return *outcome*, with the request at fault if a caller's unusual header may have caused it.

        No header keeps a connection from being made.
        """
        if outcome.signal is HealthSignal.UNREACHABLE:
            return outcome
        if not has_unusual_headers(request.headers, self._defaults, current_context().baggage):
            return outcome
        return AttemptOutcome(outcome.result, HealthSignal.REQUEST_AT_FAULT)

    def _judge_timeout(self, budget: float) -> HealthSignal:
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


def _log_failure(fault: F, reason: Reason, signal: HealthSignal) -> AttemptOutcome[Never, F]:
    """Log the *reason* of a failed attempt, which the caller must not see, and return the outcome."""
    context = current_context()
    request_id = context.baggage.get("X-Request-Id")
    caller = "" if context.caller is None else f", caller {context.caller!r}"
    suffix = f" (request {request_id}{caller})" if request_id else ""
    _log.warning("%s: %s: %s%s", fault.source, fault.code, reason.summary, suffix)
    if reason.quoted and _log.isEnabledFor(logging.DEBUG):
        quoted = sanitize_text(reason.quoted, MAX_REASON_LENGTH)
        _log.debug("%s: %s: %s%s", fault.source, fault.code, quoted, suffix)
    return AttemptOutcome(Err(fault), signal)
