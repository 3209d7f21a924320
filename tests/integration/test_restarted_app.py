"""One app that is started twice, in two event loops, as tests of users do."""

import asyncio
from pathlib import Path

import httpx
from pydantic import SecretStr

from gateway.api.application import Gateway
from gateway.app import create_app
from gateway.services import SERVICES
from gateway.settings import load_settings
from tests.integration.in_process import InProcessServices
from tests.system.stack import ORDER

KEY = {"Idempotency-Key": "order-1"}


def build_app(url: str) -> Gateway:
    return create_app(load_settings(SERVICES, journal_url=SecretStr(url)), transport=InProcessServices())


def order_once(app: Gateway) -> tuple[httpx.Response, str]:
    """Start *app*, order, and stop it; return the answer, and the status of readiness."""

    async def live() -> tuple[httpx.Response, str]:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            answer = await client.post("/orders", json=ORDER, headers=KEY)
            return answer, (await client.get("/health/ready")).json()["checks"]["journal"][0]["status"]

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        return runner.run(live())


def test_second_life_replays_answers_of_the_first(tmp_path: Path) -> None:
    app = build_app(f"sqlite:///{tmp_path}/journal.sqlite")
    (first, _), (second, health) = order_once(app), order_once(app)

    assert (first.status_code, second.status_code, health) == (201, 201, "pass")
    assert (second.content, second.headers["idempotent-replayed"]) == (first.content, "true")


def test_second_life_begins_with_empty_memory() -> None:
    app = build_app("sqlite:///:memory:")
    (first, _), (second, health) = order_once(app), order_once(app)

    assert (first.status_code, second.status_code, health) == (201, 201, "pass")
    assert "idempotent-replayed" not in second.headers
