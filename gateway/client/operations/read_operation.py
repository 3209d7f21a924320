"""Reads: operations that change nothing in the service, and are therefore retried."""

from collections.abc import Callable, Collection, Mapping
from functools import partial
from typing import Final, Generic, Never, TypeVar, final, overload

from gateway.client.operations.endpoint import Answer, Connection, Endpoint
from gateway.client.operations.parameters import Parameters
from gateway.client.operations.request_body import ABSENT, Form
from gateway.railway import Call, Fault, UpstreamFault

__all__ = ("DeclareRead", "ReadOperation")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

NOTHING_DECLARED: Final[Mapping[int, Never]] = {}


@final
class ReadOperation(Generic[T, E]):
    """Operation that changes nothing in its service; calling it describes a `Call`.

    A service declares its operations once, in `__init__`, and its methods make calls from them.
    """

    __slots__ = ("_endpoint", "_make", "name")

    def __init__(self, endpoint: Endpoint[T, E]) -> None:
        self._endpoint = endpoint
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
          out. Booleans are sent as `true` and `false`, dates as ISO 8601.
        - *headers*: replace the service's default headers of the same names. They may be secret, and appear
          in no `repr` or log.
        - *fits*: returns False for an answer that does not belong to the request. Such an answer becomes
          a `BadAnswer`.
        - *path_parameters*: the parameters of the path, each percent-encoded as one segment.

        Raise `TypeError` for missing or unknown path parameters, and for a value that cannot be sent. Raise
        `ValueError` for an empty path parameter, `.` or `..`, and for an invalid header.
        """
        request = self._endpoint.build(body, form, query, headers, path_parameters, fits)
        return Call(self.name, partial(self._make, request), info=self._endpoint.info)


@final
class DeclareRead:
    """Declaration of reads with one HTTP *method*; the attributes `get`, `post`, ... of a `ServiceClient`."""

    __slots__ = ("_connection", "_method")

    def __init__(self, connection: Connection, method: str) -> None:
        self._connection = connection
        self._method = method

    @overload
    def __call__(
        self, name: str, path: str, *, answer: Answer[T], success: Collection[int] | None = None
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
    ) -> ReadOperation[T, E]: ...
    def __call__(
        self,
        name: str,
        path: str,
        *,
        answer: Answer[T],
        declared: Mapping[int, type[E]] = NOTHING_DECLARED,
        success: Collection[int] | None = None,
    ) -> ReadOperation[T, E]:
        """Declare the operation *name* (`service.operation`), which changes nothing in the service.

        - *path*: template such as `/users/{user_id}`.
        - *answer*: type of a successful response: a class, `list[...]`, `dict[str, ...]`, any `TypeAdapter`,
          or `NO_CONTENT`.
        - *declared*: failures by status. Any other status outside *success* is an `UpstreamFault`. With
          several classes, mypy needs the attribute annotated: `ReadOperation[User, NotFound | Conflict]`.
        - *success*: statuses of a success, by default every 2xx.

        Raise `ValueError` for an invalid path or status.
        """
        return ReadOperation(Endpoint(self._connection, name, self._method, path, answer, declared, success))
