"""One life of a service, from one reset to the next."""

from collections.abc import Callable

from mock_services.calls import CallLog
from mock_services.endpoints import Domain, Routes
from mock_services.faults import Faults

__all__ = ["World", "Worlds"]


class World:
    """What the service knows, what goes wrong in it, and what it was asked."""

    def __init__(self, domain: Domain) -> None:
        self.domain = domain
        self.routes = Routes(domain.endpoints())
        self.faults = Faults()
        self.calls = CallLog()


class Worlds:
    """The present world. A call that began in an old one also ends there, so that a new one starts clean."""

    def __init__(self, seeded: Callable[[], Domain]) -> None:
        self._seeded = seeded
        self.present = World(seeded())

    def begin(self) -> None:
        """Start a new world from the seeds."""
        self.present = World(self._seeded())
