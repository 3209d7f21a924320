"""The mock services beside the gateway, and the one checkout that is shown."""

from collections.abc import Generator, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
import uvloop
from typing_extensions import override

from gateway.cli.dev_stack import probe_mock_services, send_sample_checkout
from tests.system.programs import free_port
from tests.system.stack import mocks


class Stranger(BaseHTTPRequestHandler):
    """Something else that is healthy."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Say nothing."""


@contextmanager
def stranger() -> Generator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), Stranger) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


def test_a_gateway_that_has_stopped_is_said_to_have() -> None:
    said = uvloop.run(send_sample_checkout(f"http://127.0.0.1:{free_port()}"))

    assert said == "the gateway stopped before it answered the sample checkout"


def test_mock_services_answer_where_all_of_them_do(services: Mapping[str, str]) -> None:
    assert uvloop.run(probe_mock_services(services.values()))


def test_mock_services_do_not_answer_where_one_of_them_does_not(services: Mapping[str, str]) -> None:
    assert not uvloop.run(probe_mock_services([*services.values(), f"http://127.0.0.1:{free_port()}"]))


def test_what_is_healthy_is_no_mock_service_for_that(services: Mapping[str, str]) -> None:
    with stranger() as url:
        assert not uvloop.run(probe_mock_services([*services.values(), url]))
