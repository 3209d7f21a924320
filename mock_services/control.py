"""What tests ask of a service: never logged, delayed or faulted."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from http import HTTPStatus

from typing_extensions import override

from mock_services.endpoints import Domain, Endpoint
from mock_services.faults import FaultList, Faults
from mock_services.requests import Request
from mock_services.world import Worlds

__all__ = ["Control"]


class Control(Domain):
    """Health, log, state, reset and faults of one service."""

    def __init__(self, worlds: Worlds) -> None:
        self._worlds = worlds

    @staticmethod
    def owns(path: str) -> bool:
        """Whether a path is ours."""
        return path == "/health" or path.startswith("/_mock/") or path == "/_mock"

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /health", 0, self._health),
            Endpoint("GET /_mock/calls", 0, self._calls),
            Endpoint("GET /_mock/state", 0, self._state),
            Endpoint("DELETE /_mock", 0, self._reset, HTTPStatus.NO_CONTENT),
            Endpoint("PUT /_mock/faults", 0, self._replace_faults, HTTPStatus.NO_CONTENT),
        )

    def _health(self, _: Request) -> Mapping[str, str]:
        return {"status": "pass"}

    def _calls(self, _: Request) -> Sequence[Mapping[str, object]]:
        return [asdict(call) for call in self._worlds.present.calls]

    def _state(self, _: Request) -> Mapping[str, object]:
        return self._worlds.present.domain.state()

    def _reset(self, _: Request) -> None:
        self._worlds.begin()

    def _replace_faults(self, request: Request) -> None:
        self._worlds.present.faults = Faults(FaultList.model_validate_json(request.body).root)
