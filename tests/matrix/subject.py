"""Gateways that the matrix runs on: their services, their pipelines, and the backends of the services."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, Self, TypeAlias, TypeVar, final

import httpx

from gateway.api.application import Gateway
from gateway.api.pipeline_route.binding import bind
from gateway.api.pipeline_route.registration import Route
from gateway.app import connect, create_app
from gateway.client.service import Service
from gateway.railway import Failure, Pipeline, Result, RunContext, Undo
from gateway.settings import default_settings
from mock_services.http.response import Response

__all__ = ("Backend", "Body", "Connected", "Sample", "States", "Subject")

T = TypeVar("T")
E = TypeVar("E", bound=Failure)

Body: TypeAlias = Mapping[str, str | int | Sequence[str]]
States: TypeAlias = Mapping[str, Mapping[str, object]]


class Backend(Protocol):
    """The services behind a gateway, without faults and without a network, with new data."""

    @property
    def states(self) -> States:
        """The state of each service that received a request: records with their keys, and quantities."""
        ...

    @property
    def initial_states(self) -> States:
        """The state of each of these services before the first request."""
        ...

    async def handle(self, request: httpx.Request) -> Response:
        """Let the service handle *request*."""
        ...

    def refuse(self, request: httpx.Request, status: int, detail: str, retry_after: int | None) -> Response:
        """Return a refusal of *request*, in the form of its service."""
        ...

    def find_key(self, request: httpx.Request) -> str | None:
        """Return the idempotency key of *request*; None if it has none."""
        ...


@final
@dataclass(frozen=True)
class Subject:
    """A gateway for *services* and *pipelines*.

    *lateness* are the seconds after which a service processes a write that it has not answered; *settling*
    are those after which an absent write counts as undone, and *lag* those after which a look-up finds a
    write, both by the name of the undo.
    """

    services: Sequence[Service[object]]
    pipelines: Sequence[Route]
    create_backend: Callable[[], Backend]
    lateness: float
    settling: Mapping[str, float] = field(default_factory=dict[str, float])
    lag: Mapping[str, float] = field(default_factory=dict[str, float])

    def create_app(self, transport: httpx.AsyncBaseTransport) -> Gateway:
        """Create the gateway with default settings."""
        settings = default_settings(self.services)
        return create_app(settings, services=self.services, pipelines=self.pipelines, transport=transport)


@final
@dataclass(frozen=True, slots=True)
class Connected:
    """The services of a subject by name, and their undos by name."""

    services: Mapping[str, object]
    undos: Mapping[str, Undo]

    @classmethod
    def over(cls, subject: Subject, transport: httpx.AsyncBaseTransport) -> Self:
        """Connect the services through *transport*."""
        connected = connect(subject.services, default_settings(subject.services), transport)
        undos = {name: undo for connection in connected for name, undo in connection.client.undos.items()}
        return cls({connection.name: connection.instance for connection in connected}, undos)

    async def run(self, pipeline: Pipeline[..., T, E], *args: object) -> Result[T, E]:
        """Run *pipeline* with *args* and the services that it takes."""
        bound = bind(Route("POST", "/", pipeline), self.services)
        return await pipeline(*args, **bound.services)


@final
@dataclass(frozen=True)
class Sample:
    """A request; *run* runs the same pipeline without HTTP, *route* is the path template in OpenAPI."""

    subject: Subject
    name: str
    method: str
    route: str
    run: Callable[[RunContext, Connected], Awaitable[Result[object, Failure]]]
    path: str = ""
    body: Body | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])

    @property
    def target(self) -> str:
        return self.path or self.route
