"""Commands, examples, links and tables of the README and of `docs/`."""

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
GENERATED: Final = {"failures.md", "storms.md"}
PAGES: Final[Mapping[str, str]] = {
    path.relative_to(ROOT).as_posix(): path.read_text()
    for path in (ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted(ROOT.glob("docs/*.md")))
    if path.name not in GENERATED
}
"""Text of each page that is written by hand."""

COMMANDS: Final = [
    block for page in PAGES.values() for block in re.findall(r"```sh\n(.*?)```", page, re.DOTALL)
]
REQUESTS: Final = [command for command in COMMANDS if command.startswith("curl -i")]
FAULT, *_ = (command for command in COMMANDS if "PUT http://127.0.0.1:8101" in command)
(STUCK_EXECUTION,) = (command for command in COMMANDS if "PUT http://127.0.0.1:8103" in command)
(EXPLAIN,) = (command for command in COMMANDS if command.startswith(".venv/bin/gateway explain"))
TESTED_ELSEWHERE: Final = {
    "scripts/run",  # below, on other ports
    "scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s",  # test_locust.py
    "curl -X DELETE http://127.0.0.1:8102/_mock",  # test_locust.py
    "docker compose up --build",  # needs a Docker engine; test_compose.py tests the file
}
OPERATIONS: Final = PAGES["docs/operations.md"]
REWARD: Final = {"user_id": "user-123", "product_id": "prod-456"}
FILES: Final[Mapping[str, str]] = dict(
    re.findall(r"<!-- (\w+\.py) -->\n```python\n(.*?)```", "".join(PAGES.values()), re.DOTALL)
)


class LoyaltyService(BaseHTTPRequestHandler):
    """Loyalty service of the tutorial; keeps the keys of redemptions that were not undone."""

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
        """Log nothing."""


@contextmanager
def loyalty() -> Generator[int]:
    """Run the loyalty service; yield its port."""
    with ThreadingHTTPServer(("127.0.0.1", 0), LoyaltyService) as server:
        Thread(target=server.serve_forever).start()
        yield server.server_port
        server.shutdown()


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(0) as stack:
        yield stack


