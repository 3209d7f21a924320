"""Gateways whose journal is in a PostgreSQL that is down, does not answer, or takes no writes."""

import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

import psycopg
import pytest

from tests.postgres import PASSWORD, PostgresServer
from tests.system.journal.journaled_gateway import (
    IMPATIENT,
    JournaledGateway,
    count_orders,
    hang_reservations,
    run_journaled_gateway,
)
from tests.system.programs import until

OUTAGE: Final = 6.0
"""Seconds for which the database is stopped."""

COMMIT: Final = {"GATEWAY_CALL_TIMEOUT_MS": "200"}


@pytest.fixture(scope="module")
def running(
    services: Mapping[str, str], postgres: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[JournaledGateway]:
    folder = tmp_path_factory.mktemp("gateway")
    with run_journaled_gateway(services, postgres.url(), folder, **COMMIT) as gateway:
        yield gateway


def set_read_only(postgres: PostgresServer, value: str) -> None:
    """Let the transactions of other connections be read-only, or not."""
    with psycopg.connect(postgres.url(options="-cdefault_transaction_read_only=off"), autocommit=True) as own:
        own.execute(f"alter system set default_transaction_read_only = {value}".encode())
        own.execute("select pg_reload_conf()")


def test_database_may_be_down_at_the_start(
    services: Mapping[str, str], postgres: PostgresServer, tmp_path: Path
) -> None:
    url = postgres.url(postgres.create_schema())
    postgres.stop()
    try:
        with run_journaled_gateway(services, url, tmp_path) as gateway:
            gateway.wait_for_warning("requests that write are refused: PostgreSQL: .*refused")
            gateway.assert_refuses_writes_only()
            postgres.start()
            gateway.wait_until_well()
            result = gateway.end()
    except BaseException:
        postgres.start()
        raise

    assert result.code == 0
    assert PASSWORD not in result.err


def test_commit_in_progress_survives_an_outage(running: JournaledGateway, postgres: PostgresServer) -> None:
    """The order has begun before, and makes its writes meanwhile; it is recorded afterwards."""
    hang_reservations(running.services, times=3)
    begun = running.order("survivor", IMPATIENT)
    with postgres.stopped():
        end = time.monotonic() + OUTAGE
        running.wait_for_warning("requests that write are refused: PostgreSQL")
        until(lambda: "is not recorded yet" in running.log.read_text())  # so its writes are made
        while time.monotonic() < end:
            running.assert_refuses_writes_only()
    answer = running.wait_for_answer("survivor")

    assert (begun.status_code, answer.status_code) == (202, 201)
    assert (answer.headers["idempotent-replayed"], count_orders(running.services)) == ("true", 1)
    assert running.client.get(begun.headers["location"]).json()["state"] == "committed"
    running.wait_until_well()
    log = running.log.read_text()
    assert "the journal is available again" in log
    assert PASSWORD not in log


def test_suspended_database_stops_writes_only(running: JournaledGateway, postgres: PostgresServer) -> None:
    with postgres.suspended():
        running.wait_for_warning("PostgreSQL has not answered within 2 s")
        running.assert_refuses_writes_only()

    running.wait_until_well()


def test_read_only_database_still_replays(running: JournaledGateway, postgres: PostgresServer) -> None:
    first = running.order("read-only")
    set_read_only(postgres, "on")
    running.wait_for_warning("PostgreSQL: cannot execute .* in a read-only transaction")
    running.assert_refuses_writes_only()
    replay = running.order("read-only")
    set_read_only(postgres, "off")

    running.wait_until_well()
    assert (first.status_code, replay.status_code, replay.content) == (201, 201, first.content)


def test_sigterm_ends_while_the_database_is_suspended(
    services: Mapping[str, str], postgres: PostgresServer, tmp_path: Path
) -> None:
    """The next process undoes the order, which is not recorded, and repeats it."""
    url = postgres.url(postgres.create_schema())
    with run_journaled_gateway(services, url, tmp_path, **COMMIT) as gateway:
        hang_reservations(services, times=3)
        begun = gateway.order("interrupted", IMPATIENT)
        with postgres.suspended():
            result = gateway.end()
    with run_journaled_gateway(services, url, tmp_path) as gateway:
        answer = gateway.wait_for_answer("interrupted")

    assert (begun.status_code, result.code, answer.status_code, count_orders(services)) == (202, 0, 201, 1)
    assert result.seconds < 15
    assert "Traceback" not in result.err
