"""Pipelines of the courier's gateway, in front of APIs that were not designed for it."""

import asyncio
import json
import logging
from collections.abc import AsyncGenerator, Mapping
from typing import Any, Final

import httpx
import pytest
import pytest_asyncio

from examples.courier.apis.geocoder import API_KEY
from examples.courier.apis.payments import DECLINED_CUSTOMER, SECRET_KEY
from tests.examples.courier_in_process import Courier, Loss, run_courier

DELIVERY: Final = {"customer": "cus_ada", "sender": "Brandenburg Gate", "receiver": "Elbphilharmonie"}
STOPS: Final = ["Brandenburg Gate", "Reichstag", "Elbphilharmonie"]
CHARGE: Final = "POST /v1/charges"
REFUND: Final = "POST /v1/refunds"
CREATE: Final = "POST /tickets"


@pytest_asyncio.fixture
async def courier() -> AsyncGenerator[Courier]:
    async with run_courier() as courier:
        yield courier


async def deliver(courier: Courier, **changes: str) -> httpx.Response:
    """Send a request for a delivery; repeat it under the same key until its commit has ended."""
    headers = {"Idempotency-Key": "delivery-1"}
    body = {**DELIVERY, **changes}
    response = await courier.client.post("/deliveries", json=body, headers=headers)
    while response.status_code == 202:
        response = await courier.client.post("/deliveries", json=body, headers=headers)
    return response


async def send_tour(courier: Courier, *stops: str) -> httpx.Response:
    return await courier.client.post("/tours", json={"stops": stops})


def select(problem: Mapping[str, Any], *members: str) -> list[object]:
    return [problem.get(member) for member in members]


async def test_tour_finds_all_stops(courier: Courier) -> None:
    response = await send_tour(courier, *STOPS)

    assert (response.status_code, response.json()) == (
        200,
        {
            "stops": ["Brandenburg Gate, Berlin", "Reichstag, Berlin", "Elbphilharmonie, Hamburg"],
            "kilometres": 254.0,
        },
    )


async def test_unknown_stop_is_404_with_its_position(courier: Courier) -> None:
    response = await send_tour(courier, "Brandenburg Gate", "Atlantis", "Reichstag")

    assert response.status_code == 404
    assert select(response.json(), "detail", "source", "item") == [
        "Unknown address: Atlantis",
        "geocoder.search",
        1,
    ]


async def test_several_unknown_stops_are_207(courier: Courier) -> None:
    response = await send_tour(courier, "Atlantis", "Reichstag", "Avalon")

    assert response.status_code == 207
    assert [select(part, "status", "item") for part in response.json()["errors"]] == [[404, 0], [404, 2]]


async def test_delivery_is_charged_and_assigned(courier: Courier) -> None:
    response = await deliver(courier)

    (charge,), (ticket,) = await courier.list_charges(), await courier.list_tickets()
    assert response.status_code == 201
    assert response.json() == {
        "ticket_id": ticket["id"],
        "charge_id": charge["id"],
        "cents": 30968,
        "courier": "courier-7",
        "degraded": [],
    }
    assert select(charge, "amount", "customer", "refunded") == [30968, "cus_ada", False]
    assert select(ticket, "subject", "address", "assignee", "status") == [
        "Delivery from Brandenburg Gate, Berlin",
        "Elbphilharmonie, Hamburg",
        "courier-7",
        "assigned",
    ]


async def test_delivery_without_courier_is_degraded(courier: Courier) -> None:
    courier.ticket.faults["PATCH /tickets/1001"] += [httpx.Response(500)]
    response = await deliver(courier)

    assert response.status_code == 201
    assert select(response.json(), "courier", "degraded") == [None, ["courier"]]
    assert response.headers["gateway-completed"] == "false"


async def test_declined_card_opens_no_ticket(courier: Courier) -> None:
    response = await deliver(courier, customer=DECLINED_CUSTOMER)

    assert response.status_code == 409
    assert select(response.json(), "code", "detail", "source") == [
        "card-declined",
        "Your card was declined.",
        "payments.charge",
    ]
    assert courier.ticket.requests == []


