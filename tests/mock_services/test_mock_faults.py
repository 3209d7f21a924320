import asyncio

import httpx
import pytest

from mock_services.app import ServiceApp
from mock_services.http.connection import ConnectionDroppedError
from tests.mock_services.in_process_client import AsgiConnection, create_client, fetch_calls, put_faults
from tests.mock_services.test_mock_app import Counter, fetch_state


@pytest.fixture
def service() -> ServiceApp:
    return ServiceApp(Counter, latency_scale=0)


@pytest.fixture
def client(service: ServiceApp) -> httpx.AsyncClient:
    return create_client(service)


async def test_status_fault_responds_with_problem(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "status": 429, "retry_after": 7})

    answer = await client.get("/counts/a")

    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["status"] == 429
    assert [call.status for call in await fetch_calls(client)] == [429]


async def test_status_fault_prevents_write(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status"})

    answer = await client.post("/counts")

    assert answer.status_code == 503
    assert "retry-after" not in answer.headers
    assert await fetch_state(service) == {"count": 0}


async def test_unassigned_status_is_titled_unknown(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "status": 599})

    assert (await client.get("/counts/a")).json()["title"] == "Unknown"


async def test_status_204_fault_has_no_body(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "status": 204})

    answer = await client.get("/counts/a")

    assert answer.status_code == 204
    assert answer.content == b""


@pytest.mark.parametrize(("fault", "seconds"), [({"latency_ms": 1500}, 1.5), ({"latency_ms": 0}, 0), ({}, 1)])
async def test_latency_fault_replaces_endpoint_latency(fault: dict[str, int], seconds: float) -> None:
    client = create_client(ServiceApp(Counter, latency_scale=0.5))
    await put_faults(client, {"path_prefix": "/counts", "kind": "latency", **fault})
    before = asyncio.get_running_loop().time()

    answer = await client.get("/counts/a")

    assert answer.status_code == 200
    assert asyncio.get_running_loop().time() - before == pytest.approx(seconds)


async def test_status_fault_can_be_delayed(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "latency_ms": 300})
    before = asyncio.get_running_loop().time()

    answer = await client.get("/counts/a")

    assert answer.status_code == 503
    assert asyncio.get_running_loop().time() - before == pytest.approx(0.3)


async def test_delayed_write_takes_effect_after_disconnect(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "latency", "latency_ms": 3000})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.post("/counts"), 1)

    assert await fetch_state(service) == {"count": 0}
    await asyncio.sleep(2.1)
    assert await fetch_state(service) == {"count": 1}


async def test_delayed_status_fault_never_writes(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "latency_ms": 3000})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.post("/counts"), 1)
    await asyncio.sleep(10)

    assert await fetch_state(service) == {"count": 0}


async def test_hang_fault_never_responds_or_writes(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "hang", "latency_ms": 10})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.post("/counts"), 86_400)
    await asyncio.sleep(86_400)

    assert await fetch_state(service) == {"count": 0}
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(None, "disconnected")]


async def test_garbage_fault_returns_200_without_json(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "garbage"})

    answer = await client.post("/counts")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert await fetch_state(service) == {"count": 0}


async def test_drop_fault_prevents_response_and_write(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "drop"})
    connection = AsgiConnection("POST", "/counts")

    await connection.call(service)

    assert connection.closed.is_set()
    assert connection.sent == []
    assert await fetch_state(service) == {"count": 0}
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(None, "disconnected")]


async def test_drop_after_write_fault_sends_no_response(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "drop_after_write"})
    connection = AsgiConnection("POST", "/counts")

    await connection.call(service)

    assert connection.closed.is_set()
    assert connection.sent == []
    assert await fetch_state(service) == {"count": 1}
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(None, "disconnected")]


async def test_truncate_fault_sends_half_of_body(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "truncate"})
    connection = AsgiConnection("POST", "/counts")

    await connection.call(service)

    start, body = connection.sent
    assert start["status"] == 201
    assert (b"content-length", b"11") in start["headers"]
    assert body == {"type": "http.response.body", "body": b'{"cou', "more_body": True}
    assert connection.closed.is_set()
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(201, "disconnected")]


async def test_truncate_fault_of_empty_body_sends_nothing(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "truncate"})
    connection = AsgiConnection("DELETE", "/counts/a")

    await connection.call(service)

    assert connection.closed.is_set()
    assert connection.sent == []


async def test_drop_fault_raises_for_in_process_client(
    client: httpx.AsyncClient,
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "drop"})

    with pytest.raises(ConnectionDroppedError):
        await client.get("/counts/a")


async def test_fault_matches_path_prefix(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts/b", "kind": "status"})

    assert (await client.get("/counts/a")).status_code == 200
    assert (await client.get("/counts/bad")).status_code == 503


async def test_fault_matches_method(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/", "method": "DELETE", "kind": "status"})

    assert (await client.get("/counts/a")).status_code == 200
    assert (await client.delete("/counts/a")).status_code == 503


async def test_first_matching_fault_applies(client: httpx.AsyncClient) -> None:
    await put_faults(
        client,
        {"path_prefix": "/counts/b", "kind": "status", "status": 500},
        {"path_prefix": "/counts/a", "kind": "status", "status": 501},
        {"path_prefix": "/counts", "kind": "status", "status": 502},
    )

    assert (await client.get("/counts/a")).status_code == 501


async def test_next_fault_applies_once_first_is_used_up(client: httpx.AsyncClient) -> None:
    await put_faults(
        client,
        {"path_prefix": "/counts", "kind": "status", "status": 500, "times": 2},
        {"path_prefix": "/counts", "kind": "status", "status": 501, "times": 1},
    )

    statuses = [(await client.get("/counts/a")).status_code for _ in range(4)]

    assert statuses == [500, 500, 501, 200]


async def test_fault_without_times_never_expires(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "times": None})
    statuses = {(await client.get("/counts/a")).status_code for _ in range(10)}

    await put_faults(client)

    assert statuses == {503}
    assert (await client.get("/counts/a")).status_code == 200


@pytest.mark.parametrize(
    "fault",
    [
        {"kind": "status"},
        {"path_prefix": "/"},
        {"path_prefix": "/", "kind": "explode"},
        {"path_prefix": "counts", "kind": "drop"},
        {"path_prefix": "/", "kind": "drop", "method": "get"},
        {"path_prefix": "/", "kind": "status", "status": "503"},
        {"path_prefix": "/", "kind": "status", "status": 600},
        {"path_prefix": "/", "kind": "latency", "latency_ms": -1},
        {"path_prefix": "/", "kind": "latency", "latency_ms": 1.0},
        {"path_prefix": "/", "kind": "drop", "times": 0},
        {"path_prefix": "/", "kind": "drop", "retry_after": True},
        {"path_prefix": "/", "kind": "drop", "colour": "red"},
    ],
)
async def test_invalid_fault_keeps_previous_faults(
    client: httpx.AsyncClient, fault: dict[str, object]
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status"})

    answer = await client.put("/_mock/faults", json=[fault])

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get("/counts/a")).status_code == 503


async def test_invalid_fault_list_is_rejected(client: httpx.AsyncClient) -> None:
    assert (await client.put("/_mock/faults", content=b"[")).status_code == 400
    assert (await client.put("/_mock/faults", json={})).status_code == 422
