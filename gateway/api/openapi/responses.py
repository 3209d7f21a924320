"""Responses of a route in OpenAPI: a Response Object for each status that the route can send."""

from collections.abc import Iterable, Sequence
from http import HTTPStatus
from typing import Any, Final

from gateway.api.idempotency.accepted import Running
from gateway.api.openapi.components import (
    EXAMPLE_EXECUTION_ID,
    LINK_IN_BODY,
    LINK_IN_LOCATION,
    refer_to_header,
    refer_to_schema,
)
from gateway.api.openapi.objects import Header, MediaType, Reference, Response, Responses
from gateway.api.openapi.problem_examples import (
    ProblemExample,
    ProblemExamples,
    exemplify_failure,
    exemplify_problems,
)
from gateway.api.openapi.route_spec import RouteSpec
from gateway.api.problems.own_errors import extend_catalogue, find_status, name_schema
from gateway.api.problems.problem import map_to_status
from gateway.railway import Failure

__all__ = ("build_failure_response", "build_responses", "declare_failures", "list_statuses")

_PIPELINE_HEADERS: Final = ("Server-Timing", "Gateway-Completed", "RateLimit-Policy", "RateLimit")
_STATUS_HEADERS: Final[dict[int, tuple[str, ...]]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}


def build_responses(spec: RouteSpec) -> Responses:
    """Return every response of the pipeline route, in ascending order of status.

    FastAPI adds the schema of the success body, from the route's `response_model`.
    """
    responses = {int(spec.success_status): _build_success(spec)}
    if spec.has_commit:
        responses[int(HTTPStatus.ACCEPTED)] = _build_accepted(spec)
    examples = exemplify_problems(spec)
    own = {kind: int(find_status(kind)) for kind in spec.own_errors}
    for status in {*examples, *own.values()}:
        kinds = [kind for kind in own if own[kind] == status]
        responses[status] = _build_problem(status, examples.get(status, {}), _list_headers(spec), kinds)
    return {str(status): responses[status] for status in sorted(responses)}


def list_statuses(spec: RouteSpec) -> list[int]:
    """Return every status that the pipeline route can send, in ascending order."""
    return sorted({*spec.declared_statuses, *map(int, build_responses(spec))})


def build_failure_response(failure: Failure, path: str) -> Response:
    """Return the response for a *failure* of the route at *path*, a route that runs no pipeline."""
    example = exemplify_failure(failure, path)
    return _build_problem(example["status"], {example["code"]: example})


def declare_failures(path: str, *failures: Failure) -> dict[int | str, dict[str, Any]]:
    """Return FastAPI's `responses` for the *failures* of the route at *path*, a route that runs no pipeline.

    The failures must have different statuses.
    """
    return {int(map_to_status(failure)): {**build_failure_response(failure, path)} for failure in failures}


def _list_headers(spec: RouteSpec) -> tuple[str, ...]:
    return (*_PIPELINE_HEADERS, "Idempotent-Replayed") if spec.has_commit else _PIPELINE_HEADERS


def _build_success(spec: RouteSpec) -> Response:
    names = (*_list_headers(spec), "Location") if spec.has_commit else _list_headers(spec)
    own = {name: _describe_header(value) for name, value in spec.success_headers.items()}
    success: Response = {
        "description": "The result of the pipeline.",
        "headers": {**own, **_refer_to_headers(names)},
    }
    if spec.has_commit:
        success["links"] = {"execution": LINK_IN_LOCATION}
    if spec.success_example is not None:
        success["content"] = {"application/json": {"example": spec.success_example}}
    return success


def _describe_header(example: str) -> Header:
    return {"schema": {"type": "string", "examples": [example]}}


def _build_accepted(spec: RouteSpec) -> Response:
    body: Running = {"execution_id": EXAMPLE_EXECUTION_ID, "pipeline": spec.pipeline, "state": "running"}
    media: MediaType = {"schema": refer_to_schema(Running.__name__), "example": body}
    return {
        "description": "The writes are still in progress; Location shows their outcome.",
        "headers": _refer_to_headers((*_PIPELINE_HEADERS, "Location", "Retry-After")),
        "content": {"application/json": media},
        "links": {"execution": LINK_IN_BODY},
    }


def _build_problem(
    status: int,
    examples: ProblemExamples,
    headers: tuple[str, ...] = (),
    own_errors: Sequence[type[Failure]] = (),
) -> Response:
    catalogue = extend_catalogue(own_errors)
    own = {kind.code: name_schema(kind) for kind in own_errors}
    codes = dict.fromkeys((*(example["code"] for example in examples.values()), *own))
    # Generated clients take the first schema that fits: own errors fit Problem too, and so does an aggregate.
    others = {_name_schema(example) for example in examples.values() if example["code"] not in own}
    schemas = [refer_to_schema(name) for name in dict.fromkeys((*own.values(), *sorted(others)))]
    media: MediaType = {"schema": {"anyOf": schemas} if len(schemas) > 1 else schemas[0]}
    if examples:
        media["examples"] = {name: {"value": example} for name, example in examples.items()}
    return {
        "description": "\n\n".join(f"`{code}`: {catalogue[code].explanation}" for code in codes),
        "headers": _refer_to_headers((*headers, *_STATUS_HEADERS.get(status, ()))),
        "content": {"application/problem+json": media},
    }


def _name_schema(example: ProblemExample) -> str:
    return "AggregateProblem" if "errors" in example else "Problem"


def _refer_to_headers(names: Iterable[str]) -> dict[str, Reference]:
    return {name: refer_to_header(name) for name in names}
