import asyncio
from collections.abc import Mapping, Sequence

import pytest
from typing_extensions import override

from mock_services.calls import CALLS_KEPT, Call, CallLog
from mock_services.endpoints import Domain, Endpoint
from mock_services.requests import Request
from mock_services.service import Service
from tests.mock_services.in_process_client import Line, calls_of, client_of, put_faults


class Counter(Domain):
    """Counts what reaches it."""

    def __init__(self) -> None:
        self._count = 0

    @override
    def endpoints(self) -> Sequence[Endpoint]:
        return (
            Endpoint("GET /counts/{name}", 100, self._add_one),
            Endpoint("POST /counts", 100, self._add_one, status=201, writes=True),
            Endpoint("DELETE /counts/{name}", 0, self._forget, status=204, writes=True),
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
def service() -> Service:
    return Service(Counter)


async def state_of(service: Service) -> object:
    return (await client_of(service).get("/_mock/state")).json()


def clock() -> float:
    return asyncio.get_running_loop().time()


async def test_an_answer_takes_as_long_as_its_endpoint_says(service: Service) -> None:
    before = clock()

    answer = await client_of(service).get("/counts/a")

    assert answer.status_code == 200
    assert clock() - before == pytest.approx(0.1)


async def test_latency_is_multiplied_by_the_scale() -> None:
    before = clock()

    await client_of(Service(Counter, latency_scale=2.5)).get("/counts/a")

    assert clock() - before == pytest.approx(0.25)


async def test_a_scale_of_zero_takes_no_time() -> None:
    before = clock()

    await client_of(Service(Counter, latency_scale=0)).get("/counts/a")

    assert clock() == before


async def test_an_endpoint_answers_with_its_own_status(service: Service) -> None:
    client = client_of(service)

    assert (await client.post("/counts")).status_code == 201
    assert (await client.delete("/counts/a")).status_code == 204


async def test_a_call_is_logged_with_its_path_template_and_key(service: Service) -> None:
    client = client_of(service)

    await client.delete("/counts/a?all=true", headers={"Idempotency-Key": "key-1"})

    assert await calls_of(client) == [
        Call("DELETE /counts/{name}", "DELETE", "/counts/a", "key-1", 204, "answered")
    ]


async def test_calls_are_logged_in_the_order_in_which_they_end(service: Service) -> None:
    client = client_of(service)

    await asyncio.gather(client.get("/counts/slow"), client.delete("/counts/fast"))

    assert [call.path for call in await calls_of(client)] == ["/counts/fast", "/counts/slow"]


async def test_a_path_that_does_not_exist_is_a_logged_404(service: Service) -> None:
    client = client_of(service)

    answer = await client.get("/nowhere")

    assert answer.status_code == 404
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json()["detail"] == "No such path: /nowhere"
    assert await calls_of(client) == [Call("GET /nowhere", "GET", "/nowhere", None, 404, "answered")]


async def test_another_method_is_a_logged_405_that_says_which_are_allowed(service: Service) -> None:
    client = client_of(service)

    answer = await client.patch("/counts/a")

    assert answer.status_code == 405
    assert answer.headers["allow"] == "GET, DELETE"
    assert (await calls_of(client))[0].operation == "PATCH /counts/{name}"


async def test_a_path_parameter_is_one_segment(service: Service) -> None:
    assert (await client_of(service).get("/counts/a/b")).status_code == 404


async def test_a_read_stops_when_its_caller_hangs_up(service: Service) -> None:
    line = Line("GET", "/counts/a")
    call = asyncio.create_task(line.call(service))
    await asyncio.sleep(0.05)

    line.closed.set()
    await call
    await asyncio.sleep(1)

    assert line.sent == []
    assert await state_of(service) == {"count": 0}
    assert await calls_of(client_of(service)) == [
        Call("GET /counts/{name}", "GET", "/counts/a", None, None, "disconnected")
    ]


async def test_a_read_stops_when_its_caller_in_this_process_is_cancelled(service: Service) -> None:
    client = client_of(service)

    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client.get("/counts/a"), 0.05)
    await asyncio.sleep(1)

    assert await state_of(service) == {"count": 0}
    assert [call.outcome for call in await calls_of(client)] == ["disconnected"]


async def test_a_write_is_applied_in_its_time_though_its_caller_has_hung_up(service: Service) -> None:
    line = Line("POST", "/counts")
    call = asyncio.create_task(line.call(service))
    await asyncio.sleep(0.05)
    line.closed.set()
    await call

    assert await state_of(service) == {"count": 0}
    await asyncio.sleep(0.06)
    assert await state_of(service) == {"count": 1}
    assert [call.outcome for call in await calls_of(client_of(service))] == ["disconnected"]


async def test_a_write_is_applied_though_its_caller_in_this_process_is_cancelled(service: Service) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(client_of(service).post("/counts"), 0.05)
    await asyncio.sleep(0.06)

    assert await state_of(service) == {"count": 1}


async def test_a_request_that_breaks_off_is_not_handled(service: Service) -> None:
    line = Line("POST", "/counts", body_breaks_off=True)
    line.closed.set()

    await line.call(service)

    assert await state_of(service) == {"count": 0}
    assert [call.outcome for call in await calls_of(client_of(service))] == ["disconnected"]


async def test_a_call_that_a_reset_overtakes_leaves_no_trace_in_the_new_world(service: Service) -> None:
    client = client_of(service)
    await put_faults(client, {"path_prefix": "/counts", "kind": "latency", "latency_ms": 500})
    call = asyncio.create_task(client.post("/counts"))
    await asyncio.sleep(0.1)

    await client.delete("/_mock")
    await call

    assert await state_of(service) == {"count": 0}
    assert await calls_of(client) == []


def test_the_log_keeps_the_latest_calls_only() -> None:
    log = CallLog()

    for number in range(CALLS_KEPT + 1):
        log.add(Call("GET /", "GET", f"/{number}", None, 200, "answered"))

    assert len(list(log)) == CALLS_KEPT
    assert next(iter(log)).path == "/1"
