"""Components of the OpenAPI document."""

from typing import Any

import pytest

from gateway.api.openapi.components import (
    build_components,
    refer_to_header,
    refer_to_parameter,
    refer_to_schema,
)
from gateway.api.openapi.objects import Reference
from tests.api.openapi_document import check_instance


@pytest.fixture
def components() -> dict[str, Any]:
    return build_components()


@pytest.mark.parametrize("kind", ["headers", "parameters"])
def test_components_are_described_with_examples(components: dict[str, Any], kind: str) -> None:
    for component in components[kind].values():
        schema = component["schema"]
        assert component["description"].endswith(".")
        for example in schema.get("examples", schema.get("enum")):
            check_instance({"components": components}, schema, example)


@pytest.mark.parametrize(
    "reference",
    [refer_to_header("Retry-After"), refer_to_parameter("traceparent"), refer_to_schema("Problem")],
)
def test_references_resolve_to_components(components: dict[str, Any], reference: Reference) -> None:
    _, _, kind, name = reference["$ref"].split("/")

    assert name in components[kind]


def test_parameter_components_are_keyed_by_header_name(components: dict[str, Any]) -> None:
    for name, parameter in components["parameters"].items():
        assert (parameter["name"], parameter["in"]) == (name, "header")