async def test_refused_ticket_refunds_charge(courier: Courier) -> None:
    refusal = {"errors": [{"field": "subject", "message": "Too long"}]}
    courier.ticket.faults[CREATE] += [httpx.Response(422, json=refusal)]
    response = await deliver(courier)

    assert response.status_code == 422
    assert select(response.json(), "detail", "source") == ["Too long", "tickets.create"]
    assert [charge["refunded"] for charge in await courier.list_charges()] == [True]
    assert courier.payment.list_operations()[:2] == [CHARGE, REFUND]  # the answer saves the look-up


async def test_delivery_is_503_if_help_desk_is_down(courier: Courier) -> None:
    courier.ticket.faults[CREATE] += [Loss.REQUEST] * 100
    response = await deliver(courier)

    assert response.status_code == 503
    assert response.json()["source"] == "tickets.create"
    assert [charge["refunded"] for charge in await courier.list_charges()] == [True]
    assert await courier.list_tickets() == []


async def test_lost_charge_response_is_no_second_charge(courier: Courier) -> None:
    courier.payment.faults[CHARGE] += [Loss.RESPONSE]
    response = await deliver(courier)

    assert response.status_code == 201
    assert [charge["id"] for charge in await courier.list_charges()] == [response.json()["charge_id"]]


async def test_lost_ticket_response_is_no_second_ticket(courier: Courier) -> None:
    courier.ticket.faults[CREATE] += [Loss.RESPONSE]
    response = await deliver(courier)

    assert response.status_code == 201
    assert [ticket["id"] for ticket in await courier.list_tickets()] == [response.json()["ticket_id"]]


async def test_unanswered_charge_is_found_and_refunded(courier: Courier) -> None:
    """The provider charges, but no response ever arrives: the undo has to look the charge up."""
    courier.payment.faults[CHARGE] += [Loss.RESPONSE] * 100
    response = await deliver(courier)

    assert response.status_code == 503
    assert [charge["refunded"] for charge in await courier.list_charges()] == [True]
    *charges_and_searches, refund, _ = courier.payment.list_operations()
    assert {*charges_and_searches} == {CHARGE, "GET /v1/charges/search"}
    assert refund == REFUND


async def test_charge_that_never_arrived_is_undone_after_settling(courier: Courier) -> None:
    courier.payment.faults[CHARGE] += [Loss.REQUEST] * 100
    response = await deliver(courier)

    operations, times = courier.payment.list_operations(), courier.payment.times
    last_sent = max(at for name, at in zip(operations, times, strict=True) if name == CHARGE)
    assert times[-1] - last_sent >= 1.5  # the last look-up is after the settling time
    execution = (await courier.client.get(f"/executions/{response.json()['execution_id']}")).json()
    assert (response.status_code, execution["state"]) == (503, "undone")
    assert await courier.list_charges() == []
    assert REFUND not in operations


async def test_created_ticket_is_closed_if_its_response_is_lost(courier: Courier) -> None:
    courier.ticket.faults[CREATE] += [Loss.RESPONSE] * 100
    response = await deliver(courier)

    assert response.status_code == 503
    assert [ticket["status"] for ticket in await courier.list_tickets()] == ["closed"]
    assert [charge["refunded"] for charge in await courier.list_charges()] == [True]


async def test_lost_refund_response_is_no_second_refund(courier: Courier) -> None:
    courier.ticket.faults[CREATE] += [Loss.REQUEST] * 100
    courier.payment.faults[REFUND] += [Loss.RESPONSE, httpx.Response(500)]
    response = await deliver(courier)

    assert response.status_code == 503
    assert [charge["refunded"] for charge in await courier.list_charges()] == [True]
    refunds = [request for request in courier.payment.requests if request.url.path == "/v1/refunds"]
    assert len(refunds) == 3
    assert len({request.headers["idempotency-key"] for request in refunds}) == 1


async def test_overview_combines_three_apis(courier: Courier) -> None:
    delivery = (await deliver(courier)).json()
    response = await courier.client.get(f"/deliveries/{delivery['ticket_id']}/{delivery['charge_id']}")

    assert (response.status_code, response.json()) == (
        200,
        {
            "status": "assigned",
            "cents": 30968,
            "is_refunded": False,
            "address": "Elbphilharmonie, Hamburg",
            "latitude": 53.5413,
            "degraded": [],
        },
    )


