"""Load shedding and rate limit of a gateway in its own process."""

import threading
import time
from collections.abc import Iterator, Mapping

import httpx
import pytest

from tests.system.programs import until
from tests.system.stack import ORDER, Stack, gateway, mocks


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


def occupy_slot(stack: Stack, ends: threading.Event) -> None:
    """Send a checkout that stays in progress until *ends* is set; return once its calls are made."""
    calls = len(stack.calls_of("inventory"))
    client = threading.Thread(
        target=lambda: stack.post_and_disconnect("/checkout", ORDER, {}, ends.is_set), daemon=True
    )
    client.start()
    until(lambda: len(stack.calls_of("inventory")) > calls)


def test_request_over_max_in_flight_is_shed(
    services: Mapping[str, str],
) -> None:
    """A request above `GATEWAY_MAX_IN_FLIGHT` gets a 503 at once, and the gateway stays ready."""
    ends = threading.Event()
    limits = {"GATEWAY_DEADLINE_MS": "30000", "GATEWAY_CALL_TIMEOUT_MS": "30000"}
    with gateway(services, GATEWAY_MAX_IN_FLIGHT="2", **limits) as stack:
        stack.reset()
        stack.break_down("user", "hang")
        for _ in range(2):
            occupy_slot(stack, ends)

        refused = stack.checkout()  # answered before the requests in progress end
        ready = stack.client.get("/health/ready")

        stack.heal("user")
        ends.set()
        until(lambda: stack.checkout().status_code == 200)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert "source" not in refused.json()
    assert (ready.status_code, ready.json()["status"]) == (200, "pass")


def test_rate_limit_refuses_request_61(
    services: Mapping[str, str],
) -> None:
    """With a limit of 60 per minute, request 61 of a burst gets a 429, and succeeds after `Retry-After`."""
    with gateway(services, GATEWAY_RATE_LIMIT_PER_MINUTE="60") as stack:
        stack.reset()
        begin = time.monotonic()
        answers = [stack.checkout(user_id="")]
        while answers[-1].status_code != 429:
            answers.append(stack.checkout(user_id=""))
        refilled = int(time.monotonic() - begin)  # one token per second
        *admitted, refused = answers
        time.sleep(int(refused.headers["retry-after"]))
        later = stack.checkout()

    assert {answer.status_code for answer in admitted} == {422}
    assert 60 <= len(admitted) <= 60 + refilled
    assert refused.json()["code"] == "rate-limited"
    assert refused.headers["ratelimit-policy"] == '"caller";q=60;w=60'
    assert refused.headers["ratelimit"] == '"caller";r=0;t=1'
    assert later.status_code == 200


def test_trusted_proxy_sets_client_address(
    services: Mapping[str, str],
) -> None:
    """Clients behind a trusted proxy have a rate limit each."""
    with gateway(services, GATEWAY_RATE_LIMIT_PER_MINUTE="1", FORWARDED_ALLOW_IPS="127.0.0.1") as stack:
        answers = [send_for(stack, caller) for caller in ("192.0.2.1", "192.0.2.2", "192.0.2.1")]

    assert [answer.status_code for answer in answers] == [422, 422, 429]


def test_untrusted_proxy_cannot_set_client_address(services: Mapping[str, str]) -> None:
    with gateway(services, GATEWAY_RATE_LIMIT_PER_MINUTE="1", FORWARDED_ALLOW_IPS="192.0.2.9") as stack:
        answers = [send_for(stack, caller) for caller in ("192.0.2.1", "192.0.2.2")]

    assert [answer.status_code for answer in answers] == [422, 429]


def send_for(stack: Stack, caller: str) -> httpx.Response:
    """Send a request as a proxy does for the client address *caller*."""
    return stack.client.post("/checkout", json={}, headers={"X-Forwarded-For": caller})
