"""Responses to requests that the server cannot read, which the app never sees."""

import secrets
from collections.abc import Iterable

from gateway.api.problems.catalogue import CATALOGUE
from gateway.api.problems.problem import ProblemResponse, build_plain_problem
from gateway.api.problems.titles import find_title

__all__ = ("build_rejection",)


def build_rejection(code: str, detail: str, default_headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Return a response with the problem *code*, after which the connection must be closed.

    Its headers are the *default_headers*, such as `Date`, and those of every problem. The path of the request
    is not known, so `instance` is the root.
    """
    request_id = secrets.token_hex(16)
    status = CATALOGUE[code].status
    problem = build_plain_problem(code, detail, status=status, instance="/", request_id=request_id)
    response = ProblemResponse(problem, {"X-Request-Id": request_id, "Connection": "close"})
    headers = [*default_headers, *response.raw_headers]
    head = [b"HTTP/1.1 %d %b\r\n" % (status, find_title(status).encode())]
    head += [b"%b: %b\r\n" % header for header in headers]
    return b"".join((*head, b"\r\n", response.body))
