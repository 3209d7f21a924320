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
    """Counts what reaches it."""

    def __init__(self) -> None:
        self._count = 0

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /counts/{name}", 100, self._add_one),
            Endpoint("POST /counts", 100, self._add_one, status=201, is_write=True),
            Endpoint("DELETE /counts/{name}", 0, self._forget, status=204, is_write=True),
        )

    @override
    def state(self) -> Mapping[str, object]:
        return {"count": self._count}

    def _add_one(self, _: Request) -> Mapping[str, object]:
        self._count += 1
        return self.state()

    def _forget(self, _: Request) -> None:
        self._count = 0


@pytest.fixture
def service() -> ServiceApp:
    return ServiceApp(Counter)


async def fetch_state(service: ServiceApp) -> object:
    return (await create_client(service).get("/_mock/state")).json()


def clock() -> float:
    return asyncio.get_running_loop().time()


async def test_an_answer_takes_as_long_as_its_endpoint_says(service: ServiceApp) -> None:
    before = clock()

    answer = await create_client(service).get("/counts/a")

    assert answer.status_code == 200
    assert clock() - before == pytest.approx(0.1)


async def test_latency_is_multiplied_by_the_scale() -> None:
    before = clock()

    await create_client(ServiceApp(Counter, latency_scale=2.5)).get("/counts/a")

    assert clock() - before == pytest.approx(0.25)


async def test_a_scale_of_zero_takes_no_time() -> None:
    before = clock()

    await create_client(ServiceApp(Counter, latency_scale=0)).get("/counts/a")

    assert clock() == before


async def test_an_endpoint_answers_with_its_own_status(service: ServiceApp) -> None:
    client = create_client(service)

    assert (await client.post("/counts")).status_code == 201
    assert (await client.delete("/counts/a")).status_code == 204


async def test_a_call_is_logged_with_its_path_template_and_key(service: ServiceApp) -> None:
    client = create_client(service)

    await client.delete("/counts/a?all=true", headers={"Idempotency-Key": "key-1"})

    assert await fetch_calls(client) == [
        Call("DELETE /counts/{name}", "DELETE", "/counts/a", "key-1", 204, "answered")
    ]


async def test_calls_are_logged_in_the_order_in_which_they_end(service: ServiceApp) -> None:
    client = create_client(service)

    await asyncio.gather(client.get("/counts/slow"), client.delete("/counts/fast"))

    assert [call.path for call in await fetch_calls(client)] == ["/counts/fast", "/counts/slow"]


async def test_a_path_that_does_not_exist_is_a_logged_404(service: ServiceApp) -> None:
    client = create_client(service)

    answer = await client.get("/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "No such path: /nowhere"
    assert await fetch_calls(client) == [Call("GET /nowhere", "GET", "/nowhere", None, 404, "answered")]


async def test_another_method_is_a_logged_405_that_says_which_are_allowed(service: ServiceApp) -> None:
    client = create_client(service)

    answer = await client.patch("/counts/a")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, DELETE"
    assert (await fetch_calls(client))[0].operation == "PATCH /counts/{name}"


async def test_a_path_parameter_is_one_segment(service: ServiceApp) -> None:
    assert (await create_client(service).get("/counts/a/b")).status_code == 404


async def test_a_read_stops_when_its_caller_hangs_up(service: ServiceApp) -> None:
    line = AsgiConnection("GET", "/counts/a")
    call = asyncio.create_task(line.call(service))
    await asyncio.sleep(0.05)

    line.closed.set()
    await call
    await asyncio.sleep(1)

    assert line.sent == []
    assert await fetch_state(service) == {"count": 0}
    assert await fetch_calls(create_client(service)) == [
        Call("GET /counts/{name}", "GET", "/counts/a", None, None, "disconnected")
    ]


async def test_a_read_stops_when_its_caller_in_this_process_is_cancelled(service: ServiceApp) -> None:
    client = create_client(service)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get("/counts/a"), 0.05)
    await asyncio.sleep(1)

    assert await fetch_state(service) == {"count": 0}
    assert [call.outcome for call in await fetch_calls(client)] == ["disconnected"]


async def test_a_write_is_applied_in_its_time_though_its_caller_has_hung_up(service: ServiceApp) -> None:
    line = AsgiConnection("POST", "/counts")
    call = asyncio.create_task(line.call(service))
    await asyncio.sleep(0.05)
    line.closed.set()
    await call

    assert await fetch_state(service) == {"count": 0}
    await asyncio.sleep(0.06)
    assert await fetch_state(service) == {"count": 1}
    assert [call.outcome for call in await fetch_calls(create_client(service))] == ["disconnected"]


async def test_a_write_is_applied_though_its_caller_in_this_process_is_cancelled(service: ServiceApp) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(create_client(service).post("/counts"), 0.05)
    await asyncio.sleep(0.06)

    assert await fetch_state(service) == {"count": 1}


async def test_a_request_that_breaks_off_is_not_handled(service: ServiceApp) -> None:
    line = AsgiConnection("POST", "/counts", body_breaks_off=True)
    line.closed.set()

    await line.call(service)

    assert await fetch_state(service) == {"count": 0}
    assert [call.outcome for call in await fetch_calls(create_client(service))] == ["disconnected"]


async def test_a_call_that_a_reset_overtakes_leaves_no_trace_in_the_new_world(service: ServiceApp) -> None:
    client = create_client(service)
    await put_faults(client, {"path_prefix": "/counts", "kind": "latency", "latency_ms": 500})
    call = asyncio.create_task(client.post("/counts"))
    await asyncio.sleep(0.1)

    await client.delete("/_mock")
    await call

    assert await fetch_state(service) == {"count": 0}
    assert await fetch_calls(client) == []


def test_the_log_keeps_the_latest_calls_only() -> None:
    log = CallLog()

    for number in range(MAX_CALLS + 1):
        log.add(Call("GET /", "GET", f"/{number}", None, 200, "answered"))

    assert len(list(log)) == MAX_CALLS
    assert next(iter(log)).path == "/1"
