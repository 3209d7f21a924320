"""Registration of a pipeline under a method and a path."""

import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeAlias, final

from pydantic import BaseModel
from starlette.responses import Response
from typing_extensions import override

from gateway.railway import Failure, Pipeline, Stuck

__all__ = ("Endpoint", "Headers", "RegistrationError", "Route", "Selection", "check_headers")

Endpoint: TypeAlias = Callable[..., Awaitable[Response]]
"""A FastAPI function that ends in `return await request.run(...)` or `return await request.commit(...)`."""

Headers: TypeAlias = Mapping[str, str] | Callable[[Any], Mapping[str, str]]
"""Headers of a success, or a function that returns them for the value of the pipeline."""

Selection: TypeAlias = AbstractSet[str] | Mapping[str, Any]
"""Fields of a model, as pydantic's `include` and `exclude` take them."""

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PATH: Final = re.compile(r"/([^{}?#\s]|\{[a-zA-Z_]\w*(:\w+)?\})*")
_HEADER_NAME: Final = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE: Final = re.compile(r"[\t\x20-\x7e\x80-\xff]*")


class RegistrationError(TypeError):
    """A route cannot be registered; the message names the route or its endpoint, and the reason."""


@final
@dataclass(frozen=True, slots=True)
class Route:
    """Registration of a pipeline under *method*, or several methods, and *path*.

    The gateway generates the route's endpoint and, by a dry run of the pipeline, the route's part of the
    OpenAPI document and its entry in `GET /pipelines`. A success is sent with *status* and *headers*, which
    may be a function of the pipeline's value: `lambda order: {"Location": f"/orders/{order.order_id}"}`. With
    204 or 205 it has no body, and the pipeline returns None.

    The body of a success is the pipeline's value, written as FastAPI writes it: with aliases and computed
    fields. The options beginning with *response_model* are those of FastAPI's routes; *response_model* is the
    type of the body if it is not the return type of the pipeline.

    The first parameter of the pipeline is its run. The others are path parameters (found by name), services
    (found by class), and at most one parameter for the JSON body. A pipeline with any other parameter needs
    an *endpoint*: a FastAPI function with parameters from the path, query, headers and cookies, dependencies,
    an optional body, and a request, which is a `CommitRequest` if the pipeline writes, else a
    `PipelineRequest`. It passes the arguments to the pipeline, without the services:
    `return await request.commit(purchase, request.token)`. With *bearer* the route requires a bearer token
    (RFC 6750).

    *example* is for the dry run: the body, or arguments by name. Missing arguments are generated from the
    examples of their types. *summary* is the line in `/docs`, by default the first line of the pipeline's
    docstring; *responses* documents additional responses or overrides generated responses, as in FastAPI.

    Raise `RegistrationError` for an unknown method, an invalid path, a *status* that is not a success or
    belongs to the gateway, an invalid header, and a function that is not decorated with `railway`.
    """

    method: str | Sequence[str]
    path: str
    pipeline: Pipeline[..., object, Failure]
    _: KW_ONLY
    status: int = HTTPStatus.OK
    headers: Headers = field(default_factory=dict[str, str])
    endpoint: Endpoint | None = None
    bearer: bool = False
    example: BaseModel | Mapping[str, object] | None = None
    summary: str | None = None
    response_model: Any = None
    response_model_include: Selection | None = None
    response_model_exclude: Selection | None = None
    response_model_by_alias: bool = True
    response_model_exclude_unset: bool = False
    response_model_exclude_defaults: bool = False
    response_model_exclude_none: bool = False
    responses: Mapping[int | str, Mapping[str, Any]] = field(
        default_factory=dict[int | str, Mapping[str, Any]]
    )

    def __post_init__(self) -> None:
        unknown = [method for method in self.methods if method not in _METHODS]
        if unknown or not self.methods:
            names = ", ".join(map(repr, unknown)) or "none"
            msg = f"unknown method {names} of {self.path}: expected one of {', '.join(_METHODS)}"
            raise RegistrationError(msg)
        if len({*self.methods}) < len(self.methods):
            msg = f"{self}: a method is repeated"
            raise RegistrationError(msg)
        if _PATH.fullmatch(self.path) is None:
            msg = f"invalid path {self.path!r}: expected a path such as '/orders' or '/orders/{{order_id}}'"
            raise RegistrationError(msg)
        if not hasattr(self.pipeline, "function"):
            msg = f"{self}: {self.pipeline!r} is not a pipeline; decorate the function with @railway"
            raise RegistrationError(msg)
        self._check_status()
        if not callable(self.headers):
            check_headers(self, self.headers)

    @property
    def methods(self) -> tuple[str, ...]:
        """Return the methods, one or more."""
        return (self.method,) if isinstance(self.method, str) else (*self.method,)

    @override
    def __str__(self) -> str:
        return f"{', '.join(self.methods)} {self.path}"

    def _check_status(self) -> None:
        if self.status not in range(200, 300):
            msg = f"invalid status {self.status!r} of {self}: expected a 2xx status"
            raise RegistrationError(msg)
        own = {HTTPStatus.MULTI_STATUS: "of several failures"}
        if Stuck in self.pipeline.promised:
            own[HTTPStatus.ACCEPTED] = "while a commit is in progress"
        if self.status in own:
            reason = own[HTTPStatus(self.status)]
            msg = f"invalid status {self.status!r} of {self}: the gateway sends it {reason}"
            raise RegistrationError(msg)


def check_headers(route: Route, headers: Mapping[str, str]) -> None:
    """Raise `RegistrationError` unless all *headers* have valid names and values (RFC 9110, 5.5)."""
    for name, value in headers.items():
        if _HEADER_NAME.fullmatch(name) is None or _HEADER_VALUE.fullmatch(value) is None:
            msg = f"{route}: invalid header {name!r}: {value!r}"
            raise RegistrationError(msg)