def run_command(command: str, stack: Stack) -> str:
    """Run a documented command against *stack*; return its output."""
    here = command.replace("http://127.0.0.1:8000", str(stack.client.base_url).rstrip("/"))
    return subprocess.run(["sh", "-c", here], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607


def test_readme_shows_source_of_checkout_pipeline() -> None:
    source = inspect.getsource(checkout.function)

    (shown,) = re.findall(r"```python\n(@railway\nasync def checkout.*?)```", README, re.DOTALL)
    assert shown in source


def test_readme_diagram_shows_stages_of_checkout(stack: Stack) -> None:
    (plan,) = (
        plan for plan in stack.client.get("/pipelines").json()["pipelines"] if plan["name"] == "checkout"
    )
    stages = [(stage["name"], *(call["name"] for call in stage["calls"])) for stage in plan["stages"]]

    (diagram,) = re.findall(r"```mermaid\n(.*?)```", README, re.DOTALL)
    boxes = dict(re.findall(r'(\w+)\["(.*?)"\]', diagram))
    texts = [tuple(re.sub(r"</?b>", "", text).split("<br>")) for text in boxes.values()]
    assert texts == stages
    assert re.findall(r"--> (\w+)", diagram) == [*boxes, "success"]


def join_lines(blocks: Iterable[str]) -> set[str]:
    """Return the commands in *blocks*, each in one line."""
    return {line for block in blocks for line in block.replace("\\\n", "").splitlines()}


def test_every_documented_command_is_tested() -> None:
    here = join_lines([*REQUESTS, FAULT, STUCK_EXECUTION, EXPLAIN])

    assert join_lines(COMMANDS) - here == TESTED_ELSEWHERE


def test_ci_runs_both_scripts_of_readme() -> None:
    commands = (ROOT / ".ci" / "run").read_text().splitlines()

    assert {"scripts/check", "scripts/test"} <= {line.partition(" --")[0] for line in commands}


def test_inline_commands_of_readme_are_tested() -> None:
    commands = set(re.findall(r"`((?:scripts|\.venv/bin)/[^`]+|docker [^`]+)`", README))

    assert {" ".join(command.split()) for command in commands} == {
        "scripts/run --port 8060 --with-mocks 8401",  # below, on other ports
        ".venv/bin/gateway demo",  # test_gateway_demo.py
        "docker compose up --build",  # needs a Docker engine; test_compose.py tests the file
        "scripts/test",  # runs this test
        "scripts/check",  # .ci/run runs it before scripts/test
    }


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_files(page: str) -> None:
    linked = re.findall(r"\]\((?!https?://)([^)#]+)", PAGES[page])

    assert [link for link in linked if not ((ROOT / page).parent / link).exists()] == []


def list_anchors(text: str) -> set[str]:
    """Return the anchors that GitHub creates for the headings of a page."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.mark.parametrize("page", PAGES)
def test_links_lead_to_headings(page: str) -> None:
    linked = re.findall(r"\]\((?!https?://)([^)#]*)#([^)]+)\)", PAGES[page])

    for link, anchor in linked:
        target = ((ROOT / page).parent / link).resolve() if link else ROOT / page
        assert anchor in list_anchors(target.read_text()), f"{link}#{anchor}"


@pytest.mark.parametrize("page", sorted((ROOT / "docs").iterdir()), ids=lambda page: page.name)
def test_readme_links_to_page(page: Path) -> None:
    assert f"(docs/{page.name})" in README


@pytest.mark.needs("curl")
@pytest.mark.parametrize(
    ("command", "status"),
    list(zip(REQUESTS, (200, 207, 201, 201, 201, 200, 200), strict=True)),
)
def test_documented_request_has_documented_status(stack: Stack, command: str, status: int) -> None:
    assert run_command(command, stack).startswith(f"HTTP/1.1 {status} ")


def test_documented_requests_cover_every_pipeline() -> None:
    paths = {path for command in REQUESTS for path in re.findall(r"127.0.0.1:8000/(\w+)", command)}

    assert paths == {"checkout", "orders", "feed", "transfers", "purchases", "executions"}


@pytest.mark.needs("curl")
def test_repeated_documented_order_gets_first_response(stack: Stack) -> None:
    (command,) = (command for command in REQUESTS if "Idempotency-Key" in command)

    first, second = run_command(command, stack), run_command(command, stack)

    assert "idempotent-replayed: true" in second.lower()
    assert first.splitlines()[-1] == second.splitlines()[-1]


@pytest.mark.needs("curl")
@pytest.mark.parametrize(("more", "status"), [("", 504), (', "times": 2', 200)])
def test_documented_fault_causes_three_attempts(stack: Stack, more: str, status: int) -> None:
    fault = FAULT.replace('"hang"', f'"hang"{more}').replace("http://127.0.0.1:8101", stack.services["user"])
    subprocess.run(["sh", "-c", fault], check=True)  # noqa: S603, S607
    before = len(stack.calls_of("user"))

    assert stack.client.post("/checkout", json=ORDER).status_code == status
    until(lambda: len(stack.calls_of("user")) == before + 3)


@pytest.mark.needs("curl")
def test_documented_stuck_execution_is_undone_by_retry() -> None:
    with running(0, GATEWAY_UNDO_BUDGET_MS="300") as stack:
        payment = stack.services["payment"]
        command = STUCK_EXECUTION.replace("http://127.0.0.1:8103", payment).replace("sleep 35", "sleep 1")
        output = run_command(command, stack)
        (stuck,) = json.loads(output[output.index('{"executions"') :])["executions"]
        transfers = httpx.get(f"{payment}/_mock/state").json()["transfers"]
        httpx.put(f"{payment}/_mock/faults", json=[]).raise_for_status()
        retried = stack.client.post(f"/executions/{stuck['execution_id']}/retry").json()

    assert [write["outcome"] for write in stuck["writes"]] == ["stuck", "refused"]
    assert [transfer["status"] for transfer in transfers] == ["executed"]
    assert retried["state"] == "undone"


def test_explain_prints_documented_output() -> None:
    (shown,) = re.findall(r"```text\n(transfers: .*?)```", PAGES["docs/critical-path.md"], re.DOTALL)

    _, *arguments = shlex.split(EXPLAIN)
    with Program("gateway", *arguments, environment={"COLUMNS": "80"}) as program:
        said = program.wait().out
    assert [line.rstrip() for line in said.splitlines()] == shown.splitlines()


@pytest.fixture(scope="module")
def reward(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., httpx.Response]]:
    """Run the tutorial's gateway and services; yield a function that sends a request for a reward."""
    folder = tmp_path_factory.mktemp("example")
    with loyalty() as port, services() as urls, example(folder, port, urls) as client:

        def asked(path: str = "/rewards", **changes: str) -> httpx.Response:
            return client.post(path, json={**REWARD, **changes})

        yield asked


def services() -> AbstractContextManager[Mapping[str, str]]:
    return mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0")


@contextmanager
def example(folder: Path, loyalty_port: int, services: Mapping[str, str]) -> Generator[httpx.Client]:
    """Run the tutorial's gateway in *folder*; yield a client of it."""
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


def test_tutorial_pipeline_commits_reward(reward: Callable[..., httpx.Response]) -> None:
    assert list(FILES) == ["loyalty.py", "rewards.py", "main.py"]
    before = {*LoyaltyService.redeemed}

    answer = reward()

    assert answer.status_code == 201
    assert answer.json() == {"email": "user@example.com", "points_left": 12} | {
        "reservation_id": answer.json()["reservation_id"]
    }
    assert answer.headers["location"].startswith("/executions/exe-")
    assert len(LoyaltyService.redeemed - before) == 1


def test_tutorial_pipeline_reports_unknown_user(reward: Callable[..., httpx.Response]) -> None:
    response = reward(user_id="unknown")

    assert (response.status_code, response.json()["source"]) == (404, "users.fetch")


def test_unreachable_loyalty_service_prevents_reservation(tmp_path: Path) -> None:
    with services() as urls, example(tmp_path, free_port(), urls) as client:
        answer = client.post("/rewards", json=REWARD)
        asked = httpx.get(f"{urls['inventory']}/_mock/calls").json()

    assert (answer.status_code, answer.json()["source"]) == (503, "loyalty.redeem")
    assert asked == []


def test_tutorial_pipeline_undoes_redemption(reward: Callable[..., httpx.Response]) -> None:
    before = {*LoyaltyService.redeemed}

    refused = reward(product_id="prod-out-of-stock")

    assert (refused.status_code, refused.json()["source"]) == (409, "inventory.reserve")
    assert LoyaltyService.redeemed == before


def test_tutorial_stuck_execution_is_undone_by_retry(reward: Callable[..., httpx.Response]) -> None:
    before = {*LoyaltyService.redeemed}
    LoyaltyService.is_broken = True

    stuck = reward(product_id="prod-out-of-stock")
    LoyaltyService.is_broken = False
    retried = reward(f"/executions/{stuck.json()['execution_id']}/retry")

    assert (stuck.status_code, stuck.json()["code"]) == (500, "stuck")
    assert (retried.status_code, retried.json()["state"]) == (200, "undone")
    assert LoyaltyService.redeemed == before


def read_settings_table() -> Iterator[tuple[str, str]]:
    """Yield each setting of the table: its name without `GATEWAY_`, and its default."""
    table = OPERATIONS.partition("## Settings")[2].partition("\n## ")[0]
    for names, defaults in re.findall(r"^\| (`GATEWAY_.*?) \| (.*?) \|", table, re.MULTILINE):
        variables = re.findall(r"`GATEWAY_(\w+)`", names)
        shown = re.findall(r"`(.*?)`", defaults) or [defaults]
        if " to " in defaults:  # the ports follow each other
            first, last = shown
            start = int(first.rpartition(":")[2])
            shown = [f"{first.rpartition(':')[0]}:{start + place}" for place in range(len(variables))]
            assert shown[-1].endswith(last)
        yield from zip(variables, shown, strict=True)


def format_default(default: object) -> str:
    match default:
        case None | ():
            return "none"
        case bool():
            return str(default).lower()
        case _:
            return str(default)


OWN_DEFAULTS: Final = {name.upper(): format_default(field.default) for name, field in OWN_FIELDS.items()}
SERVICE_DEFAULTS: Final = {
    f"{service.name}_{field}".upper(): format_default(getattr(service, field))
    for service in SHIPPED
    for field in ServiceSettings.model_fields
}


def test_settings_table_has_real_defaults() -> None:
    defaults = {**OWN_DEFAULTS, **SERVICE_DEFAULTS}

    table = [*read_settings_table()]
    assert len(table) > len(SERVICES)
    assert [(name, shown) for name, shown in table if shown != defaults[name]] == []


def test_settings_table_has_every_setting() -> None:
    rows = re.findall(r"^\|.*$", OPERATIONS.partition("## Settings")[2], re.MULTILINE)
    documented = set(re.findall(r"`GATEWAY_(\w+)`", "".join(rows)))

    of_one_service = {
        f"{service}_{what}" for service in SERVICES[2:] for what in ("timeout_ms", "max_concurrency")
    }
    assert documented == (OWN_DEFAULTS.keys() | SERVICE_DEFAULTS.keys()) - {
        name.upper() for name in of_one_service
    }


def test_explain_describes_tutorial_pipeline(tmp_path: Path) -> None:
    for name, text in FILES.items():
        (tmp_path / name).write_text(text)

    arguments = ("explain", "rewards", "--app", "main:app", "--latency-default", "10")
    with Program("gateway", *arguments, environment={"PYTHONPATH": str(tmp_path)}) as program:
        ended = program.wait()
    assert (ended.code, ended.err) == (0, "")
    assert "\nexchange: commit, in order" in ended.out
    assert "\n    undo: loyalty.refund" in ended.out


def test_scripts_run_starts_everything() -> None:
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


def test_tutorial_code_passes_strict_mypy(tmp_path: Path) -> None:
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
