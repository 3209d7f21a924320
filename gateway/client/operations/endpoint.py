"""Endpoint of a service, and the builder of requests for it."""

from collections.abc import Awaitable, Callable, Collection, Mapping
from functools import partial
from typing import Final, Generic, TypeAlias, TypeVar, cast, final

import httpx
from pydantic import TypeAdapter

from gateway.client.operations.declared_call import DeclaredCall
from gateway.client.operations.parameters import Parameters, Scalar, encode_query
from gateway.client.operations.path_template import PathTemplate
from gateway.client.operations.request import MakeRequest, Request, ResponseRules
from gateway.client.operations.request_body import Form, encode_body
from gateway.client.operations.request_headers import ServiceHeaders
from gateway.client.response import read_empty, read_value
from gateway.client.url import BaseUrl
from gateway.railway import Fault, Result

__all__ = ("NO_CONTENT", "Answer", "Connection", "Endpoint")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

Answer: TypeAlias = type[T] | TypeAdapter[T]
"""Type of a successful response: a class such as a model or `list[Model]`, or any `TypeAdapter`."""

NO_CONTENT: Final = TypeAdapter[None](None)
"""Answer of an operation whose response has no content, or JSON that does not matter; the value is None."""

_STATUSES: Final = range(100, 600)


@final
class Connection:
    """Connection to a service, shared by its operations: name, base URL, headers, and a maker of requests."""

    __slots__ = ("base_url", "headers", "make", "service")

    def __init__(self, service: str, base_url: BaseUrl, headers: ServiceHeaders, make: MakeRequest) -> None:
        self.service: Final = service
        self.base_url: Final = base_url
        self.headers: Final = headers
        self.make: Final = make


@final
class Endpoint(Generic[T, E]):
    """Method and path of the operation *name*, and the rules for its responses.

    Raise `ValueError` for an invalid path, and for a status that is no HTTP status.
    """

    __slots__ = ("connection", "info", "method", "name", "path", "rules")

    def __init__(  # noqa: PLR0913, PLR0917 - the parts of a declaration
        self,
        connection: Connection,
        name: str,
        method: str,
        path: str,
        answer: Answer[T],
        declared: Mapping[int, type[E]],
        success: Collection[int] | None,
    ) -> None:
        _check_statuses(name, (*declared, *(success or ())))
        adapter = answer if isinstance(answer, TypeAdapter) else TypeAdapter(answer)
        self.connection: Final = connection
        self.name: Final = name
        self.method: Final = method
        self.path: Final = PathTemplate(name, path)
        statuses = None if success is None else frozenset(success)
        self.rules: Final = ResponseRules(name, _choose_reader(adapter), declared, statuses)
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
        connection, encoded = self.connection, encode_body(self.name, body, form)
        return Request(
            self.rules,
            self.method,
            connection.base_url.join(self.path.fill(path), "" if query is None else encode_query(query)),
            connection.headers.build(headers, encoded),
            encoded,
            fits,
        )


def _choose_reader(answer: TypeAdapter[T]) -> Callable[[httpx.Response], Awaitable[Result[T, str]]]:
    if answer is NO_CONTENT:
        # Sound: `T` is None, the type of `NO_CONTENT`.
        return cast("Callable[[httpx.Response], Awaitable[Result[T, str]]]", read_empty)
    return partial(read_value, answer)


def _check_statuses(name: str, statuses: Collection[object]) -> None:
    for status in statuses:
        if status not in _STATUSES:
            msg = f"{name}: {status!r} is no HTTP status"
            raise ValueError(msg)
