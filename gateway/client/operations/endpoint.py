"""Endpoint of a service, and the builder of requests for it."""

from collections.abc import Callable, Collection, Mapping, Sequence
from typing import Final, Generic, Never, TypeAlias, TypeVar, cast, final

from pydantic import TypeAdapter

from gateway.client.answers.readers import EmptyReader, Reader, ValueReader
from gateway.client.answers.refusals import IsRefusal, Refusals, choose_refusal_check
from gateway.client.answers.validation import AnswerValidator
from gateway.client.chunks import Chunks, split_pairs
from gateway.client.operations.declared_call import DeclaredCall
from gateway.client.operations.parameters import Parameters, Scalar, encode_pairs, encode_query
from gateway.client.operations.path_template import PathTemplate
from gateway.client.operations.request import (
    MAX_REQUEST_LINE,
    SUCCESSES,
    MakeRequest,
    Request,
    ResponseRules,
)
from gateway.client.operations.request_body import Form, encode_body
from gateway.client.operations.request_headers import ServiceHeaders
from gateway.client.url import BaseUrl
from gateway.railway import BadAnswer, Fault
from gateway.resilience.attempt_outcome import AttemptOutcome

__all__ = ("NO_CONTENT", "Answer", "Connection", "Endpoint")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

Answer: TypeAlias = type[T] | TypeAdapter[T]
"""Type of a successful response: a class such as a model or `list[Model]`, or any `TypeAdapter`."""

NO_CONTENT: Final = TypeAdapter[None](None)
"""Answer of an operation whose response has no content, or content that does not matter; the value is None.

Only an HTML page is a `BadAnswer`, since it comes from a proxy.
"""

_HEADERS: Final = 2000
"""Octets that a chunk leaves for headers: some servers, such as Tomcat, limit both together to 8 KiB."""
_REST_OF_LINE: Final = len("  HTTP/1.1\r\n")
_STATUSES: Final = range(100, 600)


@final
class Connection:
    """Connection to the *service* at *base_url*, shared by its operations.

    - *headers*: default headers of every request.
    - *make*: makes a request, with the policies of the service.
    - *reject_mismatch*: builds the outcome of an answer that does not belong to its request.
    - *is_refusal*: check of refusals, for operations without a check of their own.
    - *max_bytes*: largest body that is read.
    - *at_once*: most requests of a call in chunks at the same time.
    """

    __slots__ = (
        "at_once",
        "base_url",
        "headers",
        "is_refusal",
        "make",
        "max_bytes",
        "reject_mismatch",
        "service",
    )

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a connection
        self,
        service: str,
        base_url: BaseUrl,
        headers: ServiceHeaders,
        make: MakeRequest,
        reject_mismatch: Callable[[str], AttemptOutcome[Never, BadAnswer]],
        is_refusal: IsRefusal,
        max_bytes: int,
        at_once: int,
    ) -> None:
        self.service: Final = service
        self.base_url: Final = base_url
        self.headers: Final = headers
        self.make: Final = make
        self.reject_mismatch: Final = reject_mismatch
        self.is_refusal: Final = is_refusal
        self.max_bytes: Final = max_bytes
        self.at_once: Final = at_once


@final
class Endpoint(Generic[T, E]):
    """Method and path of the operation *name*, and the rules for its responses.

    Raise `ValueError` for an invalid path, and for a status that is no HTTP status.
    """

    __slots__ = ("_room", "connection", "info", "method", "name", "path", "rules")

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a declaration
        self,
        connection: Connection,
        name: str,
        method: str,
        path: str,
        answer: Answer[T],
        declared: Mapping[int, type[E]],
        success: Collection[int] | None,
        refusals: Refusals | None,
    ) -> None:
        _check_statuses(name, (*declared, *(success or ())))
        adapter = answer if isinstance(answer, TypeAdapter) else TypeAdapter(answer)
        self.connection: Final = connection
        self.name: Final = name
        self.method: Final = method
        self.path: Final = PathTemplate(name, path)
        self._room = MAX_REQUEST_LINE - len(method) - connection.base_url.path_length - _REST_OF_LINE
        self.rules: Final = ResponseRules(
            name,
            _choose_reader(adapter, connection.max_bytes),
            declared,
            connection.is_refusal if refusals is None else choose_refusal_check(refusals),
            SUCCESSES if success is None else frozenset(success),
            connection.max_bytes,
        )
        self.info: Final = DeclaredCall(connection.service, adapter, declared)

    def build(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        body: object,
        form: Form | None,
        query: Parameters | None,
        headers: Mapping[str, str] | None,
        path: Mapping[str, Scalar],
        fits: Callable[[T], bool] | None = None,
    ) -> Request[T, E]:
        """Build a request; raise `TypeError` or `ValueError` for arguments that cannot be sent."""
        encoded = encode_body(self.name, body, form)
        built = self.connection.headers.build(headers, encoded)
        target = self._build_target(self.path.fill(path), "" if query is None else encode_query(query))
        return Request(self.rules, self.method, target, built, encoded, fits)

    def build_chunks(  # noqa: PLR0913, PLR0917 - the parts of a request
        self,
        chunks: Chunks[T],
        body: object,
        form: Form | None,
        query: Parameters,
        headers: Mapping[str, str] | None,
        path: Mapping[str, Scalar],
    ) -> Sequence[Request[T, E]]:
        """Build the requests of a call, which together have all values of the query; raise as `build`."""
        encoded, filled = encode_body(self.name, body, form), self.path.fill(path)
        built = self.connection.headers.build(headers, encoded)
        room = self._room - _HEADERS - len(filled) - len("?")
        return [
            Request(self.rules, self.method, self._build_target(filled, part), built, encoded, None)
            for part in split_pairs(encode_pairs(query), chunks.parameter, room, chunks.size)
        ]

    def _build_target(self, path: str, query: str) -> bytes | None:
        """Return the target, or None if the request line would be too long."""
        if len(path) + (len(query) and len("?") + len(query)) > self._room:
            return None
        return self.connection.base_url.join(path, query)


def _choose_reader(answer: TypeAdapter[T], limit: int) -> Reader[T]:
    if answer is NO_CONTENT:
        # Sound: `T` is None, the type of `NO_CONTENT`.
        return cast("Reader[T]", EmptyReader())
    return ValueReader(AnswerValidator(answer), limit)


def _check_statuses(name: str, statuses: Collection[object]) -> None:
    for status in statuses:
        if status not in _STATUSES:
            msg = f"{name}: {status!r} is no HTTP status"
            raise ValueError(msg)
