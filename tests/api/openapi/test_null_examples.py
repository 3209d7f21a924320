"""Nulls in the examples of a document."""

from typing import Any, Final

import pytest

from gateway.api.openapi.null_examples import restore_nulls

NULL: Final = {"type": "null"}
LAMP: Final[dict[str, Any]] = {
    "type": "object",
    "properties": {"size": {"anyOf": [{"type": "integer"}, NULL]}, "name": {"type": "string"}},
    "required": ["size", "name"],
}
SCHEMAS: Final[dict[str, Any]] = {
    "Lamp": LAMP,
    "Size": {"anyOf": [{"type": "integer"}, NULL]},
}
REFERENCE: Final = {"$ref": "#/components/schemas/Lamp"}
COMPLETE: Final = {"size": None, "name": "desk"}
STRIPPED: Final = {"name": "desk"}


def build(operation: dict[str, Any], **schemas: dict[str, Any]) -> dict[str, Any]:
    return {"paths": {"/lamps": {"get": operation}}, "components": {"schemas": {**SCHEMAS, **schemas}}}


def restore_example(schema: object, example: object) -> object:
    """Return the restored *example* of a response with this *schema*."""
    content = {"application/json": {"schema": schema, "example": example}}
    restored = restore_nulls(build({"responses": {"200": {"content": content}}}))
    response = restored["paths"]["/lamps"]["get"]["responses"]["200"]
    found: object = response["content"]["application/json"]["example"]
    return found


@pytest.mark.parametrize(
    ("schema", "example", "expected"),
    [
        (REFERENCE, STRIPPED, COMPLETE),
        (LAMP, STRIPPED, COMPLETE),
        (REFERENCE, {"size": 3, "name": "desk"}, {"size": 3, "name": "desk"}),
        ({"items": REFERENCE}, [STRIPPED], [COMPLETE]),
        ({"properties": {"lamp": REFERENCE}}, {"lamp": STRIPPED}, {"lamp": COMPLETE}),
        ({"additionalProperties": REFERENCE}, {"one": STRIPPED}, {"one": COMPLETE}),
        ({"anyOf": [REFERENCE, NULL]}, STRIPPED, COMPLETE),
        ({"properties": {"x": NULL}, "required": ["x"]}, {}, {"x": None}),
        (
            {"properties": {"x": {"$ref": "#/components/schemas/Size"}}, "required": ["x"]},
            {},
            {"x": None},
        ),
    ],
)
def test_required_null_is_restored(schema: object, example: object, expected: object) -> None:
    assert restore_example(schema, example) == expected


@pytest.mark.parametrize(
    "schema",
    [
        {"properties": {"size": NULL}},
        {"properties": {"size": {"type": "integer"}}, "required": ["size"]},
        {"required": ["size"]},
        {"anyOf": [REFERENCE, {"type": "object"}]},
        {"$ref": "#/components/schemas/Nothing"},
        {"additionalProperties": True},
        {},
        True,
        None,
    ],
)
@pytest.mark.parametrize("example", [STRIPPED, {"a": [STRIPPED]}, [STRIPPED], "desk", None])
def test_other_examples_are_unchanged(schema: object, example: object) -> None:
    assert restore_example(schema, example) == example


def test_named_examples_of_a_body_are_restored() -> None:
    named = {"one": {"value": STRIPPED}, "two": {"externalValue": "https://example.com/lamp.json"}}
    body = {"content": {"application/json": {"schema": REFERENCE, "examples": named}}}

    restored = restore_nulls(build({"requestBody": body, "responses": {"204": {"description": ""}}}))

    operation = restored["paths"]["/lamps"]["get"]
    assert operation["requestBody"]["content"]["application/json"]["examples"] == {
        "one": {"value": COMPLETE},
        "two": named["two"],
    }
    assert operation["responses"] == {"204": {"description": ""}}


def test_examples_of_schemas_and_properties_are_restored() -> None:
    lit = {**LAMP, "examples": [STRIPPED]}
    room = {"properties": {"lamp": {**REFERENCE, "examples": [STRIPPED]}, "examples": {"type": "array"}}}

    schemas = restore_nulls(build({"responses": {}}, Lit=lit, Room=room))["components"]["schemas"]

    assert schemas["Lit"]["examples"] == [COMPLETE]
    assert schemas["Room"]["properties"]["lamp"]["examples"] == [COMPLETE]
    assert schemas["Room"]["properties"]["examples"] == {"type": "array"}
