"""What the README and the pages that it sends to show is what is there."""

import inspect
import json
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import ClassVar, Final

import httpx
import pytest
from typing_extensions import override

from gateway.pipelines.checkout import checkout
from gateway.services import SERVICES as SHIPPED
from gateway.settings import OWN_FIELDS, ServiceSettings
from tests.shipped_services import NAMES as SERVICES
from tests.system.programs import Program, free_port, free_ports, until
from tests.system.stack import ORDER, Stack, mocks, running

ROOT: Final = Path(__file__).parents[2]
README: Final = (ROOT / "README.md").read_text()
PAGES: Final[Mapping[Path, str]] = {
    path: path.read_text()
    for path in (ROOT / "README.md", ROOT / "docs/writes.md", ROOT / "docs/your-own-pipeline.md")
}
SHELL: Final = [block for page in PAGES.values() for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)]
CURLS: Final = [block for block in SHELL if block.startswith("curl -i")]
(FAULT,) = (block for block in SHELL if "PUT http://127.0.0.1:8101" in block)
(STICK,) = (block for block in SHELL if "PUT http://127.0.0.1:8103" in block)
(EXPLAIN,) = (block for block in SHELL if block.startswith(".venv/bin/gateway explain"))
REWARD: Final = {"user_id": "user-123", "product_id": "prod-456"}
FILES: Final[Mapping[str, str]] = dict(
    re.findall(r"<!-- (\w+\.py) -->\n```python\n(.*?)```", "".join(PAGES.values()), re.DOTALL)
)


