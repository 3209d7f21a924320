"""Parts of the OpenAPI document that operations share: headers, parameters, schemas, security, links."""

from collections.abc import Iterable, Mapping
from typing import Any, Final

from pydantic import TypeAdapter

from gateway.api.idempotency.accepted import Running
from gateway.api.openapi.objects import Link, Reference, Schema
from gateway.api.problems.own_errors import explain, name_schema
from gateway.api.problems.problem import AggregateProblem, Problem
from gateway.client.answers.problems import adapt_error
from gateway.railway import Failure, list_members

__all__ = (
    "BEARER_SECURITY",
    "EXAMPLE_EXECUTION_ID",
    "EXAMPLE_REQUEST_ID",
    "LINK_IN_BODY",
    "LINK_IN_LOCATION",
    "build_components",
    "refer_to_header",
    "refer_to_parameter",
    "refer_to_schema",
)

EXAMPLE_REQUEST_ID: Final = "5f0c6f0e2b7d4a1f8c3e9d7a6b5c4d3e"
EXAMPLE_EXECUTION_ID: Final = "exe-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e"

_SCHEMAS: Final = "#/components/schemas/"
_REFERENCE: Final = f"{_SCHEMAS}{{model}}"

BEARER_SECURITY: Final[tuple[Mapping[str, list[str]], ...]] = ({"bearer": []},)
"""The security requirement of an operation that needs a bearer token."""

LINK_IN_BODY: Final[Link] = {
    "operationId": "get_execution",
    "parameters": {"execution_id": "$response.body#/execution_id"},
    "description": "The outcome of every write.",
}
LINK_IN_LOCATION: Final[Link] = {
    "operationId": "get_execution",
    # The standard's expressions cannot take the id out of the path. Schemathesis can, with this extension:
    # https://schemathesis.readthedocs.io/en/stable/guides/stateful-testing/
    "parameters": {"execution_id": "$response.header.Location#regex:/executions/(.+)"},
    "description": "The outcome of every write. The execution id is the last part of `Location`.",
}

_SECURITY_SCHEMES: Final = {
    "bearer": {
        "type": "http",
        "scheme": "bearer",
        "description": "Token of the caller (RFC 6750). Operators send `GATEWAY_OPERATOR_TOKEN`.",
    }
}

_HEADERS: Final[Mapping[str, Mapping[str, Any]]] = {
    "X-Request-Id": {
        "description": "Id of the request: the client's `X-Request-Id`, or a new id. It is in the log too.",
        "schema": {"type": "string", "examples": [EXAMPLE_REQUEST_ID]},
    },
    "Server-Timing": {
        "description": "Duration of each upstream call in milliseconds; `gateway` is the gateway's own time. "
        "The gateway may be configured to send only the latter, or no such header.",
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
        "description": "Rate limit per caller, if set: `q` requests in `w` seconds.",
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
    "x-envoy-expected-rq-timeout-ms": {
        "description": "Like `X-Request-Timeout-Ms`, as Envoy sends it; a malformed value is ignored.",
        "schema": {"type": "string", "examples": ["2000"]},
    },
    "grpc-timeout": {
        "description": "Like `X-Request-Timeout-Ms`, with a unit, as gRPC clients send it; a malformed"
        " value is ignored.",
        "schema": {"type": "string", "examples": ["2S", "1500m"]},
    },
    "X-Request-Id": {
        "description": "Id of the request in the response, the log and upstream calls: 1 to 128 visible ASCII"
        " characters; otherwise a new id.",
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
        "description": "Vendor-specific trace data, forwarded with `traceparent` if it has at most 512"
        " characters.",
        "schema": {"type": "string", "examples": ["vendor=value"]},
    },
}


def build_components(own_errors: Iterable[type[Failure]] = ()) -> dict[str, dict[str, Any]]:
    """Return the Components Object: every part that operations can refer to.

    Its schemas include the problem of each of *own_errors*, with the members of the error.
    """
    return {
        "headers": {**_HEADERS},
        "parameters": {
            name: {"name": name, "in": "header", **parameter} for name, parameter in _PARAMETERS.items()
        },
        "schemas": _build_schemas(own_errors),
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
    return {"$ref": f"{_SCHEMAS}{name}"}


def _build_schemas(own_errors: Iterable[type[Failure]]) -> dict[str, Schema]:
    bodies: tuple[type, ...] = (Problem, AggregateProblem, Running)
    types = {body: TypeAdapter[Any](body) for body in bodies} | {
        kind: adapt_error(kind) for kind in own_errors
    }
    references, schema = TypeAdapter.json_schemas(
        [(kind, "serialization", adapter) for kind, adapter in types.items()],
        ref_template=_REFERENCE,
    )
    schemas: dict[str, Schema] = schema["$defs"]
    for kind in own_errors:
        fields = schemas.pop(references[kind, "serialization"]["$ref"].removeprefix(_SCHEMAS))
        schemas[name_schema(kind)] = _extend_problem(schemas["Problem"], kind, fields)
    return schemas


def _extend_problem(problem: Schema, kind: type[Failure], error: Schema) -> Schema:
    """Return the schema *problem* with the code and the members of *kind*, whose schema is *error*."""
    members = list_members(kind)
    properties = {
        **problem["properties"],
        "code": {**problem["properties"]["code"], "const": kind.code},
        **{name: error["properties"][name] for name in members},
    }
    return {
        **problem,
        "title": name_schema(kind),
        "description": explain(kind),
        "properties": properties,
        "required": [*problem["required"], *members],
    }
