"""What stands in the OpenAPI document: every answer of a route, with examples made as real answers are."""

from collections.abc import Collection, Iterable, Iterator, Mapping
from dataclasses import replace
from http import HTTPStatus
from typing import Any, Final, TypeAlias, cast

from pydantic import BaseModel, TypeAdapter

from gateway.api.admission.admission import BUSY, TOO_OFTEN
from gateway.api.idempotency.accepted import Running
from gateway.api.openapi.error_examples import EXAMPLES
from gateway.api.openapi.failure_examples import Promise, any_of, foreseen
from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.problem import AggregateProblem, Problem, plain, problem
from gateway.client.examples import example_of
from gateway.plan.plan import Plan
from gateway.railway import Aggregate, CommitPolicy, Failure, Invalid, Pipeline, Stuck, Unexpected

__all__ = ("BEARER", "asking", "completed", "failures", "narrowed", "parameter", "planned", "responses")

_Object: TypeAlias = dict[str, Any]
_Said: TypeAlias = Problem | AggregateProblem
_Examples: TypeAlias = Mapping[str, _Said]

_WHERE: Final = {"instance": "/checkout", "request_id": "5f0c6f0e2b7d4a1f8c3e9d7a6b5c4d3e"}
_EXECUTION_ID: Final = "exe-1c0f6f0e2b7d4a1f8c3e9d7a6b5c4d3e"

_REFUSALS: Final[Mapping[str, str]] = {
    "malformed": "The body is not JSON: expected value at line 1 column 1",
    "invalid-header": "X-Request-Timeout-Ms must be a whole number of milliseconds, from 1",
    "request-timeout": "The body did not arrive in time",
    "too-large": "The body has more than 64 KiB",
    "unsupported-media-type": "The body must be JSON in UTF-8, with Content-Type: application/json",
}
_NOT_LET_IN: Final[Mapping[str, tuple[str, str]]] = {
    "too-many-requests": ("rate-limited", TOO_OFTEN),
    "too-much-to-do": ("unavailable", BUSY),
}
"""The code and the detail; services can be the reason for the same code."""
_OF_BODIES: Final = ("malformed", "unsupported-media-type")
_INVALID: Final = "invalid-request"
_MISMATCH: Final = "idempotency-mismatch"
_OWN: Final = (*_REFUSALS, *_NOT_LET_IN, _INVALID, _MISMATCH, Unexpected.code)
"""What the routes of pipelines answer by themselves: the names of the examples."""

_INVALID_REQUEST: Final = problem(
    Invalid(
        "The request is not valid",
        violations=(("quantity", ("must be at least 1",)), ("adress", ("is not a known field",))),
    ),
    **_WHERE,
)

_HEADERS: Final[Mapping[str, _Object]] = {
    "X-Request-Id": {
        "description": "The request's id: the caller's, if it sent one, else a new one. The log has it too.",
        "schema": {"type": "string", "examples": ["5f0c6f0e2b7d4a1f8c3e9d7a6b5c4d3e"]},
    },
    "Server-Timing": {
        "description": "Milliseconds that each call took, and the gateway itself besides.",
        "schema": {"type": "string", "examples": ["users.fetch;dur=50.3, gateway;dur=1.2"]},
    },
    "Gateway-Completed": {
        "description": "`true` only when the answer is a success and nothing is missing from it.",
        "schema": {"type": "string", "enum": ["true", "false"]},
    },
    "Location": {
        "description": "Where what became of the writes can be looked up.",
        "schema": {"type": "string", "examples": [f"/executions/{_EXECUTION_ID}"]},
    },
    "Idempotent-Replayed": {
        "description": "`true` where a request with the same Idempotency-Key has had this answer before.",
        "schema": {"type": "string", "enum": ["true"]},
    },
    "Retry-After": {
        "description": "How many seconds to wait before trying again; sent when it is known.",
        "schema": {"type": "integer", "minimum": 0, "examples": [2]},
    },
    "RateLimit-Policy": {
        "description": "How many requests (`q`) an address may make in `w` seconds, where that is limited.",
        "schema": {"type": "string", "examples": ['"caller";q=60;w=60']},
    },
    "RateLimit": {
        "description": "How many of these are left (`r`) for the next `t` seconds, where that is limited.",
        "schema": {"type": "string", "examples": ['"caller";r=59;t=1']},
    },
    "WWW-Authenticate": {
        "description": "The scheme by which to say who is asking.",
        "schema": {"type": "string", "examples": ["Bearer"]},
    },
}
_OF_PIPELINES: Final = ("Server-Timing", "Gateway-Completed", "RateLimit-Policy", "RateLimit")
_SOMETIMES: Final[Mapping[int, tuple[str, ...]]] = {
    HTTPStatus.UNAUTHORIZED: ("WWW-Authenticate",),
    HTTPStatus.TOO_MANY_REQUESTS: ("Retry-After",),
    HTTPStatus.SERVICE_UNAVAILABLE: ("Retry-After",),
}

