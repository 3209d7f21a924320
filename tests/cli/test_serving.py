"""Serving of an app whose journal cannot be used."""

import asyncio
import socket
from pathlib import Path

from gateway.app import create_app, create_server
from gateway.cli.serving import serve_as_worker
from gateway.cli.workers.supervisor_link import SupervisorLink
from gateway.server.listener import open_listener
from gateway.services import SERVICES
from gateway.settings import load_settings


def test_worker_does_not_serve_without_its_journal(tmp_path: Path) -> None:
    """The file may have been replaced since the supervisor has checked it."""
    settings = load_settings(SERVICES, journal_url=f"sqlite:///{tmp_path}/missing/journal.sqlite")
    supervisor, end = socket.socketpair()
    with supervisor, end, open_listener("127.0.0.1", 0) as listener:
        app = create_app(settings)
        server = create_server(settings, listener, app)
        refusal = asyncio.run(serve_as_worker(server, app, SupervisorLink(end)))

    assert refusal is not None
    assert "does not exist; create it" in refusal
