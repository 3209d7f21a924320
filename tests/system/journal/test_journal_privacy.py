"""Privacy of a journal: nothing of a request is in it, and only its owner can read it."""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import httpx

from tests.postgres import PASSWORD, PostgresServer
from tests.system.journal.journaled_gateway import JournaledGateway, run_journaled_gateway
from tests.system.stack import ORDER

TOKEN: Final = "token-user-123"  # noqa: S105 - of the mock services
KEY: Final = "key-of-a-client"
PURCHASE: Final = {"user_id": "user-123", "product_id": "prod-456", "quantity": 2}
SECRETS: Final = (TOKEN, KEY, ORDER["address"])
"""Values of requests that must not be in the journal; the others are in answers, too."""


def use(gateway: JournaledGateway) -> Sequence[int]:
    """Make an order, a purchase, a refused and a failed order, with and without a key."""
    client = gateway.client
    headers = {"Authorization": f"Bearer {TOKEN}"}
    too_many = {**PURCHASE, "quantity": 101}
    statuses = [
        gateway.order(KEY, headers).status_code,
        gateway.order().status_code,
        client.post("/purchases", json=PURCHASE, headers=headers).status_code,
        client.post("/purchases", json=too_many, headers={**headers, "Idempotency-Key": KEY}).status_code,
    ]
    fault = {"path_prefix": "/quotes", "kind": "garbage"}
    httpx.put(f"{gateway.services['shipping']}/_mock/faults", json=[fault]).raise_for_status()
    return [*statuses, gateway.order(f"{KEY}-2", headers).status_code]


def list_leaks(content: bytes) -> Sequence[str]:
    return [secret for secret in SECRETS if secret.encode() in content]


def test_file_has_nothing_of_the_requests(services: Mapping[str, str], tmp_path: Path) -> None:
    """The files are read while the gateway runs, with all versions of the rows in the write-ahead log."""
    path = tmp_path / "journal.sqlite"
    with run_journaled_gateway(services, f"sqlite:///{path}", tmp_path) as gateway:
        statuses = use(gateway)
        files = {file.name: file for file in tmp_path.glob("journal.sqlite*")}
        modes = {name: stat.S_IMODE(file.stat().st_mode) for name, file in files.items()}
        content = b"".join(file.read_bytes() for file in files.values())

    assert statuses == [201, 201, 201, 409, 502]
    assert modes == dict.fromkeys(["journal.sqlite", "journal.sqlite-wal", "journal.sqlite-shm"], 0o600)
    assert b"orders" in content
    assert list_leaks(content) == []


def test_table_has_nothing_of_the_requests(
    services: Mapping[str, str], postgres: PostgresServer, tmp_path: Path
) -> None:
    with run_journaled_gateway(services, postgres.url(), tmp_path) as gateway:
        statuses = use(gateway)
        content = b"".join(
            postgres.find_file(name).read_bytes()
            for name in ("gateway_executions", "gateway_owners", "gateway_secrets")
        )
        result = gateway.end()

    assert statuses == [201, 201, 201, 409, 502]
    assert b"orders" in content
    assert list_leaks(content) == []
    assert list_leaks(result.err.encode()) == []
    assert PASSWORD not in result.err
