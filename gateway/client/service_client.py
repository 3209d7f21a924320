"""Client of an upstream service: describes the calls to the service, and makes them."""

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
    """Client of an upstream service: describes calls, each of which returns its outcome as a `Result`.

    - *name*: the service's registered name, such as "user", for messages.
    - *base_url*: http or https; it may have a path, but no credentials, query or fragment.
    - *transport*: sends the requests; the clients of all services may share it.
    - *policies*: the concurrency limit, circuit breakers and retries of the service.
    - *timeout*: seconds for one attempt, from connecting to the end of the body; less if the run's deadline
      is nearer. Connecting may take half of that: an unreachable host is `Unavailable`, a service that hangs
      is `TimedOut`.
    - *user_agent*: value of the `User-Agent` header.

    Raise `ValueError` if *base_url* or *timeout* is invalid.
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
        """Undos that `undo` has described, by name; read-only."""

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
        """Return whether a circuit breaker of the service is open, or was open until recently."""
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
        """Describe a GET request as the call *name* (`service.operation`).

        - *path*: segments, which are percent-encoded. When the call is made, it raises `ValueError` for an
          empty segment, `.` or `..`.
        - *query*: names and values, in order; a name may be repeated.
        - *headers*: additional headers; they may be secret, and appear in no `repr` or log.
        - *answer*: type of the body of a 2xx response.
        - *declared*: failures by status. Any other status outside 2xx is an `UpstreamFault`.

        Raise `ValueError` if the value of a header is empty, has characters other than visible ASCII and
        spaces, or begins or ends with a space.
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
        """Describe a POST of *body* that changes nothing in the service, and is therefore retried like a GET.

        The other arguments are as in `get`.
        """
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
        """Describe a POST of *body* that changes the state of the service once for each `Idempotency-Key`.

        - *undo*: compensation of the write, as returned by `undo`. If it is None, the write can be made only
          by `Write.best_effort`, not by a commit.
        - *fits*: returns False for an answer that does not belong to the request. Such an answer becomes
          a `BadAnswer`, which leaves open whether anything has changed.
        - *declared*: failures by status. Each of these statuses means that nothing has changed.

        The other arguments are as in `get`.
        """
        spec = RequestSpec(name, "POST", path, (), body, partial(_read_fitting, answer, fits), declared)
        info = DeclaredCall(self.name, answer, declared)
        return Write(name, partial(self._call_with_key, spec), body.model_dump(mode="json"), undo, info)

    def undo(self, name: str, path: Sequence[str]) -> Undo:
        """Describe an undo, and add it to `undos` under *name*.

        The undo is a DELETE of *path*, followed by the key of the write. Any 2xx with an empty or JSON body
        means that the write is undone. Raise `ValueError` if the service already has an undo of this name.
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
        """Build the error of the call *source*, for an answer that the module of the service rejects."""
        return BadAnswer(describe_fault(BadAnswer, self.name), source=source)

    async def ping(self) -> bool:
        """Return whether the service answers `GET /health` with a status below 500 within half a second."""
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
    """Return *headers* as bytes; raise `ValueError` for an invalid value (RFC 9110, 5.5)."""
    for name, value in headers.items():
        if _HEADER_VALUE.fullmatch(value) is None:
            # The message omits the value, which may be secret.
            msg = (
                f"invalid value of header {name}: expected visible ASCII characters, "
                "without leading or trailing spaces"
            )
            raise ValueError(msg)
    return [(name.encode("ascii"), value.encode("ascii")) for name, value in headers.items()]
