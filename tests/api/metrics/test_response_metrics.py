"""Metrics of responses: refusals, disconnected clients, and problems of an endpoint's own."""

import pytest
from starlette.responses import Response, StreamingResponse

from gateway.api.admission.admission import Admission
from gateway.api.metrics.response_code import record_response
from gateway.observability.metrics.registry import MetricsRegistry
from gateway.observability.metrics.request_metrics import RequestMetrics
from gateway.observability.trace import Trace
from gateway.railway import Err, Unavailable
from gateway.server.front_door import FrontDoor
from tests.api.fake_bank import Bank, build_bank_gateway, create_client, post_payment, start_payment
from tests.exposition import Metrics

PROBLEM = "application/problem+json"


@pytest.fixture
def metrics() -> RequestMetrics:
    return RequestMetrics()


def read(metrics: RequestMetrics) -> Metrics:
    return Metrics(MetricsRegistry(metrics.sample).render()[0].decode())


async def test_durations_are_those_of_the_request_and_its_calls(metrics: RequestMetrics) -> None:
    bank = Bank()
    bank.check.seconds, bank.pay.seconds = 0.2, 0.6
    async with create_client(build_bank_gateway(bank, metrics=metrics)) as client:
        await post_payment(client)

    found, pay = read(metrics), {"operation": "bank.pay", "kind": "write"}
    assert found.sum("gateway_request_duration_seconds_sum", pipeline="pay") == pytest.approx(0.8)
    assert found.sum("gateway_call_duration_seconds_sum", **pay) == pytest.approx(0.6)
    assert found.sum("gateway_call_duration_seconds_bucket", **pay, le="0.5") == 0
    assert found.sum("gateway_call_duration_seconds_bucket", **pay, le="0.75") == 1
    assert found.sum("gateway_own_duration_seconds_sum") == 0


async def test_repeats_of_a_write_are_calls_of_their_own(metrics: RequestMetrics) -> None:
    bank = Bank()
    bank.pay.seconds, bank.pay.outcome = 0.1, Err(Unavailable("reset", was_sent=True))
    async with create_client(build_bank_gateway(bank, metrics=metrics, deadline=60)) as client:
        await post_payment(client)

    found, pay = read(metrics), {"operation": "bank.pay", "kind": "write"}
    count = found.sum("gateway_calls_total", **pay, outcome="failed", code="unavailable")
    assert count == len(bank.pay.keys) > 1
    assert found.sum("gateway_call_duration_seconds_sum", **pay) == pytest.approx(0.1 * count, abs=0.1)
    assert found.sum("gateway_calls_total", operation="bank.repay", kind="undo", outcome="done") == 1


async def test_disconnected_client_is_499(metrics: RequestMetrics) -> None:
    bank = Bank()
    bank.check.can_finish.clear()
    connection, responding = start_payment(build_bank_gateway(bank, metrics=metrics))
    await bank.check.has_started.wait()

    connection.disconnect()
    await responding

    assert read(metrics).sum("gateway_request_duration_seconds_count", status="499") == 1
    assert read(metrics).sum("gateway_calls_total", outcome="cancelled") == 1
    assert read(metrics).find_labels("gateway_call_duration_seconds_count", "operation") == set()


async def test_overload_is_counted_by_route_and_front_door(metrics: RequestMetrics) -> None:
    admission = Admission(1)
    admission.in_flight.try_acquire()
    gateway = build_bank_gateway(Bank(), admission=admission, metrics=metrics)
    async with create_client(gateway) as client:
        assert (await post_payment(client)).status_code == 503
    assert FrontDoor(gateway).refuse(b"POST", b"/payments", ()) is not None

    assert read(metrics).sum("gateway_responses_total", code="unavailable") == 2
    assert read(metrics).sum("gateway_request_duration_seconds_count", route="/payments", status="503") == 2
    assert admission.in_flight.refused == 2


@pytest.mark.parametrize(
    "response",
    [
        Response(b"no JSON", 418, media_type=PROBLEM),
        Response(b'{"title": "Teapot"}', 418, media_type=PROBLEM),
        Response(b'{"code": 7}', 418, media_type=PROBLEM),
        StreamingResponse(iter(()), 418, media_type=PROBLEM),
    ],
)
async def test_problem_without_a_code_is_other(metrics: RequestMetrics, response: Response) -> None:
    route = metrics.add_route("brew", "POST", "/coffee")

    record_response(route, response, Trace(lambda: 0.0))

    assert read(metrics).sum("gateway_responses_total", pipeline="brew", code="other") == 1
