"""The mock services, as the backend of the shipped gateway."""

from typing import Final, final
from urllib.parse import urlsplit

import httpx

from mock_services.catalogue import SERVICES
from mock_services.http.request import Request
from mock_services.http.response import Problem, Response
from mock_services.instance import Instance
from tests.matrix.subject import States
from tests.shipped_services import URLS

__all__ = ("MockBackend",)

_NAMES: Final = {urlsplit(url).port: name for name, url in URLS.items()}


@final
class MockBackend:
    """All mock services in this process, with their seed data."""

    def __init__(self) -> None:
        self._instances: dict[str, Instance] = {}

    @property
    def states(self) -> States:
        return {name: instance.service.state() for name, instance in self._instances.items()}

    @property
    def initial_states(self) -> States:
        return {name: SERVICES[name]().state() for name in self._instances}

    async def handle(self, request: httpx.Request) -> Response:
        name = _NAMES[request.url.port]
        instance = self._instances.setdefault(name, Instance(SERVICES[name]()))
        method, path = request.method, request.url.path
        endpoint, params = instance.routes.find(method, path)
        headers = [(header.lower(), value) for header, value in request.headers.raw]
        return endpoint.handle(Request(method, path, request.url.query, headers, params, request.content))

    def refuse(self, request: httpx.Request, status: int, detail: str, retry_after: int | None) -> Response:
        del request  # all services refuse in the same form
        after = () if retry_after is None else ((b"retry-after", str(retry_after).encode()),)
        return Problem(status, detail, after).to_response()

    def find_key(self, request: httpx.Request) -> str | None:
        key: str | None = request.headers.get("idempotency-key")
        return key
