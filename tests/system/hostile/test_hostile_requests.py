"""Hostile requests, sent over raw sockets to the real server."""

from collections.abc import Mapping
from contextlib import ExitStack
from http import HTTPStatus

import httpx
import pytest

from gateway.cli.dev_stack import SAMPLE_ORDER as ORDER
from tests.system.hostile.raw_client import RawClient, build_request
from tests.system.hostile.target import Target
from tests.system.programs import until

USER = "/SECRET-PATH/users/user-123"
EVIL = "http://evil.example"


@pytest.mark.parametrize(
    "path", ["/orders%0a", "/orders%0A", "/%6frders%0a", "/orders%0a?a=b", "/orders%0d%0a"]
)
def test_order_with_line_feed_in_path_is_404(target: Target, path: str) -> None:
    key = {"Idempotency-Key": f"line-feed {path}".replace(" ", "-")}
    state = f"{target.services['inventory']}/_mock/state"
    assert target.request("POST", "/orders", key, ORDER).status == 201
    before = httpx.get(state).json()

    response = target.request("POST", path, key, ORDER)

    assert (response.status, response.problem["code"]) == (404, "route-not-found")
    assert httpx.get(state).json() == before


@pytest.mark.parametrize(
    "path", ["/health/live", "/openapi.json", "/docs", "/pipelines", "/executions", "/problems/stuck"]
)
def test_line_feed_after_fixed_path_is_404(target: Target, path: str) -> None:
    assert target.request("GET", path).status == 200
    assert target.request("GET", f"{path}%0a").status == 404


@pytest.mark.parametrize(
    "headers",
    [
        {"Host": "evil.example"},
        {"Host": "evil.example:8000"},
        {"Host": "localhost.evil.example"},
        {"Origin": EVIL},
        {"Origin": "null"},
        {"Origin": EVIL, "Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Via": "1.1 proxy"},
        {"X-Real-IP": "127.0.0.1"},
        {"Forwarded": "for=127.0.0.1"},
        {"X-Forwarded-Host": "127.0.0.1"},
        {"CF-Connecting-IP": "127.0.0.1"},
    ],
)
@pytest.mark.parametrize(("method", "path"), [("GET", "/executions"), ("POST", "/executions/exe-0000/retry")])
def test_only_programs_here_are_operators(
    target: Target, method: str, path: str, headers: Mapping[str, str]
) -> None:
    assert target.request(method, path).status in {200, 404}

    response = target.request(method, path, headers)

    assert (response.status, response.problem["code"]) == (403, "forbidden")


@pytest.mark.parametrize(
    ("headers", "budget"),
    [
        ({}, 1000),
        ({"x-envoy-expected-rq-timeout-ms": "300"}, 300),
        ({"grpc-timeout": "300m"}, 300),
        ({"grpc-timeout": "300000u"}, 300),
        ({"x-envoy-expected-rq-timeout-ms": "900", "grpc-timeout": "1M", "X-Request-Timeout-Ms": "200"}, 200),
        ({"x-envoy-expected-rq-timeout-ms": "-1"}, 1000),
        ({"x-envoy-expected-rq-timeout-ms": "1e2"}, 1000),
        ({"grpc-timeout": "300"}, 1000),
        ({"grpc-timeout": "123456789n"}, 1000),
    ],
)
def test_callers_deadline_is_passed_on(target: Target, headers: Mapping[str, str], budget: int) -> None:
    target.get_feed(**headers)

    (sent,) = [
        int(line.partition(": ")[2])
        for line in target.upstream.find_head(USER).splitlines()
        if line.lower().startswith("x-envoy-expected-rq-timeout-ms")
    ]
    assert budget - 150 < sent <= budget


@pytest.mark.parametrize("header", [{"x-envoy-expected-rq-timeout-ms": "300"}, {"grpc-timeout": "300m"}])
def test_hanging_service_is_504_at_callers_deadline(target: Target, header: Mapping[str, str]) -> None:
    target.upstream.answers["/users/"] = []

    response = target.get_feed(**header)

    assert (response.status, response.problem["status"]) == (504, 504)


@pytest.mark.parametrize("request_id", ["Root=1-5e0a;Self=1-5e0b", "!", "~" * 128, "a/b", "-", "{%0a}"])
def test_visible_request_id_is_kept(target: Target, request_id: str) -> None:
    response = target.get_feed(**{"X-Request-Id": request_id})

    assert response.headers["x-request-id"] == request_id
    assert f"x-request-id: {request_id}" in target.upstream.find_head(USER).replace(
        "X-Request-Id", "x-request-id"
    )


@pytest.mark.parametrize("request_id", ["a b", "x" * 129, "caf\xe9", "", "a\tb"])
def test_other_request_id_is_replaced(target: Target, request_id: str) -> None:
    response = target.get_feed(**{"X-Request-Id": request_id})

    assert response.headers["x-request-id"] not in {"", request_id}


@pytest.mark.parametrize(
    ("headers", "json_body", "title"),
    [
        ({"Content-Length": "70000", "Content-Type": "application/json"}, None, "Content Too Large"),
        ({}, {"user_id": "user-123"}, "Unprocessable Content"),
    ],
)
def test_problem_has_title_of_rfc_9110(
    target: Target, headers: Mapping[str, str], json_body: object, title: str
) -> None:
    assert target.request("POST", "/checkout", headers, json_body).problem["title"] == title


def test_known_document_is_not_sent_again(target: Target) -> None:
    tag = target.request("GET", "/openapi.json").headers["etag"]

    response = target.request("GET", "/openapi.json", {"If-None-Match": f'W/{tag}, "other"'})

    assert (response.status, response.body, response.headers["etag"]) == (304, b"", tag)


def test_document_costs_little_more_than_liveness(target: Target) -> None:
    """The document took 2 ms of CPU for each request, ten times as much as a liveness check."""
    liveness, document = (measure_pipelined(target, path, 400) for path in ("/health/live", "/openapi.json"))

    assert document < 3 * liveness + 0.1


def measure_pipelined(target: Target, path: str, count: int) -> float:
    """Return the CPU seconds that *count* pipelined requests of *path* take."""
    before = target.cpu_seconds
    with RawClient(target.address) as client:
        client.send(build_request("GET", path) * count)
        assert {client.read_response().status for _ in range(count)} == {200}
    return target.cpu_seconds - before


def test_unread_documents_keep_no_other_request(target: Target) -> None:
    """Clients that request many documents and read none of them take only the limit for static content."""
    with ExitStack() as crowd:
        for _ in range(40):
            client = crowd.enter_context(RawClient(target.address))
            client.send(build_request("GET", "/docs/assets/swagger-ui-bundle.js") * 20)

        assert target.request("GET", "/health/live").status == 200
        assert target.request("POST", "/checkout", json=ORDER).status == 200
        until(lambda: target.request("GET", "/openapi.json").status == HTTPStatus.SERVICE_UNAVAILABLE)
