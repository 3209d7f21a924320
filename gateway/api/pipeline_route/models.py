"""Base models and types for the bodies of requests and responses of pipeline routes."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Annotated, Any, TypeAlias, final

from pydantic import BaseModel, ConfigDict, GetCoreSchemaHandler, GetJsonSchemaHandler, TypeAdapter
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

__all__ = (
    "EmptyBody",
    "Id",
    "Pattern",
    "RequestBody",
    "ResponseBody",
    "ResponseSerializer",
    "SuccessBody",
    "null_fields",
)


@final
@dataclass(frozen=True, slots=True)
class Pattern:
    """Annotation for a string that matches *regex*; otherwise the violation is *message*.

    The message of pydantic's own `Field(pattern=...)` only quotes the pattern.
    """

    regex: str
    message: str

    def __get_pydantic_core_schema__(
        self,
        source: Any,  # noqa: ANN401 - pydantic's signature
        handler: GetCoreSchemaHandler,
    ) -> core_schema.CoreSchema:
        """Return a schema that checks the type first, so that a wrong type is reported as such."""
        matching = core_schema.str_schema(pattern=self.regex)
        return core_schema.chain_schema(
            [
                handler(source),
                core_schema.custom_error_schema(matching, "pattern", custom_error_message=self.message),
            ]
        )

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON schema with the pattern, which pydantic omits for a chain of schemas."""
        return {**handler(schema), "pattern": self.regex}


Id: TypeAlias = Annotated[
    str,
    Pattern(
        r"^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$",
        "must be an id: at most 64 letters, digits, hyphens and underscores, the first a letter or a digit",
    ),
]
"""An identifier that is safe as a segment of a path."""


class RequestBody(BaseModel):
    """Base model for the body of a request: strictly typed, frozen, and unknown fields are refused."""

    model_config = ConfigDict(strict=True, extra="forbid", frozen=True)


class ResponseBody(BaseModel):
    """Base model for the body of a response: frozen, and every field is always present."""

    model_config = ConfigDict(frozen=True, json_schema_serialization_defaults_required=True)


@final
class ResponseSerializer:
    """Serializer of successes, as FastAPI's `response_model` behaves.

    - *returns*: the type of the values.
    - *model*: the type of the body, to which the values are converted; None for the type of the values.
    - *options*: pydantic's options of serialization, such as `exclude_none`.
    """

    media_type: str | None = "application/json"

    def __init__(self, returns: Any, model: Any, options: Mapping[str, Any]) -> None:  # noqa: ANN401 - type forms
        self.type: Any = returns if model is None else model
        self._adapter = TypeAdapter[object](self.type)
        self._is_converted = model is not None
        self._options = options
        dump: Callable[..., bytes] = self._adapter.serializer.to_json
        self._dump = partial(dump, **options)
        self.to_json: Callable[[object], bytes] = self._convert_to_json if self._is_converted else self._dump

    def to_python(self, value: object) -> object:
        """Return the body for *value* as a JSON value."""
        return self._adapter.dump_python(self._convert(value), mode="json", **self._options)

    def _convert_to_json(self, value: object) -> bytes:
        return self._dump(self._convert(value))

    def _convert(self, value: object) -> object:
        return self._adapter.validate_python(value, from_attributes=True) if self._is_converted else value


@final
class EmptyBody:
    """Serializer of successes without a body."""

    media_type: str | None = None
    type: None = None

    def to_json(self, _: object) -> bytes:
        """Return an empty body."""
        return b""

    def to_python(self, _: object) -> None:
        """Return None: there is no JSON value."""


SuccessBody: TypeAlias = ResponseSerializer | EmptyBody


def null_fields(fields: Mapping[str, object]) -> tuple[str, ...]:
    """Return the names of the *fields* that are null.

    Pass this function as the `default_factory` of the model's last field, `degraded`: pydantic calls it with
    the values of all earlier fields.
    """
    return tuple(name for name, value in fields.items() if value is None)
