"""Reads: operations that change nothing in the service, and are therefore retried."""

from collections.abc import Callable, Collection, Mapping, Sequence
from functools import partial
from typing import Final, Generic, Never, TypeVar, final, overload

from gateway.client.answers.refusals import Refusals
from gateway.client.chunks import Chunks, choose_join
from gateway.client.operations.endpoint import Answer, Connection, Endpoint
from gateway.client.operations.parameters import Parameters
from gateway.client.operations.request import Request
from gateway.client.operations.request_body import ABSENT, Form
from gateway.railway import Call, Fault, Ok, Result, UpstreamFault, make_parts

__all__ = ("DeclareRead", "ReadOperation")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

NOTHING_DECLARED: Final[Mapping[int, Never]] = {}


@final
class ReadOperation(Generic[T, E]):
    """Operation that changes nothing in its service; calling it describes a `Call`.

    A service declares its operations once, in `__init__`, and its methods make calls from them.
    """

    __slots__ = ("_chunks", "_endpoint", "_join", "_make", "name")

    def __init__(self, endpoint: Endpoint[T, E], chunks: Chunks[T] | None = None) -> None:
        self._endpoint = endpoint
        self._chunks = chunks
        self._join = chunks and choose_join(endpoint.name, chunks, endpoint.info.answer)
        self._make = endpoint.connection.make
        self.name: Final = endpoint.name

    def __call__(
        self,
        body: object = ABSENT,
        /,
        *,
        form: Form | None = None,
        query: Parameters | None = None,
        headers: Mapping[str, str] | None = None,
        fits: Callable[[T], bool] | None = None,
        **path_parameters: str | int,
    ) -> Call[T, E | UpstreamFault]:
        """Describe a call; nothing is sent before the call is made.

        - *body*: sent as JSON: a pydantic model, or any value that pydantic can serialize.
        - *form*: sent as `application/x-www-form-urlencoded` in place of *body*: a mapping, pairs or a model.
        - *query*: a mapping or pairs. A value may be a list, whose name is repeated, or None, which is left
          out. Booleans are sent as `true` and `false`, dates as ISO 8601. If the query makes the request line
          longer than 8000 octets, the call is made in chunks, or is `Unavailable` without being sent.
        - *headers*: replace the service's default headers of the same names. They may be secret, and appear
          in no `repr` or log.
        - *fits*: returns False for an answer that does not belong to the request. Such an answer becomes
          a `BadAnswer`.
        - *path_parameters*: the parameters of the path, each percent-encoded as one segment.

        Raise `TypeError` for missing or unknown path parameters, and for a value that cannot be sent. Raise
        `ValueError` for an empty path parameter, `.` or `..`, and for an invalid header.
        """
        endpoint, chunks = self._endpoint, self._chunks
        if chunks is None or query is None:
            request = endpoint.build(body, form, query, headers, path_parameters, fits)
            return Call(self.name, partial(self._make, request), info=endpoint.info)
        requests = endpoint.build_chunks(chunks, body, form, query, headers, path_parameters)
        return Call(self.name, partial(self._make_chunks, requests, fits), info=endpoint.info)

    async def _make_chunks(
        self, requests: Sequence[Request[T, E]], fits: Callable[[T], bool] | None
    ) -> Result[T, E | UpstreamFault]:
        """Make all *requests* and join their answers, or return the failure of the first that failed."""
        if len(requests) == 1 or self._join is None:
            requests[0].fits = fits
            return await self._make(requests[0])
        connection, join = self._endpoint.connection, self._join
        parts = [Call(self.name, partial(self._make, request), is_shaped=True) for request in requests]
        answer = (await make_parts(parts, connection.at_once)).map(join)
        if isinstance(answer, Ok) and fits is not None and not fits(answer.value):
            return connection.reject_mismatch(self.name).result
        return answer


@final
class DeclareRead:
    """Declaration of reads with one HTTP *method*; the attributes `get`, `post`, ... of a `ServiceClient`."""

    __slots__ = ("_connection", "_method")

    def __init__(self, connection: Connection, method: str) -> None:
        self._connection = connection
        self._method = method

    @overload
    def __call__(
        self,
        name: str,
        path: str,
        *,
        answer: Answer[T],
        success: Collection[int] | None = None,
        refusals: Refusals | None = None,
        chunk: str | Chunks[T] | None = None,
    ) -> ReadOperation[T, Never]: ...
    @overload
    def __call__(
        self,
        name: str,
        path: str,
        *,
        answer: Answer[T],
        declared: Mapping[int, type[E]],
        success: Collection[int] | None = None,
        refusals: Refusals | None = None,
        chunk: str | Chunks[T] | None = None,
    ) -> ReadOperation[T, E]: ...
    def __call__(  # noqa: PLR0913 - the parts of a declaration, most of them by keyword
        self,
        name: str,
        path: str,
        *,
        answer: Answer[T],
        declared: Mapping[int, type[E]] = NOTHING_DECLARED,
        success: Collection[int] | None = None,
        refusals: Refusals | None = None,
        chunk: str | Chunks[T] | None = None,
    ) -> ReadOperation[T, E]:
        """Declare the operation *name* (`service.operation`), which changes nothing in the service.

        - *path*: template such as `/users/{user_id}`.
        - *answer*: type of a successful response: a class, `list[...]`, `dict[str, ...]`, any `TypeAdapter`,
          or `NO_CONTENT`.
        - *declared*: failures by status. Any other status outside *success* is an `UpstreamFault`. With
          several classes, mypy needs the attribute annotated: `ReadOperation[User, NotFound | Conflict]`.
        - *success*: statuses of a success, by default every 2xx.
        - *refusals*: responses whose declared status counts (`Refusals`), by default those of the service.
          The same status from anything else, such as the page of a proxy, counts as not declared.
        - *chunk*: query parameter with a list that may be long, such as ids. A call whose request line would
          exceed 6000 octets makes several requests, each with a part of the list, at most 10 at once. Their
          answers (lists, tuples, sets or dicts) are joined in the order of the list; if one fails, the
          call fails with the failure of the first. `Chunks` can limit the values of a request too, and join
          other answers.

        Raise `ValueError` for an invalid path or status, and for chunks of answers that cannot be joined.
        """
        chunks: Chunks[T] | None = Chunks(chunk) if isinstance(chunk, str) else chunk
        endpoint = Endpoint(self._connection, name, self._method, path, answer, declared, success, refusals)
        return ReadOperation(endpoint, chunks)
