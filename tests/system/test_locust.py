"""Short runs of locust, from a separate environment, against real processes."""

import json
import re
import shlex
import subprocess
from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import cycle
from pathlib import Path
from threading import Thread
from typing import Any, Final, TypeAlias

import httpx
import pytest
from typing_extensions import override

from load import checkout, feed, orders, purchases, transfers
from load.order_budget import RESERVED_STOCK, OrderBudget
from tests.system.stack import ORDER, Json, Stack, running

ROOT: Final = Path(__file__).parents[2]
pytestmark = [
    pytest.mark.needs(".venv-load/bin/locust"),
    pytest.mark.alone,  # in a few seconds, each kind of request must be sent
]
COMMAND: Final = ("scripts/load", "--headless", "--users", "20", "--spawn-rate", "20")

Corruption: TypeAlias = Callable[[Mapping[str, Any]], str]
"""Builds the text of a corrupted body from the fields of the original."""

REQUEST_HEADERS: Final = ("Content-Type", "Authorization", "Idempotency-Key")
RESPONSE_HEADERS: Final = ("Gateway-Completed", "Location", "Idempotent-Replayed")


def change(**fields: Json) -> Corruption:
    return lambda body: json.dumps({**body, **fields})


def remove(name: str) -> Corruption:
    """Remove the field *name*, or the last field if there is none of that name."""
    return lambda body: json.dumps(
        {key: value for key, value in body.items() if key != (name if name in body else [*body][-1])}
    )


def replace_with(text: str) -> Corruption:
    return lambda _: text


CORRUPT_SUCCESSES: Final[Mapping[Corruption, str]] = {
    change(total="0.00"): 'total is "0.00" instead of ',
    change(payment={"payment_id": "pm-789", "is_valid": 1}): 'payment is {"is_valid": 1, ',
    change(order={"order_id": "7", "status": "created"}): 'order is {"order_id": "7", ',
    change(surprise=None): "surprise is not expected",
    remove("discount"): "discount is missing",
    replace_with("<html>"): "the body is not JSON",
    replace_with("[]"): "the body is not a JSON object",
}
CORRUPT_PROBLEMS: Final[Mapping[Corruption, str]] = {
    change(instance="/"): 'instance is "/" instead of "/checkout"',
    change(request_id=""): 'request_id is "" instead of ',
    remove("request_id"): "request_id is missing",
}
"""Corruptions, each with the error that the run must report."""


@contextmanager
def corrupting_proxy(stack: Stack, corrupt: Callable[[httpx.Response], httpx.Response]) -> Generator[str]:
    """Run a proxy in front of the gateway that corrupts its responses; yield the proxy's URL."""

    class Proxy(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name: self.headers[name] for name in REQUEST_HEADERS if name in self.headers}
            response = corrupt(stack.client.request(self.command, self.path, content=body, headers=headers))
            self.send_response(response.status_code)
            for name in RESPONSE_HEADERS:
                if name in response.headers:
                    self.send_header(name, response.headers[name])
            self.end_headers()
            self.wfile.write(response.content)

        do_GET = do_POST  # noqa: N815 - the name that http.server looks up

        @override
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Log nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Proxy) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def corrupt_bodies() -> Callable[[httpx.Response], httpx.Response]:
    """Return a function that corrupts every body; responses of the same kind get each corruption in turn."""
    remaining: dict[tuple[str, ...], Iterator[Corruption]] = {}

    def corrupt(response: httpx.Response) -> httpx.Response:
        body = response.json()
        corruptions = CORRUPT_SUCCESSES if response.status_code in {200, 201} else CORRUPT_PROBLEMS
        corruption = next(remaining.setdefault((body.get("instance", ""), *body), cycle(corruptions)))
        return httpx.Response(response.status_code, headers=response.headers, text=corruption(body))

    return corrupt


def corrupt_replays(response: httpx.Response) -> httpx.Response:
    """Remove the headers of replayed responses, and change the bytes of their bodies."""
    if "Idempotent-Replayed" not in response.headers:
        return response
    return httpx.Response(response.status_code, text=json.dumps(response.json(), indent=1))


def run_locust(
    url: str, *options: str, command: Sequence[str] = COMMAND
) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own program, no shell
        [*command, "--host", url, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
    )


def read_errors(run: "subprocess.CompletedProcess[str]") -> str:
    return (run.stdout + run.stderr).rpartition("Error report\n")[2]


