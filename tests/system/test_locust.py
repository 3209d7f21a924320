"""Short runs of locust against real processes, in an environment of its own."""

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
pytestmark = pytest.mark.needs(".venv-load/bin/locust")
COMMAND: Final = ("scripts/load", "--headless", "--users", "20", "--spawn-rate", "20")

Spoil: TypeAlias = Callable[[Mapping[str, Any]], str]
PASSED_ON: Final = ("Content-Type", "Authorization", "Idempotency-Key")
PASSED_BACK: Final = ("Gateway-Completed", "Location", "Idempotent-Replayed")


def changed(**fields: Json) -> Spoil:
    return lambda body: json.dumps({**body, **fields})


def without(name: str) -> Spoil:
    """Take away a field: this one, or the last one where there is none of that name."""
    return lambda body: json.dumps(
        {key: value for key, value in body.items() if key != (name if name in body else [*body][-1])}
    )


def instead(text: str) -> Spoil:
    return lambda _: text


SPOILT_SUCCESSES: Final[Mapping[Spoil, str]] = {
    changed(total="0.00"): 'total is "0.00" instead of ',
    changed(payment={"payment_id": "pm-789", "is_valid": 1}): 'payment is {"is_valid": 1, ',
    changed(order={"order_id": "7", "status": "created"}): 'order is {"order_id": "7", ',
    changed(surprise=None): "surprise is not expected",
    without("discount"): "discount is missing",
    instead("<html>"): "the body is not JSON",
    instead("[]"): "the body is not a JSON object",
}
SPOILT_PROBLEMS: Final[Mapping[Spoil, str]] = {
    changed(instance="/"): 'instance is "/" instead of "/checkout"',
    changed(request_id=""): 'request_id is "" instead of ',
    without("request_id"): "request_id is missing",
}


@contextmanager
def in_between(stack: Stack, spoiled: Callable[[httpx.Response], httpx.Response]) -> Generator[str]:
    """Serve what the gateway says, *spoiled*; give the URL."""

    class Between(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            sent = self.rfile.read(int(self.headers.get("Content-Length", "0")))
            headers = {name: self.headers[name] for name in PASSED_ON if name in self.headers}
            said = spoiled(stack.client.request(self.command, self.path, content=sent, headers=headers))
            self.send_response(said.status_code)
            for name in PASSED_BACK:
                if name in said.headers:
                    self.send_header(name, said.headers[name])
            self.end_headers()
            self.wfile.write(said.content)

        do_GET = do_POST  # noqa: N815 - so it is called

        @override
        def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Between) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


def spoiling_bodies() -> Callable[[httpx.Response], httpx.Response]:
    """Spoil every body: of each kind, one after the other in another way, so that none is left to luck."""
    ways: dict[tuple[str, ...], Iterator[Spoil]] = {}

    def spoiled(said: httpx.Response) -> httpx.Response:
        body = said.json()
        spoilt = SPOILT_SUCCESSES if said.status_code in {200, 201} else SPOILT_PROBLEMS
        spoil = next(ways.setdefault((body.get("instance", ""), *body), cycle(spoilt)))
        return httpx.Response(said.status_code, headers=said.headers, text=spoil(body))

    return spoiled


def spoiling_what_is_had_again(said: httpx.Response) -> httpx.Response:
    """Spoil headers and bodies of answers that are given a second time."""
    if "Idempotent-Replayed" not in said.headers:
        return said
    return httpx.Response(said.status_code, text=json.dumps(said.json(), indent=1))


def loaded(url: str, *options: str, command: Sequence[str] = COMMAND) -> "subprocess.CompletedProcess[str]":
    return subprocess.run(  # noqa: S603 - our own program, no shell
        [*command, "--host", url, *options],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
        cwd=ROOT,
    )


def errors_of(ran: "subprocess.CompletedProcess[str]") -> str:
    return (ran.stdout + ran.stderr).rpartition("Error report\n")[2]


def titles() -> set[str]:
    pipelines = (
        checkout.SUCCESSES,
        checkout.FAILURES,
        feed.CASES,
        orders.CASES,
        purchases.CASES,
        transfers.CASES,
    )
    return {title for cases in pipelines for case in cases for title in case.titles}


