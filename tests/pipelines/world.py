"""Services in which all is well: a test breaks or delays the one thing it is about."""

import asyncio
from dataclasses import dataclass, field
from itertools import permutations
from typing import Final

import httpx
from typing_extensions import override

from gateway.settings import SERVICES
from gateway.upstreams import ServiceClient, Upstreams

FOREVER: Final = 3600.0
"""An hour: nothing that is right waits for it."""

ORDERS: Final = (*permutations((0.1, 0.2, 0.3)),)
"""When each of three calls answers, in every order."""


@dataclass
class World(httpx.AsyncBaseTransport):
    """Answers each path as *answers* say, where a number is a status, and after *delays*, in seconds."""

    answers: dict[str, object]
    delays: dict[str, float] = field(default_factory=dict[str, float])
    asked: list[str] = field(default_factory=list[str])

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        path = request.url.path
        self.asked.append(path)
        await asyncio.sleep(self.delays.get(path, 0.0))
        match self.answers[path]:
            case int(status):
                return httpx.Response(status)
            case answer:
                return httpx.Response(200, json=answer)

    @property
    def up(self) -> Upstreams:
        """The services, which have a second for each call."""
        clients = {name: ServiceClient(name, f"http://{name}.test", self, timeout=1.0) for name in SERVICES}
        return Upstreams.behind(clients)


def now() -> float:
    """Give the seconds since the test began."""
    return asyncio.get_running_loop().time()
