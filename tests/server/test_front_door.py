"""Front door: the cheap refusals of an overloaded gateway are those of its routes."""

import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

import pytest

from gateway.api.admission.admission import Admission
from gateway.api.application import Gateway
from gateway.observability.server_timing import ServerTiming
from gateway.server.front_door import FrontDoor
from tests.api.sample_gateway import ROUTES, FakeServices, build_gateway, build_state, create_client

Response = tuple[Mapping[str, str], Any]

ORIGIN: Final = "https://shop.example"
DATE: Final = (b"date", b"Sun, 29 Nov 2026 12:00:00 GMT")


def build_full_gateway(
    *,
    cors_origins: Sequence[str] = (),
    prefix: str = "",
    per_minute: int | None = None,
    server_timing: ServerTiming = "all",
    timing_origins: tuple[str, ...] = (),
) -> Gateway:
    """Build a gateway without a free slot."""
    admission = Admission(1, per_minute)
    admission.in_flight.try_acquire()
    return build_gateway(
        *ROUTES,
        services={"fakes": FakeServices()},
        shared=build_state(
            admission=admission,
            clock=lambda: 0.0,
            server_timing=server_timing,
            timing_origins=timing_origins,
        ),
        cors_origins=cors_origins,
        prefix=prefix,
    )


def refuse(gateway: Gateway, method: str, target: str, headers: Mapping[str, str]) -> Response | None:
    """Return the headers and the body of the refusal; None if the request is to be handled."""
    fields = [(name.encode(), value.encode()) for name, value in headers.items()]
    response = FrontDoor(gateway).refuse(method.encode(), target.encode(), fields, [DATE])
    if response is None:
        return None
    head, _, body = response.partition(b"\r\n\r\n")
    status, *lines = head.decode().split("\r\n")
    sent = dict(line.split(": ", 1) for line in lines)
    assert status == "HTTP/1.1 503 Service Unavailable"
    assert sent.pop("date") == DATE[1].decode()
    assert sent.pop("content-length") == str(len(body))
    return sent, json.loads(body)


async def request(gateway: Gateway, method: str, target: str, headers: Mapping[str, str]) -> Response:
    async with create_client(gateway) as client:
        response = await client.request(method, target, headers=headers)
    sent = dict(response.headers)
    del sent["content-length"]
    return sent, response.json()


@pytest.mark.parametrize("prefix", ["", "/api"])
@pytest.mark.parametrize("cors_origins", [[], [ORIGIN]])
@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("POST", "/baskets", {}),
        ("POST", "/baskets?a=b", {"content-type": "text/plain"}),
        ("GET", "/users/u-1", {"x-request-id": 'with-"quotes"'}),
    ],
)
async def test_refusal_is_that_of_routes(
    method: str, target: str, headers: Mapping[str, str], cors_origins: Sequence[str], prefix: str
) -> None:
    gateway = build_full_gateway(prefix=prefix, cors_origins=cors_origins)
    sent = {"x-request-id": "request-1", **headers}

    assert refuse(gateway, method, target, sent) == await request(gateway, method, target, sent)


@pytest.mark.parametrize("entries", ["off", "own", "all"])
async def test_refusal_has_times_as_set(entries: ServerTiming) -> None:
    gateway = build_full_gateway(server_timing=entries, timing_origins=("*",))

    sent = await request(gateway, "POST", "/baskets", {"x-request-id": "request-1"})

    assert refuse(gateway, "POST", "/baskets", {"x-request-id": "request-1"}) == sent
    assert ("timing-allow-origin" in sent[0]) == ("server-timing" in sent[0]) == (entries != "off")


def test_refusal_has_random_id_without_valid_id() -> None:
    refusals = [refuse(build_full_gateway(), "POST", "/baskets", {"x-request-id": "no id"}) for _ in range(2)]

    ids = {refusal[0]["x-request-id"] for refusal in refusals if refusal is not None}
    assert len(ids) == 2


@pytest.mark.parametrize(
    ("method", "target", "headers"),
    [
        ("GET", "/health/live", {}),
        ("OPTIONS", "/baskets", {}),
        ("HEAD", "/users/u-1", {}),
        ("GET", "/baskets", {}),
        ("POST", "/baskets/", {}),
        ("POST", "/nothing", {}),
        ("POST", "/api/baskets", {}),
        ("POST", "/baskets%0a", {}),
        ("GET", "/users/%C3%BC", {}),
        ("POST", "/baskets", {"origin": ORIGIN}),
        ("POST", "/baskets", {"x-forwarded-prefix": "/other"}),
    ],
)
def test_app_handles_other_request(method: str, target: str, headers: Mapping[str, str]) -> None:
    gateway = build_full_gateway(prefix="/api", cors_origins=[ORIGIN])

    assert refuse(gateway, method, target, headers) is None


def test_app_refuses_requests_of_route_below_prefix() -> None:
    """`/users` is a prefix and the start of a route: its links would not get the prefix twice."""
    gateway = build_full_gateway(prefix="/users")

    assert refuse(gateway, "GET", "/users/u-1", {}) is None


def test_origin_does_not_matter_without_cors() -> None:
    assert refuse(build_full_gateway(), "POST", "/baskets", {"origin": ORIGIN}) is not None


@pytest.mark.parametrize("per_minute", [None, 9])
def test_door_is_shut_while_gateway_is_full(per_minute: int | None) -> None:
    """If there is a rate limit, it is always open: a refused request counts against the limit."""
    gateway = build_full_gateway(per_minute=per_minute)
    door = FrontDoor(gateway)
    assert door.is_shut == (per_minute is None)
    gateway.shared.admission.in_flight.release()

    assert not door.is_shut
