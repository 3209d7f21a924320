"""What the gateway says to a request, as far as the contract fixes it."""

from dataclasses import dataclass
from typing import Final, final

from pydantic import TypeAdapter
from typing_extensions import override

__all__ = ("Answer", "Problem", "Violation", "alone", "read", "several")


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
    """An answer: of a success the *total*, of a failure the *code* and the *errors* behind it, in order."""

    status: int
    code: str = ""
    errors: tuple[Problem, ...] = ()
    total: str | None = None


@dataclass(frozen=True, slots=True)
class _Body:
    code: str = ""
    source: str | None = None
    violations: tuple[Violation, ...] = ()
    errors: tuple[Problem, ...] = ()
    total: str | None = None


_BODY: Final = TypeAdapter(_Body)


def alone(problem: Problem) -> Answer:
    """Make the answer that says that this went wrong, and nothing else."""
    return Answer(problem.status, problem.code, (problem,))


def several(status: int, *problems: Problem) -> Answer:
    """Make the answer that says that all of this went wrong."""
    return Answer(status, "aggregate", problems)


def read(status: int, body: bytes) -> Answer:
    """Read an answer of the gateway; raises `pydantic.ValidationError` for what is none."""
    said = _BODY.validate_json(body)
    if said.code and not said.errors:
        return alone(Problem(status, said.code, said.source, said.violations))
    return Answer(status, said.code, said.errors, said.total)
