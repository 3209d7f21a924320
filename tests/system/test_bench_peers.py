"""Peers of the benchmark: the same responses as the gateway's, from real processes."""

import json
import subprocess
from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager

import httpx
import pytest

from benchmarks.performance.peers import ROOT
from benchmarks.performance.upstream import ANSWERS, SERVICES
from tests.system.programs import Program
from tests.system.stack import ORDER, gateway, mocks

PEERS = ("plain_fastapi", "aiohttp_fastapi", "asgi_floor")
INVALID_CHANGES: tuple[Mapping[str, object], ...] = (
    {"quantity": 0},
    {"quantity": "1"},
    {"address": " "},
    {"user_id": "../users"},
    {"colour": "red"},
)
BODIES: Mapping[str, object] = {
    "/assessments": {
        "user_id": "user-123",
        "product_id": "prod-456",
        "stock_level": 100,
        "payment_id": "pm-789",
    },
    "/screenings": {"user_id": "user-123", "product_id": "prod-456", "stock_level": 100},
    "/quotes": {"address": "123 Main St", "stock_level": 100},
    "/tax": {"subtotal": "49.99"},
    "/discounts": {"code": None, "subtotal": "49.99"},
    "/reservations": {"product_id": "prod-456", "quantity": 1},
}
OWNERS: Mapping[str, str] = {
    "users": "user",
    "inventory": "inventory",
    "reservations": "inventory",
    "payments": "payment",
    "assessments": "fraud",
    "screenings": "fraud",
    "quotes": "shipping",
    "tax": "pricing",
    "discounts": "pricing",
}


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    """Run the services of the benchmark; yield their URLs by name."""
    with Program("benchmarks.performance.upstream") as program:
        words = program.read_line().split()
        yield dict(zip(words[::2], words[1::2], strict=True))


@pytest.fixture(scope="module")
def expected() -> httpx.Response:
    """Return the gateway's response to a checkout, with the mock services behind it."""
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as real, gateway(real) as stack:
        return stack.checkout()


@contextmanager
def peer(module: str, services: Mapping[str, str]) -> Generator[httpx.Client]:
    """Run a peer in front of *services*; yield a client of it."""
    environment = {f"GATEWAY_{name.upper()}_URL": url for name, url in services.items()}
    with (
        Program(f"benchmarks.peers.{module}", environment=environment) as program,
        httpx.Client(base_url=program.read_line().strip(), timeout=20) as client,
    ):
        yield client


@pytest.mark.parametrize("module", PEERS)
def test_peer_responds_as_the_gateway(
    module: str, services: Mapping[str, str], expected: httpx.Response
) -> None:
    with peer(module, services) as client:
        response = client.post("/checkout", json=ORDER)
        invalid = [client.post("/checkout", json={**ORDER, **change}) for change in INVALID_CHANGES]

    assert (response.status_code, response.content) == (expected.status_code, expected.content)
    assert [refusal.status_code for refusal in invalid] == [422] * len(INVALID_CHANGES)


def test_services_of_benchmark_respond_as_mock_services(services: Mapping[str, str]) -> None:
    assert {*services} == {*SERVICES}

    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as real:
        for operation in ANSWERS:
            method, target = operation.decode().split()
            service = OWNERS[target.split("/")[1]]
            content, key = json.dumps(BODIES.get(target)), {"Idempotency-Key": "key-1"}
            expected, response = (
                httpx.request(method, urls[service] + target, content=content, headers=key)
                for urls in (real, services)
            )
            assert response.status_code == expected.status_code
            assert {**response.json(), "reservation_id": ""} == {**expected.json(), "reservation_id": ""}


def test_reservations_of_benchmark_can_be_released(services: Mapping[str, str]) -> None:
    assert httpx.delete(f"{services['inventory']}/reservations/key-1").status_code == 204
    assert httpx.get(f"{services['user']}/nowhere").status_code == 404


def test_bench_has_help() -> None:
    done = subprocess.run([ROOT / "scripts" / "bench", "--help"], capture_output=True, text=True, check=True)  # noqa: S603

    assert done.stdout.startswith("usage: scripts/bench")
