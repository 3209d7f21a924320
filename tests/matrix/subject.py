"""Subject of a matrix: an app, stand-ins for its services, and a request for each of its pipelines."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol, TypeAlias, final

import httpx

from gateway.api.pipeline_route.registration import Route
from gateway.client.service import Service

__all__ = ("PathParameters", "Sample", "StandIns", "Subject")

PathParameters: TypeAlias = Mapping[str, str]


class StandIns(Protocol):
    """Services in this process, in their initial state when they are created."""

    async def handle(self, service: str, request: httpx.Request) -> httpx.Response:
        """Let *service* handle *request*; return its response, with the whole body."""
        ...

    def build_error(self, service: str, status: int, detail: str) -> httpx.Response:
        """Build an error of *service*, in the form that the service has for errors."""
        ...

    async def list_effects(self, keys: Collection[str]) -> Sequence[str]:
        """Return the keys of the writes in effect; *keys* are the keys of all requests."""
        ...

    async def measure(self) -> Mapping[tuple[str, str], object]:
        """Return the quantities that writes change, such as balances, by service and name."""
        ...


async def _prepare_nothing(_: StandIns) -> PathParameters:
    return {}


@final
@dataclass(frozen=True, eq=False)
class Sample:
    """A successful request that makes all calls of the pipeline of *route*.

    *path* has the path parameters. *prepare* may add data to the stand-ins, and returns further path
    parameters. *arguments* are arguments of the pipeline that are neither in the path nor the body.
    """

    route: Route
    path: PathParameters = field(default_factory=dict[str, str])
    body: Mapping[str, object] | None = None
    headers: Mapping[str, str] = field(default_factory=dict[str, str])
    arguments: Mapping[str, object] = field(default_factory=dict[str, object])
    prepare: Callable[[StandIns], Awaitable[PathParameters]] = _prepare_nothing

    @property
    def name(self) -> str:
        """Return the name of the pipeline."""
        return self.route.pipeline.name

    @property
    def method(self) -> str:
        """Return the method of the request."""
        return self.route.methods[0]

    async def fill_path(self, stand_ins: StandIns) -> PathParameters:
        """Prepare *stand_ins*; return all path parameters."""
        return {**self.path, **await self.prepare(stand_ins)}


@final
@dataclass(frozen=True, eq=False)
class Subject:
    """An app: its *services*, its *routes*, and a sample for each route.

    A service applies a late write some seconds after its client gave up (*lateness* by service, by default
    12), unless it received the request in the first *late_from* seconds of a cell: that request is lost.
    *search_lags* has the seconds after which the look-up of a service finds a write, by service.
    """

    name: str
    services: Sequence[Service[object]]
    routes: Sequence[Route]
    samples: Sequence[Sample]
    create_stand_ins: Callable[[], StandIns]
    late_from: float = 0.0
    lateness: Mapping[str, float] = field(default_factory=dict[str, float])
    search_lags: Mapping[str, float] = field(default_factory=dict[str, float])
