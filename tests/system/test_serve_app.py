"""An app of one's own that `gateway serve --app` serves, as a real process."""

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

WRONG: Final = """
import httpx

class Unusable(httpx.AsyncBaseTransport):
    async def __aenter__(self):
        raise RuntimeError("no network")

app = create_app(transport=Unusable())
"""


def serving(folder: Path, *arguments: str, app: str = APP, **environment: str) -> Program:
    """Serve *app*, which is in *folder*."""
    (folder / "mine.py").write_text(app)
    given = {"PYTHONPATH": str(folder), "GATEWAY_PORT": "0", **environment}
    return Program("gateway", "serve", "--app", "mine:app", *arguments, environment=given)


def url_of(program: Program) -> str:
    return program.read_line().split()[1]


def test_it_is_served_with_its_own_routes_and_those_of_the_gateway(tmp_path: Path) -> None:
    with serving(tmp_path) as program:
        said = program.read_line()
        url = said.split()[1]
        mine, live = httpx.get(f"{url}/mine"), httpx.get(f"{url}/health/live")
        ended = program.end()

    assert said == f"gateway: {url} (documentation: {url}/docs)\n"
    assert (mine.json(), live.json()) == ("mine", {"status": "pass"})
    assert (ended.code, ended.err) == (0, "")


def test_while_it_drains_readiness_fails_and_its_own_routes_say_that_connections_end(tmp_path: Path) -> None:
    with serving(tmp_path, GATEWAY_DRAIN_MS="60000") as program:
        url = url_of(program)
        before = httpx.get(f"{url}/health/ready").status_code
        program.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
        mine = httpx.get(f"{url}/mine")
        ended = program.end()  # a second signal ends the drain

    assert before == 200
    assert (mine.json(), mine.headers["connection"]) == ("mine", "close")
    assert (ended.code, ended.err) == (0, "")


def test_its_requests_have_the_time_that_it_gives_them_when_it_stops(tmp_path: Path) -> None:
    patient = APP.replace("create_app()", "create_app(load_settings(SERVICES, deadline_ms=60_000))")
    with (
        serving(tmp_path, app=patient, GATEWAY_DEADLINE_MS="600") as program,
        socket.create_connection(("127.0.0.1", int(url_of(program).rpartition(":")[2]))) as caller,
    ):
        caller.sendall(b"GET /mine?seconds=2.5 HTTP/1.1\r\nHost: gateway\r\n\r\n")
        ended = program.end()
        answer = caller.recv(65536)

    assert answer.startswith(b"HTTP/1.1 200 OK\r\n")
    assert (ended.code, ended.err) == (0, "")


def test_what_is_wrong_with_it_when_it_starts_is_told_and_is_no_success(tmp_path: Path) -> None:
    with serving(tmp_path, app=APP + WRONG) as program:
        ended = program.wait()

    assert ended.code == 3  # uvicorn's
    assert "RuntimeError: no network\n" in ended.err
    assert ended.out == ""


@pytest.mark.parametrize(
    ("arguments", "said"),
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
            "--with-mocks cannot be combined with --app; start them with python -m mock_services all ",
        ),
    ],
)
def test_what_cannot_be_served_is_a_usage_error_of_one_line(arguments: list[str], said: str) -> None:
    with Program("gateway", "serve", *arguments) as program:
        ended = program.wait()

    assert (ended.code, ended.out) == (2, "")
    assert ended.err.startswith(f"gateway: {said}")
    assert ended.err.count("\n") == 1


def test_a_value_of_its_own_that_is_wrong_is_not_taken_for_a_variable(tmp_path: Path) -> None:
    with serving(
        tmp_path, app=APP.replace("create_app()", "create_app(load_settings(SERVICES, port=-1))")
    ) as program:
        ended = program.wait()

    assert ended.code == 2
    assert ended.err == "gateway: invalid port -1: Input should be greater than or equal to 0\n"
