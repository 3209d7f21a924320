"""Answers that a scenario expects of the gateway, and answers parsed from its responses."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, final

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError
from typing_extensions import override

from gateway.cli.demo.matchers import ExpectedJson, Matching

__all__ = (
    "REPLAY",
    "Answer",
    "InvalidAnswer",
    "Problem",
    "Replay",
    "Violation",
    "accepted_commit",
    "aggregate",
    "degraded_success",
    "failed_commit",
    "failure",
    "parse_answer",
    "success",
    "with_location",
)

_COMPLETED: Final = "Gateway-Completed"
_REPLAYED: Final = "Idempotent-Replayed"
_LOCATION: Final = "Location"
_EXECUTION_ID: Final = "exe-[0-9a-f]{32}"


@final
@dataclass(frozen=True, slots=True)
class Violation:
    """A violated rule of the request's *field*; `""` if no single field is to blame."""

    field: str


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """A failure: an RFC 9457 problem, or an error in an aggregate."""

    status: int
    code: str
    source: str | None = None
    violations: tuple[Violation, ...] = ()

    @property
    def subject(self) -> str:
        """Return the name of the failed call, or else the names of the invalid fields."""
        return self.source or ", ".join(violation.field for violation in self.violations)

    @override
    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.subject}".rstrip()


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """A success with its *fields*, or a failure with its *code* and its *errors* in their order.

    An expected answer lists only the *fields* and *headers* that matter; the actual answer may have more.
    """

    status: int
    code: str = ""
    errors: tuple[Problem, ...] = ()
    fields: Mapping[str, ExpectedJson] = field(default_factory=dict[str, ExpectedJson])
    headers: Mapping[str, str | Matching] = field(default_factory=dict[str, str | Matching])

    @property
    def is_replayed(self) -> bool:
        """Return True if this is the stored answer to an earlier request."""
        return self.headers.get(_REPLAYED) == "true"

    @property
    def state(self) -> str:
        """Return `running` for a 202, whose execution has not ended, else an empty string."""
        return "running" if self.status == HTTPStatus.ACCEPTED else ""

    @property
    def degraded_fields(self) -> tuple[str, ...]:
        """Return the names of the optional parts that are missing."""
        match self.fields.get("degraded"):
            case list() as names:
                return tuple(map(str, names))
            case _:
                return ()


@final
@dataclass(frozen=True, slots=True)
class Replay:
    """Expects the answer to the first request again, marked as replayed."""

    def resolve(self, first: Answer) -> Answer:
        """Return the expected answer: *first*, marked as replayed."""
        headers = {name: first.headers[name] for name in (_COMPLETED, _LOCATION) if name in first.headers}
        return replace(first, headers={**headers, _REPLAYED: "true"})


REPLAY: Final = Replay()


@final
@dataclass(frozen=True, slots=True)
class InvalidAnswer:
    """An invalid or missing response, with the *reason*; *status* is None if the response is missing."""

    reason: str
    status: int | None = None

    @override
    def __str__(self) -> str:
        return self.reason if self.status is None else f"{self.status}, but {self.reason}"


@dataclass(frozen=True, slots=True)
class _ProblemBody:
    status: int
    code: str
    source: str | None = None
    violations: tuple[Violation, ...] = ()
    errors: tuple[Problem, ...] = ()
    execution_id: str | None = None


_FIELDS: Final = TypeAdapter(dict[str, JsonValue])
_PROBLEM_BODY: Final = TypeAdapter(_ProblemBody)


def success(status: int, /, **fields: ExpectedJson) -> Answer:
    """Build a complete success that has at least *fields*."""
    return Answer(status, fields=fields, headers={_COMPLETED: "true"})


def degraded_success(status: int, /, *missing: str, **fields: ExpectedJson) -> Answer:
    """Build a success in which the *missing* fields are null, and that has at least *fields*."""
    nulls: Mapping[str, ExpectedJson] = {**dict.fromkeys(missing), "degraded": [*missing]}
    return Answer(status, fields={**fields, **nulls}, headers={_COMPLETED: "false"})


def with_location(answer: Answer) -> Answer:
    """Return *answer* with a `Location` header that points to the execution of its commit."""
    return replace(answer, headers={**answer.headers, _LOCATION: Matching(f"/executions/{_EXECUTION_ID}")})


def accepted_commit(pipeline: str) -> Answer:
    """Build the 202 for a commit of *pipeline* that outlasts the request's deadline."""
    fields: Mapping[str, ExpectedJson] = {
        "execution_id": Matching(_EXECUTION_ID),
        "pipeline": pipeline,
        "state": "running",
    }
    return with_location(Answer(202, fields=fields, headers={_COMPLETED: "false", "Retry-After": "1"}))


def failure(problem: Problem) -> Answer:
    """Build the answer to a request that fails with *problem*."""
    return Answer(problem.status, problem.code, (problem,), headers={_COMPLETED: "false"})


def failed_commit(problem: Problem) -> Answer:
    """Build the answer to a request whose commit fails with *problem*: the answer has the execution id."""
    return replace(failure(problem), fields={"execution_id": Matching(_EXECUTION_ID)})


def aggregate(status: int, /, *problems: Problem) -> Answer:
    """Build the answer to a request that fails with several *problems*."""
    return Answer(status, "aggregate", problems, headers={_COMPLETED: "false"})


def parse_answer(response: httpx.Response) -> Answer | InvalidAnswer:
    """Parse the gateway's *response*; return an `InvalidAnswer` for an unexpected media type or body."""
    media_type = response.headers.get("Content-Type", "none")
    try:
        match media_type:
            case "application/json":
                return _parse_success(response)
            case "application/problem+json":
                return _parse_problem(response)
            case _:
                return InvalidAnswer(f"its media type is {media_type}", response.status_code)
    except ValidationError as error:
        return InvalidAnswer(_format_reason(error), response.status_code)


def _parse_success(response: httpx.Response) -> Answer:
    fields = _FIELDS.validate_json(response.content, strict=True)
    return Answer(response.status_code, fields=fields, headers=response.headers)


def _parse_problem(response: httpx.Response) -> Answer:
    body = _PROBLEM_BODY.validate_json(response.content, strict=True)
    errors = body.errors or (Problem(body.status, body.code, body.source, body.violations),)
    fields = {} if body.execution_id is None else {"execution_id": body.execution_id}
    return Answer(response.status_code, body.code, errors, fields, response.headers)


def _format_reason(error: ValidationError) -> str:
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, part["loc"])), part["msg"]))) for part in error.errors()
    )