def test_under_load_every_answer_is_the_exact_one_and_no_request_is_left_out() -> None:
    (line,) = re.findall(r"^scripts/load .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    shorter = re.sub(r"--run-time 30s$", "--run-time 10s", line)
    assert shorter != line

    with running(0.1) as stack:
        ran = loaded(str(stack.client.base_url), "--json", command=shlex.split(shorter))
        left = stack.state_of("inventory")["stock"]["prod-456"]

    figures = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert "WARNING/locustfile" not in ran.stderr
    assert [row["name"] for row in figures if row["num_failures"]] == []
    assert {row["name"] for row in figures} == titles()
    assert left >= RESERVED_STOCK


def test_a_run_that_begins_with_too_little_to_order_says_so_and_how_to_have_more() -> None:
    (refill,) = re.findall(r"^curl -X DELETE .*$", (ROOT / "README.md").read_text(), re.MULTILINE)
    with running(0) as stack:
        stack.client.post("/orders", json={**ORDER, "quantity": 40}).raise_for_status()
        ran = loaded(str(stack.client.base_url), "--run-time", "2s", "Orderer")
        left = stack.state_of("inventory")["stock"]["prod-456"]
        *_, method, url = shlex.split(refill)
        httpx.request(method, url.replace("http://127.0.0.1:8102", stack.services["inventory"]))
        refilled = stack.state_of("inventory")["stock"]["prod-456"]

    warnings = re.findall(r"WARNING/locustfile: (.*)", ran.stderr)
    assert warnings == [OrderBudget().update(60, 0), "No order was placed in this run"]
    assert warnings[0].endswith(f": {refill}")
    assert (ran.returncode, left, refilled) == (0, 60, 100)


def test_a_run_of_several_processes_is_refused_where_it_orders() -> None:
    ran = loaded("http://127.0.0.1:1", "--run-time", "1s", "--processes", "2")

    assert (ran.returncode, ran.stdout) == (1, "")
    assert ran.stderr.endswith(
        "Orderer cannot run in several processes: omit --processes and --master, or Orderer: "
        "scripts/load --processes N Buyer LuckyShopper Payer Reader UnluckyShopper\n"
    )


def test_a_run_of_several_processes_is_made_where_it_does_not_order() -> None:
    with running(0) as stack:
        ran = loaded(str(stack.client.base_url), "--run-time", "2s", "--processes", "2", "Reader")

    assert ran.returncode == 0, ran.stderr
    assert re.search(r"Aggregated +[1-9]\d* +0\(0.00%\)", ran.stderr)


def test_an_answer_that_is_not_the_exact_one_fails_the_run_and_is_told() -> None:
    with running(0.1) as stack, in_between(stack, spoiling_bodies()) as url:
        stack.break_down("pricing", "garbage", times=1)
        ran = loaded(url, "--run-time", "6s")

    everything_failed = re.search(r"Aggregated +(\d+) +\1\(100", ran.stdout + ran.stderr)
    told = ["status 502 instead of 200", *SPOILT_SUCCESSES.values(), *SPOILT_PROBLEMS.values()]
    assert ran.returncode == 1
    assert everything_failed
    assert [what for what in told if not re.search(rf": .*{re.escape(what)}", errors_of(ran))] == []


def test_an_answer_that_is_not_the_same_the_second_time_fails_the_run_and_is_told() -> None:
    with running(0.1) as stack, in_between(stack, spoiling_what_is_had_again) as url:
        ran = loaded(url, "--run-time", "5s", "Payer")

    failed = set(re.findall(r"POST +/transfers: (.+?): Gateway-Completed", errors_of(ran)))
    told = [
        "Idempotent-Replayed is None instead of true",
        "Location is None instead of /executions/exe-",
        "the body differs from that of the first response",
    ]
    assert ran.returncode == 1
    assert {"forth, repeated (201)", "back, repeated (201)"} <= failed
    assert all("repeated" in name for name in failed)
    assert [what for what in told if what not in errors_of(ran)] == []
