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

import httpx
from typing_extensions import override

from tests.system.stack import Json, Stack, running

LOAD: Final = Path(__file__).parents[2] / "scripts" / "load"

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
    """Spoil every body, each in another way."""
    successes, problems = (cycle(spoilt) for spoilt in (SPOILT_SUCCESSES, SPOILT_PROBLEMS))

    def spoiled(said: httpx.Response) -> httpx.Response:
        spoil = next(successes if said.status_code in {200, 201} else problems)
        return httpx.Response(said.status_code, headers=said.headers, text=spoil(said.json()))

    return spoiled


def spoiling_what_is_had_again(said: httpx.Response) -> httpx.Response:
    """Spoil headers and bodies of answers that are given a second time."""
    if "Idempotent-Replayed" not in said.headers:
        return said
    return httpx.Response(said.status_code, text=json.dumps(said.json(), indent=1))


def loaded(url: str, *options: str) -> "subprocess.CompletedProcess[str]":
    command = [str(LOAD), "--headless", "--users", "20", "--spawn-rate", "20", "--host", url, *options]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=300)  # noqa: S603


def errors_of(ran: "subprocess.CompletedProcess[str]") -> str:
    return (ran.stdout + ran.stderr).rpartition("Error report\n")[2]


def test_under_load_every_answer_is_the_exact_one() -> None:
    with running(0.1) as stack:
        ran = loaded(str(stack.client.base_url), "--run-time", "8s", "--json")
        state = httpx.get(f"{stack.services['inventory']}/_mock/state").json()

    figures = json.loads(ran.stdout)
    assert ran.returncode == 0, ran.stderr
    assert sum(row["num_requests"] for row in figures) > 100
    assert [row["name"] for row in figures if row["num_failures"]] == []
    assert state["stock"]["prod-456"] >= 60
    assert {row["name"] for row in figures} >= {
        "/checkout: one piece (200)",
        "/checkout: three pieces with a discount (200)",
        "/checkout: unknown user (404)",
        "/checkout: out of stock (409)",
        "/checkout: payment expired (422)",
        "/checkout: high-risk user (403)",
        "/checkout: two failures at once (207)",
        "/checkout: blank address (422)",
        "/feed/user-123: everything (200)",
        "/feed/user-789: no friends (200)",
        "/feed/nonexistent-user: unknown user (404)",
        "/orders: one piece (201)",
        "/orders: more than there are (409)",
        "/transfers: there (201)",
        "/transfers: there, again (201)",
        "/transfers: back (201)",
        "/transfers: no funds (409)",
        "/transfers: sanctioned (403)",
        "/transfers: unknown destination (404)",
        "/transfers: to itself (422)",
        "/purchases: one piece (201)",
        "/purchases: one piece, again (201)",
        "/purchases: out of stock (409)",
        "/purchases: no token (401)",
        "/purchases: somebody else's token (403)",
    }


def test_an_answer_that_is_not_the_exact_one_fails_the_run_and_is_told() -> None:
    with running(0.1) as stack, in_between(stack, spoiling_bodies()) as url:
        stack.break_down("pricing", "garbage", times=1)
        ran = loaded(url, "--run-time", "4s")

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
        "the body is another one than the first time",
    ]
    assert ran.returncode == 1
    assert {"there, again (201)", "back, again (201)"} <= failed
    assert all("again" in name for name in failed)
    assert [what for what in told if what not in errors_of(ran)] == []
