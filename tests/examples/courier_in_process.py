"""The courier's gateway and its three APIs in this process, over transports that can fail."""

import asyncio
from collections import defaultdict
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from enum import Enum
from typing import Any, Final, TypeAlias, final

import httpx
from fastapi import FastAPI
from pydantic import SecretStr
from typing_extensions import override

from examples.courier.apis.geocoder import API_KEY, create_geocoder_api
from examples.courier.apis.payments import SECRET_KEY, create_payments_api
from examples.courier.apis.tickets import create_tickets_api
from examples.courier.main import PIPELINES, SERVICES
from gateway import create_app, load_settings

__all__ = ("Api", "Courier", "Loss", "run_courier")

SEARCH_DELAY: Final = 1.0
"""Seconds after which the payment provider's search finds a charge."""


class Loss(Enum):
    """Loss of a part of an exchange with an API; either way, the client sees a broken connection."""

    REQUEST = "the request was lost"
    RESPONSE = "the response was lost"


Fault: TypeAlias = Loss | httpx.Response


@final
class Api(httpx.AsyncBaseTransport):
    """Transport to an API in this process; *faults* by operation are used up, one for each request.

    *times* are those of the *requests*, on the clock of the event loop.
    """

    def __init__(self, app: FastAPI) -> None:
        self._app = httpx.ASGITransport(app)
        self.requests: Final[list[httpx.Request]] = []
        self.times: Final[list[float]] = []
        self.faults: Final = defaultdict[str, list[Fault]](list)

    @override
    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        self.times.append(asyncio.get_running_loop().time())
        faults = self.faults[f"{request.method} {request.url.path}"]
        match faults.pop(0) if faults else None:
            case httpx.Response() as response:
                return response
            case Loss() as loss:
                if loss is Loss.RESPONSE:
                    await self._app.handle_async_request(request)
                raise httpx.RemoteProtocolError(loss.value, request=request)
            case None:
                return await self._app.handle_async_request(request)

    def list_operations(self) -> Sequence[str]:
        """Return the method and the path of each request, in order."""
        return [f"{request.method} {request.url.path}" for request in self.requests]


@final
@dataclass(frozen=True, slots=True)
class Courier:
    """A running gateway: its *client*, and its APIs."""

    client: httpx.AsyncClient
    payment: Api
    geocoder: Api
    ticket: Api

    async def list_charges(self) -> Sequence[Mapping[str, Any]]:
        """Return all charges, as the payment provider lists them."""
        headers = {"Authorization": f"Bearer {SECRET_KEY}"}
        page: Mapping[str, Any] = await self._fetch(self.payment, "/v1/charges", headers)
        charges: Sequence[Mapping[str, Any]] = page["data"]
        return charges

    async def list_tickets(self) -> Sequence[Mapping[str, Any]]:
        """Return all tickets, as the help desk lists them."""
        tickets: Sequence[Mapping[str, Any]] = await self._fetch(self.ticket, "/tickets")
        return tickets

    async def _fetch(self, api: Api, path: str, headers: Mapping[str, str] | None = None) -> Any:  # noqa: ANN401 - JSON
        async with httpx.AsyncClient(transport=api, base_url="http://api") as client:
            return (await client.get(path, headers=headers)).raise_for_status().json()


@asynccontextmanager
async def run_courier(
    *, requests_per_second: int = 1000, tokens: Mapping[str, str] | None = None
) -> AsyncGenerator[Courier]:
    """Run the gateway in front of its APIs, whose clock is that of the event loop.

    *tokens* are the credentials by service, by default the right ones.
    """
    now = asyncio.get_running_loop().time
    apis = {
        "payment": Api(create_payments_api(search_delay=SEARCH_DELAY, now=now)),
        "geocoder": Api(create_geocoder_api(requests_per_second=requests_per_second, now=now)),
        "ticket": Api(create_tickets_api()),
    }
    settings = load_settings(SERVICES)
    secrets = tokens or {"payment": SECRET_KEY, "geocoder": API_KEY}
    services = {
        name: service.model_copy(update={"token": SecretStr(secrets[name])} if name in secrets else {})
        for name, service in settings.services.items()
    }
    app = create_app(
        settings.model_copy(update={"services": services}),
        services=SERVICES,
        pipelines=PIPELINES,
        name="courier",
        transport=apis,
    )
    async with (
        app.router.lifespan_context(app),
        httpx.AsyncClient(transport=httpx.ASGITransport(app), base_url="http://gateway") as client,
    ):
        yield Courier(client, **apis)
