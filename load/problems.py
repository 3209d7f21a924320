"""How problems are written, and the cases of requests that come to one."""

from dataclasses import dataclass, field

from load.case import SOME, Body, Case, Headers, Json

__all__ = (
    "Problem",
    "both",
    "conflict",
    "forbidden",
    "invalid",
    "not_found",
    "refused",
    "undone",
    "violated",
)


@dataclass(frozen=True)
class Problem:
    """What a problem and each of an aggregate's errors have, and *more* that this one has."""

    status: int
    title: str
    code: str
    detail: str
    more: Body = field(default_factory=dict[str, Json])

    @property
    def body(self) -> Body:
        """Write it down."""
        return {
            "type": f"/problems/{self.code}",
            "title": self.title,
            "status": self.status,
            "detail": self.detail,
            "code": self.code,
            **self.more,
        }


def not_found(detail: str, source: str) -> Problem:
    """Say that a service does not know something."""
    return Problem(404, "Not Found", "not-found", detail, {"source": source})


def conflict(detail: str, source: str) -> Problem:
    """Say that a service has something, but not so."""
    return Problem(409, "Conflict", "conflict", detail, {"source": source})


def forbidden(detail: str, source: str) -> Problem:
    """Say that a service forbids it."""
    return Problem(403, "Forbidden", "forbidden", detail, {"source": source})


def violated(detail: str, source: str) -> Problem:
    """Say that a service finds something wrong with what it was sent."""
    return _wrong(detail, "", detail, {"source": source})


def invalid(name: str, message: str) -> Problem:
    """Say that one field of the request is wrong."""
    return _wrong("The request is not valid", name, message, {})


def _wrong(detail: str, name: str, message: str, more: Body) -> Problem:
    violations: Json = [{"field": name, "messages": [message]}]
    return Problem(422, "Unprocessable Content", "invalid", detail, {**more, "violations": violations})


def both(*problems: Problem) -> Problem:
    """Say that two calls failed at once."""
    more: Body = {"completed": False, "errors": [problem.body for problem in problems]}
    return Problem(207, "Multi-Status", "aggregate", "2 calls failed", more)


def refused(  # noqa: PLR0913 - four say what it is, and some are sent in another way
    name: str,
    path: str,
    sent: Body | None,
    problem: Problem,
    *,
    method: str = "POST",
    weight: int = 1,
    headers: Headers | None = None,
) -> Case:
    """Make the case of a request that comes to *problem*."""
    body = {**problem.body, "instance": path, "request_id": SOME}
    return Case(name, path, sent, problem.status, body, method, weight, headers or {})


def undone(name: str, path: str, sent: Body, problem: Problem, headers: Headers | None = None) -> Case:
    """Make the case of a request that comes to *problem* while it writes, and whose writes are undone."""
    body = {**problem.body, "instance": path, "request_id": SOME, "execution_id": SOME}
    return Case(name, path, sent, problem.status, body, headers=headers or {}, writes=True)
