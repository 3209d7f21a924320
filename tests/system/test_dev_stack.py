"""Sample checkout and probe of the mock services, over HTTP."""

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


class OtherService(BaseHTTPRequestHandler):
    """A healthy service that is no mock service."""

    def do_GET(self) -> None:
        self.send_response(200 if self.path == "/health" else 404)
        self.end_headers()

    @override
    def log_request(self, code: int | str = "-", size: int | str = "-") -> None:
        """Log nothing."""


@contextmanager
def run_other_service() -> Generator[str]:
    """Run an `OtherService`; yield its URL."""
    with ThreadingHTTPServer(("127.0.0.1", 0), OtherService) as server:
        Thread(target=server.serve_forever).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def services() -> Iterator[Mapping[str, str]]:
    with mocks("all", "--base-port", "0", MOCK_LATENCY_SCALE="0") as services:
        yield services


def test_sample_checkout_reports_stopped_gateway() -> None:
    output = uvloop.run(send_sample_checkout(f"http://127.0.0.1:{free_port()}"))

    assert output == "the gateway stopped before it answered the sample checkout"


def test_probe_succeeds_if_all_mocks_answer(services: Mapping[str, str]) -> None:
    assert uvloop.run(probe_mock_services(services.values()))


def test_probe_fails_if_one_mock_is_missing(services: Mapping[str, str]) -> None:
    assert not uvloop.run(probe_mock_services([*services.values(), f"http://127.0.0.1:{free_port()}"]))


def test_probe_fails_if_one_service_is_no_mock(services: Mapping[str, str]) -> None:
    with run_other_service() as url:
        assert not uvloop.run(probe_mock_services([*services.values(), url]))
