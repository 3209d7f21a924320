"""The command `gateway serve --app` with a custom app, as a real process."""

import signal
import socket
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.system.programs import Program, free_ports, until

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
        caller.sendall(b"GET /mine?seconds=4.5 HTTP/1.1\r\nHost: gateway\r\n\r\n")
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
        (["--app-dir", "."], "--app-dir needs --app"),
        (
            ["--app", "tests.system.apps:plain", "--waterfall"],
            "--waterfall has no effect on 'tests.system.apps:plain', which is created with other settings",
        ),
        (
            ["--app", "tests.system.apps:plain", "--with-mocks"],
            "--with-mocks has no effect on 'tests.system.apps:plain': it has none of the services",
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


def test_waterfall_is_drawn_for_custom_app(tmp_path: Path) -> None:
    with serve(tmp_path, "--waterfall") as program:
        httpx.post(f"{url_of(program)}/checkout", json={})
        result = program.end()

    assert "POST /checkout 422" in result.err


def test_mocks_serve_services_of_custom_app(tmp_path: Path) -> None:
    port = free_ports(12)
    (tmp_path / "mine.py").write_text(APP)
    command = ("serve", "--app=mine:app", f"--app-dir={tmp_path}", f"--with-mocks={port}")
    with Program("gateway", *command, environment={"GATEWAY_PORT": "0"}) as program:
        lines = [program.read_line() for _ in range(3)]
        result = program.end()

    assert f"user http://127.0.0.1:{port} " in lines[0]
    assert lines[2] == "200 OK\n"
    assert (result.code, result.err) == (0, "")


def test_mocks_of_app_without_checkout_send_no_sample(tmp_path: Path) -> None:
    app = APP.replace("create_app()", "create_app(pipelines=[])")
    with serve(tmp_path, "--with-mocks", str(free_ports(12)), app=app) as program:
        lines = [program.read_line() for _ in range(2)]
        result = program.end()

    assert lines[1].startswith("documentation: http://127.0.0.1:")
    assert result.code == 0


def test_reload_serves_the_changed_app(tmp_path: Path) -> None:
    module = tmp_path / "mine.py"
    module.write_text(APP)
    command = ("serve", "--reload", "--app=mine:app", f"--app-dir={tmp_path}")
    with Program("gateway", *command, environment={"GATEWAY_PORT": "0"}) as program:
        before = httpx.get(f"{url_of(program)}/mine").json()
        module.write_text(APP.replace('return "mine"', "return )"))
        until_reported(program, "SyntaxError")
        until_reported(program, "it ended with code 2, and starts again when a file changes")
        module.write_text(APP.replace('return "mine"', 'return "changed"'))
        after = httpx.get(f"{url_of(program)}/mine").json()
        result = program.end()

    assert (before, after) == ("mine", "changed")
    assert result.code == 0


def until_reported(program: Program, text: str) -> None:
    """Read stderr of *program* until a line contains *text*."""
    assert program.process.stderr
    while text not in program.process.stderr.readline():
        pass