_PARAMETERS: Final[Mapping[str, _Object]] = {
    "X-Request-Timeout-Ms": {
        "description": "Milliseconds that the caller will wait; can only shorten the gateway's deadline.",
        "schema": {"type": "integer", "minimum": 1, "examples": [2000]},
    },
    "X-Request-Id": {
        "description": "A name for this request, for the answer, the log and every call; or one is made.",
        "schema": {"type": "string", "examples": ["order-4711-try-1"]},
    },
    "Idempotency-Key": {
        "description": "Makes it safe to send the request again: one key, one execution, for 24 hours. 1 to"
        " 255 visible ASCII characters, bare or in double quotes.",
        "schema": {
            "type": "string",
            "pattern": r'^("[!-~]{1,255}"|[!-~]{1,255})$',
            "not": {"const": '""'},
            "examples": ["order-4711"],
        },
    },
    "traceparent": {
        "description": "The trace that this request is part of, passed on to every call (W3C Trace Context).",
        "schema": {"type": "string", "examples": ["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"]},
    },
    "tracestate": {
        "description": "What tracing systems add to `traceparent`; passed on with it.",
        "schema": {"type": "string", "examples": ["vendor=value"]},
    },
}
BEARER: Final[Mapping[str, Any]] = {"security": [{"bearer": []}]}
"""What an operation that wants a bearer token says of itself."""


def responses(
    pipeline: Pipeline[..., object, Failure], *, status: int = HTTPStatus.OK, example: object = None
) -> dict[int | str, _Object]:
    """Declare what the route of *pipeline* can answer: what its run promises, and what the route adds.

    A success has *status* and, for its body, *example*. Where the run promises `Aggregate`, it is declared as
    207 and beside every 5xx that the run promises. Where it promises `Stuck` it writes, and may answer 202.

    A `PipelineRoute` leaves out what is never said of its request (see `narrowed`). Failures are some
    pipeline's, until it is described and its plan shows its own (see `planned`).
    """
    writes = Stuck in pipeline.promised
    always = (*_OF_PIPELINES, "Idempotent-Replayed") if writes else _OF_PIPELINES
    said = _by_status((*_own(), *(_of_keys() if writes else ()), *_told(any_of(pipeline.promised))))
    return {
        int(status): _success(example, (*always, "Location") if writes else always),
        **(_running(pipeline.name) if writes else {}),
        **{code: _failed(code, examples, always) for code, examples in sorted(said.items())},
    }


def narrowed(declared: dict[int | str, _Object], *, has_body: bool, invalid: Invalid | None) -> None:
    """Leave out of what `responses` *declared* what is said of no request of the route.

    Without a body none is malformed or of another type; *invalid* is what one is told that is wrong
    throughout, None where nothing is validated.
    """
    lacking = {*(() if has_body else _OF_BODIES), *(() if invalid else (_INVALID,))}
    own = {_INVALID: problem(invalid, **_WHERE)} if invalid else {}
    for status, answer in [*declared.items()]:
        said = {name: one for name, one in _examples(answer).items() if name not in lacking}
        _exemplify(declared, status, {name: own.get(name, one) for name, one in said.items()})


def planned(declared: dict[Any, _Object], promise: Promise, plan: Plan) -> None:
    """Make what `responses` *declared* the answers of the pipeline with this *promise* and *plan*.

    Failures become those of its calls. 207 is left out unless two calls of one stage can be refused.
    """
    commits = tuple(stage for stage in plan.stages if isinstance(stage.policy, CommitPolicy))
    of_commits = {call.name for call in replace(plan, stages=commits).calls}
    found = _by_status(_told(foreseen(promise, plan), of_commits))
    for status, answer in [*declared.items()]:
        if int(status) in found or int(status) == HTTPStatus.MULTI_STATUS:
            own = {name: said for name, said in _examples(answer).items() if name in _OWN}
            _exemplify(declared, status, {**own, **found.get(int(status), {})})


def asking(request: type[BaseModel]) -> _Object:
    """Show the body *request* of an operation as its model's own example has it."""
    example = example_of(TypeAdapter(request)).model_dump(mode="json")
    return {"requestBody": {"content": {"application/json": {"example": example}}}}


def parameter(name: str) -> Mapping[str, str]:
    """Refer to the header parameter *name*, as an operation does."""
    return {"$ref": f"#/components/parameters/{name}"}


def failures(*declared: Failure) -> dict[int | str, _Object]:
    """Declare *declared*, each with a status of its own, for a route that is no pipeline's."""
    said = [problem(failure, **_WHERE) for failure in declared]
    return {one["status"]: _failed(one["status"], {one["code"]: one}) for one in said}


def completed(document: _Object) -> _Object:
    """Add to FastAPI's *document* what operations refer to, and put our 422 in the place of FastAPI's own.

    Doing so twice changes nothing more.
    """
    parts = document.setdefault("components", {})
    schemas = parts.setdefault("schemas", {})
    schemas.update(_schemas())
    parts["headers"] = {**_HEADERS}
    parts["parameters"] = {
        name: {"name": name, "in": "header", **parameter} for name, parameter in _PARAMETERS.items()
    }
    parts["securitySchemes"] = {"bearer": {"type": "http", "scheme": "bearer"}}
    for path, operations in document["paths"].items():
        for operation in operations.values():
            _replace_fastapis_own(operation["responses"])
            for declared in operation["responses"].values():
                _place_examples(declared, path)
                declared.setdefault("headers", {}).update(_headers("X-Request-Id"))
    schemas.pop("HTTPValidationError", None)
    schemas.pop("ValidationError", None)
    return document


