"""Removal of components that nothing in the OpenAPI document refers to."""

import json
import re
from collections.abc import Iterator, Mapping
from typing import Any, Final, TypeAlias

__all__ = ("remove_unused_components",)

_Object: TypeAlias = Mapping[str, Any]
_Name: TypeAlias = tuple[str, str]
"""The kind of a component, such as `schemas`, and its name."""

_REFERENCE: Final = re.compile(r'"#/components/(\w+)/([\w.-]+)"')
"""A reference in JSON: the value of a `$ref`, or of a discriminator's mapping."""


def remove_unused_components(document: _Object) -> dict[str, Any]:
    """Return *document* with only those components that its other parts refer to, directly or indirectly."""
    components: Mapping[str, _Object] = document["components"]
    others = {name: part for name, part in document.items() if name != "components"}
    used = _find_used(components, _find_references(others) | {*_list_security(document)})
    kept = {
        kind: {name: component for name, component in named.items() if (kind, name) in used}
        for kind, named in components.items()
    }
    return {**others, "components": {kind: named for kind, named in kept.items() if named}}


def _find_used(components: Mapping[str, _Object], referenced: set[_Name]) -> set[_Name]:
    used: set[_Name] = set()
    waiting = referenced
    while waiting:
        used |= waiting
        found = [components.get(kind, {}).get(name) for kind, name in waiting]
        waiting = _find_references(found) - used
    return used


def _find_references(part: object) -> set[_Name]:
    return {(kind, name) for kind, name in _REFERENCE.findall(json.dumps(part))}


def _list_security(document: _Object) -> Iterator[_Name]:
    """Yield the security schemes that operations require: security requirements are no references."""
    for path in (*document["paths"].values(), *document.get("webhooks", {}).values()):
        for operation in path.values():
            for requirement in operation.get("security", ()):
                yield from (("securitySchemes", name) for name in requirement)
