"""Writes: operations that change the state of their service once for each idempotency key."""

from collections.abc import Callable, Collection, Coroutine, Mapping
from functools import partial
from typing import Any, Final, Generic, Never, TypeVar, final, overload

from gateway.client.answers.refusals import Refusals
from gateway.client.operations.endpoint import Answer, Connection, Endpoint
from gateway.client.operations.key_placement import KeyPlacement
from gateway.client.operations.parameters import Parameters
from gateway.client.operations.read_operation import NOTHING_DECLARED
from gateway.client.operations.request import Request
from gateway.client.operations.request_body import ABSENT, Form
from gateway.client.operations.undo_operation import UndoRegistry
from gateway.railway import Fault, Key, Result, Undo, UpstreamFault, Write

__all__ = ("DeclareWrite", "WriteMethods", "WriteOperation")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

_REFUSALS: Final = range(400, 500)


@final
class WriteOperation(Generic[T, E]):
    """Operation that changes the state of its service; calling it describes a `Write`."""

    __slots__ = ("_endpoint", "_keys", "_undo", "name")

    def __init__(self, endpoint: Endpoint[T, E], undo: Undo | None, keys: KeyPlacement) -> None:
        self._endpoint = endpoint
        self._undo = undo
        self._keys = keys
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
    ) -> Write[T, E | UpstreamFault]:
        """Describe a write; nothing is sent before a commit makes the write.

        The arguments are those of a `ReadOperation`. An answer for which *fits* returns False becomes
        a `BadAnswer`, which leaves open whether anything has changed.

        Also raise `ValueError` if the headers or the body have the place of the idempotency key already, and
        `TypeError` if the key is sent in a field of the body, and the body is neither an object nor a form.
        """
        if body is ABSENT and form is None:
            body = self._keys.default_body
        request = self._endpoint.build(body, form, query, headers, path_parameters, fits)
        if self._keys.is_taken(headers or {}, body, form):
            msg = f"{self.name} must not set {self._keys.place}: the idempotency key is sent there"
            raise ValueError(msg)
        if self._keys.default_body is not ABSENT:
            self._keys.add(request, Key("key"))  # raises if the body cannot have the field
        return Write(self.name, partial(self._make, request), self._undo, self._endpoint.info)

    def _make(self, request: Request[T, E], key: Key) -> Coroutine[Any, Any, Result[T, E | UpstreamFault]]:
        return self._endpoint.connection.make(self._keys.add(request, key))


@final
class DeclareWrite:
    """Declaration of writes with one HTTP *method*."""

    __slots__ = ("_connection", "_keys", "_method", "_undos")

    def __init__(self, connection: Connection, undos: UndoRegistry, keys: KeyPlacement, method: str) -> None:
        self._connection = connection
        self._undos = undos
        self._keys = keys
        self._method = method

    @overload
    def __call__(
        self,
        name: str,
        path: str,
        *,
        answer: Answer[T],
        undo: Undo | None,
        success: Collection[int] | None = None,
        refusals: Refusals | None = None,
    ) -> WriteOperation[T, Never]: ...
    @overload
    def __call__(
        self,
        name: str,
        path: str,
        *,
        answer: Answer[T],
        undo: Undo | None,
        declared: Mapping[int, type[E]],
        success: Collection[int] | None = None,
        refusals: Refusals | None = None,
    ) -> WriteOperation[T, E]: ...
    def __call__(  # noqa: PLR0913 - the parts of a declaration, most of them by keyword
        self,
        name: str,
        path: str,
        *,
        answer: Answer[T],
        undo: Undo | None,
        declared: Mapping[int, type[E]] = NOTHING_DECLARED,
        success: Collection[int] | None = None,
        refusals: Refusals | None = None,
    ) -> WriteOperation[T, E]:
        """Declare the operation *name* (`service.operation`), which changes the state of the service.

        - *undo*: compensation of the write, as declared by `ServiceClient.undo`. If it is None, the write can
          be made only by `Write.best_effort`, not by a commit.
        - *declared*: failures by status. Each of these statuses means that nothing has changed, unless the
          response is not recognizably the service's (*refusals*).

        The other arguments and the exceptions are those of the declaration of a read (`ServiceClient.get`).
        Also raise `ValueError` if *undo* cannot build its request from the example of the answer, and for a
        declared status that is no 4xx: any other leaves open whether the write was made.
        """
        for status in declared:
            if status not in _REFUSALS:
                msg = f"{name}: {status!r} cannot mean that nothing has changed: expected a 4xx"
                raise ValueError(msg)
        endpoint = Endpoint(self._connection, name, self._method, path, answer, declared, success, refusals)
        if undo is not None:
            self._undos.check(undo, name, endpoint.info)
        return WriteOperation(endpoint, undo, self._keys)


@final
class WriteMethods:
    """Declarations of writes by HTTP method; the attribute `write` of a `ServiceClient`."""

    def __init__(self, connection: Connection, undos: UndoRegistry, keys: KeyPlacement) -> None:
        self.post: Final = DeclareWrite(connection, undos, keys, "POST")
        self.put: Final = DeclareWrite(connection, undos, keys, "PUT")
        self.patch: Final = DeclareWrite(connection, undos, keys, "PATCH")
        self.delete: Final = DeclareWrite(connection, undos, keys, "DELETE")
