"""Changes of pydantic's core schemas, which describe the validation of a type."""

from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeAlias, cast

__all__ = ("Node", "change_nodes", "list_nodes")

Node: TypeAlias = dict[str, object]
"""Core schema of a type, or of a part of it, such as a field."""

_NAMED: Final = frozenset({"fields", "choices"})
"""Keys whose value may have a schema for each name."""

_NO_SCHEMAS: Final = frozenset({"metadata", "serialization", "default", "expected", "config", "members"})
"""Keys whose value has no schemas for validation."""


def change_nodes(value: object, change: Callable[[Node], Node]) -> object:
    """Return a copy of *value*, a core schema or a list of schemas, with *change* applied to every node."""
    match value:
        case dict():
            node = cast("Node", value)
            return change({key: _change_member(key, member, change) for key, member in node.items()})
        case list():
            return [change_nodes(item, change) for item in cast("list[object]", value)]
        case tuple():
            return tuple([change_nodes(item, change) for item in cast("tuple[object, ...]", value)])
        case _:
            return value


def list_nodes(value: object) -> Iterator[Node]:
    """Yield the nodes in *value*, a core schema or a list of them."""
    found: list[Node] = []

    def note(node: Node) -> Node:
        found.append(node)
        return node

    change_nodes(value, note)
    return iter(found)


def _change_member(key: str, member: object, change: Callable[[Node], Node]) -> object:
    if key in _NO_SCHEMAS:
        return member
    if key in _NAMED and isinstance(member, Mapping):
        named = cast("Mapping[str, object]", member)
        return {name: change_nodes(schema, change) for name, schema in named.items()}
    return change_nodes(member, change)
