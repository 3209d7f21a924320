"""Which handler answers a request, and how long that takes."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Final, TypeAlias

from pydantic import ValidationError

from mock_services.answers import Answer, Body, Problem, problem_of
from mock_services.requests import Request

__all__ = ["Domain", "Endpoint", "Handler", "Routes"]

Handler: TypeAlias = Callable[[Request], Body | Problem | None]
"""Answers at once and from memory. None is an answer without a body."""

_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Endpoint:
    """One row of the contract's table.

    `operation` is method and path template, `ms` the latency in milliseconds at scale 1. A write is applied
    even if its caller has left; a read that nobody waits for is dropped.
    """

    operation: str
    ms: int
    handler: Handler
    status: int = HTTPStatus.OK
    writes: bool = False

    @property
    def method(self) -> str:
        """The request method."""
        return self.operation.partition(" ")[0]

    @property
    def template(self) -> str:
        """The path template."""
        return self.operation.partition(" ")[2]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """What a path must look like; each parameter is one segment."""
        return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", self.template))

    def answer(self, request: Request) -> Answer:
        """Handle a request."""
        try:
            body = self.handler(request)
        except ValidationError as error:
            body = problem_of(error)
        return body.answer() if isinstance(body, Problem) else Answer.of(self.status, body)


class Domain(ABC):
    """What one service knows and does; a new one has the seeds of the contract."""

    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint]:
        """List what can be asked."""

    def state(self) -> Mapping[str, object]:
        """Show what has been written."""
        return {}


class Routes:
    """Finds the endpoint of a request."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._by_method: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            self._by_method.setdefault(endpoint.method, []).append(endpoint)

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Find the endpoint and the parameters in the path; one that says 404 or 405 where there is none."""
        for endpoint in self._by_method.get(method, ()):
            if match := endpoint.pattern.fullmatch(path):
                return endpoint, match.groupdict()
        return self._missing(method, path), {}

    def _missing(self, method: str, path: str) -> Endpoint:
        others = [one for many in self._by_method.values() for one in many if one.pattern.fullmatch(path)]
        if not others:
            problem = Problem(HTTPStatus.NOT_FOUND, f"No such path: {path}")
            return Endpoint(f"{method} {path}", 0, lambda _: problem)
        allow = (b"allow", ", ".join(other.method for other in others).encode())
        refusal = Problem(HTTPStatus.METHOD_NOT_ALLOWED, f"Method not allowed: {method}", (allow,))
        return Endpoint(f"{method} {others[0].template}", 0, lambda _: refusal)
