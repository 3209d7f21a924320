"""Client of one upstream service, which describes the calls to it."""

import re
from collections.abc import Callable, Coroutine, Mapping, Sequence
from dataclasses import replace
from functools import partial
from types import MappingProxyType
from typing import Any, Final, Never, TypeVar, final, overload

import httpx
from pydantic import BaseModel, TypeAdapter

from gateway.client.declared_call import DeclaredCall
from gateway.client.messages import describe_fault
from gateway.client.response import read_empty, read_value
from gateway.client.sender import USER_AGENT, RequestSender, RequestSpec
from gateway.client.url import Query
from gateway.railway import (
    BadAnswer,
    Call,
    Fault,
    Key,
    Result,
    Undo,
    UpstreamFault,
    Write,
    current_context,
)
from gateway.resilience.attempt_outcome import AttemptOutcome
from gateway.resilience.circuit_breaker import BreakerState
from gateway.resilience.policies import Policies
from gateway.resilience.validation import check_seconds

__all__ = ("ServiceClient",)

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

_NOTHING_DECLARED: Final[Mapping[int, Never]] = MappingProxyType({})
_NO_HEADERS: Final[Mapping[str, str]] = MappingProxyType({})
_HEADER_VALUE: Final = re.compile(r"[!-~]([ -~]*[!-~])?")


def _accept_any(_: object) -> bool:
    return True