def _place_examples(declared: _Object, path: str) -> None:
    """Let the examples of problems say where they would have occurred."""
    examples = declared.get("content", {}).get("application/problem+json", {}).get("examples", {})
    for example in examples.values():
        example["value"] = {**example["value"], "instance": path.replace("{", "").replace("}", "")}


def _replace_fastapis_own(declared: _Object) -> None:
    if "HTTPValidationError" in str(declared.get("422")):
        declared["422"] = _failed(422, {"invalid": _INVALID_REQUEST})


def _own() -> Iterator[tuple[str, _Said]]:
    """Give what every pipeline's route can answer by itself."""
    for code, detail in _REFUSALS.items():
        yield code, plain(code, detail, status=CATALOGUE[code].status, **_WHERE)
    for name, (code, detail) in _NOT_LET_IN.items():
        yield name, plain(code, detail, status=CATALOGUE[code].status, **_WHERE)
    yield _INVALID, _INVALID_REQUEST
    yield Unexpected.code, problem(EXAMPLES[Unexpected], **_WHERE)


def _of_keys() -> Iterator[tuple[str, _Said]]:
    """Give what the route of a pipeline that writes can answer for its Idempotency-Key."""
    detail = "This Idempotency-Key was used for another request"
    yield _MISMATCH, plain(_MISMATCH, detail, status=CATALOGUE[_MISMATCH].status, **_WHERE)


def _running(pipeline: str) -> dict[int | str, _Object]:
    """Declare the answer to a request whose deadline passes while its pipeline writes."""
    example = {
        "execution_id": _EXECUTION_ID,
        "pipeline": pipeline,
        "state": "running",
    }
    return {
        int(HTTPStatus.ACCEPTED): {
            "description": "The writes are under way; Location says where to look.",
            "headers": _headers(*_OF_PIPELINES, "Location", "Retry-After"),
            "content": {
                "application/json": {
                    "schema": {"$ref": "#/components/schemas/Running"},
                    "example": example,
                }
            },
        }
    }


def _told(
    failures: Iterable[tuple[str, Failure]], of_commits: Collection[str] = ()
) -> Iterator[tuple[str, _Said]]:
    """Make problems of *failures*; those of calls *of_commits* say which execution has failed."""
    for name, failure in failures:
        said = problem(failure, **_WHERE)
        parts = failure.errors if isinstance(failure, Aggregate) else (failure,)
        if any(isinstance(part, Stuck) or part.source in of_commits for part in parts):
            said["execution_id"] = _EXECUTION_ID
        yield name, said


def _by_status(told: Iterable[tuple[str, _Said]]) -> Mapping[int, _Examples]:
    said: dict[int, dict[str, _Said]] = {}
    for name, one in told:
        said.setdefault(one["status"], {})[name] = one
    return said


def _examples(answer: _Object) -> _Examples:
    """Give the problems that *answer* shows, by name."""
    content = answer.get("content", {}).get("application/problem+json", {})
    return {name: example["value"] for name, example in content.get("examples", {}).items()}


def _exemplify(declared: dict[Any, _Object], status: object, examples: _Examples) -> None:
    """Show these *examples* of *status*; if none is left it is not declared."""
    if examples == _examples(declared[status]):
        return
    if examples:
        declared[status] = {**declared[status], **_said(examples)}
    else:
        del declared[status]


def _success(example: object, headers: tuple[str, ...]) -> _Object:
    declared: _Object = {"description": "What the pipeline came to.", "headers": _headers(*headers)}
    if example is not None:
        declared["content"] = {"application/json": {"example": example}}
    return declared


def _failed(status: int, examples: _Examples, headers: tuple[str, ...] = ()) -> _Object:
    return {**_said(examples), "headers": _headers(*headers, *_SOMETIMES.get(status, ()))}


def _said(examples: _Examples) -> _Object:
    codes = dict.fromkeys(example["code"] for example in examples.values())
    schemas = dict.fromkeys("AggregateProblem" if "errors" in one else "Problem" for one in examples.values())
    return {
        "description": "\n\n".join(f"`{code}`: {CATALOGUE[code].explanation}" for code in codes),
        "content": {
            "application/problem+json": {
                "schema": {"anyOf": [{"$ref": f"#/components/schemas/{name}"} for name in schemas]},
                "examples": {name: {"value": example} for name, example in examples.items()},
            }
        },
    }


def _headers(*names: str) -> _Object:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _schemas() -> _Object:
    written: Final = "serialization"
    _, schema = TypeAdapter.json_schemas(
        [
            ("one", written, TypeAdapter[Any](Problem)),
            ("several", written, TypeAdapter[Any](AggregateProblem)),
            ("running", written, TypeAdapter[Any](Running)),
        ],
        ref_template="#/components/schemas/{model}",
    )
    return cast("_Object", schema["$defs"])
