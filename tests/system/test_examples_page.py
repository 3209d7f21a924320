"""Commands of `examples/README.md` on real processes, with the responses that the page shows."""

import json
import re
import shlex
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest

from tests.system.programs import Program, free_port, free_ports, is_answering, until

ROOT: Final = Path(__file__).parents[2]
PAGE: Final = (ROOT / "examples" / "README.md").read_text()
COMMANDS: Final = [
    command.replace("\\\n", " ")
    for block in re.findall(r"```sh\n(.*?)```", PAGE, re.DOTALL)
    for command in re.split(r"\n(?=\S)", block.strip())
]
START_APIS, START_GATEWAY, *REQUESTS = COMMANDS
SHOWN: Final = [
    line for block in re.findall(r"```text\n(.*?)```", PAGE, re.DOTALL) for line in block.splitlines()
]


class Stack(NamedTuple):
    """The running programs, and the ports of the gateway and of the first API."""

    apis: Program
    gateway_port: int
    apis_port: int

    def run(self, command: str) -> tuple[int, Mapping[str, Any]]:
        """Run a documented request; return the status and the body, empty without a body."""
        here = command.replace(":8300", f":{self.gateway_port}").replace(":8301", f":{self.apis_port}")
        done = subprocess.run(["sh", "-c", f"{here} -s"], capture_output=True, text=True, check=True)  # noqa: S603, S607
        head, _, body = done.stdout.replace("\r", "").partition("\n\n")
        return int(head.split()[1]), json.loads(body or "{}")


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    port, first = free_port(), free_ports(3)
    words = shlex.split(START_GATEWAY.replace("8300", str(port)))
    program = words.index(".venv/bin/gateway")
    urls = {
        f"GATEWAY_{name}_URL": f"http://127.0.0.1:{first + place}"
        for place, name in enumerate(("PAYMENT", "GEOCODER", "TICKET"))
    }
    environment = {**urls, **dict(word.split("=") for word in words[:program])}
    module = shlex.split(START_APIS)[-1]
    with (
        Program(module, "--port", str(first), folder=ROOT) as apis,
        Program("gateway", *words[program + 1 :], environment=environment, folder=ROOT) as gateway,
    ):
        gateway.wait_until_answers(f"http://127.0.0.1:{port}/health/live")
        until(lambda: is_answering(f"http://127.0.0.1:{first + 2}/tickets"))
        yield Stack(apis, port, first)


def test_each_request_has_shown_response() -> None:
    assert len(REQUESTS) == len(SHOWN)


@pytest.mark.needs("curl")
def test_requests_have_shown_responses(stack: Stack) -> None:
    """All in order: the ids of tickets count up, and the APIs stop before the last request."""
    for number, (command, shown) in enumerate(zip(REQUESTS, SHOWN, strict=True), start=1):
        if number == len(REQUESTS):
            stack.apis.end()
        expected, _, text = shown.partition(" ")
        members = json.loads(text or "{}")
        status, body = stack.run(command)
        assert (status, {name: body.get(name) for name in members}) == (int(expected), members), command
        if "/v1/charges" in command:
            assert [charge["refunded"] for charge in body["data"]] == [False, True]