@final
class ServiceClient:
    """Describes the calls to one service, and turns every outcome of a call into a `Result`.

    *name* is the service's registered name, as messages have it ("user"); *base_url* may have a path. One
    attempt has *timeout* seconds in all, connecting and reading included, or less if the run's deadline is
    nearer. Connecting has half of that: an unreachable host is `Unavailable`, a hanging one is `TimedOut`.
    *policies* decide whether and how often an attempt is made. Requests carry the *user_agent*. An invalid
    *base_url* or *timeout* is a `ValueError`.
    """

    def __init__(  # noqa: PLR0913 - the dependencies of a client
        self,
        name: str,
        base_url: str,
        transport: httpx.AsyncBaseTransport,
        policies: Policies,
        *,
        timeout: float,
        user_agent: str = USER_AGENT,
    ) -> None:
        check_seconds("timeout", timeout)
        self.name: Final = name
        self.policies: Final = policies
        self._sender = RequestSender(name, base_url, transport, timeout, user_agent)
        self._undos: dict[str, Undo] = {}
        self.undos: Final[Mapping[str, Undo]] = MappingProxyType(self._undos)
        """The undos made by `undo`, by name; read-only."""

    @property
    def breaker(self) -> BreakerState:
        """Return the state of the circuit breaker of required calls."""
        return self.policies.breaker

    @property
    def optional_breaker(self) -> BreakerState:
        """Return the state of the circuit breaker of optional calls."""
        return self.policies.optional_breaker

    @property
    def has_failed_recently(self) -> bool:
        """Return whether either circuit breaker is open, or was a short while ago."""
        return self.policies.has_failed_recently

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
    def get(  # noqa: PLR0913 - the parts of a request, most of them by keyword
        self,
        name: str,
        path: Sequence[str],
        *,
        query: Query = (),
        headers: Mapping[str, str] = _NO_HEADERS,
        answer: TypeAdapter[T],
        declared: Mapping[int, type[E]] = _NOTHING_DECLARED,
    ) -> Call[T, E | UpstreamFault]:
        """Describe a GET of the path segments *path*; *declared* maps statuses to the errors they stand for.

        An empty segment, `.` or `..` is a `ValueError` when the call is made. *headers* are sent in addition
        to those of every call, and are never shown; an invalid value is a `ValueError` at once.
        """
        spec = RequestSpec(
            name, "GET", path, query, None, partial(read_value, answer), declared, _encode_headers(headers)
        )
        info = DeclaredCall(self.name, answer, declared)
        return Call(name, partial(self._call, spec), info=info)

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
        declared: Mapping[int, type[E]] = _NOTHING_DECLARED,
    ) -> Call[T, E | UpstreamFault]:
        """Describe a POST of *body* that changes nothing, so it is retried like a GET; otherwise as `get`."""
        spec = RequestSpec(name, "POST", path, (), body, partial(read_value, answer), declared)
        info = DeclaredCall(self.name, answer, declared)
        return Call(name, partial(self._call, spec), info=info)

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
    def write(  # noqa: PLR0913 - the parts of a request, most of them by keyword
        self,
        name: str,
        path: Sequence[str],
        body: BaseModel,
        *,
        answer: TypeAdapter[T],
        undo: Undo | None,
        fits: Callable[[T], bool] = _accept_any,
        declared: Mapping[int, type[E]] = _NOTHING_DECLARED,
    ) -> Write[T, E | UpstreamFault]:
        """Describe a POST of *body* that changes something, once per `Idempotency-Key`.

        A declared status means that nothing was changed. An answer for which *fits* returns False is a
        `BadAnswer`, which leaves open what was changed. Without an *undo* the write can only be made best
        effort.
        """
        spec = RequestSpec(name, "POST", path, (), body, partial(_read_fitting, answer, fits), declared)
        info = DeclaredCall(self.name, answer, declared)
        return Write(name, partial(self._call_with_key, spec), body.model_dump(mode="json"), undo, info)

    def undo(self, name: str, path: Sequence[str]) -> Undo:
        """Describe a DELETE of *path* and the write's key, and add it to `undos`.

        Any 2xx means that the write is undone; its body must be empty or JSON. A second undo of the same name
        is a `ValueError`.
        """
        if name in self._undos:
            msg = f"the {self.name} service already has an undo named {name!r}"
            raise ValueError(msg)

        def attempt(key: Key) -> Coroutine[Any, Any, Result[None, UpstreamFault]]:
            spec: RequestSpec[None, Never] = RequestSpec(
                name, "DELETE", (*path, key), (), None, read_empty, _NOTHING_DECLARED
            )
            return self._call(spec)

        self._undos[name] = undo = Undo(name, attempt)
        return undo

    def build_bad_answer(self, source: str) -> BadAnswer:
        """Build the error of the call *source* for an answer of this service that makes no sense."""
        return BadAnswer(describe_fault(BadAnswer, self.name), source=source)

    async def ping(self) -> bool:
        """Return whether the service's `/health` answers with a status below 500 within half a second."""
        return await self._sender.ping()

    def _call_with_key(
        self, spec: RequestSpec[T, E], key: Key
    ) -> Coroutine[Any, Any, Result[T, E | UpstreamFault]]:
        key_header = (b"idempotency-key", key.encode())
        return self._call(replace(spec, headers=(*spec.headers, key_header)))

    async def _call(self, spec: RequestSpec[T, E]) -> Result[T, E | UpstreamFault]:
        context = current_context()
        make_attempt = partial(self._sender.send, spec)
        outcome = await self.policies.call(make_attempt, context.mode, is_optional=context.is_optional)
        if isinstance(outcome, AttemptOutcome):
            return outcome.result
        return self._sender.build_error(spec.name, outcome)


async def _read_fitting(
    answer: TypeAdapter[T], fits: Callable[[T], bool], response: httpx.Response
) -> Result[T, str]:
    return (await read_value(answer, response)).ensure(fits, lambda _: "the answer does not fit the request")


def _encode_headers(headers: Mapping[str, str]) -> Sequence[tuple[bytes, bytes]]:
    """Return *headers* as bytes; values must be visible ASCII, with spaces inside only (RFC 9110, 5.5)."""
    for name, value in headers.items():
        if _HEADER_VALUE.fullmatch(value) is None:
            msg = f"the value of the header {name} cannot be sent"  # the value may be secret
            raise ValueError(msg)
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
