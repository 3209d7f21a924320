"""One life of a service, from one reset to the next."""

from collections.abc import Callable
from dataclasses import replace

from mock_services.answers import Answer
from mock_services.calls import CallLog
from mock_services.endpoints import Domain, Endpoint, Routes
from mock_services.faults import Faults
from mock_services.memory import Memory
from mock_services.requests import Request

__all__ = ["World", "Worlds"]


class World:
    """What the service knows, what goes wrong in it, and what it was asked."""

    def __init__(self, domain: Domain, memory: Memory | None = None) -> None:
        self.domain = domain
        self.routes = Routes(domain.endpoints())
        self.faults = Faults()
        self.calls = CallLog()
        self.memory = memory
        for write in memory.recall() if memory else ():
            endpoint, params = self.routes.find(write.method, write.path)
            endpoint.answer(replace(write, params=params))

    def handle(self, endpoint: Endpoint, request: Request) -> Answer:
        """Answer a request; a write is remembered before."""
        if endpoint.writes and self.memory:
            self.memory.add(request)
        return endpoint.answer(request)


class Worlds:
    """The present world. A call that began in an old one also ends there, so that a new one starts clean."""

    def __init__(self, seeded: Callable[[], Domain], memory: Memory | None = None) -> None:
        self._seeded = seeded
        self._memory = memory
        self.present = World(seeded(), memory)

    def begin(self) -> None:
        """Start a new world from the seeds."""
        self.present.memory = None
        if self._memory:
            self._memory.forget()
        self.present = World(self._seeded(), self._memory)
