"""The APIs of `examples/courier` on free ports, with faults: lost answers, and requests that apply late.

`PUT /_faults?lost=0.1&late=0.2` on any of them sets the shares of the requests that fail so, except reads.
"""

import asyncio
import random
import socket
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any, Final, TypeAlias, final
from urllib.parse import parse_qs

import uvicorn

from examples.courier.apis.geocoder import create_geocoder_api
from examples.courier.apis.payments import create_payments_api
from examples.courier.apis.tickets import create_tickets_api

Message: TypeAlias = MutableMapping[str, Any]
Receive: TypeAlias = Callable[[], Awaitable[Message]]
Send: TypeAlias = Callable[[Message], Awaitable[None]]
App: TypeAlias = Callable[[Message, Receive, Send], Awaitable[None]]

_SEARCH_DELAY: Final = 1.0
_INCOMPLETE: Final[Message] = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-length", b"1000")],
}


@final
class _FaultyApi:
    """An API whose requests take effect at most *latest* seconds late: less than its `settling_ms`."""

    shares: Final = {"lost": 0.0, "late": 0.0}

    def __init__(self, app: App, latest: float) -> None:
        self._app = app
        self._latest = latest

    async def __call__(self, scope: Message, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["path"] == "/_faults":
            self.shares.update(
                {name: float(value) for name, [value] in parse_qs(scope["query_string"].decode()).items()}
            )
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
        else:
            await self._handle(scope, receive, send)

    async def _handle(self, scope: Message, receive: Receive, send: Send) -> None:
        is_write = scope["method"] != "GET"
        if is_write and random.random() < self.shares["late"]:  # noqa: S311 - not a secret
            await asyncio.sleep(random.uniform(self._latest / 2, self._latest))  # noqa: S311
        if is_write and random.random() < self.shares["lost"]:  # noqa: S311
            await self._app(scope, receive, _discard)
            await send(_INCOMPLETE)
            await send({"type": "http.response.body", "body": b"{", "more_body": True})
            raise ConnectionAbortedError
        await self._app(scope, receive, send)


async def _discard(message: Message) -> None:
    """Lose a message of an answer."""


async def _serve() -> None:
    """Serve the APIs until the process is killed, and print their URLs: payments, geocoder, tickets."""
    apis = (
        _FaultyApi(create_payments_api(search_delay=_SEARCH_DELAY), latest=0.9),
        _FaultyApi(create_geocoder_api(), latest=0),
        _FaultyApi(create_tickets_api(), latest=0.4),
    )
    listeners = [socket.create_server(("127.0.0.1", 0)) for _ in apis]
    print(*(f"http://127.0.0.1:{listener.getsockname()[1]}" for listener in listeners), flush=True)
    configs = [uvicorn.Config(api, log_level="critical", lifespan="off") for api in apis]
    servers = [uvicorn.Server(config) for config in configs]
    await asyncio.gather(
        *(server.serve([listener]) for server, listener in zip(servers, listeners, strict=True))
    )


if __name__ == "__main__":
    asyncio.run(_serve())
