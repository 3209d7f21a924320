"""Journal of a gateway: its database over restarts, and a gateway that starts without it.

The databases have threads and sockets, so these tests run on a real clock.
"""

import asyncio
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Final, TypeVar

import httpx
import pytest

from gateway.app import create_app
from gateway.executions.database import DatabaseRefusedError
from gateway.pipelines import PIPELINES
from gateway.services import SERVICES
from gateway.settings import load_settings
from tests.integration.in_process import InProcessServices, run_gateway

T = TypeVar("T")
TRANSFER: Final = {
    "from_account": "acc-001",
    "to_account": "acc-002",
    "amount": "25.00",
    "currency": "USD",
}
KEY: Final = {"Idempotency-Key": "rent"}
NOWHERE: Final = "postgresql://gateway:secret@127.0.0.1:1/journal"
"""A port on which nothing listens."""


def serve(url: str, test: Callable[[httpx.AsyncClient], Awaitable[T]]) -> T:
    """Run *test* with the client of a gateway whose journal is at *url*."""

    async def run() -> T:
        async with run_gateway(InProcessServices(), journal_url=url) as client:
            return await test(client)

    return asyncio.run(run())


async def post_transfer(client: httpx.AsyncClient) -> httpx.Response:
    return await client.post("/transfers", json=TRANSFER, headers=KEY)


def test_answer_outlives_the_gateway(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/journal.sqlite"

    first, replayed = serve(url, post_transfer), serve(url, post_transfer)

    assert (first.status_code, replayed.status_code) == (201, 201)
    assert (replayed.content, replayed.headers["idempotent-replayed"]) == (first.content, "true")
    assert replayed.headers["location"] == first.headers["location"]


def test_gateway_without_journal_serves_reads(caplog: pytest.LogCaptureFixture) -> None:
    async def ask(client: httpx.AsyncClient) -> list[httpx.Response]:
        return [
            await client.get("/feed/user-123"),
            await post_transfer(client),
            await client.post("/transfers", json=TRANSFER),
            await client.get("/executions/exe-1"),
            await client.get("/health/ready"),
        ]

    *responses, ready = serve(NOWHERE, ask)

    assert [response.status_code for response in responses] == [200, 503, 503, 503]
    assert (ready.status_code, ready.json()["status"]) == (200, "warn")
    (check,) = ready.json()["checks"]["journal"]
    assert check["output"].startswith("requests that write are refused: ")
    assert "the journal is unavailable, so requests that write are refused" in caplog.text
    assert "secret" not in caplog.text + ready.text


def test_file_that_is_no_database_is_refused(tmp_path: Path) -> None:
    journal = tmp_path / "journal.sqlite"
    journal.write_text("these are the accounts of the year 2025\n" * 100)

    with pytest.raises(DatabaseRefusedError, match=r"journal\.sqlite"):
        serve(f"sqlite:///{journal}", post_transfer)
    assert journal.read_text().startswith("these are the accounts")


def test_gateway_that_only_reads_makes_no_file(tmp_path: Path) -> None:
    settings = load_settings(SERVICES, journal_url=f"sqlite:///{tmp_path}/journal.sqlite")
    reads = [route for route in PIPELINES if route.path.startswith("/feed")]
    app = create_app(settings, pipelines=reads, transport=InProcessServices())

    async def run() -> tuple[httpx.Response, httpx.Response]:
        transport = httpx.ASGITransport(app)
        async with (
            app.router.lifespan_context(app),
            httpx.AsyncClient(transport=transport, base_url="http://localhost") as client,
        ):
            return await client.get("/feed/user-123"), await client.get("/health/ready")

    feed, ready = asyncio.run(run())

    assert (feed.status_code, "journal" in ready.json()["checks"]) == (200, False)
    assert [*tmp_path.iterdir()] == []
