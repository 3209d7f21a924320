"""Control endpoints of a service, for tests. Their calls are not logged or delayed, and get no faults."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus

from typing_extensions import override

from mock_services.faults import FaultList, Faults
from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from mock_services.instance import InstanceHolder

__all__ = ["Control"]


class Control(MockService):
    """Health check, call log, state, reset and faults of a service."""

    def __init__(self, instances: InstanceHolder) -> None:
        self._instances = instances

    @staticmethod
    def is_control_path(path: str) -> bool:
        """Return True if *path* is reserved for control endpoints, even if no endpoint has this path."""
        return path == "/health" or path.startswith("/_mock/") or path == "/_mock"

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /health", 0, self._report_health),
            Endpoint("GET /_mock/calls", 0, self._list_calls),
            Endpoint("GET /_mock/state", 0, self._report_state),
            Endpoint("DELETE /_mock", 0, self._reset, HTTPStatus.NO_CONTENT),
            Endpoint("PUT /_mock/faults", 0, self._replace_faults, HTTPStatus.NO_CONTENT),
        )

    def _report_health(self, _: Request) -> Mapping[str, str]:
        return {"status": "pass"}

    def _list_calls(self, _: Request) -> Sequence[Mapping[str, object]]:
        return [asdict(call) for call in self._instances.current.calls]

    def _report_state(self, _: Request) -> Mapping[str, object]:
        return self._instances.current.service.state()

    def _reset(self, _: Request) -> None:
        self._instances.reset()

    def _replace_faults(self, request: Request) -> None:
        self._instances.current.faults = Faults(FaultList.model_validate_json(request.body).root)
