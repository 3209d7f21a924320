"""Services and PostgreSQL for gateways with a journal."""

from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests.postgres import PostgresServer, run_postgres
from tests.system.stack import mocks


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


@pytest.fixture(autouse=True)
def fresh_services(services: Mapping[str, str]) -> None:
    """Reset the state, faults and call logs of the services before each test."""
    for url in services.values():
        httpx.delete(f"{url}/_mock").raise_for_status()


@pytest.fixture(scope="module")
def postgres() -> Iterator[PostgresServer]:
    with run_postgres() as server:
        yield server
