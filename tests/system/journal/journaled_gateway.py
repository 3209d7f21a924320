"""A gateway as a process, with a journal in a database that gets into trouble, and its mock services."""

import re
import signal
from collections.abc import Generator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, TypeAlias

import httpx

from tests.system.programs import Program, ProgramResult, until
from tests.system.stack import ORDER, SERVICES, Json

__all__ = ("IMPATIENT", "JournaledGateway", "count_orders", "hang_reservations", "run_journaled_gateway")

IMPATIENT: Final = {"X-Request-Timeout-Ms": "700"}

Services: TypeAlias = Mapping[str, str]
"""URLs of the mock services by name."""


@dataclass(frozen=True)
class JournaledGateway:
    """Gateway with its *client*, its *services* by name, and the *log* file with its standard error."""

    program: Program
    client: httpx.Client
    services: Services
    log: Path

    def order(self, key: str | None = None, headers: Mapping[str, str] | None = None) -> httpx.Response:
        keys = {} if key is None else {"Idempotency-Key": key}
        return self.client.post("/orders", json=ORDER, headers={**keys, **(headers or {})})

    def read_readiness(self) -> Mapping[str, Any]:
        answer = self.client.get("/health/ready")
        assert answer.status_code == 200
        health: Mapping[str, Any] = answer.json()
        return health

    def read_warning(self) -> str | None:
        """Return the reason of the warning of the journal, None without a warning."""
        (check,) = self.read_readiness()["checks"]["journal"]
        warning: str | None = check.get("output")
        return warning

    def wait_for_warning(self, reason: str) -> None:
        """Wait until readiness warns of the journal with *reason*, a regular expression."""
        until(lambda: re.search(reason, self.read_warning() or "") is not None)

    def list_calls(self) -> Sequence[str]:
        """Return the operations called on all services since their last reset, except for health checks."""
        calls = [
            call for url in self.services.values() for call in self.client.get(f"{url}/_mock/calls").json()
        ]
        return [call["operation"] for call in calls if "/health" not in call["operation"]]

    def assert_refuses_writes_only(self, detail: str = "unavailable") -> None:
        """Assert that orders are refused, before anything is sent to a service, and that reads go on."""
        before = self.list_calls()
        for key in (None, "key-of-a-refused-order"):
            refusal = self.order(key)
            body = refusal.json()
            assert (refusal.status_code, body["code"]) == (503, "unavailable"), body
            assert refusal.headers["content-type"] == "application/problem+json"
            assert int(refusal.headers["retry-after"]) >= 1
            assert detail in body["detail"]
        assert self.list_calls() == before
        assert self.client.get("/feed/user-123").status_code == 200
        assert self.client.post("/checkout", json=ORDER).status_code == 200
        assert self.read_readiness()["status"] == "warn"

    def wait_until_well(self) -> None:
        """Wait until an order succeeds, and readiness passes."""
        until(lambda: self.order().status_code == 201)
        until(lambda: self.read_readiness()["status"] == "pass")

    def wait_for_answer(self, key: str) -> httpx.Response:
        """Repeat the order with *key* until its answer is final; return it."""
        answers: list[httpx.Response] = []

        def is_final() -> bool:
            answers.append(self.order(key))
            return answers[-1].status_code not in {202, 503}

        until(is_final)
        return answers[-1]

    def end(self) -> ProgramResult:
        """Send SIGTERM; return the result, with the whole log as its standard error."""
        self.program.process.send_signal(signal.SIGTERM)
        result = self.program.wait()
        return ProgramResult(result.code, result.out, self.log.read_text(), result.seconds)


@contextmanager
def run_journaled_gateway(
    services: Services, url: str, folder: Path, **settings: str
) -> Generator[JournaledGateway]:
    """Run a gateway with its journal at *url*, and its log in *folder*."""
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    environment = {"GATEWAY_PORT": "0", "GATEWAY_JOURNAL_URL": url, **urls, **settings}
    log = folder / "gateway.log"
    with Program("gateway", "serve", environment=environment, folder=folder, log=log) as program:
        address = program.read_line().split()[1]
        with httpx.Client(base_url=address, timeout=20) as client:
            yield JournaledGateway(program, client, services, log)


def hang_reservations(services: Services, times: int) -> None:
    """Let the next reservations of stock hang."""
    fault: Json = {"path_prefix": "/reservations", "method": "POST", "kind": "hang", "times": times}
    httpx.put(f"{services['inventory']}/_mock/faults", json=[fault]).raise_for_status()


def count_orders(services: Services) -> int:
    """Return the number of reservations that stand."""
    return len(httpx.get(f"{services['inventory']}/_mock/state").json()["reservations"])
