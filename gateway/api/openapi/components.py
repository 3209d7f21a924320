"""Components of the OpenAPI document that operations refer to: headers, parameters, schemas, security."""

from collections.abc import Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from gateway.api.idempotency.accepted import Running
from gateway.api.openapi.objects import Reference, Schema
from gateway.api.problems.problem import AggregateProblem, Problem

__all__ = (
    "BEARER_SECURITY",
    "EXAMPLE_EXECUTION_ID",
    "EXAMPLE_REQUEST_ID",
    "build_components",
    "refer_to_header",
    "refer_to_parameter",
    "refer_to_schema",
)

EXAMPLE_REQUEST_ID: Final = "5f0c6f0e2b7d4a1f8c3e9d7a6b5c4d3e"
EXAMPLE_EXECUTION_ID: Final = "exe-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e"

BEARER_SECURITY: Final[tuple[Mapping[str, list[str]], ...]] = ({"bearer": []},)
"""The security requirement of an operation that needs a bearer token."""

_SECURITY_SCHEMES: Final = {"bearer": {"type": "http", "scheme": "bearer"}}

_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "X-Request-Id": {
        "description": "Id of the request: the client's `X-Request-Id`, or a new id. It is in the log too.",
        "schema": {"type": "string", "examples": [EXAMPLE_REQUEST_ID]},
    },
    "Server-Timing": {
        "description": "Duration of each upstream call in milliseconds; `gateway` is the gateway's own time.",
        "schema": {"type": "string", "examples": ["service.operation;dur=50.3, gateway;dur=1.2"]},
    },
    "Gateway-Completed": {
        "description": "`true` if the response is a success and no optional part of it is missing.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
    "Location": {
        "description": "Path of the execution, which shows the outcome of every write.",
        "schema": {"type": "string", "examples": [f"/executions/{EXAMPLE_EXECUTION_ID}"]},
    },
    "Idempotent-Replayed": {
        "description": "`true` if an earlier request with the same Idempotency-Key got this response.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "Seconds to wait before retrying, if known.",
        "schema": {"type": "integer", "minimum": 0, "examples": [2]},
    },
    "RateLimit-Policy": {
        "description": "Rate limit per client address, if set: `q` requests in `w` seconds.",
        "schema": {"type": "string", "examples": ['"caller";q=60;w=60']},
    },
    "RateLimit": {
        "description": "Remaining quota, if there is a rate limit: `r` requests for the next `t` seconds.",
        "schema": {"type": "string", "examples": ['"caller";r=59;t=1']},
    },
    "WWW-Authenticate": {
        "description": "Authentication scheme to use.",
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
}

_PARAMETERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "X-Request-Timeout-Ms": {
        "description": "Milliseconds that the client will wait; can only shorten the gateway's deadline.",
        "schema": {"type": "integer", "minimum": 1, "examples": [2000]},
    },
    "X-Request-Id": {
        "description": "Id of the request in the response, the log and upstream calls; by default, a new id.",
        "schema": {"type": "string", "examples": ["example-4711-try-1"]},
    },
    "Idempotency-Key": {
        "description": "Key that makes the request safe to retry: one execution per key, for 24 hours. 1 to"
        " 255 visible ASCII characters, bare or in double quotes.",
        "schema": {
            "type": "string",
            "pattern": r'^("[!-~]{1,255}"|[!-~]{1,255})$',
            "not": {"const": '""'},
            "examples": ["example-4711"],
        },
    },
    "traceparent": {
        "description": "Trace that the request belongs to, forwarded to every call (W3C Trace Context).",
        "schema": {"type": "string", "examples": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]},
    },
    "tracestate": {
        "description": "Vendor-specific trace data, forwarded with `traceparent`.",
        "schema": {"type": "string", "examples": ["vendor=value"]},
    },
}


def build_components() -> dict[str, dict[str, Any]]:
    """Return the Components Object: every part that operations can refer to."""
    return {
        "headers": {**_HEADERS},
        "parameters": {
            name: {"name": name, "in": "header", **parameter} for name, parameter in _PARAMETERS.items()
        },
        "schemas": _build_schemas(),
        "securitySchemes": {**_SECURITY_SCHEMES},
    }


def refer_to_header(name: str) -> Reference:
    """Return a reference to the response header *name*."""
    return {"$ref": f"#/components/headers/{name}"}


def refer_to_parameter(name: str) -> Reference:
    """Return a reference to the header parameter *name*."""
    return {"$ref": f"#/components/parameters/{name}"}


def refer_to_schema(name: str) -> Reference:
    """Return a reference to the schema *name*."""
    return {"$ref": f"#/components/schemas/{name}"}


def _build_schemas() -> dict[str, Schema]:
    bodies: tuple[type, ...] = (Problem, AggregateProblem, Running)
    _, schema = TypeAdapter.json_schemas(
        [(body.__name__, "serialization", TypeAdapter[Any](body)) for body in bodies],
        ref_template="#/components/schemas/{model}",
    )
    schemas: dict[str, Schema] = schema["$defs"]
    return schemas
