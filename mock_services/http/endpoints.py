"""Endpoints of a mock service: their handlers, latencies and routing."""

import re
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from http import HTTPStatus
from typing import Final, TypeAlias

from pydantic import ValidationError

from mock_services.http.request import Request
from mock_services.http.response import Body, Problem, Response, validation_problem

__all__ = ["Endpoint", "Handler", "MockService", "Routes"]

Handler: TypeAlias = Callable[[Request], Body | Problem | None]
"""Function that returns the response to a request, at once and without I/O; None means no body."""

_PARAMETER: Final = re.compile(r"\{(\w+)\}")


@dataclass(frozen=True)
class Endpoint:
    """An operation of a service.

    *operation* is the method and the path template; *latency_ms* is the latency in milliseconds at scale 1.
    If the client disconnects, a write still takes effect, but a read is dropped.
    """

    operation: str
    latency_ms: int
    handler: Handler
    status: int = HTTPStatus.OK
    is_write: bool = False

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
        """The regular expression of the paths; a parameter matches a single segment."""
        return re.compile(_PARAMETER.sub(r"(?P<\1>[^/]+)", self.template))

    def handle(self, request: Request) -> Response:
        """Call the handler, and return its response; a ValidationError in the handler becomes a problem."""
        try:
            body = self.handler(request)
        except ValidationError as error:
            body = validation_problem(error)
        return body.to_response() if isinstance(body, Problem) else Response.json(self.status, body)


class MockService(ABC):
    """The data and operations of a service; a new instance has the seed data."""

    @abstractmethod
    def endpoints(self) -> Sequence[Endpoint]:
        """Return the operations of the service."""

    def state(self) -> Mapping[str, object]:
        """Return the data that writes can change."""
        return {}


class Routes:
    """Routing table of a service."""

    def __init__(self, endpoints: Sequence[Endpoint]) -> None:
        self._by_method: dict[str, list[Endpoint]] = {}
        for endpoint in endpoints:
            self._by_method.setdefault(endpoint.method, []).append(endpoint)

    def find(self, method: str, path: str) -> tuple[Endpoint, Mapping[str, str]]:
        """Return the endpoint and path parameters; without a match, an endpoint that responds 404 or 405."""
        for endpoint in self._by_method.get(method, ()):
            if match := endpoint.pattern.fullmatch(path):
                return endpoint, match.groupdict()
        return self._build_error_endpoint(method, path), {}

    def _build_error_endpoint(self, method: str, path: str) -> Endpoint:
        endpoints = (endpoint for group in self._by_method.values() for endpoint in group)
        others = [endpoint for endpoint in endpoints if endpoint.pattern.fullmatch(path)]
        if not others:
            problem = Problem(HTTPStatus.NOT_FOUND, f"No such path: {path}")
            return Endpoint(f"{method} {path}", 0, lambda _: problem)
        allow = (b"allow", ", ".join(other.method for other in others).encode())
        not_allowed = Problem(HTTPStatus.METHOD_NOT_ALLOWED, f"Method not allowed: {method}", (allow,))
        return Endpoint(f"{method} {others[0].template}", 0, lambda _: not_allowed)
