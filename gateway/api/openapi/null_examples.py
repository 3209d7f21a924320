"""Nulls in the examples of FastAPI's OpenAPI document, which drops them."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, TypeAlias, cast, final

__all__ = ("restore_nulls",)

_Object: TypeAlias = Mapping[str, Any]

_PREFIX: Final = "#/components/schemas/"
_NULL: Final = {"type": "null"}


def restore_nulls(document: _Object) -> dict[str, Any]:
    """Return FastAPI's *document* with nulls for the missing properties in its examples.

    FastAPI drops every null from the document (https://github.com/fastapi/fastapi/issues/5559), so that an
    example lacks properties that its schema requires. A property gets its null back if the schema requires
    it and accepts null.
    """
    components = document["components"]
    examples = _Examples(components["schemas"])
    paths = {
        path: {method: examples.restore_operation(operation) for method, operation in operations.items()}
        for path, operations in document["paths"].items()
    }
    schemas = {name: examples.restore_schema(schema) for name, schema in components["schemas"].items()}
    return {**document, "components": {**components, "schemas": schemas}, "paths": paths}


@final
@dataclass(frozen=True, slots=True)
class _Examples:
    """Examples of a document with these *schemas*, by name."""

    schemas: Mapping[str, _Object]

    def restore_operation(self, operation: _Object) -> dict[str, Any]:
        """Return *operation* with complete examples of its bodies."""
        restored = {**operation}
        if "requestBody" in operation:
            restored["requestBody"] = self._restore_body(operation["requestBody"])
        restored["responses"] = {
            status: self._restore_body(response) for status, response in operation["responses"].items()
        }
        return restored

    def restore_schema(self, schema: _Object) -> dict[str, Any]:
        """Return *schema* with complete examples of itself and of its properties."""
        restored = {**schema}
        if "examples" in schema:
            restored["examples"] = [self._restore(example, schema) for example in schema["examples"]]
        if "properties" in schema:
            restored["properties"] = {
                name: self.restore_schema(part) for name, part in schema["properties"].items()
            }
        return restored

    def _restore_body(self, body: _Object) -> dict[str, Any]:
        if "content" not in body:
            return {**body}
        content = {kind: self._restore_media_type(media) for kind, media in body["content"].items()}
        return {**body, "content": content}

    def _restore_media_type(self, media: _Object) -> dict[str, Any]:
        restored, schema = {**media}, media.get("schema")
        if "example" in media:
            restored["example"] = self._restore(media["example"], schema)
        if "examples" in media:
            restored["examples"] = {
                name: {**example, "value": self._restore(example["value"], schema)}
                if "value" in example
                else example
                for name, example in media["examples"].items()
            }
        return restored

    def _restore(self, example: object, schema: object) -> object:
        found = self._resolve(schema)
        if isinstance(example, dict):
            known = cast("dict[str, object]", example)
            properties, others = found.get("properties", {}), found.get("additionalProperties")
            nulls = (name for name in found.get("required", ()) if self._accepts_null(properties.get(name)))
            return {
                name: self._restore(value, properties.get(name, others))
                for name, value in {**known, **dict.fromkeys(nulls), **known}.items()
            }
        if isinstance(example, list):
            return [self._restore(item, found.get("items")) for item in cast("list[object]", example)]
        return example

    def _resolve(self, schema: object) -> _Object:
        """Return *schema* without its alternative null; an empty schema if several alternatives remain."""
        found = self._follow(schema)
        others = [part for part in found.get("anyOf", ()) if part != _NULL]
        if not others:
            return found
        return self._resolve(others[0]) if len(others) == 1 else {}

    def _accepts_null(self, schema: object) -> bool:
        found = self._follow(schema)
        return found.get("type") == "null" or _NULL in found.get("anyOf", ())

    def _follow(self, schema: object) -> _Object:
        """Return the schema that *schema* is or refers to; an empty one for a boolean, or for none."""
        if not isinstance(schema, dict):
            return {}
        found = cast("_Object", schema)
        if "$ref" not in found:
            return found
        return self._follow(self.schemas.get(found["$ref"].removeprefix(_PREFIX)))
