"""Rules of OpenAPI linters (Spectral, Redocly) and expectations of generated clients, on whole documents."""

import re
from collections.abc import Iterator
from typing import Any, Final, cast

import pytest

from gateway.api.openapi.unused_components import remove_unused_components
from gateway.app import create_app
from tests.api.fake_bank import Bank, build_bank_gateway
from tests.api.openapi_document import (
    check_other_examples,
    list_examples,
    list_media_types,
    list_operations,
)
from tests.api.sample_gateway import FakeServices, build_sample_gateway

COMPOSITIONS: Final = ("anyOf", "oneOf", "allOf")
LOCATION_EXPRESSION: Final = "$response.header.Location#regex:"


@pytest.fixture(params=["baskets", "payments", "shipped"], scope="module")
def document(request: pytest.FixtureRequest) -> dict[str, Any]:
    match request.param:
        case "baskets":
            return build_sample_gateway(FakeServices()).openapi()
        case "payments":
            return build_bank_gateway(Bank()).openapi()
        case _:
            return create_app().openapi()


def walk(node: object) -> Iterator[dict[str, Any]]:
    """Yield every object in *node*."""
    if isinstance(node, dict):
        found = cast("dict[str, Any]", node)
        yield found
        for value in found.values():
            yield from walk(value)
    elif isinstance(node, list):
        for item in cast("list[object]", node):
            yield from walk(item)


def find_links(document: dict[str, Any], status: str) -> Iterator[tuple[dict[str, Any], dict[str, Any]]]:
    """Yield each response with *status* that has a link to an execution, with its link."""
    for _, operation in list_operations(document):
        response = operation["responses"].get(status, {})
        if "links" in response:
            yield response, response["links"]["execution"]


def test_document_names_a_server(document: dict[str, Any]) -> None:
    assert document["servers"] == [{"url": "/"}]


def test_every_operation_declares_its_security(document: dict[str, Any]) -> None:
    schemes = document["components"].get("securitySchemes", {}).keys()

    for name, operation in list_operations(document):
        assert {scheme for requirement in operation["security"] for scheme in requirement} <= schemes, name


def test_every_operation_has_a_declared_tag(document: dict[str, Any]) -> None:
    tags = {tag["name"] for tag in document["tags"]}

    for name, operation in list_operations(document):
        assert {*operation["tags"]} & tags, name


def test_no_composition_has_a_single_schema(document: dict[str, Any]) -> None:
    assert [node for node in walk(document) for name in COMPOSITIONS if len(node.get(name, "ab")) < 2] == []


def test_every_component_is_used(document: dict[str, Any]) -> None:
    assert remove_unused_components(document) == document


def test_every_reference_resolves(document: dict[str, Any]) -> None:
    for node in walk(document):
        if "$ref" in node:
            _, _, kind, name = node["$ref"].split("/")
            assert name in document["components"][kind]


def test_examples_outside_bodies_are_valid(document: dict[str, Any]) -> None:
    check_other_examples(document)


def test_links_name_an_operation_and_its_parameters(document: dict[str, Any]) -> None:
    operations = {operation["operationId"]: operation for _, operation in list_operations(document)}
    links = [link for status in ("201", "202") for _, link in find_links(document, status)]

    for link in links:
        target = operations[link["operationId"]]
        assert link["parameters"].keys() == {parameter["name"] for parameter in target["parameters"]}


def test_every_writing_operation_links_its_execution(document: dict[str, Any]) -> None:
    writing = [name for name, operation in list_operations(document) if "202" in operation["responses"]]

    assert len([*find_links(document, "201")]) == len([*find_links(document, "202")]) == len(writing)


def test_links_find_the_execution_of_examples(document: dict[str, Any]) -> None:
    header = document["components"]["headers"].get("Location", {"schema": {"examples": [""]}})
    location: str = header["schema"]["examples"][0]

    for _, link in find_links(document, "201"):
        pattern: str = link["parameters"]["execution_id"].removeprefix(LOCATION_EXPRESSION)
        found = re.search(pattern, location)
        assert found is not None
        assert found[1].startswith("exe-")
    for response, link in find_links(document, "202"):
        name = link["parameters"]["execution_id"].removeprefix("$response.body#/")
        assert response["content"]["application/json"]["example"][name].startswith("exe-")


def test_aggregate_is_first_alternative_of_a_problem(document: dict[str, Any]) -> None:
    """Generated clients take the first alternative that fits, and an aggregate fits `Problem` too."""
    for name, content in list_media_types(document):
        for aggregate in (example for example in list_examples(document, content) if "errors" in example):
            schema = content["schema"]
            first = schema.get("anyOf", [schema])[0]
            assert first == {"$ref": "#/components/schemas/AggregateProblem"}, (name, aggregate["status"])
