"""Queries of an OpenAPI document, and checks of bodies and responses against it."""

from collections.abc import Iterator, Mapping
from typing import Any, cast

import httpx
import jsonschema_rs


def list_operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def list_media_types(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every Media Type Object by name, such as `post /x 200 application/json` for a response."""
    for name, operation in list_operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {kind}", content
        for code, response in operation["responses"].items():
            for kind, content in response.get("content", {}).items():
                yield f"{name} {code} {kind}", content


def list_examples(document: dict[str, Any], content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        yield example["value"]
    yield from resolve_schema(document, content["schema"]).get("examples", ())


def list_schema_examples(schema: dict[str, Any]) -> Iterator[tuple[dict[str, Any], Any]]:
    """Yield the examples of *schema* and of its properties, each with its schema."""
    yield from ((schema, example) for example in schema.get("examples", ()))
    for part in schema.get("properties", {}).values():
        yield from list_schema_examples(part)


def list_parameters(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Yield every Parameter Object by name, such as `get /x limit`, with the parameters of the components."""
    components = document["components"].get("parameters", {})
    yield from components.items()
    for name, operation in list_operations(document):
        for parameter in operation.get("parameters", ()):
            if "$ref" not in parameter:
                yield f"{name} {parameter['name']}", parameter


def get_example_problems(response: Mapping[str, Any]) -> dict[str, Any]:
    """Return the example problems of a Response Object, by name."""
    found = response["content"]["application/problem+json"]["examples"]
    return {name: example["value"] for name, example in found.items()}


def resolve_schema(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return cast("dict[str, Any]", document["components"]["schemas"][name]) if name else schema


def check_instance(document: dict[str, Any], schema: dict[str, Any], instance: object) -> None:
    jsonschema_rs.Draft202012Validator(
        {**schema, "components": document["components"]}, validate_formats=True
    ).validate(instance)


def check_other_examples(document: dict[str, Any]) -> None:
    """Check the examples of the schemas, headers and parameters; a parameter needs an example."""
    components = document["components"]
    for schema in components.get("schemas", {}).values():
        for part, example in list_schema_examples(schema):
            check_instance(document, part, example)
    for header in components["headers"].values():
        for example in header["schema"].get("examples", ()):
            check_instance(document, header["schema"], example)
    for name, parameter in list_parameters(document):
        schema = parameter["schema"]
        # Swagger UI prefills the example of a parameter itself, which is unwanted for an optional parameter.
        assert ("example" in parameter) == parameter.get("required", False), name
        known = [parameter["example"]] if "example" in parameter else schema.get("examples", [])
        assert known or "default" in schema, name
        for example in known:
            check_instance(document, schema, example)


def check_response(document: dict[str, Any], response: httpx.Response) -> None:
    """Check that *document* declares the status of *response*, its body and its headers."""
    path, method = response.request.url.path, response.request.method.lower()
    declared = document["paths"][path][method]["responses"][str(response.status_code)]
    check_instance(document, declared["content"][response.headers["content-type"]]["schema"], response.json())
    documented = {name.lower() for name in document["components"]["headers"]}
    assert {name.lower() for name in declared["headers"]} >= documented & response.headers.keys()
