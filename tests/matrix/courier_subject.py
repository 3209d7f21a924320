"""The courier's pipelines, with the stand-ins of their example."""

import asyncio
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final, TypeAlias, final

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from typing_extensions import override

from examples.courier.apis.geocoder import API_KEY, create_geocoder_api
from examples.courier.apis.payments import SECRET_KEY, create_payments_api
from examples.courier.apis.tickets import create_tickets_api
from examples.courier.main import PIPELINES, SERVICES
from tests.matrix.subject import PathParameters, Sample, StandIns, Subject

__all__ = ("COURIER",)

_Records: TypeAlias = Sequence[Mapping[str, Any]]

_TOKENS: Final = {"payment": SECRET_KEY, "geocoder": API_KEY}
_SEARCH_DELAY: Final = 1.0
_BODIES: Final[Mapping[str, Callable[[str], object]]] = {
    "payment": lambda detail: {"error": {"type": "error", "message": detail}},
    "geocoder": lambda detail: {"detail": detail},
    "ticket": lambda detail: {"errors": [{"field": None, "message": detail}]},
}
_HEADERS: Final[Mapping[str, Mapping[str, str]]] = {
    "payment": {"Authorization": f"Bearer {SECRET_KEY}"},
    "ticket": {},
}
_GEOCODER: Final = create_geocoder_api(requests_per_second=10**9)
"""The geocoder, which has no state apart from its quota."""


def _now() -> float:
    return asyncio.get_running_loop().time()


@final
class _CourierApis(StandIns):
    """The three APIs, without charges and tickets; an API is created when it is first used."""

    def __init__(self) -> None:
        self._apis: dict[str, FastAPI] = {"geocoder": _GEOCODER}

    @override
    async def handle(self, service: str, request: httpx.Request) -> httpx.Response:
        response = await httpx.ASGITransport(self._find_api(service)).handle_async_request(request)
        await response.aread()
        return response

    @override
    def build_error(self, service: str, status: int, detail: str) -> httpx.Response:
        return httpx.Response(status, json=_BODIES[service](detail))

    @override
    async def list_effects(self, keys: Collection[str]) -> Sequence[str]:
        charges = [key for key in keys if await self._is_charged(key)]
        tickets = [ticket["external_id"] for ticket in await self._list_open_tickets()]
        return [*charges, *(key for key in tickets if key is not None)]

    @override
    async def measure(self) -> Mapping[tuple[str, str], object]:
        cents = sum(charge["amount"] for charge in await self._list_charges() if not charge["refunded"])
        return {("payment", "cents"): cents, ("ticket", "open"): len(await self._list_open_tickets())}

    async def create_delivery(self) -> PathParameters:
        """Create a charge and a ticket; return their ids."""
        form = {"customer": "cus_ada", "amount": "1250", "currency": "eur"}
        ticket = {"subject": "Delivery", "address": "Elbphilharmonie, Hamburg"}
        charge = await self._send("payment", "POST", "/v1/charges", data=form)
        created = await self._send("ticket", "POST", "/tickets", json=ticket)
        return {"charge_id": charge["id"], "ticket_id": str(created["id"])}

    async def _is_charged(self, key: str) -> bool:
        found = await self._get("payment", "/v1/charges/search", {"query": f"idempotency_key:'{key}'"})
        return any(not charge["refunded"] for charge in found["data"])

    async def _list_charges(self) -> _Records:
        charges: _Records = (
            (await self._get("payment", "/v1/charges"))["data"] if "payment" in self._apis else ()
        )
        return charges

    async def _list_open_tickets(self) -> _Records:
        tickets: _Records = await self._get("ticket", "/tickets") if "ticket" in self._apis else ()
        return [ticket for ticket in tickets if ticket["status"] != "closed"]

    def _find_api(self, service: str) -> FastAPI:
        if service not in self._apis:
            self._apis[service] = (
                create_tickets_api()
                if service == "ticket"
                else create_payments_api(search_delay=_SEARCH_DELAY, now=_now)
            )
        return self._apis[service]

    async def _get(self, service: str, path: str, query: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        return await self._send(service, "GET", path, params=query)

    async def _send(self, service: str, method: str, path: str, **content: Any) -> Any:  # noqa: ANN401 - JSON
        request = httpx.Request(method, f"http://api{path}", headers=_HEADERS[service], **content)
        return (await self.handle(service, request)).json()


async def _prepare_delivery(stand_ins: StandIns) -> PathParameters:
    assert isinstance(stand_ins, _CourierApis)
    return await stand_ins.create_delivery()


_TOURS, _DELIVERIES, _OVERVIEW, _ASSIGNMENTS = PIPELINES

COURIER: Final = Subject(
    "courier",
    [
        replace(service, token=SecretStr(_TOKENS[service.name])) if service.name in _TOKENS else service
        for service in SERVICES
    ],
    PIPELINES,
    samples=(
        Sample(_TOURS, body={"stops": ["Brandenburg Gate", "Reichstag", "Elbphilharmonie"]}),
        Sample(
            _DELIVERIES,
            body={"customer": "cus_ada", "sender": "Brandenburg Gate", "receiver": "Elbphilharmonie"},
        ),
        Sample(_OVERVIEW, prepare=_prepare_delivery),
        Sample(_ASSIGNMENTS, prepare=_prepare_delivery),
    ),
    create_stand_ins=_CourierApis,
    late_from=8.0,
    lateness={"payment": 1.8, "ticket": 0.3},
    search_lags={"payment": _SEARCH_DELAY},
)
