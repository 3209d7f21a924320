"""Sender of requests to a service: makes the attempts of a call, and awaits the transport."""

import asyncio
import logging
from http import HTTPStatus
from importlib.metadata import version
from typing import Final, TypeVar, final

import httpx

from gateway.client.answers.reception import receive
from gateway.client.exceptions import TRANSPORT_EXCEPTIONS
from gateway.client.interpreter import MAX_REASON_LENGTH, Interpreter, SendOutcome
from gateway.client.operations.conventions import Conventions
from gateway.client.operations.request import Request
from gateway.client.operations.request_headers import ServiceHeaders
from gateway.client.sanitize import sanitize_text
from gateway.client.url import BaseUrl
from gateway.http1 import PreparedRequest, ReceivedResponse
from gateway.observability.reason import describe_exception
from gateway.railway import (
    CallMode,
    Fault,
    Result,
    RunContext,
    UpstreamFault,
    create_attempt_notifier,
    current_context,
)
from gateway.resilience.attempt_outcome import HealthSignal
from gateway.resilience.attempts import AT_LIMIT, DEADLINE_PASSED
from gateway.resilience.deadline import has_deadline_passed
from gateway.resilience.policies import Policies
from gateway.resilience.timer_wheel import TimeLimitError, TimerWheel

__all__ = ("USER_AGENT", "RequestSender")

_log: Final = logging.getLogger("gateway.client")

USER_AGENT: Final = f"fanout-gateway/{version('fanout-gateway')}"
"""Default value of the `User-Agent` header in requests to services."""

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

_ACCEPTED: Final = "application/json, application/problem+json"
_PING_TIMEOUT: Final = 0.5


@final
class RequestSender:
    """Sends requests to *service* at *base_url*.

    Each attempt has *timeout* seconds, or less if the run's deadline is nearer. The sender calls the
    transport directly. An `httpx.AsyncClient` in between would cost several times the CPU, keep cookies, use
    the environment's proxies and log every request.
    """

    def __init__(  # noqa: PLR0913, PLR0917 - the dependencies of a sender
        self,
        service: str,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        policies: Policies,
        timeout: float,
        user_agent: str,
        conventions: Conventions,
    ) -> None:
        self._service = service
        self._transport = transport
        self._policies = policies
        self._timeout = timeout
        self._wheel: TimerWheel | None = None
        self.base_url: Final = BaseUrl(base_url)
        self.headers: Final = ServiceHeaders(
            self.base_url.host,
            {"Accept": _ACCEPTED, "User-Agent": user_agent},
            conventions.headers,
            conventions.credentials,
        )
        self.interpreter: Final = Interpreter(service, timeout, conventions.read_error, self.headers.defaults)

    async def make(self, request: Request[T, E], /) -> Result[T, E | UpstreamFault]:
        """Make *request*, again after transient failures, and return the result of the last attempt."""
        context, loop, name = current_context(), asyncio.get_running_loop(), request.rules.name
        if context.mode is CallMode.BYPASS_POLICIES:
            return await self._make_once(request, context, loop)
        attempts, notifier = self._policies.begin(name, context, loop), create_attempt_notifier(context)
        result: Result[T, E | UpstreamFault] | None = None
        while True:
            notifier.start()
            try:
                rejection = attempts.admit()
                if rejection is AT_LIMIT:
                    rejection = await attempts.queue()
                if rejection is not None:
                    notifier.end(rejection.rejected_by)
                    return self.interpreter.build_error(name, rejection) if result is None else result
                notifier.send()
                signal = HealthSignal.NONE  # if the attempt is cancelled, or ended by a bug
                try:
                    outcome = await self._attempt(request, context, loop)
                    signal, result = outcome.signal, outcome.result
                finally:
                    attempts.settle(signal)
            except BaseException as error:
                notifier.end(error)
                raise
            notifier.end(result)
            pause = attempts.choose_pause(outcome)
            if pause is None:
                return result
            await asyncio.sleep(pause)
            if not attempts.take_retry():
                return result

    async def ping(self) -> bool:
        """Return whether the service answers `GET /health` with a status below 500 within half a second."""
        try:
            async with asyncio.timeout(_PING_TIMEOUT):
                target, head = self.base_url.join("/health"), self.headers.defaults.lines
                request = PreparedRequest("GET", self.base_url.origin, target, head, b"", {})
                response = await self._transport.handle_async_request(request)
                await response.aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service has not answered
            reason = describe_exception(error)
            quoted = sanitize_text(reason.quoted, MAX_REASON_LENGTH)
            _log.debug("health check of %s: %s: %s", self._service, reason.summary, quoted)
            return False
        return response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR

    async def _make_once(
        self, request: Request[T, E], context: RunContext, loop: asyncio.AbstractEventLoop
    ) -> Result[T, E | UpstreamFault]:
        """Make *request* once, whatever the policies are."""
        self._policies.count_bypass()
        notifier = create_attempt_notifier(context)
        notifier.start()
        if has_deadline_passed(context.time_left(loop.time())):
            notifier.end(DEADLINE_PASSED.rejected_by)
            return self.interpreter.build_error(request.rules.name, DEADLINE_PASSED)
        notifier.send()
        try:
            result = (await self._attempt(request, context, loop)).result
        except BaseException as error:
            notifier.end(error)
            raise
        notifier.end(result)
        return result

    async def _attempt(
        self, request: Request[T, E], context: RunContext, loop: asyncio.AbstractEventLoop
    ) -> SendOutcome[T, E]:
        """Send *request* once, and return the outcome."""
        budget = min(self._timeout, context.time_left(loop.time()))
        response = None
        try:
            with self._find_wheel(loop).limit(budget):
                prepared = request.prepare(self.base_url.origin, budget, context.baggage)
                response = await self._transport.handle_async_request(prepared)
                # The gateway's own transport has read the body already.
                if not isinstance(response, ReceivedResponse):
                    response = await receive(response, request.rules.needs_body, request.rules.max_body)
            return self.interpreter.interpret(request, response, budget)
        except TimeLimitError:
            return self.interpreter.interpret_timeout(request, budget)
        except TRANSPORT_EXCEPTIONS as error:
            return self.interpreter.interpret_exception(
                request, error, budget, was_answered=response is not None
            )

    def _find_wheel(self, loop: asyncio.AbstractEventLoop) -> TimerWheel:
        if self._wheel is None or self._wheel.loop is not loop:
            self._wheel = TimerWheel(loop)
        return self._wheel
