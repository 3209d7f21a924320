"""What the README shows is what is there."""

import inspect
import re
import shlex
import shutil
import signal
import subprocess
import sys
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Final

import httpx
import pytest
from typing_extensions import override

from gateway.pipelines import checkout
from tests.system.programs import Program, free_port, free_ports
from tests.system.stack import ORDER, Stack, mocks, running

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text()
SHELL: Final = re.findall(r"```sh\n(.*?)```", README, re.DOTALL)
FILES: Final[Mapping[str, str]] = dict(
    re.findall(r"<!-- (\w+\.py) -->\n```python\n(.*?)```", README, re.DOTALL)
)


class Points(BaseHTTPRequestHandler):
    """A loyalty service."""

    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()
        self.wfile.write(b'{"balance": 12}')

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(0) as stack:
        yield stack


def test_the_pipeline_that_it_shows_is_the_real_one() -> None:
    source = inspect.getsource(checkout)

    (shown,) = re.findall(r"```python\n(@railway\nasync def checkout.*?)```", README, re.DOTALL)
    assert shown in source


def test_every_command_is_tried_by_a_test_unless_it_needs_a_docker_engine() -> None:
    commands = [line for block in SHELL for line in block.replace("\\\n", "").splitlines()]

    assert {shlex.split(command)[0] for command in commands} == {
        "scripts/run",
        ".venv/bin/gateway",
        "scripts/load",
        "scripts/test",
        "scripts/check",
        "curl",
        "docker",
    }


@pytest.mark.skipif(not shutil.which("curl"), reason="needs the Debian package curl")
@pytest.mark.parametrize(
    ("command", "status"),
    list(zip((block for block in SHELL if block.startswith("curl -i")), (200, 207, 200), strict=True)),
)
def test_its_curl_commands_are_answered_as_it_says(stack: Stack, command: str, status: int) -> None:
    here = command.replace("http://127.0.0.1:8000", str(stack.client.base_url).rstrip("/"))

    said = subprocess.run(["sh", "-c", here], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607

    assert said.startswith(f"HTTP/1.1 {status} ")


@pytest.mark.skipif(not shutil.which("curl"), reason="needs the Debian package curl")
def test_its_fault_is_one(stack: Stack) -> None:
    (command,) = (block for block in SHELL if block.startswith("curl -X PUT"))

    subprocess.run(["sh", "-c", command.replace("http://127.0.0.1:8101", stack.services["user"])], check=True)  # noqa: S603, S607

    assert stack.client.post("/checkout", json=ORDER).status_code == 504


def test_what_it_shows_of_a_pipeline_is_what_the_command_prints() -> None:
    (command,) = (block for block in SHELL if block.startswith(".venv/bin/gateway explain"))
    (shown,) = re.findall(r"```text\n(transfers: .*?)```", README, re.DOTALL)

    _, *arguments = shlex.split(command)
    with Program("gateway", *arguments, environment={"COLUMNS": "80"}) as program:
        said = program.wait().out
    assert [line.rstrip() for line in said.splitlines()] == shown.splitlines()


def test_its_example_is_a_gateway_with_a_service_and_a_pipeline_of_its_own(tmp_path: Path) -> None:
    assert list(FILES) == ["loyalty.py", "welcome.py", "main.py"]
    loyalty = ThreadingHTTPServer(("127.0.0.1", 0), Points)
    Thread(target=loyalty.serve_forever, daemon=True).start()
    for name, text in FILES.items():
        (tmp_path / name).write_text(text.replace(":8201", f":{loyalty.server_port}"))

    with mocks("user", "--port", "0", MOCK_LATENCY_SCALE="0") as services, example(tmp_path, services) as url:
        found = httpx.get(f"{url}/welcome/user-123")
        nobody = httpx.get(f"{url}/welcome/nobody")
        described = httpx.get(f"{url}/pipelines").json()["pipelines"][-1]
        loyalty.shutdown()
        loyalty.server_close()
        poorer = httpx.get(f"{url}/welcome/user-123")

    assert (found.status_code, found.json()) == (200, {"email": "user@example.com", "points": 12})
    assert (nobody.status_code, nobody.json()["code"]) == (404, "not-found")
    assert [call["name"] for call in described["stages"][0]["calls"]] == ["users.fetch", "loyalty.points"]
    assert (poorer.json()["points"], poorer.headers["gateway-completed"]) == (None, "false")


@contextmanager
def example(folder: Path, services: Mapping[str, str]) -> Generator[str]:
    port = str(free_port())
    server = ("main:app", "--app-dir", str(folder), "--port", port, "--loop", "uvloop", "--http", "h11")
    with Program("uvicorn", *server, environment={"GATEWAY_USER_URL": services["user"]}) as program:
        program.wait_until_answers(f"http://127.0.0.1:{port}/health/live")
        yield f"http://127.0.0.1:{port}"


def test_its_example_is_explained(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    arguments = ("explain", "welcome", "--app", "main:app", "--latency-default", "10")
    with Program("gateway", *arguments, environment={"PYTHONPATH": str(tmp_path)}) as program:
        ended = program.wait()
    assert (ended.code, ended.err) == (0, "")
    assert "\n  loyalty.points " in ended.out


def test_its_first_command_runs_everything() -> None:
    port = free_ports(12)
    command = [str(ROOT / "scripts" / "run"), "--port", "0", "--with-mocks", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as running:  # noqa: S603
        assert running.stdout
        said = ""
        while "documentation: " not in said:
            line = running.stdout.readline()
            assert line, running.stderr and running.stderr.read()
            said += line
        running.send_signal(signal.SIGINT)
        _, picture = running.communicate(timeout=20)

    assert '"total": "67.10"' in said
    assert "    users.fetch " in picture
    assert running.returncode == 0


def test_its_example_satisfies_the_type_checker(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    checked = subprocess.run(  # noqa: S603 - our own files, no shell
        [sys.executable, "-m", "mypy", "--strict", "--config-file=", *map(str, tmp_path.glob("*.py"))],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )

    assert checked.returncode == 0, checked.stdout
