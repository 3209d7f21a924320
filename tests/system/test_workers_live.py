"""Several workers, or several gateways, on one journal: one effect and one answer for each key."""

import os
import signal
from collections.abc import Generator, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Final

import httpx
import pytest

from tests.postgres import PostgresServer, run_postgres
from tests.system.programs import Program, free_port, is_answering, until
from tests.system.stack import ORDER, SERVICES, mocks

SIMULTANEOUS: Final = 20
PATIENT: Final = {"GATEWAY_DEADLINE_MS": "20000", "GATEWAY_CALL_TIMEOUT_MS": "10000"}
"""On a busy machine, requests may wait longer than the defaults allow."""


@pytest.fixture(scope="module")
def processes() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="1") as services:
        yield services


@pytest.fixture
def services(processes: Mapping[str, str]) -> Mapping[str, str]:
    for url in processes.values():
        httpx.delete(f"{url}/_mock").raise_for_status()
    return processes


@pytest.fixture
def file(tmp_path: Path) -> str:
    """The URL of a journal in a file."""
    return f"sqlite:///{tmp_path}/journal.sqlite"


@contextmanager
def serve(
    services: Mapping[str, str], journal: str, *arguments: str, **settings: str
) -> Generator[tuple[Program, str]]:
    """Run a gateway; yield the program and its URL."""
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    environment = {"GATEWAY_PORT": "0", "GATEWAY_JOURNAL_URL": journal, **urls, **PATIENT, **settings}
    with Program("gateway", "serve", *arguments, environment=environment) as program:
        yield program, program.read_line().split()[1]


def order(url: str, key: str, **changes: object) -> httpx.Response:
    return httpx.post(
        f"{url}/orders", json={**ORDER, **changes}, headers={"Idempotency-Key": key}, timeout=60
    )


def order_at_once(urls: Sequence[str]) -> list[httpx.Response]:
    """Send the same order under one key many times at once, to each of *urls* in turn."""
    with ThreadPoolExecutor(SIMULTANEOUS) as threads:
        pending = [threads.submit(order, urls[n % len(urls)], "key") for n in range(SIMULTANEOUS)]
        return [answer.result() for answer in pending]


def count_reservations(services: Mapping[str, str]) -> int:
    return len(httpx.get(f"{services['inventory']}/_mock/state").json()["reservations"])


def list_workers(program: Program) -> list[int]:
    """Return the ids of the child processes of *program*."""
    pid = program.process.pid
    return [*map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text().split())]


def assert_one_effect(answers: Sequence[httpx.Response], services: Mapping[str, str]) -> None:
    assert {(answer.status_code, answer.content) for answer in answers} == {(201, answers[0].content)}
    assert len({answer.headers["location"] for answer in answers}) == 1
    assert [answer.headers.get("idempotent-replayed") for answer in answers].count("true") == len(answers) - 1
    assert count_reservations(services) == 1


def test_workers_share_idempotency_keys(services: Mapping[str, str], file: str) -> None:
    with serve(services, file, "--workers", "3") as (program, url):
        answers = order_at_once([url])
        workers = list_workers(program)
        result = program.end()

    assert len(workers) == 3
    assert_one_effect(answers, services)
    assert (result.code, result.err) == (0, "")


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server


def test_gateways_share_idempotency_keys(services: Mapping[str, str], postgres: PostgresServer) -> None:
    journal = postgres.url(postgres.create_schema())
    with ExitStack() as stack:
        gateways = [stack.enter_context(serve(services, journal)) for _ in range(2)]
        answers = order_at_once([url for _, url in gateways])
        results = [program.end() for program, _ in gateways]

    assert_one_effect(answers, services)
    assert [(result.code, result.err) for result in results] == [(0, ""), (0, "")]


def test_answers_are_kept_over_restart(services: Mapping[str, str], file: str) -> None:
    with serve(services, file) as (program, url):
        first = order(url, "key")
        program.process.kill()
    with serve(services, file) as (program, url):
        repeated, other = order(url, "key"), order(url, "key", quantity=2)
        program.end()

    assert (repeated.status_code, repeated.content) == (201, first.content)
    for name in ("location", "content-type", "gateway-completed"):
        assert repeated.headers[name] == first.headers[name]
    assert repeated.headers["idempotent-replayed"] == "true"
    assert (other.status_code, other.json()["code"]) == (422, "idempotency-mismatch")
    assert count_reservations(services) == 1


