"""Short runs of locust against real processes, in an environment of its own."""

import json
import re
import subprocess
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeAlias

from typing_extensions import override

from tests.system.stack import Json, Stack, running

LOAD: Final = Path(__file__).parents[2] / "scripts" / "load"

Spoil: TypeAlias = Callable[[Mapping[str, Any]], str]


def changed(**fields: Json) -> Spoil:
    return lambda body: json.dumps({**body, **fields})


def without(name: str) -> Spoil:
    return lambda body: json.dumps({key: value for key, value in body.items() if key != name})


def instead(text: str) -> Spoil:
    return lambda _: text


SPOILT_SUCCESSES: Final[Mapping[Spoil, str]] = {
    changed(total="0.00"): 'total is "0.00" instead of ',
    changed(payment={"payment_id": "pm-789", "is_valid": 1}): 'payment is {"is_valid": 1, ',
    changed(surprise=None): "surprise does not belong there",
    without("discount"): "discount is missing",
    instead("<html>"): "the body is not JSON",
    instead("[]"): "the body is no JSON object",
}
SPOILT_PROBLEMS: Final[Mapping[Spoil, str]] = {
    changed(instance="/"): 'instance is "/" instead of "/checkout"',
    changed(request_id=""): 'request_id is "" instead of ',
    without("request_id"): "request_id is missing",
}


@contextmanager
def spoiling(stack: Stack) -> Generator[str]:
    """Serve what the gateway says with the status that it has, but spoil every body; give the URL."""
    successes, problems = (cycle(spoilt) for spoilt in (SPOILT_SUCCESSES, SPOILT_PROBLEMS))

    class Spoiler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers["Content-Length"]))
            said = stack.client.post(self.path, content=sent, headers={"Content-Type": "application/json"})
            spoil = next(successes if said.status_code == 200 else problems)
            self.send_response(said.status_code)
            self.end_headers()
            self.wfile.write(spoil(said.json()).encode())

        @override
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Spoiler) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def loaded(url: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [str(LOAD), "--headless", "--users", "10", "--spawn-rate", "10", "--host", url, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603


def test_under_load_every_answer_is_the_exact_one() -> None:
    with running(0.1) as stack:
        ran = loaded(str(stack.client.base_url), "--run-time", "4s", "--json")

    figures = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert sum(row["num_requests"] for row in figures) > 20
    assert [row["name"] for row in figures if row["num_failures"]] == []
    assert {row["name"] for row in figures} == {
        "/checkout: one piece (200)",
        "/checkout: three pieces with a discount (200)",
        "/checkout: unknown user (404)",
        "/checkout: out of stock (409)",
        "/checkout: payment expired (422)",
        "/checkout: high-risk user (403)",
        "/checkout: two failures at once (207)",
        "/checkout: blank address (422)",
    }


def test_an_answer_that_is_not_the_exact_one_fails_the_run_and_is_told() -> None:
    with running(0.1) as stack, spoiling(stack) as url:
        stack.break_down("pricing", "garbage", times=1)
        ran = loaded(url, "--run-time", "3s")

    everything_failed = re.search(r"Aggregated +(\d+) +\1\(100", ran.stdout + ran.stderr)
    errors = (ran.stdout + ran.stderr).rpartition("Error report\n")[2]
    told = ["status 502 instead of 200", *SPOILT_SUCCESSES.values(), *SPOILT_PROBLEMS.values()]
    assert ran.returncode == 1
    assert everything_failed
    assert [what for what in told if not re.search(rf": .*{re.escape(what)}", errors)] == []
