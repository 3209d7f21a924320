"""Example values of a type, built from the examples in its JSON schema."""

from collections.abc import Mapping
from typing import Any, Final, TypeVar

from pydantic import TypeAdapter
from pydantic_core import to_json

__all__ = ("NoExampleError", "build_example")

T = TypeVar("T")

_DEFINITIONS: Final = "#/$defs/"


class NoExampleError(LookupError):
    """Error for a type without an example; the message names the type."""


def build_example(adapter: TypeAdapter[T]) -> T:
    """Build a value from the first of the `examples` in the JSON schema of *adapter*.

    The schema may have examples for the whole value, for its fields or for its items. A constant or a default
    serves as an example too, and a list gets a single item. Raise `NoExampleError` if a part has no example,
    and pydantic's `ValidationError` if an example is invalid.
    """
    schema = adapter.json_schema()
    return adapter.validate_json(to_json(_find_example(schema, schema.get("$defs", {}))))


def _find_example(schema: Mapping[str, Any], definitions: Mapping[str, Any]) -> object:
    match schema:
        case {"examples": [first, *_]}:
            return first
        case {"const": value} | {"default": value}:
            return value
        case {"$ref": str(name)}:
            return _find_example(definitions[name.removeprefix(_DEFINITIONS)], definitions)
        case {"type": "array", "items": item}:
            return [_find_example(item, definitions)]
        case {"properties": fields}:
            return {name: _find_example(field, definitions) for name, field in fields.items()}
        case _:
            msg = f"{schema.get('title') or schema.get('type', 'a value')} has no example"
            raise NoExampleError(msg)
