import asyncio
from collections.abc import Mapping, Sequence

import pytest
from typing_extensions import override

from mock_services.app import ServiceApp
from mock_services.call_log import MAX_CALLS, Call, CallLog
from mock_services.http.endpoints import Endpoint, MockService
from mock_services.http.request import Request
from tests.mock_services.in_process_client import AsgiConnection, create_client, fetch_calls, put_faults


class Counter(MockService):
    """A service that counts the requests that it handles."""

    def __init__(self) -> None:
        self._count = 0

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /counts/{name}", 100, self._add_one),
            Endpoint("POST /counts", 100, self._add_one, status=201, is_write=True),
            Endpoint("DELETE /counts/{name}", 0, self._clear, status=204, is_write=True),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"count": self._count}

    def _add_one(self, _: Request) -> Mapping[str, object]:
        self._count += 1
        return self.state()

    def _clear(self, _: Request) -> None:
        self._count = 0


@pytest.fixture
def service() -> ServiceApp:
    return ServiceApp(Counter)


async def fetch_state(service: ServiceApp) -> object:
    return (await create_client(service).get("/_mock/state")).json()


def read_clock() -> float:
    return asyncio.get_running_loop().time()


async def test_response_takes_latency_of_endpoint(service: ServiceApp) -> None:
    before = read_clock()

    answer = await create_client(service).get("/counts/a")

    assert answer.status_code == 200
    assert read_clock() - before == pytest.approx(0.1)


async def test_latency_is_multiplied_by_scale() -> None:
    before = read_clock()

    await create_client(ServiceApp(Counter, latency_scale=2.5)).get("/counts/a")

    assert read_clock() - before == pytest.approx(0.25)


async def test_latency_scale_zero_takes_no_time() -> None:
    before = read_clock()

    await create_client(ServiceApp(Counter, latency_scale=0)).get("/counts/a")

    assert read_clock() == before


async def test_endpoint_responds_with_its_status(service: ServiceApp) -> None:
    client = create_client(service)

    assert (await client.post("/counts")).status_code == 201
    assert (await client.delete("/counts/a")).status_code == 204


async def test_logged_call_has_path_template_and_key(service: ServiceApp) -> None:
    client = create_client(service)

    await client.delete("/counts/a?all=true", headers={"Idempotency-Key": "key-1"})

    assert await fetch_calls(client) == [
        Call("DELETE /counts/{name}", "DELETE", "/counts/a", "key-1", 204, "answered")
    ]


async def test_calls_are_logged_in_order_of_end(service: ServiceApp) -> None:
    client = create_client(service)

    await asyncio.gather(client.get("/counts/slow"), client.delete("/counts/fast"))

    assert [call.path for call in await fetch_calls(client)] == ["/counts/fast", "/counts/slow"]


async def test_unknown_path_is_logged_as_404(service: ServiceApp) -> None:
    client = create_client(service)

    answer = await client.get("/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "No such path: /nowhere"
    assert await fetch_calls(client) == [Call("GET /nowhere", "GET", "/nowhere", None, 404, "answered")]


async def test_wrong_method_gets_405_with_allow_header(service: ServiceApp) -> None:
    client = create_client(service)

    answer = await client.patch("/counts/a")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, DELETE"
    assert (await fetch_calls(client))[0].operation == "PATCH /counts/{name}"


async def test_path_parameter_is_one_segment(service: ServiceApp) -> None:
    assert (await create_client(service).get("/counts/a/b")).status_code == 404


async def test_read_stops_when_client_disconnects(service: ServiceApp) -> None:
    connection = AsgiConnection("GET", "/counts/a")
    call = asyncio.create_task(connection.call(service))
    await asyncio.sleep(0.05)

    connection.closed.set()
    await call
    await asyncio.sleep(1)

    assert connection.sent == []
    assert await fetch_state(service) == {"count": 0}
    assert await fetch_calls(create_client(service)) == [
        Call("GET /counts/{name}", "GET", "/counts/a", None, None, "disconnected")
    ]


async def test_read_stops_when_client_is_cancelled(service: ServiceApp) -> None:
    client = create_client(service)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get("/counts/a"), 0.05)
    await asyncio.sleep(1)

    assert await fetch_state(service) == {"count": 0}
    assert [call.outcome for call in await fetch_calls(client)] == ["disconnected"]


async def test_write_takes_effect_after_disconnect(service: ServiceApp) -> None:
    connection = AsgiConnection("POST", "/counts")
    call = asyncio.create_task(connection.call(service))
    await asyncio.sleep(0.05)
    connection.closed.set()
    await call

    assert await fetch_state(service) == {"count": 0}
    await asyncio.sleep(0.06)
    assert await fetch_state(service) == {"count": 1}
    assert [call.outcome for call in await fetch_calls(create_client(service))] == ["disconnected"]


async def test_write_takes_effect_after_cancellation(service: ServiceApp) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(create_client(service).post("/counts"), 0.05)
    await asyncio.sleep(0.06)

    assert await fetch_state(service) == {"count": 1}


async def test_incomplete_request_is_not_handled(service: ServiceApp) -> None:
    connection = AsgiConnection("POST", "/counts", is_truncated=True)
    connection.closed.set()

    await connection.call(service)

    assert await fetch_state(service) == {"count": 0}
    assert [call.outcome for call in await fetch_calls(create_client(service))] == ["disconnected"]


async def test_reset_discards_call_in_flight(service: ServiceApp) -> None:
    """A call that is in flight at a reset affects neither the new state nor the new call log."""
    client = create_client(service)
    await put_faults(client, {"path_prefix": "/counts", "kind": "latency", "latency_ms": 500})
    call = asyncio.create_task(client.post("/counts"))
    await asyncio.sleep(0.1)

    await client.delete("/_mock")
    await call

    assert await fetch_state(service) == {"count": 0}
    assert await fetch_calls(client) == []


def test_call_log_drops_oldest_calls() -> None:
    log = CallLog()

    for number in range(MAX_CALLS + 1):
        log.add(Call("GET /", "GET", f"/{number}", None, 200, "answered"))

    assert len(list(log)) == MAX_CALLS
    assert next(iter(log)).path == "/1"
