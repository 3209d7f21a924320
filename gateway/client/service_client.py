"""The calls to one service, as they are described and then made."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Never, TypeVar, final, overload

import httpx
from pydantic import BaseModel, TypeAdapter

from gateway.client.examples import DeclaredCall
from gateway.client.exchange import Exchange, RequestSpec
from gateway.client.response import read_empty, read_value
from gateway.client.url import Query
from gateway.railway import Call, Fault, Key, Result, Undo, UpstreamFault, Write, current_context
from gateway.resilience.circuit_breaker import BreakerState, BreakerTerms
from gateway.resilience.policies import MAX_CONCURRENCY, Policies, Refused

__all__ = ("ServiceClient",)

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

_NOTHING: Final[Mapping[int, Never]] = MappingProxyType({})
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")


def _anything(_: object) -> bool:
    return True


@final
class ServiceClient:
    """Makes the calls to one service, and turns whatever comes of them into a `Result`.

    *service* is what sentences call it ("users"); *base_url* may have a path; *timeout* is how many seconds
    one attempt has in all, connecting and reading included, unless the run's deadline leaves less. Connecting
    has half of that: a host that cannot be reached is `Unavailable`, and only one that hangs is `TimedOut`.
    Its *policies* decide how often the service is asked for one call, and when it is not: *max_concurrency*
    calls are made at once, and *breaker* says when it is left alone.
    """

    def __init__(  # noqa: PLR0913 - where the service is, and on what terms it is asked
        self,
        service: str,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        *,
        timeout: float,
        max_concurrency: int = MAX_CONCURRENCY,
        breaker: BreakerTerms | None = None,
    ) -> None:
        self._exchange = Exchange(service, base_url, transport, timeout)
        self.policies: Final = Policies(service, max_concurrency=max_concurrency, breaker=breaker)

    @property
    def breaker(self) -> BreakerState:
        """Tell whether calls get through to the service that an answer needs."""
        return self.policies.breaker

    @property
    def optional_breaker(self) -> BreakerState:
        """Tell whether optional calls get through to it."""
        return self.policies.optional_breaker

    @property
    def is_in_trouble(self) -> bool:
        """Say whether the service has failed of late."""
        return self.policies.is_in_trouble

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
        question = RequestSpec(
            name, "GET", path, query, None, partial(read_value, answer), declared, _sendable(headers)
        )
        info = DeclaredCall(answer, declared)
        return Call(name, partial(self._asked, question), info=info)

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
        question = RequestSpec(name, "POST", path, (), body, partial(read_value, answer), declared)
        info = DeclaredCall(answer, declared)
        return Call(name, partial(self._asked, question), info=info)

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
        question = RequestSpec(name, "POST", path, (), body, partial(_fitting, answer, fits), declared)
        info = DeclaredCall(answer, declared)
        return Write(name, partial(self._keyed, question), body.model_dump(mode="json"), undo, info)

    def undo(self, name: str, path: Sequence[str]) -> Undo:
        """Describe a DELETE of *path* and the key of the write to be undone.

        Any 2xx says that it is; what the answer says beyond that plays no part, but must be JSON.
        """

        def attempt(key: Key) -> Coroutine[Any, Any, Result[None, UpstreamFault]]:
            question: RequestSpec[None, Never] = RequestSpec(
                name, "DELETE", (*path, key), (), None, read_empty, _NOTHING
            )
            return self._asked(question)

        return Undo(name, attempt)

    async def ping(self) -> bool:
        """Say whether anything below 500 comes from the service's `/health` within half a second."""
        return await self._exchange.ping()

    def _keyed(
        self, question: RequestSpec[T, E], key: Key
    ) -> Coroutine[Any, Any, Result[T, E | UpstreamFault]]:
        key_header = (b"idempotency-key", key.encode())
        return self._asked(replace(question, headers=(*question.headers, key_header)))

    async def _asked(self, question: RequestSpec[T, E]) -> Result[T, E | UpstreamFault]:
        around = current_context()
        make = partial(self._exchange.attempt, question)
        made = await self.policies.call(make, around.mode, is_optional=around.is_optional)
        if not isinstance(made, Refused):
            return made.result
        if made.retry_after is None:
            return self._exchange.too_late(question.name)
        return self._exchange.not_made(question.name, made.retry_after, is_full=made.is_full)


async def _fitting(
    answer: TypeAdapter[T], fits: Callable[[T], bool], response: httpx.Response
) -> Result[T, str]:
    return (await read_value(answer, response)).ensure(fits, lambda _: "it is not what was asked for")


def _sendable(headers: Mapping[str, str]) -> Sequence[tuple[bytes, bytes]]:
    """Give *headers* as bytes; their values are visible ASCII, with spaces inside (RFC 9110, 5.5)."""
    for name, value in headers.items():
        if _HEADER_VALUE.fullmatch(value) is None:
            msg = f"this value cannot be sent as {name}"  # which one is not said: it may be a secret
            raise ValueError(msg)
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
