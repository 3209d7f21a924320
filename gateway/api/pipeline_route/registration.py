"""Registration of a pipeline under a method and a path."""

import re
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import KW_ONLY, dataclass, field
from http import HTTPStatus
from typing import Any, Final, TypeAlias, final

from pydantic import BaseModel
from starlette.responses import Response
from typing_extensions import override

from gateway.railway import Failure, Pipeline

__all__ = ("Endpoint", "RegistrationError", "Route")

Endpoint: TypeAlias = Callable[..., Awaitable[Response]]
"""A FastAPI function that ends in `return await request.run(...)` or `return await request.commit(...)`."""

_METHODS: Final = ("GET", "POST", "PUT", "PATCH", "DELETE")
_PATH: Final = re.compile(r"/([^{}?#\s]|\{[a-zA-Z_]\w*(:\w+)?\})*")
_WITHOUT_CONTENT: Final = frozenset({HTTPStatus.NO_CONTENT, HTTPStatus.RESET_CONTENT})


class RegistrationError(TypeError):
    """A route cannot be registered; the message names the route or its endpoint, and the reason."""


@final
@dataclass(frozen=True, slots=True)
class Route:
    """Registration of a pipeline under *method* and *path*.

    The gateway generates the route's endpoint and, by a dry run of the pipeline, the route's part of the
    OpenAPI document and its entry in `GET /pipelines`. A success is sent with *status* and *headers*.

    The first parameter of the pipeline is its run. The others are path parameters (found by name), services
    (found by class), and at most one parameter for the JSON body. A pipeline with any other parameter needs
    an *endpoint*: a FastAPI function with path parameters, a body and a request, which is a `CommitRequest`
    if the pipeline writes, else a `PipelineRequest`. It passes the arguments to the pipeline, without the
    services: `return await request.commit(purchase, request.token)`. With *bearer* the route requires a
    bearer token (RFC 6750).

    *example* is for the dry run: the body, or arguments by name. Missing arguments are generated from the
    examples of their types. *summary* is the line in `/docs`, by default the first line of the pipeline's
    docstring; *responses* documents additional responses or overrides generated responses, as in FastAPI.

    Raise `RegistrationError` for an unknown method, an invalid path, a *status* that is not a success with a
    body, and a function that is not decorated with `railway`.
    """

    method: str
    path: str
    pipeline: Pipeline[..., object, Failure]
    _: KW_ONLY
    status: int = HTTPStatus.OK
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    endpoint: Endpoint | None = None
    bearer: bool = False
    example: BaseModel | Mapping[str, object] | None = None
    summary: str | None = None
    responses: Mapping[int | str, Mapping[str, Any]] = field(
        default_factory=dict[int | str, Mapping[str, Any]]
    )

    def __post_init__(self) -> None:
        if self.method not in _METHODS:
            msg = f"unknown method {self.method!r} of {self.path}: expected one of {', '.join(_METHODS)}"
            raise RegistrationError(msg)
        if _PATH.fullmatch(self.path) is None:
            msg = f"invalid path {self.path!r}: expected a path such as '/orders' or '/orders/{{order_id}}'"
            raise RegistrationError(msg)
        if self.status not in range(200, 300) or self.status in _WITHOUT_CONTENT:
            msg = f"invalid status {self.status!r} of {self}: expected a 2xx status with a body"
            raise RegistrationError(msg)
        if not hasattr(self.pipeline, "function"):
            msg = f"{self}: {self.pipeline!r} is not a pipeline; decorate the function with @railway"
            raise RegistrationError(msg)

    @override
    def __str__(self) -> str:
        return f"{self.method} {self.path}"
