import httpx
import pytest

from mock_services.catalogue import SERVICES
from tests.mock_services.in_process_client import create_client, fetch_calls, put_faults

CONTROL_PATHS = ["/health", "/_mock/calls", "/_mock/state"]


@pytest.fixture
def inventory() -> httpx.AsyncClient:
    return create_client("inventory")


@pytest.mark.parametrize("name", SERVICES)
async def test_every_service_has_control_endpoints(name: str) -> None:
    client = create_client(name)

    assert (await client.get("/health")).json() == {"status": "pass"}
    assert (await client.get("/_mock/calls")).json() == []
    assert (await client.get("/_mock/state")).status_code == 200
    assert (await client.delete("/_mock")).status_code == 204


async def test_state_has_only_data_of_service(inventory: httpx.AsyncClient) -> None:
    stock = {"prod-456": 100, "prod-expensive": 5, "prod-out-of-stock": 0}

    assert (await inventory.get("/_mock/state")).json() == {"stock": stock, "reservations": []}
    assert (await create_client("payment").get("/_mock/state")).json() == {"transfers": []}
    assert (await create_client("user").get("/_mock/state")).json() == {}


@pytest.mark.parametrize("path", CONTROL_PATHS)
async def test_control_call_is_neither_faulted_nor_logged(inventory: httpx.AsyncClient, path: str) -> None:
    await put_faults(inventory, {"path_prefix": "/", "kind": "drop"})

    answer = await inventory.get(path)

    assert answer.status_code == 200
    assert await fetch_calls(inventory) == []


async def test_reset_clears_faults_and_log(inventory: httpx.AsyncClient) -> None:
    await put_faults(inventory, {"path_prefix": "/", "kind": "status"})
    await inventory.get("/inventory/prod-456")

    answer = await inventory.delete("/_mock")

    assert answer.status_code == 204
    assert await fetch_calls(inventory) == []
    assert (await inventory.get("/inventory/prod-456")).status_code == 200


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [("GET", "/_mock", 405), ("POST", "/health", 405), ("GET", "/_mock/secrets", 404)],
)
async def test_rejected_control_request_is_not_logged(
    inventory: httpx.AsyncClient, method: str, path: str, status: int
) -> None:
    answer = await inventory.request(method, path)

    assert answer.status_code == status
    assert await fetch_calls(inventory) == []


async def test_services_do_not_share_faults(inventory: httpx.AsyncClient) -> None:
    await put_faults(inventory, {"path_prefix": "/", "kind": "status"})

    answer = await create_client("inventory").get("/inventory/prod-456")

    assert answer.status_code == 200
