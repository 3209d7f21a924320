"""Removal of unused components from a document."""

from typing import Any

from gateway.api.openapi.unused_components import remove_unused_components


def build(operation: dict[str, Any], **schemas: dict[str, Any]) -> dict[str, Any]:
    components = {"schemas": schemas, "securitySchemes": {"bearer": {"type": "http", "scheme": "bearer"}}}
    return {"paths": {"/lamps": {"get": operation}}, "components": components}


def refer_to(name: str) -> dict[str, Any]:
    return {"$ref": f"#/components/schemas/{name}"}


def test_unused_component_is_removed() -> None:
    document = build({"responses": refer_to("Lamp")}, Lamp={}, Chair={})

    assert remove_unused_components(document)["components"] == {"schemas": {"Lamp": {}}}
    assert document["components"]["schemas"].keys() == {"Lamp", "Chair"}


def test_component_used_by_component_is_kept() -> None:
    document = build({"responses": refer_to("Lamp")}, Lamp={"items": refer_to("Bulb")}, Bulb={}, Chair={})

    assert remove_unused_components(document)["components"]["schemas"].keys() == {"Lamp", "Bulb"}


def test_unused_components_may_refer_to_each_other() -> None:
    document = build({"responses": {}}, Chair={"items": refer_to("Leg")}, Leg={"items": refer_to("Chair")})

    assert remove_unused_components(document)["components"] == {}


def test_required_security_scheme_is_kept() -> None:
    document = build({"responses": {}, "security": [{}, {"bearer": []}]})

    assert remove_unused_components(document)["components"].keys() == {"securitySchemes"}


def test_components_of_webhooks_are_kept() -> None:
    document = build({"responses": {}}, Lamp={})
    webhook: dict[str, Any] = {"post": {"responses": refer_to("Lamp"), "security": [{"bearer": []}]}}

    kept = remove_unused_components({**document, "webhooks": {"lit": webhook}})

    assert kept["components"] == document["components"]


def test_unknown_reference_is_ignored() -> None:
    document = build({"responses": refer_to("Nothing")}, Chair={})

    assert remove_unused_components(document)["components"] == {}
