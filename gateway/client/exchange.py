"""One attempt of a call, and what came of it: the only file that catches what a transport raises."""

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

from gateway.client.exceptions import TRANSPORT_EXCEPTIONS, Raised, classify_exception, was_sent
from gateway.client.response import read_detail, refusal
from gateway.client.retry_after import parse_retry_after
from gateway.client.sanitize import sanitize_text
from gateway.client.url import Address, Query
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
from gateway.resilience.deadline import clip_to_deadline, is_over
from gateway.resilience.evidence import Attempted, Evidence

__all__ = ("Exchange", "RequestSpec")

_log: Final = logging.getLogger("gateway.services")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)
F = TypeVar("F", bound=UpstreamFault)

Came: TypeAlias = Attempted[T, E | UpstreamFault]
"""What comes of an attempt."""

_NEARLY_ALL: Final = 0.9
_PING_BUDGET: Final = 0.5
_REASON_LIMIT: Final = 500


@final
@dataclass(frozen=True, slots=True)
class RequestSpec(Generic[T, E]):
    """What a call asks, and what it takes for an answer."""

    name: str
    method: str
    path: Sequence[str]
    query: Query
    body: BaseModel | None
    read: Callable[[httpx.Response], Awaitable[Result[T, str]]]
    declared: Mapping[int, type[E]]
    headers: Sequence[tuple[bytes, bytes]] = field(default=(), repr=False)
    """May be a secret: whoever shows a call must not show them."""


