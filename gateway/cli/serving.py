"""Serving of an app by this process: announcement, mock services, and the check of the journal."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.api.application import Gateway
from gateway.cli.dev_stack import run_mock_services, send_sample_checkout
from gateway.cli.journal_check import find_journal_refusal
from gateway.cli.workers.supervisor import Supervisor
from gateway.cli.workers.supervisor_link import SupervisorLink
from gateway.pipelines.checkout import checkout
from gateway.server.gc_tuning import tune_gc
from gateway.server.server import Server

__all__ = ("serve_alone", "serve_as_worker", "serve_with_workers")


async def serve_alone(server: Server, app: Gateway, mocks_port: int | None) -> str | None:
    """Serve *app* until a signal stops the *server*; return the reason if its journal cannot be used.

    With *mocks_port*, run the mock services too. Raise `MocksFailedError` if they do not start.
    """
    if (refusal := await find_journal_refusal(app.journal)) is not None:
        return refusal
    async with _run_mocks(mocks_port) as mocks, server.serve_until_stopped():
        tune_gc()
        await _announce(server.url, app, mocks)
    return None


async def serve_as_worker(server: Server, app: Gateway, link: SupervisorLink) -> str | None:
    """Serve *app* until a signal stops the *server*, or its supervisor at the other end of *link* ends."""
    if (refusal := await find_journal_refusal(app.journal)) is not None:
        return refusal
    link.watch(server.stop)
    async with server.serve_until_stopped():
        tune_gc()
        link.report_ready()
    return None


async def serve_with_workers(
    supervisor: Supervisor, url: str, app: Gateway, mocks_port: int | None
) -> int | str:
    """Run the workers of *supervisor*, which serve *app* at *url*, until a signal stops them.

    Return the exit code, or the reason if the journal cannot be used. Raise `MocksFailedError`, as
    `serve_alone` does.
    """
    refusal = await find_journal_refusal(app.journal)
    if app.journal is not None:
        await app.journal.close()
    if refusal is not None:
        return refusal
    async with _run_mocks(mocks_port) as mocks:
        return await supervisor.run(lambda: _announce(url, app, mocks))


@asynccontextmanager
async def _run_mocks(port: int | None) -> AsyncGenerator[str | None]:
    """Run the mock services if there is a *port* for them; yield the line that announces them."""
    if port is None:
        yield None
        return
    async with run_mock_services(port) as announcement:
        yield announcement


async def _announce(url: str, app: Gateway, mocks: str | None) -> None:
    if mocks is None:
        print(f"gateway: {url} (documentation: {url}/docs)", flush=True)
        return
    print(mocks)
    if _has_checkout(app):
        print(await send_sample_checkout(url))
    print(f"documentation: {url}/docs (press Ctrl-C to stop)", flush=True)


def _has_checkout(app: Gateway) -> bool:
    """Return whether *app* serves the sample's checkout."""
    return any(route.pipeline is checkout for route in app.registrations)
