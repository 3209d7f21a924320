"""What an endpoint takes, and how a request becomes that."""

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NoReturn, TypeAlias, final, get_type_hints

from fastapi.routing import APIRoute
from pydantic import TypeAdapter, ValidationError

from gateway.api.pipeline_route.request import PipelineRequest
from gateway.api.problems.refusal import Refusal
from gateway.api.problems.violations import invalid
from gateway.railway import Err, Invalid, Ok, Result

__all__ = ("Arguments", "request_type")

_Errors: TypeAlias = Iterator[Mapping[str, Any]]

_NO_NUMBERS: Final = (b"NaN", b"Infinity")
_WRONG: Final = "!" * 300
"""Too long, of no form, and no number: what paths can hold is never valid, unless any text is."""


@final
class Arguments:
    """The parameters of *route*'s endpoint: its path parameters, at most one body, and its request.

    Anything else (`Depends`, `Query`, `Header`, a second body) is a `TypeError`, when the route is made and
    not when it is asked: what an endpoint depends on is given to the function that makes its router.
    """

    def __init__(self, route: APIRoute) -> None:
        takes = route.dependant
        others = (*takes.query_params, *takes.header_params, *takes.cookie_params, *takes.dependencies)
        if others or len(takes.body_params) > 1 or takes.request_param_name is None:
            msg = f"{route.path}: a pipeline's endpoint takes path parameters, one body and its request, only"
            raise TypeError(msg)
        hints = get_type_hints(route.endpoint, include_extras=True)
        self.request = takes.request_param_name
        self._path = {taken.name: TypeAdapter[object](hints[taken.name]) for taken in takes.path_params}
        self._body = {taken.name: TypeAdapter[object](hints[taken.name]) for taken in takes.body_params}

    @property
    def has_body(self) -> bool:
        """Tell whether the endpoint takes a body."""
        return bool(self._body)

    @property
    def example(self) -> Invalid | None:
        """Give what a request is told that has everything wrong; None where there is nothing to be wrong.

        Where all that is tried is valid, the first argument is said not to be.
        """
        if not self._path and not self._body:
            return None
        for body in (b"{}", b"[]"):
            tried = self.read(dict.fromkeys(self._path, _WRONG), bytearray(body))
            if isinstance(tried, Err):
                return tried.error
        first = next(iter((*self._path, "")))
        return Invalid("The request is not valid", violations=((first, ("is not valid",)),))

    def read(self, path: Mapping[str, object], body: bytearray) -> Result[dict[str, Any], Invalid]:
        """Give the arguments by name, but for the request; *body* is validated as it is parsed, once.

        Raises `Refusal` if *body* is not JSON (RFC 8259: neither NaN nor a lone surrogate is).
        """
        values: dict[str, Any] = {}
        errors: list[Mapping[str, Any]] = []
        for name, kind in self._path.items():
            try:
                values[name] = kind.validate_python(path[name])
            except ValidationError as error:
                errors += _errors(error, name)
        for name, kind in self._body.items():
            if not body:
                raise Refusal(code="malformed", detail="The body is empty")
            try:
                values[name] = kind.validate_json(body)
            except ValidationError as error:
                errors += _errors(error)
            if any(word in body for word in _NO_NUMBERS):
                json.loads(body, parse_constant=_refuse)
        return Err(invalid(errors)) if errors else Ok(values)


def _errors(error: ValidationError, *within: str) -> _Errors:
    for one in error.errors(include_url=False, include_input=False):
        if one["type"] == "json_invalid":
            reason = one.get("ctx", {})["error"]
            raise Refusal(code="malformed", detail=f"The body is not JSON: {reason}") from None
        yield {**one, "loc": (*within, *one["loc"])}


def _refuse(constant: str) -> NoReturn:
    raise Refusal(code="malformed", detail=f"The body is not JSON: {constant} is not a number")


def request_type(endpoint: Callable[..., object]) -> type[PipelineRequest]:
    """Give the kind of request that *endpoint* takes."""
    kinds = get_type_hints(endpoint).values()
    return next(
        (kind for kind in kinds if isinstance(kind, type) and issubclass(kind, PipelineRequest)),
        PipelineRequest,
    )