def list_titles() -> set[str]:
    """Return the titles of all requests that the users send."""
    pipelines = (
        checkout.SUCCESSES,
        checkout.FAILURES,
        feed.CASES,
        orders.CASES,
        purchases.CASES,
        transfers.CASES,
    )
    return {title for cases in pipelines for case in cases for title in case.titles}


def test_load_run_gets_expected_responses_only() -> None:
    """Under load every response is the expected response, and every kind of request is sent."""
    (line,) = re.findall(r"^scripts/load .*$", (ROOT / "docs" / "load-testing.md").read_text(), re.MULTILINE)
    shorter = re.sub(r"--run-time 30s$", "--run-time 10s", line)
    assert shorter != line

    with running(0.1) as stack:
        run = run_locust(str(stack.client.base_url), "--json", command=shlex.split(shorter))
        left = stack.state_of("inventory")["stock"]["prod-456"]

    figures = json.loads(run.stdout)
    assert run.returncode == 0, run.stderr
    assert "WARNING/locustfile" not in run.stderr
    assert [row["name"] for row in figures if row["num_failures"]] == []
    assert {row["name"] for row in figures} == list_titles()
    assert left >= RESERVED_STOCK


def test_load_run_warns_of_low_stock() -> None:
    """The warning has the command that refills the stock, and the command works."""
    (refill,) = re.findall(
        r"^curl -X DELETE .*$", (ROOT / "docs" / "load-testing.md").read_text(), re.MULTILINE
    )
    with running(0) as stack:
        stack.client.post("/orders", json={**ORDER, "quantity": 40}).raise_for_status()
        run = run_locust(str(stack.client.base_url), "--run-time", "2s", "Orderer")
        left = stack.state_of("inventory")["stock"]["prod-456"]
        *_, method, url = shlex.split(refill)
        httpx.request(method, url.replace("http://127.0.0.1:8102", stack.services["inventory"]))
        refilled = stack.state_of("inventory")["stock"]["prod-456"]

    warnings = re.findall(r"WARNING/locustfile: (.*)", run.stderr)
    assert warnings == [OrderBudget().update(60, 0), "No order was placed in this run"]
    assert warnings[0].endswith(f": {refill}")
    assert (run.returncode, left, refilled) == (0, 60, 100)


def test_orderer_refuses_several_processes() -> None:
    run = run_locust("http://127.0.0.1:1", "--run-time", "1s", "--processes", "2")

    assert (run.returncode, run.stdout) == (1, "")
    assert run.stderr.endswith(
        "Orderer cannot run in several processes; omit --processes and --master, or select users: "
        "scripts/load --processes N Buyer LuckyShopper Payer Reader UnluckyShopper\n"
    )


def test_load_run_without_orderer_allows_two_processes() -> None:
    with running(0) as stack:
        run = run_locust(str(stack.client.base_url), "--run-time", "2s", "--processes", "2", "Reader")

    assert run.returncode == 0, run.stderr
    assert re.search(r"Aggregated +[1-9]\d* +0\(0.00%\)", run.stderr)


def test_wrong_response_fails_load_run() -> None:
    with running(0.1) as stack, corrupting_proxy(stack, corrupt_bodies()) as url:
        stack.break_down("pricing", "garbage", times=1)
        run = run_locust(url, "--run-time", "6s")

    all_failed = re.search(r"Aggregated +(\d+) +\1\(100", run.stdout + run.stderr)
    errors = ["status 502 instead of 200", *CORRUPT_SUCCESSES.values(), *CORRUPT_PROBLEMS.values()]
    assert run.returncode == 1
    assert all_failed
    assert [error for error in errors if not re.search(rf": .*{re.escape(error)}", read_errors(run))] == []


def test_changed_replay_fails_load_run() -> None:
    with running(0.1) as stack, corrupting_proxy(stack, corrupt_replays) as url:
        run = run_locust(url, "--run-time", "5s", "Payer")

    failed = set(re.findall(r"POST +/transfers: (.+?): Gateway-Completed", read_errors(run)))
    errors = [
        "Idempotent-Replayed is None instead of true",
        "Location is None instead of /executions/exe-",
        "the body differs from the first response's",
    ]
    assert run.returncode == 1
    assert {"forth, repeated (201)", "back, repeated (201)"} <= failed
    assert all("repeated" in name for name in failed)
    assert [error for error in errors if error not in read_errors(run)] == []
