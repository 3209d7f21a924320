"""The OpenAPI document: FastAPI generates it, and the specifications of the pipeline routes complete it."""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, TypeAlias

from gateway.api.openapi.components import (
    BEARER_SECURITY,
    build_components,
    refer_to_header,
    refer_to_parameter,
)
from gateway.api.openapi.null_examples import restore_nulls
from gateway.api.openapi.problem_examples import INVALID_REQUEST
from gateway.api.openapi.responses import build_failure_response, build_responses
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.openapi.schema_names import make_titles_unique, rename_schemas
from gateway.api.openapi.unused_components import remove_unused_components
from gateway.api.problems.own_errors import list_own_errors
from gateway.api.problems.titles import replace_phrase
from gateway.railway import Failure

__all__ = ("build_document",)

_Object: TypeAlias = Mapping[str, Any]

_FASTAPI_SCHEMAS: Final = frozenset({"HTTPValidationError", "ValidationError"})
"""The schemas of FastAPI's own 422 response, which the gateway never sends."""

_SERVERS: Final = ({"url": "/"},)
"""The host that serves the document."""


def build_document(generated: _Object, specs: Iterable[RouteSpec]) -> dict[str, Any]:
    """Return the complete OpenAPI document. FastAPI's *generated* document is not modified.

    An operation in *specs* gets its responses, parameters, security and request example from its spec.
    In every other operation, FastAPI's own 422 is replaced by the problem that the gateway sends. Every
    operation has a description and names its security, every required parameter has an example, and there are
    no unused components.
    """
    generated = rename_schemas(generated, build_components()["schemas"].keys())
    by_operation = {(spec.path_format, spec.method.lower()): spec for spec in specs}
    paths = {
        path: {
            method: _complete_operation(operation, path, by_operation.get((path, method)))
            for method, operation in operations.items()
        }
        for path, operations in generated["paths"].items()
    }
    own_errors = list_own_errors(kind for spec in by_operation.values() for kind in spec.own_errors)
    document = {
        **generated,
        "servers": [*generated.get("servers", _SERVERS)],
        "paths": paths,
        "components": _merge_components(generated.get("components", {}), own_errors),
    }
    return remove_unused_components(restore_nulls(document))


def _merge_components(generated: _Object, own_errors: Sequence[type[Failure]]) -> dict[str, Any]:
    merged = {**generated}
    for kind, components in build_components(own_errors).items():
        merged[kind] = {**generated.get(kind, {}), **components}
    merged["schemas"] = make_titles_unique(merged["schemas"])
    return merged


def _complete_operation(operation: _Object, path: str, spec: RouteSpec | None) -> dict[str, Any]:
    completed = {
        **operation,
        "description": operation.get("description", operation.get("summary", "")),
        "security": [*operation.get("security", ())],
    }
    if parameters := [*_list_parameters(operation, spec)]:
        completed["parameters"] = parameters
    if spec is None:
        other = _replace_generated_422(operation["responses"], path)
        return {**completed, "responses": _complete_responses(other)}
    completed["responses"] = _complete_responses(_merge_responses(operation["responses"], spec))
    if spec.needs_bearer:
        others: list[_Object] = operation.get("security", [{}])
        completed["security"] = [{**other, **bearer} for other in others for bearer in BEARER_SECURITY]
    if spec.request_example is not None:
        completed["requestBody"] = _add_json_example(operation["requestBody"], spec.request_example)
    return completed


def _list_parameters(operation: _Object, spec: RouteSpec | None) -> Iterator[_Object]:
    """Yield the parameters of *operation*; the required ones have an example, if one is known."""
    examples: _Object = spec.parameter_examples if spec else {}
    for parameter in operation.get("parameters", ()):
        yield _add_parameter_example(parameter, examples)
    for name in spec.header_parameters if spec else ():
        yield refer_to_parameter(name)


def _add_parameter_example(parameter: _Object, examples: _Object) -> _Object:
    """Return *parameter* with its example from *examples* (by name), or from its schema.

    Optional parameters keep their examples in their schemas: Swagger UI would prefill and send the others.
    """
    if not parameter.get("required") or parameter.keys() & {"example", "examples"}:
        return parameter
    name, schema = parameter["name"], parameter.get("schema", {})
    known = [examples[name]] if name in examples else [*schema.get("examples", ()), *schema.get("enum", ())]
    return {**parameter, "example": known[0]} if known else parameter


def _replace_generated_422(generated: _Object, path: str) -> dict[str, Any]:
    invalid = build_failure_response(INVALID_REQUEST, path)
    return {
        status: invalid if _is_generated_422(response) else response for status, response in generated.items()
    }


def _merge_responses(generated: _Object, spec: RouteSpec) -> dict[str, Any]:
    """Return the responses of *spec*; responses that the route declares itself take precedence."""
    built, success = build_responses(spec), str(int(spec.success_status))
    declared = {status: response for status, response in generated.items() if not _is_generated_422(response)}
    merged = {**built, **declared, success: _merge_success(declared[success], built[success])}
    return {status: merged[status] for status in sorted(merged)}


def _merge_success(generated: _Object, built: _Object) -> dict[str, Any]:
    """Return the *built* response with the schema of FastAPI's *generated* response."""
    merged = {**generated, **built}
    if "content" in built:
        example = built["content"]["application/json"]["example"]
        return _add_json_example({**merged, "content": generated["content"]}, example)
    return merged


def _add_json_example(described: _Object, example: object) -> dict[str, Any]:
    """Return *described*, a request body or response, with *example* as its JSON example."""
    content = described["content"]
    return {
        **described,
        "content": {**content, "application/json": {**content["application/json"], "example": example}},
    }


def _is_generated_422(response: _Object) -> bool:
    match response:
        case {"content": {"application/json": {"schema": {"$ref": str(name)}}}}:
            return name.removeprefix("#/components/schemas/") in _FASTAPI_SCHEMAS
        case _:
            return False


def _complete_responses(described: _Object) -> dict[str, Any]:
    """Return the *described* responses with the header of every response.

    A description that FastAPI has taken from the status is the same on every version of Python.
    """
    header = {"X-Request-Id": refer_to_header("X-Request-Id")}
    return {
        status: {
            **response,
            "description": _replace_phrase(response["description"], status),
            "headers": {**response.get("headers", {}), **header},
        }
        for status, response in described.items()
    }


def _replace_phrase(description: str, status: str) -> str:
    return replace_phrase(description, int(status)) if status.isdecimal() else description
