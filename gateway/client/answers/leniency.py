"""Annotations for fields of answers that no decision depends on, and for enumerations that may grow."""

from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeAlias, TypeVar, cast, final

from pydantic import GetCoreSchemaHandler, GetJsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import core_schema

__all__ = ("IS_TEXT", "OrNone", "Text", "unknown")

T = TypeVar("T")

IS_TEXT: Final = "gateway_is_text"
"""Key in the metadata of the core schema of `Text`."""


@final
@dataclass(frozen=True, slots=True)
class _Text:
    def __get_pydantic_core_schema__(
        self, source: type[str], handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = handler(source)
        cast("dict[str, Any]", schema).setdefault("metadata", {})[IS_TEXT] = True
        return schema


@final
@dataclass(frozen=True, slots=True)
class _Fallback:
    """Annotation that replaces an unusable value by *value*: any value, or only a string (*is_text_only*)."""

    value: object
    is_text_only: bool = False

    def __get_pydantic_core_schema__(
        self, source: object, handler: GetCoreSchemaHandler
    ) -> core_schema.CoreSchema:
        schema = handler(source)
        if not self.is_text_only:
            return core_schema.with_default_schema(schema, default=self.value, on_error="default")
        text = core_schema.str_schema(strict=True, metadata={IS_TEXT: True})
        other = core_schema.no_info_after_validator_function(lambda _: self.value, text)
        return core_schema.union_schema([schema, other], mode="left_to_right")

    def __get_pydantic_json_schema__(
        self, schema: core_schema.CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """Return the JSON schema of the usable values."""
        match schema:
            case {"choices": [usable, *_]} | {"schema": usable}:
                return handler(cast("core_schema.CoreSchema", usable))
            case _:
                return handler(schema)


Text: TypeAlias = Annotated[str, _Text(), _Fallback("")]
"""A text that is only shown: empty if the service leaves it out, or sends something else.

U+FFFD replaces a lone surrogate. In any other `str`, a lone surrogate makes the answer unusable.
"""

OrNone: TypeAlias = Annotated[T | None, _Fallback(None)]
"""A `T` that no decision depends on: None if the service leaves it out, or sends something unusable.

`OrNone[Money]` is the type of an amount that is not read.
"""


def unknown(member: object) -> Any:  # noqa: ANN401 - an annotation for pydantic
    """Return an annotation for an enumeration or a `Literal` with *member* for the strings that it lacks.

    `Annotated[Literal["debit", "credit", "unknown"], unknown("unknown")]` reads `"reversal"` as `"unknown"`.
    Where a decision depends on the field, *member* must be on the safe side.
    """
    return _Fallback(member, is_text_only=True)
