"""Commits during the shutdown of the gateway."""

import signal
from collections.abc import Generator, Iterator, Mapping, Sequence
from contextlib import contextmanager

import httpx
import pytest

from tests.system.programs import Program, is_answering, until
from tests.system.stack import ORDER, SERVICES, mocks

IMPATIENT = {"X-Request-Timeout-Ms": "700"}
UNDO = "DELETE /reservations/{key}"
TERMS = {
    "GATEWAY_CALL_TIMEOUT_MS": "200",
    "GATEWAY_COMMIT_BUDGET_MS": "2500",
    "GATEWAY_UNDO_BUDGET_MS": "2500",
}


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


@pytest.fixture
def inventory(services: Mapping[str, str]) -> Iterator[str]:
    yield services["inventory"]
    httpx.delete(f"{services['inventory']}/_mock").raise_for_status()


@contextmanager
def gateway_in_commit(services: Mapping[str, str], **fault: int) -> Generator[tuple[Program, str]]:
    """Run a gateway with a commit in progress whose write hangs; yield the program and its liveness URL."""
    hangs = [{"path_prefix": "/reservations", "method": "POST", "kind": "hang", **fault}]
    httpx.put(f"{services['inventory']}/_mock/faults", json=hangs).raise_for_status()
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    with Program("gateway", "serve", environment={"GATEWAY_PORT": "0", **urls, **TERMS}) as program:
        url = program.read_line().split()[1]
        assert httpx.post(f"{url}/orders", json=ORDER, headers=IMPATIENT).status_code == 202
        yield program, f"{url}/health/live"


def calls_of(service: str) -> Sequence[str]:
    """Return the operations called for reservations: writes and their undos."""
    calls = httpx.get(f"{service}/_mock/calls").json()
    return [call["operation"] for call in calls if "/reservations" in call["operation"]]


def test_sigterm_waits_for_commit(services: Mapping[str, str], inventory: str) -> None:
    with gateway_in_commit(services, times=4) as (program, _):
        result = program.end(signal.SIGTERM)

    assert (result.code, UNDO in calls_of(inventory)) == (0, False)
    assert len(httpx.get(f"{inventory}/_mock/state").json()["reservations"]) == 1


def test_sigterm_waits_for_undo(services: Mapping[str, str], inventory: str) -> None:
    with gateway_in_commit(services) as (program, _):
        result = program.end(signal.SIGTERM)

    assert (result.code, result.err.count("Traceback")) == (0, 0)
    assert calls_of(inventory)[-1] == UNDO
    assert result.seconds > 1


def test_repeated_signals_do_not_prevent_undo(services: Mapping[str, str], inventory: str) -> None:
    with gateway_in_commit(services) as (program, url):
        program.process.send_signal(signal.SIGINT)
        until(lambda: not is_answering(url))
        program.process.send_signal(signal.SIGINT)
        result = program.end(signal.SIGINT)

    assert (result.code, result.err.count("Traceback")) == (0, 0)
    assert calls_of(inventory)[-1] == UNDO
