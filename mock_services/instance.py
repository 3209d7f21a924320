"""State of a service between two resets."""

from collections.abc import Callable
from dataclasses import replace

from mock_services.call_log import CallLog
from mock_services.faults import Faults
from mock_services.http.endpoints import Endpoint, MockService, Routes
from mock_services.http.request import Request
from mock_services.http.response import Response
from mock_services.write_log import WriteLog

__all__ = ["Instance", "InstanceHolder"]


class Instance:
    """A service with its faults and call log; the writes in *write_log* are replayed first."""

    def __init__(self, service: MockService, write_log: WriteLog | None = None) -> None:
        self.service = service
        self.routes = Routes(service.endpoints())
        self.faults = Faults()
        self.calls = CallLog()
        self.write_log = write_log
        for write in write_log.read() if write_log else ():
            endpoint, params = self.routes.find(write.method, write.path)
            endpoint.handle(replace(write, params=params))

    def handle(self, endpoint: Endpoint, request: Request) -> Response:
        """Handle a request; if it is a write, append it to the write log first."""
        if endpoint.is_write and self.write_log:
            self.write_log.append(request)
        return endpoint.handle(request)


class InstanceHolder:
    """Holder of the current instance.

    A call that began before a reset ends in the old instance, so that the new instance is not affected.
    """

    def __init__(self, create: Callable[[], MockService], write_log: WriteLog | None = None) -> None:
        self._create = create
        self._write_log = write_log
        self.current = Instance(create(), write_log)

    def reset(self) -> None:
        """Create a new current instance, with the seed data only, and clear the write log."""
        self.current.write_log = None
        if self._write_log:
            self._write_log.clear()
        self.current = Instance(self._create(), self._write_log)
