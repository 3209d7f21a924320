"""Services in which all is well: a test breaks or delays the one thing it is about."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final

import httpx
from typing_extensions import override

from gateway.client.service_client import ServiceClient
from gateway.railway import Failure, TimedOut, Unavailable
from gateway.services import Upstreams
from gateway.settings import SERVICES

FOREVER: Final = 3600.0
"""An hour: nothing that is right waits for it."""

ORDERS: Final = (*permutations((0.1, 0.2, 0.3)),)
"""When each of three calls answers, in every order."""


class InTurn:
    """One answer to each request: the first to the first."""

    def __init__(self, *answers: object) -> None:
        self._answers = iter(answers)

    def next(self) -> object:
        return next(self._answers)


@dataclass
class World(httpx.AsyncBaseTransport):
    """Answers each path as *answers* say, and after *delays*, in seconds.

    A number is a status, and an exception is raised. An undo is known by its path without the key,
    `DELETE /orders`, and succeeds unless they say otherwise.
    """

    answers: dict[str, object]
    delays: dict[str, float] = field(default_factory=dict[str, float])
    requests: list[httpx.Request] = field(default_factory=list[httpx.Request])

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        asked = _asked(request)
        await asyncio.sleep(self.delays.get(asked, 0.0))
        answer = self.answers.get(asked, 204) if request.method == "DELETE" else self.answers[asked]
        match answer.next() if isinstance(answer, InTurn) else answer:
            case int(status):
                return httpx.Response(status)
            case Exception() as error:
                raise error
            case value:
                return httpx.Response(200, json=value)

    @property
    def asked(self) -> list[str]:
        """The paths, in the order in which they were asked."""
        return [_asked(request) for request in self.requests]

    def keys(self, path: str) -> Sequence[str]:
        """Give the key of each write to *path*."""
        return [request.headers["idempotency-key"] for request in self.requests if _asked(request) == path]

    def undone(self, path: str) -> Sequence[str]:
        """Give the key of each write to *path* that was undone."""
        undos = [request for request in self.requests if _asked(request) == f"DELETE {path}"]
        return [undo.url.path.removeprefix(f"{path}/") for undo in undos]

    @property
    def up(self) -> Upstreams:
        """The services, which have a second for each call."""
        clients = {name: ServiceClient(name, f"http://{name}.test", self, timeout=1.0) for name in SERVICES}
        return Upstreams.behind(clients)


def _asked(request: httpx.Request) -> str:
    path = request.url.path
    return f"DELETE {path.rpartition('/')[0]}" if request.method == "DELETE" else path


def again(path: str, error: type[Failure]) -> Sequence[str]:
    """Say how *path* is asked again by a call that comes to *error* whenever it is made."""
    return [path] * 2 if issubclass(error, TimedOut | Unavailable) else []


def now() -> float:
    """Give the seconds since the test began."""
    return asyncio.get_running_loop().time()
