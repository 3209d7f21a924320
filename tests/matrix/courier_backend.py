"""The APIs of the courier, as the backend of the gateway in `examples/courier`."""

import asyncio
import json
from dataclasses import replace as dataclass_replace
from typing import Any, Final, final
from urllib.parse import parse_qs, urlsplit

import httpx
from pydantic import SecretStr

from examples.courier.apis.geocoder import API_KEY, create_geocoder_api
from examples.courier.apis.payments import SECRET_KEY, Charge, create_payments_api
from examples.courier.apis.tickets import Ticket, create_tickets_api
from examples.courier.main import SERVICES
from mock_services.http.response import Response
from tests.matrix.subject import States

__all__ = ("SERVICES_WITH_TOKENS", "CourierBackend")

_SEARCH_DELAY: Final = 1.0
_TOKENS: Final = {"payment": SECRET_KEY, "geocoder": API_KEY}
_NAMES: Final = {urlsplit(service.url).port: service.name for service in SERVICES}

_CHARGE: Final = Charge(id="ch_1000", amount=1250, currency="eur", customer="cus_ada")
_TICKET: Final = Ticket(id=1000, subject="Delivery", address="Marienplatz, Munich", external_id=None)

SERVICES_WITH_TOKENS: Final = tuple(
    dataclass_replace(service, token=SecretStr(_TOKENS[service.name])) if service.name in _TOKENS else service
    for service in SERVICES
)
"""The services of the courier, with the credentials of the stand-ins."""


@final
class CourierBackend:
    """The three APIs in this process; the payment provider finds a charge a second after it was made."""

    def __init__(self) -> None:
        apis = {
            "payment": create_payments_api(charges=[_CHARGE], search_delay=_SEARCH_DELAY, now=_now),
            "geocoder": create_geocoder_api(now=_now),
            "ticket": create_tickets_api([_TICKET]),
        }
        self._transports = {name: httpx.ASGITransport(app) for name, app in apis.items()}
        self._records: dict[str, dict[str, dict[str, str]]] = {}

    @property
    def states(self) -> States:
        return {name: {"records": [*records.values()]} for name, records in self._records.items()}

    @property
    def initial_states(self) -> States:
        return {name: {} for name in self._records}

    async def handle(self, request: httpx.Request) -> Response:
        name = _NAMES[request.url.port]
        response = await self._transports[name].handle_async_request(request)
        content = await response.aread()
        self._record(name, request, json.loads(content or b"null"))
        headers = [(header.lower(), value) for header, value in response.headers.raw]
        return Response(response.status_code, tuple(headers), content)

    def refuse(self, request: httpx.Request, status: int, detail: str, retry_after: int | None) -> Response:
        bodies = {
            "payment": {"error": {"type": "api_error", "message": detail}},
            "geocoder": {"detail": detail},
            "ticket": {"errors": [{"field": None, "message": detail}]},
        }
        after = () if retry_after is None else ((b"retry-after", str(retry_after).encode()),)
        headers = ((b"content-type", b"application/json"), *after)
        return Response(status, headers, json.dumps(bodies[_NAMES[request.url.port]]).encode())

    def find_key(self, request: httpx.Request) -> str | None:
        if (request.method, request.url.path) == ("POST", "/tickets"):
            key: str = json.loads(request.content)["external_id"]
            return key
        header: str | None = request.headers.get("idempotency-key")
        return header

    def _record(self, name: str, request: httpx.Request, body: Any) -> None:  # noqa: ANN401 - JSON
        """Record the effect of *request*: a charge, a refund, a new or closed ticket."""
        records = self._records.setdefault(name, {})
        match request.method, request.url.path:
            case ("POST", "/v1/charges") | ("POST", "/tickets"):
                records.setdefault(str(body["id"]), {"key": self.find_key(request) or "", "status": "made"})
            case "POST", "/v1/refunds":
                records[parse_qs(request.content.decode())["charge"][0]]["status"] = "reversed"
            case "DELETE", path:
                records[path.rpartition("/")[2]]["status"] = "cancelled"
            case _:
                pass


def _now() -> float:
    return asyncio.get_running_loop().time()
