"""What becomes of requests that are too many, of a gateway that is a process of its own."""

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


def ask_in_vain(stack: Stack, ends: threading.Event) -> None:
    """Ask for a checkout, and leave without its answer when told to; return once it is being answered."""
    asked = len(stack.calls_of("inventory"))
    leaving = threading.Thread(
        target=lambda: stack.ask_and_leave("/checkout", ORDER, {}, ends.is_set), daemon=True
    )
    leaving.start()
    until(lambda: len(stack.calls_of("inventory")) > asked)


def test_one_request_more_than_can_be_answered_is_refused_at_once_and_the_gateway_stays_ready(
    services: Mapping[str, str],
) -> None:
    ends = threading.Event()
    patience = {"GATEWAY_DEADLINE_MS": "30000", "GATEWAY_CALL_TIMEOUT_MS": "30000"}
    with gateway(services, GATEWAY_MAX_IN_FLIGHT="2", **patience) as stack:
        stack.reset()
        stack.break_down("user", "hang")
        for _ in range(2):
            ask_in_vain(stack, ends)

        refused = stack.checkout()  # its client waits for less time than the requests under way take
        ready = stack.client.get("/health/ready")

        stack.heal("user")
        ends.set()
        until(lambda: stack.checkout().status_code == 200)

    assert (refused.status_code, refused.json()["code"]) == (503, "unavailable")
    assert refused.headers["retry-after"] == "1"
    assert "source" not in refused.json()
    assert (ready.status_code, ready.json()["status"]) == (200, "pass")


def test_of_60_requests_a_minute_the_61st_at_once_is_refused_and_told_when_to_come_back(
    services: Mapping[str, str],
) -> None:
    with gateway(services, GATEWAY_RATE_LIMIT_PER_MINUTE="60") as stack:
        stack.reset()
        begin = time.monotonic()
        answers = [stack.checkout(user_id="")]
        while answers[-1].status_code != 429:
            answers.append(stack.checkout(user_id=""))
        come_back = int(time.monotonic() - begin)
        *let_in, refused = answers
        time.sleep(int(refused.headers["retry-after"]))
        later = stack.checkout()

    assert {answer.status_code for answer in let_in} == {422}
    assert 60 <= len(let_in) <= 60 + come_back
    assert refused.json()["code"] == "rate-limited"
    assert refused.headers["ratelimit-policy"] == '"caller";q=60;w=60'
    assert refused.headers["ratelimit"] == '"caller";r=0;t=1'
    assert later.status_code == 200


def test_a_proxy_that_is_believed_speaks_for_callers_who_have_a_quota_each(
    services: Mapping[str, str],
) -> None:
    with gateway(services, GATEWAY_RATE_LIMIT_PER_MINUTE="1", FORWARDED_ALLOW_IPS="127.0.0.1") as stack:
        answers = [asked_for(stack, caller) for caller in ("192.0.2.1", "192.0.2.2", "192.0.2.1")]

    assert [answer.status_code for answer in answers] == [422, 422, 429]


def test_nobody_else_speaks_for_anybody(services: Mapping[str, str]) -> None:
    with gateway(services, GATEWAY_RATE_LIMIT_PER_MINUTE="1", FORWARDED_ALLOW_IPS="192.0.2.9") as stack:
        answers = [asked_for(stack, caller) for caller in ("192.0.2.1", "192.0.2.2")]

    assert [answer.status_code for answer in answers] == [422, 429]


def asked_for(stack: Stack, caller: str) -> httpx.Response:
    return stack.client.post("/checkout", json={}, headers={"X-Forwarded-For": caller})
