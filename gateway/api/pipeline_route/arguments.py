"""Arguments of an endpoint: path parameters and at most one JSON body, validated."""

import json
from collections.abc import Callable, Iterator, Mapping
from collections.abc import Set as AbstractSet
from inspect import Parameter, iscoroutinefunction, signature
from typing import Any, Final, NoReturn, TypeAlias, final, get_type_hints

from fastapi import params
from pydantic import TypeAdapter, ValidationError

from gateway.api.pipeline_route.registration import Endpoint, RegistrationError
from gateway.api.pipeline_route.request import EndpointRequest
from gateway.api.problems.refusal import Refusal
from gateway.api.problems.violations import INVALID_REQUEST_DETAIL, NOT_JSON, build_invalid
from gateway.railway import Err, Invalid, Ok, Result

__all__ = ("Arguments",)

_Errors: TypeAlias = Iterator[Mapping[str, Any]]

_UNSUPPORTED: Final = (params.Query, params.Header, params.Cookie, params.Depends)
_NOT_NUMBERS: Final = (b"NaN", b"Infinity")
_INVALID_TEXT: Final = "!" * 300
"""A value that is invalid for every path parameter, except those that accept all strings."""


@final
class Arguments:
    """Parameters of *endpoint*, and validation of their values.

    *path_parameters* are the names of the parameters in the route's path. Raise `RegistrationError` unless
    *endpoint* is an async function of path parameters, at most one body, and exactly one `PipelineRequest`
    or `CommitRequest`.
    """

    def __init__(self, endpoint: Endpoint, path_parameters: frozenset[str]) -> None:
        hints = _resolve_hints(endpoint)
        names = [name for name, parameter in signature(endpoint).parameters.items() if _is_named(parameter)]
        for name in names:
            _refuse_marker(endpoint, signature(endpoint).parameters[name], hints.get(name))
        requests = [name for name in names if _is_request(hints.get(name))]
        bodies = [name for name in names if name not in path_parameters and name not in requests]
        if len(requests) != 1 or len(bodies) > 1:
            takes = "path parameters, at most one body, and exactly one PipelineRequest or CommitRequest"
            msg = f"{_name_endpoint(endpoint)}: an endpoint takes {takes}"
            raise RegistrationError(msg)
        self.request_name = requests[0]
        self.request_type: type[EndpointRequest] = hints[self.request_name]
        self._path = {name: TypeAdapter[object](hints[name]) for name in names if name in path_parameters}
        self._body = {name: TypeAdapter[object](hints[name]) for name in bodies}

    @property
    def names_in_path(self) -> AbstractSet[str]:
        """Return the names of the endpoint's path parameters."""
        return self._path.keys()

    @property
    def has_body(self) -> bool:
        """Return whether the endpoint takes a body."""
        return bool(self._body)

    @property
    def body_type(self) -> TypeAdapter[object] | None:
        """Return the type of the body, or None without a body."""
        return next(iter(self._body.values()), None)

    def build_invalid_example(self) -> Invalid | None:
        """Return an example of the error for an invalid request, or None if the endpoint takes no values.

        The example is found by trying values that are usually invalid. If they are all valid here, the error
        names the first path parameter, or the request as a whole if there is none.
        """
        if not self._path and not self._body:
            return None
        for body in (b"{}", b"[]"):
            result = self.validate(dict.fromkeys(self._path, _INVALID_TEXT), bytearray(body))
            if isinstance(result, Err):
                return result.error
        first = next(iter((*self._path, "")))
        return Invalid(INVALID_REQUEST_DETAIL, violations=((first, ("is not valid",)),))

    def validate(self, path: Mapping[str, object], body: bytearray) -> Result[dict[str, Any], Invalid]:
        """Return the arguments by name, except the request; *body* is parsed and validated in one pass.

        Raise `Refusal` if *body* is empty or is not JSON (RFC 8259, which has no NaN and no lone surrogates).
        """
        values: dict[str, Any] = {}
        errors: list[Mapping[str, Any]] = []
        for name, kind in self._path.items():
            try:
                values[name] = kind.validate_python(path[name])
            except ValidationError as error:
                errors += _locate_errors(error, name)
        for name, kind in self._body.items():
            if not body:
                raise Refusal(code="malformed", detail="The body is empty; JSON is required")
            try:
                values[name] = kind.validate_json(body)
            except ValidationError as error:
                errors += _locate_errors(error)
            # pydantic's parser accepts NaN and Infinity (pydantic/jiter#34), which are not JSON:
            # https://www.rfc-editor.org/rfc/rfc8259#section-6
            if any(word in body for word in _NOT_NUMBERS):
                json.loads(body, parse_constant=_refuse_constant)
        return Err(build_invalid(errors)) if errors else Ok(values)


def _resolve_hints(endpoint: Endpoint) -> Mapping[str, Any]:
    if not iscoroutinefunction(endpoint):
        msg = f"{_name_endpoint(endpoint)}: an endpoint must be an async function"
        raise RegistrationError(msg)
    try:
        return get_type_hints(endpoint, include_extras=True)
    except (NameError, TypeError) as error:
        msg = f"{_name_endpoint(endpoint)}: cannot resolve its annotations: {error}"
        raise RegistrationError(msg) from error


def _is_named(parameter: Parameter) -> bool:
    return parameter.kind not in {Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD}


def _is_request(annotation: object) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, EndpointRequest)


def _refuse_marker(endpoint: Endpoint, parameter: Parameter, annotation: object) -> None:
    markers = (parameter.default, *getattr(annotation, "__metadata__", ()))
    if any(isinstance(marker, _UNSUPPORTED) for marker in markers):
        msg = (
            f"{_name_endpoint(endpoint)}: {parameter.name} is a query, header or cookie parameter or a"
            " dependency, which is not supported here; use the path, the body or the request"
        )
        raise RegistrationError(msg)


def _name_endpoint(endpoint: Callable[..., object]) -> str:
    return getattr(endpoint, "__qualname__", repr(endpoint))


def _locate_errors(error: ValidationError, *within: str) -> _Errors:
    for item in error.errors(include_url=False, include_input=False):
        if item["type"] == "json_invalid":
            reason = item.get("ctx", {})["error"]
            raise Refusal(code="malformed", detail=f"{NOT_JSON}: {reason}") from None
        yield {**item, "loc": (*within, *item["loc"])}


def _refuse_constant(constant: str) -> NoReturn:
    raise Refusal(code="malformed", detail=f"{NOT_JSON}: {constant} is not a number")
