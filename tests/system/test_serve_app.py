"""The command `gateway serve --app` with a custom app, as a real process."""

import signal
import socket
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.system.programs import Program, until

APP: Final = """\
import asyncio

from gateway.app import create_app
from gateway.services import SERVICES
from gateway.settings import load_settings

app = create_app()

@app.get("/mine")
async def mine(seconds: float = 0) -> str:
    await asyncio.sleep(seconds)
    return "mine"
"""

UNUSABLE_TRANSPORT: Final = """
import httpx

class Unusable(httpx.AsyncBaseTransport):
    async def __aenter__(self):
        raise RuntimeError("no network")

app = create_app(transport=Unusable())
"""


def serve(folder: Path, *arguments: str, app: str = APP, **environment: str) -> Program:
    """Write the module *app* to *folder*, and serve its app."""
    (folder / "mine.py").write_text(app)
    variables = {"PYTHONPATH": str(folder), "GATEWAY_PORT": "0", **environment}
    return Program("gateway", "serve", "--app", "mine:app", *arguments, environment=variables)


def url_of(program: Program) -> str:
    return program.read_line().split()[1]


def test_custom_app_keeps_gateway_routes(tmp_path: Path) -> None:
    with serve(tmp_path) as program:
        line = program.read_line()
        url = line.split()[1]
        mine, live = httpx.get(f"{url}/mine"), httpx.get(f"{url}/health/live")
        result = program.end()

    assert line == f"gateway: {url} (documentation: {url}/docs)\n"
    assert (mine.json(), live.json()) == ("mine", {"status": "pass"})
    assert (result.code, result.err) == (0, "")


def test_drain_of_custom_app_closes_connections(tmp_path: Path) -> None:
    """During the drain readiness fails, and responses of the app's own routes close their connections."""
    with serve(tmp_path, GATEWAY_DRAIN_MS="60000") as program:
        url = url_of(program)
        before = httpx.get(f"{url}/health/ready").status_code
        program.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
        mine = httpx.get(f"{url}/mine")
        result = program.end()  # a second signal ends the drain

    assert before == 200
    assert (mine.json(), mine.headers["connection"]) == ("mine", "close")
    assert (result.code, result.err) == (0, "")


def test_grace_period_follows_deadline_of_custom_app(tmp_path: Path) -> None:
    long_deadline = APP.replace("create_app()", "create_app(load_settings(SERVICES, deadline_ms=60_000))")
    with (
        serve(tmp_path, app=long_deadline, GATEWAY_DEADLINE_MS="600") as program,
        socket.create_connection(("127.0.0.1", int(url_of(program).rpartition(":")[2]))) as caller,
    ):
        caller.sendall(b"GET /mine?seconds=2.5 HTTP/1.1\r\nHost: gateway\r\n\r\n")
        result = program.end()
        answer = caller.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (result.code, result.err) == (0, "")


def test_startup_failure_of_custom_app_exits_3(tmp_path: Path) -> None:
    with serve(tmp_path, app=APP + UNUSABLE_TRANSPORT) as program:
        result = program.wait()

    assert result.code == 3  # the exit code of uvicorn
    assert "RuntimeError: no network\n" in result.err
    assert result.out == ""


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--app", "nowhere:app"], "cannot load app 'nowhere:app': No module named 'nowhere'"),
        (["--app", "nowhere:app", "--help"], "cannot load app 'nowhere:app': No module named 'nowhere'"),
        (["--app", "json:app"], "cannot load app 'json:app': module 'json' has no attribute 'app'"),
        (
            ["--app", "json:loads"],
            "cannot load app 'json:loads': expected an app created by gateway.create_app, got function",
        ),
        (
            ["--app", "a:b", "--waterfall"],
            "--waterfall cannot be combined with --app; set GATEWAY_WATERFALL=true instead",
        ),
        (
            ["--app", "a:b", "--with-mocks"],
            "--with-mocks cannot be combined with --app; start the mock services with python -m ",
        ),
    ],
)
def test_serve_refuses_unusable_app_in_one_line(arguments: list[str], message: str) -> None:
    with Program("gateway", "serve", *arguments) as program:
        result = program.wait()

    assert (result.code, result.out) == (2, "")
    assert result.err.startswith(f"gateway: {message}")
    assert result.err.count("\n") == 1


def test_invalid_value_in_custom_app_is_named_by_field(tmp_path: Path) -> None:
    with serve(
        tmp_path, app=APP.replace("create_app()", "create_app(load_settings(SERVICES, port=-1))")
    ) as program:
        result = program.wait()

    assert result.code == 2
    assert result.err == "gateway: invalid port -1: expected an integer from 0 to 65535\n"
