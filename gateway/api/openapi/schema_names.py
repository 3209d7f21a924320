"""Names and titles of the schemas in the OpenAPI document: generated clients name their types after them."""

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Any, Final, TypeAlias, cast

__all__ = ("make_titles_unique", "rename_schemas")

_Object: TypeAlias = Mapping[str, Any]

_PREFIX: Final = "#/components/schemas/"
_PROBLEM: Final = "application/problem+json"


def rename_schemas(generated: _Object, reserved: Collection[str]) -> _Object:
    """Return FastAPI's *generated* document without schemas that have a *reserved* name.

    A pipeline's model can be called `Part` or `Problem`. It becomes `PartModel` in the document. Bodies of
    problems refer to the gateway's own schemas, so their references are not changed.
    """
    generated_names = generated.get("components", {}).get("schemas", {}).keys()
    names = {name: f"{name}Model" for name in reserved if name in generated_names}
    if not names:
        return generated
    references = {_PREFIX + old: _PREFIX + new for old, new in names.items()}
    renamed = cast("_Object", _rename_references(generated, references))
    components = renamed["components"]
    schemas = {names.get(name, name): schema for name, schema in components["schemas"].items()}
    return {**renamed, "components": {**components, "schemas": schemas}}


def make_titles_unique(schemas: _Object) -> dict[str, Any]:
    """Return *schemas* (by name), in which the name replaces a title that several schemas have.

    A model of both requests and responses has two schemas with the same title (`Lamp-Input`, `Lamp-Output`).
    openapi-python-client omits the second one, with every response that refers to it.
    """
    titles = Counter(schema.get("title") for schema in schemas.values())
    return {
        name: {**schema, "title": name} if titles[schema.get("title", name)] > 1 else schema
        for name, schema in schemas.items()
    }


def _rename_references(node: object, names: Mapping[str, str]) -> object:
    if isinstance(node, dict):
        return {
            key: value if key == _PROBLEM else _rename_references(value, names)
            for key, value in cast("dict[str, object]", node).items()
        }
    if isinstance(node, list):
        return [_rename_references(item, names) for item in cast("list[object]", node)]
    return names.get(node, node) if isinstance(node, str) else node
