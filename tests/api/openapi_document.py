"""What an OpenAPI document says."""

from collections.abc import Iterator
from typing import Any, cast

import jsonschema_rs


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            yield f"{method} {path}", operation


def media(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    """Give every body that is described: of requests, and of answers."""
    for name, operation in operations(document):
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield f"{name} {kind}", content
        for code, answer in operation["responses"].items():
            for kind, content in answer.get("content", {}).items():
                yield f"{name} {code} {kind}", content


def examples(document: dict[str, Any], content: dict[str, Any]) -> Iterator[Any]:
    if "example" in content:
        yield content["example"]
    for example in content.get("examples", {}).values():
        yield example["value"]
    yield from resolved(document, content["schema"]).get("examples", ())


def resolved(document: dict[str, Any], schema: dict[str, Any]) -> dict[str, Any]:
    name = schema.get("$ref", "").removeprefix("#/components/schemas/")
    return cast("dict[str, Any]", document["components"]["schemas"][name]) if name else schema


def check(document: dict[str, Any], schema: dict[str, Any], instance: object) -> None:
    jsonschema_rs.Draft202012Validator(
        {**schema, "components": document["components"]}, validate_formats=True
    ).validate(instance)
