"""Parameters of an endpoint function, as FastAPI understands its signature."""

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, Final, final, get_type_hints

from fastapi import params
from fastapi.dependencies.models import Dependant
from fastapi.security.base import SecurityBase
from pydantic.fields import FieldInfo
from starlette.requests import Request

from gateway.api.pipeline_route.registration import Endpoint, RegistrationError
from gateway.api.pipeline_route.request import EndpointRequest

__all__ = (
    "RequestField",
    "find_body",
    "find_request",
    "has_other_query",
    "has_security_scheme",
    "list_fields",
    "list_query",
    "name_endpoint",
    "needs_solver",
    "resolve_hints",
)

_UNSUPPORTED_KINDS: Final = frozenset(
    {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD, Parameter.POSITIONAL_ONLY}
)


@final
@dataclass(frozen=True, slots=True)
class RequestField:
    """A parameter that a request supplies: its *name* in the function, its *alias* in the request."""

    name: str
    alias: str
    info: FieldInfo
    validate: Callable[[object], tuple[object, list[dict[str, Any]]]]
    """Return the value and the errors of an input, of which one is empty."""

    @property
    def is_required(self) -> bool:
        """Return whether a request must have the field."""
        return self.info.is_required()


def resolve_hints(endpoint: Endpoint) -> Mapping[str, Any]:
    """Return the annotations of *endpoint* by parameter.

    Raise `RegistrationError` if it is no async function, if it takes positional-only or variadic parameters,
    or if an annotation cannot be resolved.
    """
    if not iscoroutinefunction(endpoint):
        msg = f"{name_endpoint(endpoint)}: an endpoint must be an async function"
        raise RegistrationError(msg)
    for name, parameter in signature(endpoint).parameters.items():
        if parameter.kind in _UNSUPPORTED_KINDS:
            msg = f"{name_endpoint(endpoint)}: {name} is positional-only or variadic; use named parameters"
            raise RegistrationError(msg)
    try:
        return get_type_hints(endpoint, include_extras=True)
    except (NameError, TypeError) as error:
        msg = f"{name_endpoint(endpoint)}: cannot resolve its annotations: {error}"
        raise RegistrationError(msg) from error


def find_request(endpoint: Endpoint, hints: Mapping[str, Any]) -> str:
    """Return the name of the parameter that is a `PipelineRequest` or a `CommitRequest`.

    Raise `RegistrationError` unless *endpoint* has exactly one, and no other parameter for the request.
    """
    names = [name for name in signature(endpoint).parameters if _is_class(hints.get(name), Request)]
    if len(names) != 1 or not _is_class(hints[names[0]], EndpointRequest):
        takes = "exactly one PipelineRequest or CommitRequest, which is a Request too"
        msg = f"{name_endpoint(endpoint)}: an endpoint takes {takes}"
        raise RegistrationError(msg)
    return names[0]


def find_body(endpoint: Endpoint, dependant: Dependant) -> RequestField | None:
    """Return the parameter for the JSON body, or None without a body.

    Raise `RegistrationError` for more than one, for a body in a dependency, and for a body other than JSON.
    """
    for inner in _walk(dependant):
        if inner is not dependant and inner.body_params:
            call, names = _name(inner.call), ", ".join(field.name for field in inner.body_params)
            msg = (
                f"{name_endpoint(endpoint)}: the dependency {call} takes a body: {names}; only the endpoint"
                " itself can take a body"
            )
            raise RegistrationError(msg)
    bodies = [*_convert(dependant.body_params)]
    if len(bodies) > 1:
        names = ", ".join(field.name for field in bodies)
        msg = f"{name_endpoint(endpoint)}: an endpoint takes at most one body, not {names}; use one model"
        raise RegistrationError(msg)
    for body in bodies:
        _refuse_other_bodies(endpoint, body)
    return bodies[0] if bodies else None


def list_fields(dependant: Dependant) -> list[RequestField]:
    """Return the path, query, header and cookie parameters of the endpoint and all of its dependencies."""
    return [
        field
        for inner in _walk(dependant)
        for fields in (inner.path_params, inner.query_params, inner.header_params, inner.cookie_params)
        for field in _convert(fields)
    ]


def list_query(dependant: Dependant) -> Mapping[str, str]:
    """Return the query parameters of the endpoint itself: their names in the function by alias."""
    return {field.alias: field.name for field in dependant.query_params}


def has_other_query(dependant: Dependant) -> bool:
    """Return whether a dependency of the endpoint's own parameters takes a query parameter."""
    own = [inner for inner in dependant.dependencies if inner.name is not None]
    return any(inner.query_params for dependency in own for inner in _walk(dependency))


def needs_solver(dependant: Dependant) -> bool:
    """Return whether the endpoint takes more than path parameters, a body and the request.

    The dependencies of the route itself, which have no name, are not the endpoint's.
    """
    return any(
        (
            dependant.query_params,
            dependant.header_params,
            dependant.cookie_params,
            any(inner.name is not None for inner in dependant.dependencies),
            any(field.name != field.alias for field in dependant.path_params),
            dependant.response_param_name,
            dependant.background_tasks_param_name,
            dependant.http_connection_param_name,
            dependant.security_scopes_param_name,
        )
    )


def has_security_scheme(dependant: Dependant) -> bool:
    """Return whether the endpoint depends on a security scheme of FastAPI, such as `HTTPBearer`."""
    return any(isinstance(inner.call, SecurityBase) for inner in _walk(dependant))


def name_endpoint(endpoint: Endpoint) -> str:
    """Return the name of *endpoint* for messages."""
    return _name(endpoint)


def _name(function: object) -> str:
    return getattr(function, "__qualname__", repr(function))


def _is_class(annotation: object, base: type[object]) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, base)


def _walk(dependant: Dependant) -> Iterator[Dependant]:
    yield dependant
    for inner in dependant.dependencies:
        yield from _walk(inner)


def _convert(fields: Any) -> Iterator[RequestField]:  # noqa: ANN401 - the class of FastAPI's fields is private
    for field in fields:
        yield RequestField(field.name, field.alias, field.field_info, field.validate)


def _refuse_other_bodies(endpoint: Endpoint, body: RequestField) -> None:
    """Raise `RegistrationError` for a form, and for a body that FastAPI would embed in an object."""
    if isinstance(body.info, params.Form):
        msg = f"{name_endpoint(endpoint)}: {body.name} is form data or a file; only JSON bodies are supported"
        raise RegistrationError(msg)
    if getattr(body.info, "embed", None):
        msg = f"{name_endpoint(endpoint)}: Body(embed=True) of {body.name} is not supported; use a model"
        raise RegistrationError(msg)
