"""The calls to one service: the only file that catches what a transport raises."""

import asyncio
import logging
import re
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from functools import partial
from http import HTTPStatus
from importlib.metadata import version
from types import MappingProxyType
from typing import Any, Final, Generic, Never, TypeVar, final, overload

import httpx
from pydantic import BaseModel, TypeAdapter
from pydantic_core import to_json

from gateway.railway import (
    SURROUNDINGS,
    BadAnswer,
    Call,
    Err,
    Fault,
    Key,
    Ok,
    Result,
    TimedOut,
    Unavailable,
    Undo,
    UpstreamFault,
    Write,
)
from gateway.resilience.deadline import clipped
from gateway.upstreams.address import Address, Query
from gateway.upstreams.answer import detail_of, nothing_of, refusal, value_of
from gateway.upstreams.example import Documented
from gateway.upstreams.raised import RAISED, Raised, meaning_of, was_sent
from gateway.upstreams.retry_after import seconds_from
from gateway.upstreams.sentence import one_line

__all__ = ("ServiceClient",)

_log: Final = logging.getLogger("gateway.upstreams")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)
F = TypeVar("F", bound=UpstreamFault)

_PING_BUDGET: Final = 0.5
_REASON_LIMIT: Final = 500
_NOTHING: Final[Mapping[int, Never]] = MappingProxyType({})
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")


def _anything(_: object) -> bool:
    return True