class LoyaltyService(BaseHTTPRequestHandler):
    """A loyalty service: what it was told to take and to give back, by key."""

    redeemed: ClassVar[set[str]] = set()
    is_broken: ClassVar[bool] = False

    def do_GET(self) -> None:
        self._answer(200, b'{"balance": 12}')

    def do_POST(self) -> None:
        self.redeemed.add(self.headers["Idempotency-Key"])
        self._answer(201, self.rfile.read(int(self.headers["Content-Length"])))

    def do_DELETE(self) -> None:
        if not self.is_broken:
            self.redeemed.discard(self.path.rpartition("/")[2])
        self._answer(500 if self.is_broken else 204)

    def _answer(self, status: int, body: bytes = b"") -> None:
        self.send_response(status)
        self.end_headers()
        self.wfile.write(body)

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def loyalty() -> Generator[int]:
    """Run the loyalty service; give its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), LoyaltyService) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(0) as stack:
        yield stack


def said_to(command: str, stack: Stack) -> str:
    """Run one of its commands against *stack*."""
    here = command.replace("http://127.0.0.1:8000", str(stack.client.base_url).rstrip("/"))
    return subprocess.run(["sh", "-c", here], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607


def test_the_pipeline_that_it_shows_is_the_real_one() -> None:
    source = inspect.getsource(checkout.function)

    (shown,) = re.findall(r"```python\n(@railway\nasync def checkout.*?)```", README, re.DOTALL)
    assert shown in source


def lines(blocks: Iterable[str]) -> set[str]:
    """Give the commands in *blocks*, each in one line."""
    return {line for block in blocks for line in block.replace("\\\n", "").splitlines()}


def test_every_command_is_tried_here_or_is_known_to_be_tried_elsewhere() -> None:
    here = lines([*CURLS, FAULT, STICK, EXPLAIN])

    assert lines(SHELL) - here == {
        "scripts/run",  # below, on other ports
        ".venv/bin/gateway demo",  # test_gateway_demo.py
        "scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s",  # test_locust.py
        "curl -X DELETE http://127.0.0.1:8102/_mock",  # test_locust.py
        "scripts/test",  # what runs this
        "scripts/check",  # with it, before a change is taken
        "docker compose up --build",  # by nobody here: it needs a Docker engine; see test_compose.py
    }


def test_what_is_tried_by_no_test_but_the_engine_is_tried_before_a_change_is_taken() -> None:
    tried = (ROOT / ".ci" / "run").read_text().splitlines()

    assert {"scripts/check", "scripts/test"} <= {line.partition(" --")[0] for line in tried}


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_its_links_lead_to_what_is_there(page: Path) -> None:
    linked = re.findall(r"\]\((?!https?://)([^)#]+)", PAGES[page])

    assert [link for link in linked if not (page.parent / link).exists()] == []


@pytest.mark.needs("curl")
@pytest.mark.parametrize(
    ("command", "status"),
    list(zip(CURLS, (200, 207, 201, 200, 201, 201, 200), strict=True)),
)
def test_its_curl_commands_are_answered_as_it_says(stack: Stack, command: str, status: int) -> None:
    assert said_to(command, stack).startswith(f"HTTP/1.1 {status} ")


@pytest.mark.needs("curl")
def test_its_curl_commands_ask_every_pipeline() -> None:
    paths = {path for command in CURLS for path in re.findall(r"127.0.0.1:8000/(\w+)", command)}

    assert paths == {"checkout", "orders", "feed", "transfers", "purchases", "executions"}


@pytest.mark.needs("curl")
def test_its_order_has_a_key_and_can_be_sent_again(stack: Stack) -> None:
    (command,) = (command for command in CURLS if "Idempotency-Key" in command)

    first, again = said_to(command, stack), said_to(command, stack)

    assert "idempotent-replayed: true" in again.lower()
    assert first.splitlines()[-1] == again.splitlines()[-1]


@pytest.mark.needs("curl")
@pytest.mark.parametrize(("more", "status"), [("", 504), (', "times": 2', 200)])
def test_its_fault_takes_three_attempts(stack: Stack, more: str, status: int) -> None:
    fault = FAULT.replace('"hang"', f'"hang"{more}').replace("http://127.0.0.1:8101", stack.services["user"])
    subprocess.run(["sh", "-c", fault], check=True)  # noqa: S603, S607
    before = len(stack.calls_of("user"))

    assert stack.client.post("/checkout", json=ORDER).status_code == status
    until(lambda: len(stack.calls_of("user")) == before + 3)


@pytest.mark.needs("curl")
def test_what_it_gets_stuck_is_mended_as_it_says() -> None:
    with running(0, GATEWAY_UNDO_BUDGET_MS="300") as stack:
        payment = stack.services["payment"]
        command = STICK.replace("http://127.0.0.1:8103", payment).replace("sleep 35", "sleep 1")
        said = said_to(command, stack)
        (stuck,) = json.loads(said[said.index('{"executions"') :])["executions"]
        stands = [one["status"] for one in httpx.get(f"{payment}/_mock/state").json()["transfers"]]
        httpx.put(f"{payment}/_mock/faults", json=[]).raise_for_status()
        mended = stack.client.post(f"/executions/{stuck['execution_id']}/retry").json()

    assert [write["outcome"] for write in stuck["writes"]] == ["stuck", "refused"]
    assert stands == ["executed"]
    assert mended["state"] == "undone"


def test_what_it_shows_of_a_pipeline_is_what_the_command_prints() -> None:
    (shown,) = re.findall(r"```text\n(transfers: .*?)```", README, re.DOTALL)

    _, *arguments = shlex.split(EXPLAIN)
    with Program("gateway", *arguments, environment={"COLUMNS": "80"}) as program:
        said = program.wait().out
    assert [line.rstrip() for line in said.splitlines()] == shown.splitlines()


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., httpx.Response]]:
    """What its example answers to requests for a reward; `LoyaltyService` is what it is about."""
    folder = tmp_path_factory.mktemp("example")
    with loyalty() as port, services() as urls, example(folder, port, urls) as client:

        def asked(path: str = "/rewards", **changes: str) -> httpx.Response:
            return client.post(path, json={**REWARD, **changes})

        yield asked


def services() -> AbstractContextManager[Mapping[str, str]]:
    return mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0")


@contextmanager
def example(folder: Path, loyalty_port: int, services: Mapping[str, str]) -> Generator[httpx.Client]:
    """Run its example in *folder*."""
    for name, text in FILES.items():
        (folder / name).write_text(text.replace(":8201", f":{loyalty_port}"))
    (command,) = re.findall(r"`.venv/bin/gateway (serve [^`]*)`", "".join(PAGES.values()))
    arguments = shlex.split(command.replace("8001", "0"))
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in ("user", "inventory")}
    environment = {**urls, "PYTHONPATH": str(folder), "GATEWAY_UNDO_BUDGET_MS": "100"}
    with Program("gateway", *arguments, environment=environment) as program:
        url = program.read_line().split()[1]
        with httpx.Client(base_url=url) as client:
            yield client


def test_its_example_is_a_pipeline_of_its_own_that_writes(reward: Callable[..., httpx.Response]) -> None:
    assert list(FILES) == ["loyalty.py", "rewards.py", "main.py"]
    before = {*LoyaltyService.redeemed}

    answer = reward()

    assert answer.status_code == 201
    assert answer.json() == {"email": "user@example.com", "points_left": 12} | {
        "reservation_id": answer.json()["reservation_id"]
    }
    assert answer.headers["location"].startswith("/executions/exe-")
    assert len(LoyaltyService.redeemed - before) == 1


def test_its_example_fails_as_its_pipeline_promises(reward: Callable[..., httpx.Response]) -> None:
    nobody = reward(user_id="nobody")

    assert (nobody.status_code, nobody.json()["source"]) == (404, "users.fetch")


def test_its_example_puts_nothing_aside_as_long_as_its_service_is_not_there(tmp_path: Path) -> None:
    with services() as urls, example(tmp_path, free_port(), urls) as client:
        answer = client.post("/rewards", json=REWARD)
        asked = httpx.get(f"{urls['inventory']}/_mock/calls").json()

    assert (answer.status_code, answer.json()["source"]) == (503, "loyalty.redeem")
    assert asked == []


def test_its_example_undoes_what_it_has_written(reward: Callable[..., httpx.Response]) -> None:
    before = {*LoyaltyService.redeemed}

    refused = reward(product_id="prod-out-of-stock")

    assert (refused.status_code, refused.json()["source"]) == (409, "inventory.reserve")
    assert LoyaltyService.redeemed == before


def test_its_example_can_undo_later_what_is_stuck(reward: Callable[..., httpx.Response]) -> None:
    before = {*LoyaltyService.redeemed}
    LoyaltyService.is_broken = True

    stuck = reward(product_id="prod-out-of-stock")
    LoyaltyService.is_broken = False
    retried = reward(f"/executions/{stuck.json()['execution_id']}/retry")

    assert (stuck.status_code, stuck.json()["code"]) == (500, "stuck")
    assert (retried.status_code, retried.json()["state"]) == (200, "undone")
    assert LoyaltyService.redeemed == before


def settings_table() -> Iterator[tuple[str, str]]:
    """Read the names of its table of settings and their defaults, as they stand there."""
    table = README.partition("## Settings")[2].partition("\n## ")[0]
    for names, defaults in re.findall(r"^\| (`GATEWAY_.*?) \| (.*?) \|", table, re.MULTILINE):
        variables = re.findall(r"`GATEWAY_(\w+)`", names)
        shown = re.findall(r"`(.*?)`", defaults) or [defaults]
        if " to " in defaults:  # the ports follow each other
            first, last = shown
            start = int(first.rpartition(":")[2])
            shown = [f"{first.rpartition(':')[0]}:{start + place}" for place in range(len(variables))]
            assert shown[-1].endswith(last)
        yield from zip(variables, shown, strict=True)


def written(default: object) -> str:
    match default:
        case None | ():
            return "none"
        case bool():
            return str(default).lower()
        case _:
            return str(default)


OWN_DEFAULTS: Final = {name.upper(): written(one.default) for name, one in OWN_FIELDS.items()}
SERVICE_DEFAULTS: Final = {
    f"{one.name}_{field}".upper(): written(getattr(one, field))
    for one in SHIPPED
    for field in ServiceSettings.model_fields
}


def test_its_table_of_settings_has_their_defaults() -> None:
    defaults = {**OWN_DEFAULTS, **SERVICE_DEFAULTS}

    table = [*settings_table()]
    assert len(table) > len(SERVICES)
    assert [(name, shown) for name, shown in table if shown != defaults[name]] == []


def test_its_table_has_every_setting() -> None:
    documented = set(re.findall(r"`GATEWAY_(\w+)`", README.partition("## Settings")[2]))

    of_one_service = {
        f"{service}_{what}" for service in SERVICES[2:] for what in ("timeout_ms", "max_concurrency")
    }
    assert documented == (OWN_DEFAULTS.keys() | SERVICE_DEFAULTS.keys()) - {
        name.upper() for name in of_one_service
    }


def test_its_example_is_explained(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    arguments = ("explain", "rewards", "--app", "main:app", "--latency-default", "10")
    with Program("gateway", *arguments, environment={"PYTHONPATH": str(tmp_path)}) as program:
        ended = program.wait()
    assert (ended.code, ended.err) == (0, "")
    assert "\nexchange: commit, in order" in ended.out
    assert "\n    undo: loyalty.refund" in ended.out


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
