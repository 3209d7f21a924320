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


async def test_a_status_fault_answers_a_problem(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "status": 429, "retry_after": 7})

    answer = await client.get("/counts/a")

    assert answer.status_code == 429
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.headers["retry-after"] == "7"
    assert answer.json()["status"] == 429
    assert [call.status for call in await fetch_calls(client)] == [429]


async def test_a_status_fault_keeps_a_write_from_happening(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status"})

    answer = await client.post("/counts")

    assert answer.status_code == 503
    assert "retry-after" not in answer.headers
    assert await fetch_state(service) == {"count": 0}


async def test_a_status_that_http_does_not_name_has_a_title_all_the_same(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "status": 599})

    assert (await client.get("/counts/a")).json()["title"] == "Unknown"


async def test_a_status_that_has_no_body_goes_without(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "status": 204})

    answer = await client.get("/counts/a")

    assert answer.status_code == 204
    assert answer.content == b""


@pytest.mark.parametrize(("fault", "seconds"), [({"latency_ms": 1500}, 1.5), ({"latency_ms": 0}, 0), ({}, 1)])
async def test_a_latency_fault_takes_the_place_of_the_endpoints_latency(
    fault: dict[str, int], seconds: float
) -> None:
    client = create_client(ServiceApp(Counter, latency_scale=0.5))
    await put_faults(client, {"path_prefix": "/counts", "kind": "latency", **fault})
    before = asyncio.get_running_loop().time()

    answer = await client.get("/counts/a")

    assert answer.status_code == 200
    assert asyncio.get_running_loop().time() - before == pytest.approx(seconds)


async def test_any_fault_can_be_slow(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "latency_ms": 300})
    before = asyncio.get_running_loop().time()

    answer = await client.get("/counts/a")

    assert answer.status_code == 503
    assert asyncio.get_running_loop().time() - before == pytest.approx(0.3)


async def test_a_write_with_a_latency_fault_is_applied_after_the_wait_though_its_caller_has_left(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "latency", "latency_ms": 3000})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.post("/counts"), 1)

    assert await fetch_state(service) == {"count": 0}
    await asyncio.sleep(2.1)
    assert await fetch_state(service) == {"count": 1}


async def test_a_slow_status_fault_writes_nothing_after_its_caller_has_left(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status", "latency_ms": 3000})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.post("/counts"), 1)
    await asyncio.sleep(10)

    assert await fetch_state(service) == {"count": 0}


async def test_a_hang_never_answers_and_never_writes(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "hang", "latency_ms": 10})

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.post("/counts"), 86_400)
    await asyncio.sleep(86_400)

    assert await fetch_state(service) == {"count": 0}
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(None, "disconnected")]


async def test_garbage_is_a_200_that_is_not_json(client: httpx.AsyncClient, service: ServiceApp) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "garbage"})

    answer = await client.post("/counts")

    assert answer.status_code == 200
    assert answer.headers["content-type"] == "application/json"
    with pytest.raises(ValueError, match="Expecting value"):
        answer.json()
    assert await fetch_state(service) == {"count": 0}


async def test_a_drop_closes_the_connection_without_an_answer_or_a_write(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "drop"})
    line = AsgiConnection("POST", "/counts")

    await line.call(service)

    assert line.closed.is_set()
    assert line.sent == []
    assert await fetch_state(service) == {"count": 0}
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(None, "disconnected")]


async def test_a_drop_after_write_closes_the_connection_when_the_write_has_happened(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "drop_after_write"})
    line = AsgiConnection("POST", "/counts")

    await line.call(service)

    assert line.closed.is_set()
    assert line.sent == []
    assert await fetch_state(service) == {"count": 1}
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(None, "disconnected")]


async def test_truncate_promises_a_whole_body_sends_half_and_closes(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "truncate"})
    line = AsgiConnection("POST", "/counts")

    await line.call(service)

    start, body = line.sent
    assert start["status"] == 201
    assert (b"content-length", b"11") in start["headers"]
    assert body == {"type": "http.response.body", "body": b'{"cou', "more_body": True}
    assert line.closed.is_set()
    assert [(call.status, call.outcome) for call in await fetch_calls(client)] == [(201, "disconnected")]


async def test_of_an_answer_without_a_body_truncate_sends_nothing(
    client: httpx.AsyncClient, service: ServiceApp
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "truncate"})
    line = AsgiConnection("DELETE", "/counts/a")

    await line.call(service)

    assert line.closed.is_set()
    assert line.sent == []


async def test_a_caller_in_this_process_gets_an_exception_for_a_connection_that_is_dropped(
    client: httpx.AsyncClient,
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "drop"})

    with pytest.raises(ConnectionDroppedError):
        await client.get("/counts/a")


async def test_a_fault_is_for_paths_that_begin_with_its_prefix(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/counts/b", "kind": "status"})

    assert (await client.get("/counts/a")).status_code == 200
    assert (await client.get("/counts/bad")).status_code == 503


async def test_a_fault_with_a_method_is_for_that_method(client: httpx.AsyncClient) -> None:
    await put_faults(client, {"path_prefix": "/", "method": "DELETE", "kind": "status"})

    assert (await client.get("/counts/a")).status_code == 200
    assert (await client.delete("/counts/a")).status_code == 503


async def test_of_several_faults_the_first_that_matches_applies(client: httpx.AsyncClient) -> None:
    await put_faults(
        client,
        {"path_prefix": "/counts/b", "kind": "status", "status": 500},
        {"path_prefix": "/counts/a", "kind": "status", "status": 501},
        {"path_prefix": "/counts", "kind": "status", "status": 502},
    )

    assert (await client.get("/counts/a")).status_code == 501


async def test_a_fault_applies_as_often_as_it_says_and_then_the_next_one(client: httpx.AsyncClient) -> None:
    await put_faults(
        client,
        {"path_prefix": "/counts", "kind": "status", "status": 500, "times": 2},
        {"path_prefix": "/counts", "kind": "status", "status": 501, "times": 1},
    )

    statuses = [(await client.get("/counts/a")).status_code for _ in range(4)]

    assert statuses == [500, 500, 501, 200]


async def test_a_fault_without_times_applies_until_the_faults_are_replaced(client: httpx.AsyncClient) -> None:
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
async def test_a_fault_that_makes_no_sense_is_refused_and_the_faults_stay_as_they_were(
    client: httpx.AsyncClient, fault: dict[str, object]
) -> None:
    await put_faults(client, {"path_prefix": "/counts", "kind": "status"})

    answer = await client.put("/_mock/faults", json=[fault])

    assert answer.status_code == 422
    assert answer.headers["content-type"] == "application/problem+json"
    assert (await client.get("/counts/a")).status_code == 503


async def test_faults_that_are_not_json_or_not_a_list_are_refused(client: httpx.AsyncClient) -> None:
    assert (await client.put("/_mock/faults", content=b"[")).status_code == 400
    assert (await client.put("/_mock/faults", json={})).status_code == 422
