"""Values such as a type has: what its JSON schema gives for examples."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Generic, TypeVar, cast, final

from pydantic import TypeAdapter
from pydantic_core import to_json

from gateway.railway import Fault

__all__ = ("DeclaredCall", "NoExampleError", "example_of")

T = TypeVar("T")
E = TypeVar("E", bound=Fault)

_WHERE_DEFINED: Final = "#/$defs/"


class NoExampleError(LookupError):
    """A type does not say what a value of it looks like; the message says which."""


def example_of(kind: TypeAdapter[T]) -> T:
    """Give a value of *kind*, made of the `examples` in its schema, the first of each.

    They may stand on the whole, on its fields or on what it is a list of: a list has one item. Raises
    `NoExampleError` where none is to be found, and pydantic's `ValidationError` if they are none.
    """
    schema = kind.json_schema()
    return kind.validate_json(to_json(_example(schema, schema.get("$defs", {}))))


def _example(schema: Mapping[str, Any], defined: Mapping[str, Any]) -> object:
    match schema:
        case {"examples": [first, *_]}:
            return first
        case {"const": value} | {"default": value}:
            return value
        case {"$ref": str(name)}:
            return _example(defined[name.removeprefix(_WHERE_DEFINED)], defined)
        case {"type": "array", "items": item}:
            return [_example(item, defined)]
        case {"properties": fields}:
            return {name: _example(field, defined) for name, field in fields.items()}
        case _:
            msg = f"{schema.get('title') or schema.get('type', 'a value')} has no example"
            raise NoExampleError(msg)


@final
@dataclass(frozen=True, slots=True)
class DeclaredCall(Generic[T, E]):
    """What is known of a call before it is made: how its *answer* looks, and the statuses it *declared*."""

    answer: TypeAdapter[T]
    declared: Mapping[int, type[E]]

    @property
    def example(self) -> T:
        """Give an answer as it could come; raises `NoExampleError` if its type has no example."""
        return example_of(self.answer)

    @property
    def refusals(self) -> tuple[type[Fault], ...]:
        """Give the failures that statuses stand for."""
        # Sound: every E is a `Fault`, which mypy does not see of the classes.
        return cast("tuple[type[Fault], ...]", tuple(self.declared.values()))
