"""Arguments of an endpoint that the gateway validates itself: path parameters and the JSON body."""

import json
from collections.abc import Iterator, Mapping, Sequence
from collections.abc import Set as AbstractSet
from typing import Any, Final, NoReturn, TypeAlias, final

from pydantic import TypeAdapter, ValidationError

from gateway.api.pipeline_route.parameters import RequestField
from gateway.api.problems.refusal import Refusal
from gateway.api.problems.violations import INVALID_REQUEST_DETAIL, NOT_JSON, build_invalid
from gateway.railway import Err, Invalid, Ok, Result

__all__ = ("Arguments", "ValidationErrors")

ValidationErrors: TypeAlias = Sequence[Mapping[str, Any]]
"""Errors in pydantic's form, whose locations begin with the name of a parameter or of a field of the body."""

_NAN, _INFINITY = b"NaN", b"Infinity"
_INVALID_TEXT: Final = "!" * 300
"""A value that is invalid for every parameter, except those that accept all strings."""


@final
class Arguments:
    """Validators of the parameters in the path, and of the body.

    - *path*: the types of the parameters in the path.
    - *body* and *body_type*: the parameter for the body, None without a body.
    - *others*: all other fields of the request; they only serve for the example of an invalid request.
    """

    def __init__(
        self,
        path: Mapping[str, TypeAdapter[object]],
        body: RequestField | None,
        body_type: TypeAdapter[object] | None,
        others: Sequence[RequestField] = (),
    ) -> None:
        self._path = path
        self._body = {} if body is None or body_type is None else {body.name: body_type}
        self._default = None if body is None or body.is_required else body.info
        self._others = others
        self.has_body: Final = bool(self._body)
        """True if the endpoint takes a body."""
        self.requires_body: Final = self.has_body and self._default is None
        """True if the endpoint takes a body that has no default."""

    @property
    def names_in_path(self) -> AbstractSet[str]:
        """Return the names of the endpoint's path parameters."""
        return self._path.keys()

    @property
    def body_name(self) -> str | None:
        """Return the name of the parameter for the body, or None without a body."""
        return next(iter(self._body), None)

    @property
    def body_type(self) -> TypeAdapter[object] | None:
        """Return the type of the body, or None without a body."""
        return next(iter(self._body.values()), None)

    def build_invalid_example(self) -> Invalid | None:
        """Return an example of the error for an invalid request, or None if the endpoint takes no values.

        The example is found by trying values that are usually invalid. If they are all valid here, the error
        names the first parameter, or the request as a whole if there is none.
        """
        if not self._path and not self._body and not self._others:
            return None
        others = [error for field in self._others for error in _try_invalid_text(field)]
        for body in (b"{}", b"[]"):
            values = dict.fromkeys(self._path, _INVALID_TEXT)
            errors = [*self._find_path_errors(values), *others, *self.parse_body(bytearray(body))[1]]
            if errors:
                return build_invalid(errors)
        first = next(iter((*self._path, *(field.alias for field in self._others), "")))
        return Invalid(INVALID_REQUEST_DETAIL, violations=((first, ("is not valid",)),))

    def validate(self, path: Mapping[str, object], body: bytearray) -> Result[dict[str, Any], Invalid]:
        """Return the arguments by name; *body* is parsed and validated in one pass.

        Raise `Refusal` if *body* is not JSON (RFC 8259, which has no NaN and no lone surrogates), or if it is
        empty and has no default.
        """
        values: dict[str, Any] = {}
        errors: list[Mapping[str, Any]] = []
        for name, kind in self._path.items():
            try:
                values[name] = kind.validate_python(path[name])
            except ValidationError as error:
                errors += _locate_errors(error, name)
        if self.has_body:
            found, body_errors = self.parse_body(body)
            values = {**values, **found}
            errors += body_errors
        return Err(build_invalid(errors)) if errors else Ok(values)

    def parse_body(self, body: bytearray) -> tuple[Mapping[str, Any], ValidationErrors]:
        """Return the argument for the body by name, and the errors of the body; raise as `validate` does."""
        if not body and self._default is not None:
            return {name: self._default.get_default(call_default_factory=True) for name in self._body}, ()
        for name, kind in self._body.items():
            if not body:
                raise Refusal(code="malformed", detail="The body is empty; JSON is required")
            found: Mapping[str, Any] = {}
            errors: ValidationErrors = ()
            try:
                found = {name: kind.validate_json(body)}
            except ValidationError as error:
                errors = [*_locate_errors(error)]
            if _NAN in body or _INFINITY in body:
                _refuse_constants(body)
            return found, errors
        return {}, ()

    def _find_path_errors(self, path: Mapping[str, object]) -> Iterator[Mapping[str, Any]]:
        for name, kind in self._path.items():
            try:
                kind.validate_python(path[name])
            except ValidationError as error:
                yield from _locate_errors(error, name)


def _try_invalid_text(field: RequestField) -> Iterator[Mapping[str, Any]]:
    """Yield the errors of *field* for a text that is usually invalid, or else for a missing value."""
    _, errors = field.validate(_INVALID_TEXT)
    if errors:
        yield from ({**error, "loc": (field.alias, *error["loc"])} for error in errors)
    elif field.is_required:
        yield {"type": "missing", "loc": (field.alias,)}


def _locate_errors(error: ValidationError, *within: str) -> Iterator[Mapping[str, Any]]:
    for item in error.errors(include_url=False, include_input=False):
        if item["type"] == "json_invalid":
            reason = item.get("ctx", {})["error"]
            raise Refusal(code="malformed", detail=f"{NOT_JSON}: {reason}") from None
        yield {**item, "loc": (*within, *item["loc"])}


def _refuse_constants(body: bytearray) -> None:
    """Raise `Refusal` for a number that is no JSON (https://www.rfc-editor.org/rfc/rfc8259#section-6).

    pydantic's parser accepts NaN and Infinity (pydantic/jiter#34).
    """
    json.loads(body, parse_constant=_refuse_constant)


def _refuse_constant(constant: str) -> NoReturn:
    raise Refusal(code="malformed", detail=f"{NOT_JSON}: {constant} is not a number")