@final
class Exchange:
    """Asks *service* at *base_url*, one attempt at a time, for *timeout* seconds at most.

    It hands its requests to the transport itself. `httpx.AsyncClient` in between would cost several times
    the CPU, keep cookies, follow the environment's proxies and log a line for each request.
    """

    def __init__(
        self, service: str, base_url: str, transport: httpx.AsyncBaseTransport, timeout: float
    ) -> None:
        self._transport = transport
        self._timeout = timeout
        self._address = Address(base_url)
        self._headers = (
            (b"host", self._address.host),
            (b"accept", b"application/json, application/problem+json"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"fanout-gateway/" + version("fanout-gateway").encode()),
        )
        self._unusable = f"The {service} service gave an answer that cannot be used"
        self._unavailable = f"The {service} service is unavailable"
        self._busy = f"The {service} service is asked as much as it may be"
        self._late = f"The {service} service did not answer in time"

    async def attempt(self, question: RequestSpec[T, E]) -> Came[T, E]:
        """Ask once, unless there is no time left.

        Silence shows that the service is ill if it had all of the timeout, or at least nine tenths of what an
        optional call has in all; and nothing if the caller's deadline left it less.
        """
        if is_over():
            return Attempted(self.too_late(question.name), Evidence.NONE)
        budget = clip_to_deadline(self._timeout)
        try:
            async with asyncio.timeout(budget):
                return await self._asked(question, budget)
        except TimeoutError:
            late = TimedOut(self._late, source=question.name, budget=budget)
            return _failed(late, f"nothing within {budget:.3f} s", self._silence(budget))

    def too_late(self, name: str) -> Err[TimedOut]:
        """Say that there is no time left to make the call *name*."""
        return Err(TimedOut(self._late, source=name, budget=0.0, was_sent=False))

    def not_made(self, name: str, retry_after: float, *, is_full: bool) -> Err[Unavailable]:
        """Say that the call *name* is better not made for the next *retry_after* seconds."""
        why = self._busy if is_full else self._unavailable
        return Err(Unavailable(why, source=name, retry_after=retry_after, was_sent=False))

    async def ping(self) -> bool:
        """Say whether anything below 500 comes from the service's `/health` within half a second."""
        try:
            async with asyncio.timeout(_PING_BUDGET):
                request = httpx.Request("GET", self._address.url(("health",)), headers=self._headers)
                response = await self._transport.handle_async_request(request)
                await response.aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service has not answered
            _log.debug("%s %s", type(error).__name__, sanitize_text(str(error), _REASON_LIMIT))
            return False
        return response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR

    async def _asked(self, question: RequestSpec[T, E], budget: float) -> Came[T, E]:
        try:
            request = self._request(question, budget)
            response = await self._transport.handle_async_request(request)
        except TRANSPORT_EXCEPTIONS as error:
            return self._raised(question.name, error, budget, is_sent=was_sent(error))
        try:
            try:
                return await self._meant(question, response, budget)
            finally:
                await response.aclose()
        except TRANSPORT_EXCEPTIONS as error:
            return self._raised(question.name, error, budget, is_sent=True)

    def _request(self, question: RequestSpec[T, E], budget: float) -> httpx.Request:
        headers = [
            *self._headers,
            (b"x-envoy-expected-rq-timeout-ms", b"%d" % max(1, budget * 1000)),
            *question.headers,
        ]
        for name, value in current_context().baggage.items():
            headers.append((name.encode("ascii"), value.encode("latin-1")))
        body = b""
        if question.body is not None:
            body = to_json(question.body)
            headers.append((b"content-type", b"application/json"))
            headers.append((b"content-length", b"%d" % len(body)))
        # A request made from a stream gets no headers but these, which saves most of the time it takes.
        request = httpx.Request(
            question.method,
            self._address.url(question.path, question.query),
            headers=headers,
            stream=httpx.ByteStream(body),
            extensions={"timeout": {"connect": budget / 2, "pool": budget / 2}},
        )
        request.read()
        return request

    async def _meant(
        self, question: RequestSpec[T, E], response: httpx.Response, budget: float
    ) -> Came[T, E]:
        name, status = question.name, response.status_code
        if (kind := question.declared.get(status)) is not None:
            return Attempted(Err(refusal(kind, await read_detail(response), response, name)), Evidence.WELL)
        if response.is_success:
            return await self._value(question, response)
        reason = f"status {status}"
        match status:
            case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.GATEWAY_TIMEOUT:
                # It knows how long it had, and may say so in place of silence.
                return _failed(TimedOut(self._late, source=name), reason, self._silence(budget))
            case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
                after = parse_retry_after(response.headers.get("retry-after"), datetime.now(UTC))
                away = Unavailable(self._unavailable, source=name, retry_after=after)
                # To be asked too often is no illness: it is not to be asked even less.
                is_ill = status == HTTPStatus.SERVICE_UNAVAILABLE
                return _failed(away, reason, Evidence.ILL if is_ill else Evidence.NONE)
            case _:
                is_ill = response.is_server_error
                fault = BadAnswer(self._unusable, source=name)
                return _failed(fault, reason, Evidence.ILL if is_ill else Evidence.WELL)

    async def _value(self, question: RequestSpec[T, E], response: httpx.Response) -> Attempted[T, BadAnswer]:
        match await question.read(response):
            case Ok() as ok:
                return Attempted(ok, Evidence.WELL)
            case Err(reason):
                return _failed(BadAnswer(self._unusable, source=question.name), reason, Evidence.ILL)

    def _raised(self, name: str, error: Raised, budget: float, *, is_sent: bool) -> Came[T, E]:
        reason = f"{type(error).__name__}: {error}"
        kind = classify_exception(error)
        is_silence = isinstance(error, httpx.TimeoutException)
        evidence = self._silence(budget) if is_silence else Evidence.ILL
        # With so little time even a healthy service might not be reached: it is the time that was missing.
        if kind is TimedOut or evidence is Evidence.NONE:
            late = TimedOut(self._late, source=name, budget=budget, was_sent=is_sent)
            return _failed(late, reason, evidence)
        if kind is Unavailable:
            away = Unavailable(self._unavailable, source=name, was_sent=is_sent)
            return _failed(away, reason, evidence)
        return _failed(BadAnswer(self._unusable, source=name), reason, evidence)

    def _silence(self, budget: float) -> Evidence:
        around, enough = current_context(), self._timeout
        if around.is_optional and around.optional_budget is not None:
            enough = min(enough, _NEARLY_ALL * around.optional_budget)
        return Evidence.ILL if budget >= enough else Evidence.NONE


def _failed(fault: F, reason: str, evidence: Evidence) -> Attempted[Never, F]:
    """Keep *reason* from the caller, who must not see it, and leave it to the operator."""
    request = current_context().baggage.get("X-Request-Id")
    whose = f" (request {request})" if request else ""
    _log.warning("%s: %s: %s%s", fault.source, fault.code, sanitize_text(reason, _REASON_LIMIT), whose)
    return Attempted(Err(fault), evidence)
