"""What the gateway says to a request, as far as the contract fixes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from http import HTTPStatus
from typing import Final, final

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError
from typing_extensions import override

from gateway.cli.demo.matchers import Due, Like

__all__ = (
    "AGAIN",
    "Again",
    "Answer",
    "NoAnswer",
    "Problem",
    "Violation",
    "alone",
    "degraded",
    "executed",
    "read",
    "running",
    "several",
    "undone",
    "whole",
)

_COMPLETED: Final = "Gateway-Completed"
_REPLAYED: Final = "Idempotent-Replayed"
_LOCATION: Final = "Location"
_EXECUTION: Final = "exe-[0-9a-f]{32}"


@final
@dataclass(frozen=True, slots=True)
class Violation:
    """A rule that *field* breaks; `""` where no field is to blame."""

    field: str


@final
@dataclass(frozen=True, slots=True)
class Problem:
    """One thing that went wrong."""

    status: int
    code: str
    source: str | None = None
    violations: tuple[Violation, ...] = ()

    @property
    def about(self) -> str:
        """Name the call that failed, else the fields that were wrong."""
        return self.source or ", ".join(violation.field for violation in self.violations)

    @override
    def __str__(self) -> str:
        return f"{self.status} {self.code} {self.about}".rstrip()


@final
@dataclass(frozen=True, slots=True)
class Answer:
    """An answer: of a success the *fields*, of a failure the *code* and the *errors* behind it, in order.

    Where it says what is due, *fields* and *headers* are those that matter; others may come as well.
    """

    status: int
    code: str = ""
    errors: tuple[Problem, ...] = ()
    fields: Mapping[str, Due] = field(default_factory=dict[str, Due])
    headers: Mapping[str, str | Like] = field(default_factory=dict[str, str | Like])

    @property
    def is_replayed(self) -> bool:
        """Say whether another request has had it before."""
        return self.headers.get(_REPLAYED) == "true"

    @property
    def state(self) -> str:
        """Give the state of an execution that it tells of, if it has not ended; else nothing."""
        return "running" if self.status == HTTPStatus.ACCEPTED else ""

    @property
    def lacking(self) -> tuple[str, ...]:
        """Name the fields that it does without."""
        match self.fields.get("degraded"):
            case list() as names:
                return tuple(map(str, names))
            case _:
                return ()


@final
@dataclass(frozen=True, slots=True)
class Again:
    """The answer that the request before had, to the letter, and said to be it."""

    def after(self, before: Answer) -> Answer:
        """Give the answer that is due where *before* came first."""
        kept = {name: before.headers[name] for name in (_COMPLETED, _LOCATION) if name in before.headers}
        return replace(before, headers={**kept, _REPLAYED: "true"})


AGAIN: Final = Again()


@final
@dataclass(frozen=True, slots=True)
class NoAnswer:
    """Something that the gateway never says, and *why* it is that; it came with *status*, if it came."""

    why: str
    status: int | None = None

    @override
    def __str__(self) -> str:
        return self.why if self.status is None else f"{self.status}, but {self.why}"


@dataclass(frozen=True, slots=True)
class _Said:
    status: int
    code: str
    source: str | None = None
    violations: tuple[Violation, ...] = ()
    errors: tuple[Problem, ...] = ()
    execution_id: str | None = None


_FIELDS: Final = TypeAdapter(dict[str, JsonValue])
_SAID: Final = TypeAdapter(_Said)


def whole(status: int, /, **fields: Due) -> Answer:
    """Make the answer that is a success, lacks nothing and has *fields*, among others."""
    return Answer(status, fields=fields, headers={_COMPLETED: "true"})


def degraded(status: int, /, *names: str, **fields: Due) -> Answer:
    """Make the answer that is a success, lacks *names*, which are null, and has *fields*, among others."""
    lacks: Mapping[str, Due] = {**dict.fromkeys(names), "degraded": [*names]}
    return Answer(status, fields={**fields, **lacks}, headers={_COMPLETED: "false"})


def executed(answer: Answer) -> Answer:
    """Let *answer*, a success, say where to look up what became of its writes."""
    return replace(answer, headers={**answer.headers, _LOCATION: Like(f"/executions/{_EXECUTION}")})


def running(pipeline: str) -> Answer:
    """Make the answer that comes while *pipeline* writes, and takes longer than the caller waits."""
    fields: Mapping[str, Due] = {"execution_id": Like(_EXECUTION), "pipeline": pipeline, "state": "running"}
    return executed(Answer(202, fields=fields, headers={_COMPLETED: "false", "Retry-After": "1"}))


def alone(problem: Problem) -> Answer:
    """Make the answer that says that this went wrong, and nothing else."""
    return Answer(problem.status, problem.code, (problem,), headers={_COMPLETED: "false"})


def undone(problem: Problem) -> Answer:
    """Make the answer that says that this went wrong while the pipeline wrote."""
    return replace(alone(problem), fields={"execution_id": Like(_EXECUTION)})


def several(status: int, *problems: Problem) -> Answer:
    """Make the answer that says that all of this went wrong."""
    return Answer(status, "aggregate", problems, headers={_COMPLETED: "false"})


def read(response: httpx.Response) -> Answer | NoAnswer:
    """Read what the gateway said."""
    media_type = response.headers.get("Content-Type", "none")
    try:
        match media_type:
            case "application/json":
                return _success(response)
            case "application/problem+json":
                return _failure(response)
            case _:
                return NoAnswer(f"its media type is {media_type}", response.status_code)
    except ValidationError as error:
        return NoAnswer(_reason(error), response.status_code)


def _success(response: httpx.Response) -> Answer:
    fields = _FIELDS.validate_json(response.content, strict=True)
    return Answer(response.status_code, fields=fields, headers=response.headers)


def _failure(response: httpx.Response) -> Answer:
    said = _SAID.validate_json(response.content, strict=True)
    only = Problem(said.status, said.code, said.source, said.violations)
    fields = {} if said.execution_id is None else {"execution_id": said.execution_id}
    return Answer(response.status_code, said.code, said.errors or (only,), fields, response.headers)


def _reason(error: ValidationError) -> str:
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in error.errors()
    )
