"""Example values of a type, built from the examples in its JSON schema."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, TypeVar, final

from pydantic import TypeAdapter, ValidationError
from pydantic.errors import PydanticInvalidForJsonSchema
from pydantic_core import to_json

__all__ = ("NoExampleError", "build_example")

T = TypeVar("T")

_DEFINITIONS: Final = "#/$defs/"
_ELEMENTS: Final = 2


class NoExampleError(LookupError):
    """Error for a type without a valid example; the message names the type."""


@final
class _EndlessError(NoExampleError):
    """Error for a type that contains itself."""


def build_example(adapter: TypeAdapter[T]) -> T:
    """Build a value from the first of the `examples` in the JSON schema of *adapter*.

    The schema may have examples for the whole value, for its fields or for its items. A constant, a default
    or the first value of an enumeration serves as an example too, and a union has the example of the first
    type that has one. A list gets two elements, from the first two examples of its items, or as many as its
    limits allow. Raise `NoExampleError` if a part has no example, or if an example is invalid.
    """
    try:
        schema = adapter.json_schema()
        value = _Finder(schema.get("$defs", {})).find(schema)
        return adapter.validate_json(to_json(value))
    except PydanticInvalidForJsonSchema as error:
        msg = "the type has no JSON schema"
        raise NoExampleError(msg) from error
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        msg = ": ".join((f"the example of {error.title} is invalid", *map(str, first["loc"]), first["msg"]))
        raise NoExampleError(msg) from error


@final
class _Finder:
    """Finder of examples in a JSON schema with these *definitions*."""

    def __init__(self, definitions: Mapping[str, Any]) -> None:
        self._definitions = definitions
        self._within: tuple[str, ...] = ()

    def find(self, schema: Mapping[str, Any], position: int = 0) -> object:  # noqa: PLR0911 - a case each
        """Return the example of *schema*; *position* is that of the element in a list."""
        match schema:
            case {"examples": [*examples]} if examples:
                return examples[position % len(examples)]
            case {"const": value} | {"default": value} | {"enum": [value, *_]}:
                return value
            case {"$ref": str(reference)}:
                return self._find_definition(reference.removeprefix(_DEFINITIONS), position)
            case {"type": "null"}:
                return None
            case {"type": "array", "prefixItems": [*items]}:
                return [self.find(item, position) for item in items]
            case {"type": "array", "items": item}:
                return self._find_elements(schema, item)
            case {"properties": fields}:
                return {name: self.find(field, position) for name, field in fields.items()}
            case {"anyOf": options} | {"oneOf": options}:
                return self._find_option(options, position)
            case _:
                msg = f"{schema.get('title') or schema.get('type', 'a value')} has no example"
                raise NoExampleError(msg)

    def _find_definition(self, name: str, position: int) -> object:
        if name in self._within:
            msg = f"{name} contains itself and has no example"
            raise _EndlessError(msg)
        self._within += (name,)
        try:
            return self.find(self._definitions[name], position)
        finally:
            self._within = self._within[:-1]

    def _find_elements(self, schema: Mapping[str, Any], item: Mapping[str, Any]) -> Sequence[object]:
        """Return the elements of a list; none if the list may be empty and its items contain the list."""
        fewest = schema.get("minItems", 0)
        number = min(max(_ELEMENTS, fewest), schema.get("maxItems", max(_ELEMENTS, fewest)))
        try:
            elements = [self.find(item, position) for position in range(number)]
        except _EndlessError:
            if fewest:
                raise
            return []
        return [*_drop_repetitions(elements)] if schema.get("uniqueItems") else elements

    def _find_option(self, options: Sequence[Mapping[str, Any]], position: int) -> object:
        errors: list[NoExampleError] = []
        for option in options:
            try:
                return self.find(option, position)
            except NoExampleError as error:
                errors.append(error)
        raise errors[0]


def _drop_repetitions(elements: Sequence[object]) -> Iterator[object]:
    for position, element in enumerate(elements):
        if element not in elements[:position]:
            yield element