@final
@dataclass(frozen=True, slots=True)
class _Question(Generic[T, E]):
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
class ServiceClient:
    """Makes the calls to one service, and turns whatever comes of them into a `Result`.

    *service* is what sentences call it ("users"); *base_url* may have a path; *timeout* is how many seconds
    one attempt has in all, connecting and reading included, unless the run's deadline leaves less. Connecting
    has half of that: a host that cannot be reached is `Unavailable`, and only one that hangs is `TimedOut`.

    It hands its requests to the transport itself. `httpx.AsyncClient` in between would cost several times
    the CPU, keep cookies, follow the environment's proxies and log a line for each request.
    """

    def __init__(
        self, service: str, base_url: str, transport: httpx.AsyncBaseTransport, *, timeout: float
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
        self._late = f"The {service} service did not answer in time"

    @overload
    def get(
        self,
        name: str,
        path: Sequence[str],
        *,
        query: Query = (),
        headers: Mapping[str, str] = _NO_HEADERS,
        answer: TypeAdapter[T],
    ) -> Call[T, UpstreamFault]: ...
    @overload
    def get(
        self,
        name: str,
        path: Sequence[str],
        *,
        query: Query = (),
        headers: Mapping[str, str] = _NO_HEADERS,
        answer: TypeAdapter[T],
        declared: Mapping[int, type[E]],
    ) -> Call[T, E | UpstreamFault]: ...
    def get(  # noqa: PLR0913 - all that a request is made of, most of it by keyword
        self,
        name: str,
        path: Sequence[str],
        *,
        query: Query = (),
        headers: Mapping[str, str] = _NO_HEADERS,
        answer: TypeAdapter[T],
        declared: Mapping[int, type[E]] = _NOTHING,
    ) -> Call[T, E | UpstreamFault]:
        """Describe a GET of the segments of *path*; *declared* names the error that a status stands for.

        An empty segment, `.` or `..` is a `ValueError` when the call is made. *headers* are sent besides
        those of every call, and shown nowhere; one that cannot be sent is a `ValueError` at once.
        """
        question = _Question(
            name, "GET", path, query, None, partial(value_of, answer), declared, _sendable(headers)
        )
        facts = Documented(answer, declared)
        return Call(name, partial(self._attempt, question), facts=facts)

    @overload
    def post(
        self, name: str, path: Sequence[str], body: BaseModel, *, answer: TypeAdapter[T]
    ) -> Call[T, UpstreamFault]: ...
    @overload
    def post(
        self,
        name: str,
        path: Sequence[str],
        body: BaseModel,
        *,
        answer: TypeAdapter[T],
        declared: Mapping[int, type[E]],
    ) -> Call[T, E | UpstreamFault]: ...
    def post(
        self,
        name: str,
        path: Sequence[str],
        body: BaseModel,
        *,
        answer: TypeAdapter[T],
        declared: Mapping[int, type[E]] = _NOTHING,
    ) -> Call[T, E | UpstreamFault]:
        """Describe a POST of *body* that changes nothing; otherwise as `get`."""
        question = _Question(name, "POST", path, (), body, partial(value_of, answer), declared)
        facts = Documented(answer, declared)
        return Call(name, partial(self._attempt, question), facts=facts)

    @overload
    def write(
        self,
        name: str,
        path: Sequence[str],
        body: BaseModel,
        *,
        answer: TypeAdapter[T],
        undo: Undo | None,
        fits: Callable[[T], bool] = ...,
    ) -> Write[T, UpstreamFault]: ...
    @overload
    def write(
        self,
        name: str,
        path: Sequence[str],
        body: BaseModel,
        *,
        answer: TypeAdapter[T],
        undo: Undo | None,
        fits: Callable[[T], bool] = ...,
        declared: Mapping[int, type[E]],
    ) -> Write[T, E | UpstreamFault]: ...
    def write(  # noqa: PLR0913 - all that a request is made of, most of it by keyword
        self,
        name: str,
        path: Sequence[str],
        body: BaseModel,
        *,
        answer: TypeAdapter[T],
        undo: Undo | None,
        fits: Callable[[T], bool] = _anything,
        declared: Mapping[int, type[E]] = _NOTHING,
    ) -> Write[T, E | UpstreamFault]:
        """Describe a POST of *body* that changes something, once for each `Idempotency-Key`.

        A declared status says that nothing was changed; an answer that does not *fit* what was asked for is a
        `BadAnswer`, and nobody knows what was. Without an *undo* it can only be made best effort.
        """
        question = _Question(name, "POST", path, (), body, partial(_fitting, answer, fits), declared)
        facts = Documented(answer, declared)
        return Write(name, partial(self._keyed, question), body.model_dump(mode="json"), undo, facts)

    def undo(self, name: str, path: Sequence[str]) -> Undo:
        """Describe a DELETE of *path* and the key of the write to be undone.

        Any 2xx says that it is; what the answer says beyond that plays no part, but must be JSON.
        """

        def attempt(key: Key) -> Coroutine[Any, Any, Result[None, UpstreamFault]]:
            return self._attempt(_Question(name, "DELETE", (*path, key), (), None, nothing_of, _NOTHING))

        return Undo(name, attempt)

    async def ping(self) -> bool:
        """Say whether anything below 500 comes from the service's `/health` within half a second."""
        try:
            async with asyncio.timeout(_PING_BUDGET):
                request = httpx.Request("GET", self._address.url(("health",)), headers=self._headers)
                response = await self._transport.handle_async_request(request)
                await response.aclose()
        except Exception as error:  # noqa: BLE001 - whatever it is, the service has not answered
            _log.debug("%s %s", type(error).__name__, one_line(str(error), _REASON_LIMIT))
            return False
        return response.status_code < HTTPStatus.INTERNAL_SERVER_ERROR

    def _keyed(
        self, question: _Question[T, E], key: Key
    ) -> Coroutine[Any, Any, Result[T, E | UpstreamFault]]:
        return self._attempt(
            replace(question, headers=(*question.headers, (b"idempotency-key", key.encode())))
        )

    async def _attempt(self, question: _Question[T, E]) -> Result[T, E | UpstreamFault]:
        budget = clipped(self._timeout)
        if budget <= 0:
            return Err(TimedOut(self._late, source=question.name, budget=0.0, was_sent=False))
        try:
            async with asyncio.timeout(budget):
                return await self._exchange(question, budget)
        except TimeoutError:
            late = TimedOut(self._late, source=question.name, budget=budget)
            return _failed(late, f"nothing within {budget:.3f} s")

    async def _exchange(self, question: _Question[T, E], budget: float) -> Result[T, E | UpstreamFault]:
        try:
            request = self._request(question, budget)
            response = await self._transport.handle_async_request(request)
        except RAISED as error:
            return self._raised(question.name, error, budget, is_sent=was_sent(error))
        try:
            try:
                return await self._meant(question, response)
            finally:
                await response.aclose()
        except RAISED as error:
            return self._raised(question.name, error, budget, is_sent=True)

    def _request(self, question: _Question[T, E], budget: float) -> httpx.Request:
        headers = [
            *self._headers,
            (b"x-envoy-expected-rq-timeout-ms", b"%d" % max(1, budget * 1000)),
            *question.headers,
        ]
        for name, value in SURROUNDINGS.get().baggage.items():
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
        self, question: _Question[T, E], response: httpx.Response
    ) -> Result[T, E | UpstreamFault]:
        name, status = question.name, response.status_code
        if (kind := question.declared.get(status)) is not None:
            return Err(refusal(kind, await detail_of(response), response, name))
        if response.is_success:
            return await self._value(question, response)
        reason = f"status {status}"
        match status:
            case HTTPStatus.REQUEST_TIMEOUT | HTTPStatus.GATEWAY_TIMEOUT:
                return _failed(TimedOut(self._late, source=name), reason)
            case HTTPStatus.TOO_MANY_REQUESTS | HTTPStatus.SERVICE_UNAVAILABLE:
                after = seconds_from(response.headers.get("retry-after"), datetime.now(UTC))
                return _failed(Unavailable(self._unavailable, source=name, retry_after=after), reason)
            case _:
                return _failed(BadAnswer(self._unusable, source=name), reason)

    async def _value(self, question: _Question[T, E], response: httpx.Response) -> Result[T, BadAnswer]:
        match await question.read(response):
            case Ok() as ok:
                return ok
            case Err(reason):
                return _failed(BadAnswer(self._unusable, source=question.name), reason)

    def _raised(self, name: str, error: Raised, budget: float, *, is_sent: bool) -> Err[UpstreamFault]:
        reason = f"{type(error).__name__}: {error}"
        kind = meaning_of(error)
        if kind is TimedOut:
            return _failed(TimedOut(self._late, source=name, budget=budget), reason)
        if kind is Unavailable:
            return _failed(Unavailable(self._unavailable, source=name, was_sent=is_sent), reason)
        return _failed(BadAnswer(self._unusable, source=name), reason)


async def _fitting(
    answer: TypeAdapter[T], fits: Callable[[T], bool], response: httpx.Response
) -> Result[T, str]:
    return (await value_of(answer, response)).ensure(fits, lambda _: "it is not what was asked for")


def _sendable(headers: Mapping[str, str]) -> Sequence[tuple[bytes, bytes]]:
    """Give *headers* as bytes; their values are visible ASCII, with spaces inside (RFC 9110, 5.5)."""
    for name, value in headers.items():
        if _HEADER_VALUE.fullmatch(value) is None:
            msg = f"this value cannot be sent as {name}"  # which one is not said: it may be a secret
            raise ValueError(msg)
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]


def _failed(fault: F, reason: str) -> Err[F]:
    """Keep *reason* from the caller, who must not see it, and leave it to the operator."""
    request = SURROUNDINGS.get().baggage.get("X-Request-Id")
    whose = f" (request {request})" if request else ""
    _log.warning("%s: %s: %s%s", fault.source, fault.code, one_line(reason, _REASON_LIMIT), whose)
    return Err(fault)