def test_killed_worker_is_replaced_while_others_serve(services: Mapping[str, str], file: str) -> None:
    with serve(services, file, "--workers", "2") as (program, url):
        killed, other = list_workers(program)
        os.kill(killed, signal.SIGKILL)
        answers = [order(url, f"key-{number}").status_code for number in range(5)]
        until(lambda: len({*list_workers(program)} - {killed, other}) == 1)
        result = program.end()

    assert answers == [201] * 5
    assert f"worker {killed} was killed by SIGKILL; starting another one in 0.2 s" in result.err
    assert result.code == 0


def test_sigterm_waits_for_commit_of_worker(services: Mapping[str, str], file: str) -> None:
    slow = [{"path_prefix": "/reservations", "method": "POST", "kind": "latency", "latency_ms": 4000}]
    httpx.put(f"{services['inventory']}/_mock/faults", json=slow).raise_for_status()
    with serve(services, file, "--workers", "2") as (program, url):
        accepted = httpx.post(
            f"{url}/orders", json=ORDER, headers={"X-Request-Timeout-Ms": "2000"}, timeout=60
        )
        workers = list_workers(program)
        result = program.end(signal.SIGTERM)

    assert accepted.status_code == 202
    assert (result.code, result.err.count("waiting for executions to end: ")) == (0, 1)
    assert count_reservations(services) == 1
    assert not any(Path(f"/proc/{worker}").exists() for worker in workers)


def test_drain_of_workers_ends_at_second_signal(services: Mapping[str, str], file: str) -> None:
    with serve(services, file, "--workers", "2", GATEWAY_DRAIN_MS="60000") as (program, url):
        program.process.send_signal(signal.SIGTERM)
        until(lambda: httpx.get(f"{url}/health/ready").status_code == 503)
        still_served = httpx.get(f"{url}/pipelines")
        result = program.end(signal.SIGINT)

    assert (still_served.status_code, still_served.headers["connection"]) == (200, "close")
    assert (result.code, result.err) == (0, "")


def test_workers_end_if_their_supervisor_is_killed(services: Mapping[str, str], file: str) -> None:
    with serve(services, file, "--workers", "2") as (program, url):
        workers = list_workers(program)
        program.process.kill()
        until(lambda: not any(Path(f"/proc/{worker}").exists() for worker in workers))

    assert not is_answering(f"{url}/health/live")


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [
        (("--workers", "2"), "--workers 2 needs a journal that the workers share, "),
        (("--workers", "2", "--reload"), "--reload serves with a single process; leave out --workers"),
        (("--workers", "0"), "invalid number of workers '0': expected a positive integer"),
    ],
)
def test_workers_that_make_no_sense_are_refused(arguments: Sequence[str], reason: str) -> None:
    environment = {"GATEWAY_PORT": "0", "GATEWAY_JOURNAL_URL": "sqlite:///:memory:"}
    with Program("gateway", "serve", *arguments, environment=environment) as program:
        result = program.wait()

    assert (result.code, result.out) == (2, "")
    assert reason in result.err.splitlines()[-1]


def test_uvicorn_workers_share_idempotency_keys(services: Mapping[str, str], file: str) -> None:
    """uvicorn's own workers serve a gateway that writes, too."""
    port = free_port()
    urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES}
    options = ("--factory", "gateway.app:create_app", "--workers", "2", "--port", str(port))
    environment = {"GATEWAY_JOURNAL_URL": file, **urls, **PATIENT}
    with Program("uvicorn", *options, environment=environment) as program:
        assert program.process.stderr
        ready = 0
        while ready < 2:
            ready += "Application startup complete." in program.process.stderr.readline()
        answers = order_at_once([f"http://127.0.0.1:{port}"])
        result = program.end(signal.SIGINT)

    assert_one_effect(answers, services)
    assert "Traceback" not in result.err