async def test_overview_does_without_geocoder(courier: Courier) -> None:
    delivery = (await deliver(courier)).json()
    courier.geocoder.faults["GET /search"] += [Loss.REQUEST] * 10
    response = await courier.client.get(f"/deliveries/{delivery['ticket_id']}/{delivery['charge_id']}")

    assert response.status_code == 200
    assert select(response.json(), "latitude", "degraded") == [None, ["latitude"]]


async def test_overview_of_unknown_ids_is_207(courier: Courier) -> None:
    response = await courier.client.get("/deliveries/9/ch_9")

    assert response.status_code == 207
    assert [select(part, "detail", "source") for part in response.json()["errors"]] == [
        ["No ticket has the id 9", "tickets.fetch"],
        ["No such charge: ch_9", "payments.fetch"],
    ]


async def test_ticket_is_assigned(courier: Courier) -> None:
    await deliver(courier)
    response = await courier.client.patch("/tickets/1001")

    assert (response.status_code, response.content) == (204, b"")


async def test_unknown_ticket_is_404(courier: Courier) -> None:
    response = await courier.client.patch("/tickets/9")

    assert (response.status_code, response.json()["detail"]) == (404, "No ticket has the id 9")


async def test_closed_ticket_is_409(courier: Courier) -> None:
    await deliver(courier)
    async with httpx.AsyncClient(transport=courier.ticket, base_url="http://ticket") as client:
        await client.delete("/tickets/1001")
    response = await courier.client.patch("/tickets/1001")

    assert (response.status_code, response.json()["detail"]) == (409, "The ticket is closed")


async def test_exceeded_quota_is_retried_after_its_time() -> None:
    """The quota of the geocoder is that of a second: two of the three calls are made again."""
    async with run_courier(requests_per_second=1) as courier:
        response = await send_tour(courier, *STOPS)

        assert response.status_code == 200
        assert len(courier.geocoder.requests) > len(STOPS)
        assert asyncio.get_running_loop().time() >= 2


async def test_lasting_quota_is_503_with_retry_after(courier: Courier) -> None:
    courier.geocoder.faults["GET /search"] += [httpx.Response(429, headers={"Retry-After": "60"})] * 10
    response = await send_tour(courier, "Reichstag", "Reichstag")

    assert (response.status_code, response.headers["retry-after"]) == (503, "60")


async def test_wrong_key_of_geocoder_is_502() -> None:
    async with run_courier(tokens={"payment": SECRET_KEY, "geocoder": "wrong"}) as courier:
        response = await deliver(courier)

    assert response.status_code == 502
    assert {part["code"] for part in response.json()["errors"]} == {"bad-answer"}
    assert "API key" not in response.text


async def test_wrong_key_of_payment_provider_is_stuck() -> None:
    """Nothing was charged, but without a right key the gateway cannot find that out."""
    async with run_courier(tokens={"payment": "wrong", "geocoder": API_KEY}) as courier:
        response = await deliver(courier)

    assert (response.status_code, response.json()["code"]) == (500, "stuck")
    assert courier.ticket.requests == []


async def test_credentials_are_sent_to_their_service_only(courier: Courier) -> None:
    await deliver(courier)

    payments = courier.payment.requests
    assert {request.headers["authorization"] for request in payments} == {f"Bearer {SECRET_KEY}"}
    assert {request.headers["x-api-key"] for request in courier.geocoder.requests} == {API_KEY}
    others = [*courier.geocoder.requests, *courier.ticket.requests]
    assert all(SECRET_KEY not in repr(request.headers.raw) for request in others)


async def test_credentials_are_neither_shown_nor_logged(
    courier: Courier, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    courier.payment.faults[CHARGE] += [Loss.REQUEST] * 100
    texts = [
        (await deliver(courier)).text,
        *[(await courier.client.get(path)).text for path in ("/pipelines", "/openapi.json", "/health/ready")],
        json.dumps([record.getMessage() for record in caplog.records]),
    ]

    assert caplog.records
    assert [text for text in texts if SECRET_KEY in text or API_KEY in text] == []


@pytest.mark.parametrize(
    ("path", "body"),
    [("/tours", {"stops": ["Reichstag"]}), ("/deliveries", {**DELIVERY, "customer": "a b"})],
)
async def test_invalid_request_is_422_and_calls_nothing(
    courier: Courier, path: str, body: Mapping[str, object]
) -> None:
    response = await courier.client.post(path, json=body)

    assert response.status_code == 422
    assert courier.geocoder.requests == []
