"""Commands, examples, links and tables of the README and of `docs/`."""

import inspect
import json
import os
import re
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final

import httpx
import pytest

from gateway.pipelines.checkout import checkout
from tests.documents.pages import PAGES, ROOT, TUTORIAL, list_commands
from tests.system.programs import Program, free_port, free_ports, until
from tests.system.stack import ORDER, SERVICES, Stack, mocks, running

README: Final = PAGES["README.md"]
COMMANDS: Final = [command for page in PAGES if page != TUTORIAL for command in list_commands(page)]
"""The shell commands of all pages; `test_tutorial.py` runs those of the tutorial."""

REQUESTS: Final = [command for command in COMMANDS if command.startswith("curl -i")]
FAULT, *_ = (command for command in COMMANDS if "PUT http://127.0.0.1:8101" in command)
(STUCK_EXECUTION,) = (command for command in COMMANDS if "PUT http://127.0.0.1:8103" in command)
(KILL,) = (command for command in COMMANDS if "kill -9" in command)
(EXPLAIN,) = (command for command in COMMANDS if command.startswith(".venv/bin/gateway explain"))
TESTED_ELSEWHERE: Final = {
    "scripts/run",  # below, on other ports
    "scripts/load --headless --users 50 --spawn-rate 25 --run-time 30s",  # test_locust.py
    "curl -X DELETE http://127.0.0.1:8102/_mock",  # test_locust.py
    "docker compose up --build",  # needs a Docker engine; test_compose.py tests the file
    (
        "GATEWAY_JOURNAL_URL=postgresql://gateway:gateway@postgres/gateway "
        "docker compose --profile postgres up --build"  # likewise
    ),
    "curl http://127.0.0.1:8103/_mock/state",
    "gateway executions list --state stuck",  # test_executions_live.py
    "gateway executions show EXECUTION_ID",
    "gateway executions retry EXECUTION_ID",
}


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
    here = join_lines([*REQUESTS, FAULT, STUCK_EXECUTION, KILL, EXPLAIN])

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


@pytest.mark.parametrize("page", sorted((ROOT / "docs").glob("*.md")), ids=lambda page: page.name)
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


@pytest.mark.needs("curl")
def test_documented_kill_is_undone_and_repeated(tmp_path: Path) -> None:
    port, log = free_port(), tmp_path / "log"
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        settings = {
            "GATEWAY_PORT": f"{port}",
            "GATEWAY_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.sqlite",
            **{f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES},
        }
        url = f"http://127.0.0.1:{port}"
        kill = KILL.replace("http://127.0.0.1:8108", services["account"])
        here = kill.replace("http://127.0.0.1:8000", url).replace(
            ".venv/bin/gateway", str(Path(sys.executable).with_name("gateway"))
        )
        # This machine may be busy with other tests.
        patient = here.replace("sleep 3", f"until curl -sf {url}/health/live; do sleep 0.1; done")
        subprocess.run(["sh", "-c", patient], env={**os.environ, **settings}, check=True)  # noqa: S603, S607
        (request,) = re.findall(r"curl -i (?:.*\\\n)*.*(?= &\n)", here)
        with Program("gateway", "serve", environment=settings, log=log) as program:
            program.wait_until_answers(f"{url}/health/live")
            until(lambda: "is undone" in log.read_text())
            first, second = (
                subprocess.run(["sh", "-c", request], capture_output=True, text=True, check=True).stdout  # noqa: S603, S607
                for _ in range(2)
            )
            program.end()
        transfers = httpx.get(f"{services['payment']}/_mock/state").json()["transfers"]

    assert "was cut short" in log.read_text()
    assert first.startswith("HTTP/1.1 201 ")
    assert "idempotent-replayed: true" in second.lower()
    assert [transfer["status"] for transfer in transfers] == ["reversed", "executed"]


def test_explain_prints_documented_output() -> None:
    (shown,) = re.findall(r"```text\n(transfers: .*?)```", PAGES["docs/critical-path.md"], re.DOTALL)

    _, *arguments = shlex.split(EXPLAIN)
    with Program("gateway", *arguments, environment={"COLUMNS": "80"}) as program:
        said = program.wait().out
    assert [line.rstrip() for line in said.splitlines()] == shown.splitlines()


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
