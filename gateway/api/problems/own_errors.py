"""Own errors of an app as problem types: status, explanation, and extension members (RFC 9457, 3.2)."""

from collections.abc import Iterable, Mapping
from http import HTTPStatus
from typing import Final

from pydantic.errors import PydanticUndefinedAnnotation, PydanticUserError

from gateway.api.pipeline_route.registration import RegistrationError
from gateway.api.problems.catalogue import CATALOGUE, ProblemType
from gateway.api.problems.problem import AggregateProblem, Part, Problem
from gateway.client.answers.problems import adapt_error
from gateway.railway import Failure, get_defining_class, get_family, list_members

__all__ = ("explain", "extend_catalogue", "find_status", "list_own_errors", "name_schema")

_MEMBERS: Final = frozenset(
    name for problem in (Problem, AggregateProblem, Part) for name in problem.__annotations__
)
"""The members of the gateway's own problems."""


def find_status(kind: type[Failure]) -> HTTPStatus:
    """Return the status of failures of class *kind*; for `Aggregate`, the status 207."""
    return CATALOGUE[get_family(kind).code].status


def list_own_errors(kinds: Iterable[type[Failure]]) -> tuple[type[Failure], ...]:
    """Return the own errors among *kinds*, each once, in order of their first occurrence."""
    defining = map(get_defining_class, kinds)
    return tuple(dict.fromkeys(kind for kind in defining if get_family(kind) is not kind))


def extend_catalogue(own_errors: Iterable[type[Failure]]) -> Mapping[str, ProblemType]:
    """Return the catalogue with a problem type for each of *own_errors*, explained by its docstring.

    Raise `RegistrationError` if the code of an own error belongs to another problem type, or if one of its
    members has a name of the gateway's own members, or a type that has no JSON schema.
    """
    catalogue = dict(CATALOGUE)
    owners: dict[str, type[Failure]] = {}
    for kind in own_errors:
        if kind.code in CATALOGUE or owners.setdefault(kind.code, kind) is not kind:
            owner = f"{owners[kind.code].__name__}" if kind.code in owners else "the gateway itself"
            msg = f"{kind.__name__}: the code {kind.code} is taken by {owner}; choose another code"
            raise RegistrationError(msg)
        _check_members(kind)
        catalogue[kind.code] = ProblemType(find_status(kind), explain(kind))
    return catalogue


def explain(kind: type[Failure]) -> str:
    """Return the docstring of an own error as a paragraph."""
    return " ".join((kind.__doc__ or "").split())


def name_schema(kind: type[Failure]) -> str:
    """Return the name of the schema of an own error, such as `InsufficientPointsProblem`."""
    return "".join(word.capitalize() for word in kind.code.split("-")) + "Problem"


def _check_members(kind: type[Failure]) -> None:
    if taken := [name for name in list_members(kind) if name in _MEMBERS]:
        msg = f"{kind.__name__}: every problem has a member {taken[0]}; rename the field"
        raise RegistrationError(msg)
    try:
        adapt_error(kind).json_schema(mode="serialization")
    except (PydanticUserError, PydanticUndefinedAnnotation) as error:
        msg = f"{kind.__name__}: a field has no JSON schema; use types that pydantic supports"
        raise RegistrationError(msg) from error
