"""Structured access log of the program, with one and with several processes."""

import json
from pathlib import Path

import httpx
import pytest

from tests.system.programs import Program
from tests.system.stack import ORDER, SERVICES, mocks

REQUEST = {"X-Request-Id": "request-1"}


@pytest.mark.parametrize("arguments", [(), ("--workers", "2")])
def test_log_has_an_object_for_each_request(arguments: tuple[str, ...], tmp_path: Path) -> None:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        down = {"GATEWAY_PRICING_URL": "http://127.0.0.1:1"}
        urls = {f"GATEWAY_{name.upper()}_URL": services[name] for name in SERVICES} | down
        settings = {
            "GATEWAY_PORT": "0",
            "GATEWAY_JOURNAL_URL": f"sqlite:///{tmp_path}/journal.sqlite",
            "GATEWAY_ACCESS_LOG": "true",
            "GATEWAY_LOG_FORMAT": "json",
        }
        with Program("gateway", "serve", *arguments, environment=settings | urls) as program:
            url = program.read_line().split()[1]
            program.wait_until_answers(f"{url}/health/live")
            response = httpx.post(f"{url}/checkout", json=ORDER, headers=REQUEST)
            result = program.end()

    entries = [json.loads(line) for line in result.err.splitlines()]
    (access,) = [entry for entry in entries if entry["logger"] == "gateway.access"]
    assert (response.status_code, access["status"]) == (503, 503)
    assert (access["request_id"], access["pipeline"]) == ("request-1", "checkout")
    assert access["retries"] >= 1
    assert access["slowest_call"].startswith("pricing.")
    assert {entry["level"] for entry in entries} == {"info", "warning"}
