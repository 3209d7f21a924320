"""Expected problems (RFC 9457), and functions that build the cases that end in a problem."""

from dataclasses import dataclass, field

from load.case import ANY, Body, Case, Headers, Json

__all__ = (
    "Problem",
    "aggregate",
    "conflict",
    "failing_case",
    "forbidden",
    "invalid_field",
    "not_found",
    "undone_case",
    "violation",
)


@dataclass(frozen=True)
class Problem:
    """A problem, or an error in an aggregate; *more* contains members that not every problem has."""

    status: int
    title: str
    code: str
    detail: str
    more: Body = field(default_factory=dict[str, Json])

    @property
    def body(self) -> Body:
        """The members as JSON."""
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.more,
        }


def not_found(detail: str, source: str) -> Problem:
    """Return the gateway's problem for a 404 that the call *source* got from its service."""
    return Problem(404, "Not Found", "not-found", detail, {"source": source})


def conflict(detail: str, source: str) -> Problem:
    """Return the gateway's problem for a 409 that the call *source* got from its service."""
    return Problem(409, "Conflict", "conflict", detail, {"source": source})


def forbidden(detail: str, source: str) -> Problem:
    """Return the gateway's problem for a 403 that the call *source* got from its service."""
    return Problem(403, "Forbidden", "forbidden", detail, {"source": source})


def violation(detail: str, source: str, name: str = "") -> Problem:
    """Return the gateway's problem for a 422 that the call *source* got from its service.

    *name* is the field of the request that the service refuses, "" if the call names none.
    """
    return _validation_problem(detail, name, detail, {"source": source})


def invalid_field(name: str, message: str) -> Problem:
    """Return the gateway's 422 for a request whose field *name* is not valid."""
    return _validation_problem("The request is not valid", name, message, {})


def _validation_problem(detail: str, name: str, message: str, more: Body) -> Problem:
    violations: Json = [{"field": name, "messages": [message]}]
    return Problem(422, "Unprocessable Content", "invalid", detail, {**more, "violations": violations})


def aggregate(*problems: Problem) -> Problem:
    """Return the problem with status 207 that combines the *problems* of several failed calls."""
    more: Body = {"completed": False, "errors": [problem.body for problem in problems]}
    return Problem(207, "Multi-Status", "aggregate", f"{len(problems)} calls failed", more)


def failing_case(  # noqa: PLR0913 - the fields of a case
    name: str,
    path: str,
    request_body: Body | None,
    problem: Problem,
    *,
    method: str = "POST",
    weight: int = 1,
    headers: Headers | None = None,
) -> Case:
    """Return the case of a request that fails with *problem*."""
    body = {**problem.body, "instance": path, "request_id": ANY}
    return Case(name, path, request_body, problem.status, body, method, weight, headers or {})


def undone_case(
    name: str, path: str, request_body: Body, problem: Problem, headers: Headers | None = None
) -> Case:
    """Return the case of a request that fails with *problem* during its commit and is undone."""
    body = {**problem.body, "instance": path, "request_id": ANY, "execution_id": ANY}
    return Case(name, path, request_body, problem.status, body, headers=headers or {}, is_write=True)
