"""What the gateway says to a request, as far as the contract fixes it."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, final

import httpx
from pydantic import JsonValue, TypeAdapter, ValidationError
from typing_extensions import override

__all__ = ("Answer", "NoAnswer", "Problem", "Violation", "alone", "read", "several", "whole")

_COMPLETED: Final = "Gateway-Completed"


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
    fields: Mapping[str, JsonValue] = field(default_factory=dict[str, JsonValue])
    headers: Mapping[str, str] = field(default_factory=dict[str, str])


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


_FIELDS: Final = TypeAdapter(dict[str, JsonValue])
_SAID: Final = TypeAdapter(_Said)


def whole(status: int, **fields: JsonValue) -> Answer:
    """Make the answer that is a success, lacks nothing and has *fields*, among others."""
    return Answer(status, fields=fields, headers={_COMPLETED: "true"})


def alone(problem: Problem) -> Answer:
    """Make the answer that says that this went wrong, and nothing else."""
    return Answer(problem.status, problem.code, (problem,), headers={_COMPLETED: "false"})


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
    return Answer(response.status_code, said.code, said.errors or (only,), headers=response.headers)


def _reason(error: ValidationError) -> str:
    return "; ".join(
        ": ".join(filter(None, (".".join(map(str, one["loc"])), one["msg"]))) for one in error.errors()
    )
